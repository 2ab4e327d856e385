"""Sections of neural tissue as an electron microscope shows them, with their truth.

A section is built as electron density (0 = clear resin, 1 = black): profiles of neurites, what
lies in their cytoplasm, the membranes over it, and last what the microscope adds. Lengths that
belong to the tissue are drawn for 4 nm pixels and multiplied by the magnification.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from skimage.measure import label

from pretraining.synthetic.exposure import expose, soft_edge
from pretraining.synthetic.neurites import (
    Map,
    Profiles,
    distance_to_border,
    profiles,
    spline_noise,
)
from pretraining.synthetic.noise import log_uniform
from pretraining.synthetic.scene import (
    CYTOPLASM,
    MEMBRANE,
    NUCLEUS,
    ORGANELLE,
    OUTSIDE,
    Float,
    Scene,
)

__all__ = ["electron_micrograph"]

_Kinds = npt.NDArray[np.uint8]  # (Y, X)
_Places = npt.NDArray[np.intp]  # (N, 2), rows and columns
_Window = tuple[slice, slice]

_SMALLEST_PROFILE = 12  # pixels; less than this between membranes is painted as membrane


def electron_micrograph(rng: np.random.Generator, shape: tuple[int, int]) -> Scene:
    """Make one section of neural tissue, each parameter drawn from a wide range.

    Parameters
    ----------
    rng
        Source of everything random; equal states give equal scenes.
    shape
        Size (Y, X) in pixels.

    Returns
    -------
    Scene
        Grey values of about 0 to 1. `objects` numbers the profiles of neurites, organelles
        included; membranes, myelin and the space between cells are 0, as annotators of serial
        sections paint them. Two profiles never touch, not even at a corner. `kinds` counts
        vesicles, microtubules and reticulum as cytoplasm: they are too small to be outlined.
    """
    section = _Section(rng, shape, magnification=log_uniform(rng, 0.6, 2.2))
    section.fill_cytoplasm()
    section.add_reticulum()
    section.add_nuclei()
    section.add_mitochondria()
    section.add_vesicles()
    section.add_membranes()
    section.add_synapses()
    objects, kinds = section.truth()
    return Scene(expose(rng, section.density), objects, kinds)


@dataclass(slots=True)
class _Section:
    """Profiles of neurites, filled with electron density step by step."""

    rng: np.random.Generator
    shape: tuple[int, int]
    magnification: float  # pixels per 4 nm
    cells: Profiles = field(init=False)  # every pixel belongs to a profile
    depth: Map = field(init=False)  # pixels below the inner face of the membrane, outside < 0
    cleft: Map = field(init=False)  # half the space between two cells, pixels
    border: Map = field(init=False)  # pixels to the middle between two cells
    density: Map = field(init=False)
    kinds: _Kinds = field(init=False)

    def __post_init__(self) -> None:
        rng, px = self.rng, self.magnification
        self.cells = profiles(rng, self.shape, float(np.clip(rng.uniform(18, 40) * px, 14, 60)))
        self.border = distance_to_border(self.cells, rounding=rng.uniform(0.8, 2.6) * px)
        self.cleft = np.zeros(self.shape, np.float32)
        if rng.random() < 0.35:
            uneven = 1 + 0.8 * self.noise(40)
            self.cleft += np.clip(log_uniform(rng, 0.4, 4) * px * uneven, 0, None)
        thickness = np.clip(rng.uniform(0.8, 2.2) * px, 1, 4.5) * (1 + 0.2 * self.noise(14))
        oblique = rng.uniform(0, 14) * px * self.patches(rng.uniform(25, 60), above=0.8)
        thickness = np.clip(thickness + oblique + self._myelin(), 1, None)
        self.depth = (self.border - self.cleft - thickness).astype(np.float32)
        self.kinds = np.where(self.depth > 0, CYTOPLASM, MEMBRANE).astype(np.uint8)
        self.kinds[(self.border < self.cleft) & (self.cleft > 1.5)] = OUTSIDE

    def noise(self, grain: float) -> Map:
        """Return smooth noise; the grain is in pixels of 4 nm."""
        return spline_noise(self.rng, self.shape, grain * self.magnification)

    def per_cell(self, low: float, high: float) -> Map:
        """Return a map of one random number per profile."""
        draws = self.rng.uniform(low, high, int(self.cells.max()) + 1)
        return np.asarray(draws.astype(np.float32)[self.cells], dtype=np.float32)

    def patches(self, grain: float, *, above: float) -> Map:
        """Return soft patches (0 to 1), one side of a membrane unlike the other."""
        return np.asarray(np.clip(self.noise(grain) - above, 0, 1) * self.per_cell(0, 1))

    def lay(self, cover: Map, density: float | Map) -> None:
        """Cover what is there, 0 = not at all, 1 = fully."""
        self.density += cover * (density - self.density)

    def fill_cytoplasm(self) -> None:
        """Give each profile a grey of its own and a texture of several grains."""
        rng = self.rng
        self.density = np.full(self.shape, rng.uniform(0.12, 0.32), np.float32)
        self.density += rng.uniform(0.1, 1) * self.per_cell(-0.12, 0.12)
        for grain in (2.2, 5, 12, 40):
            self.density += rng.uniform(0, 0.07) * self.per_cell(0.4, 1.4) * self.noise(grain)
        clumps = np.clip(self.noise(rng.uniform(3, 7)) - 0.7, 0, 1.5)
        self.density += rng.uniform(0, 0.25) * clumps * np.clip(self.per_cell(-1, 1), 0, 1)

    def add_reticulum(self) -> None:
        """Draw dark curves in the cytoplasm, single or double: level sets of smooth noise."""
        rng, px = self.rng, self.magnification
        for _ in range(rng.integers(1, 6)):
            level = self.noise(rng.uniform(14, 40))
            slope = np.hypot(*np.gradient(level)) + 1e-3
            away = np.abs(level + self.per_cell(-1.5, 1.5)) / slope  # pixels to the level set
            lumen = rng.uniform(0, 3.5) * px
            line = soft_edge(rng.uniform(0.5, 1.1) * px - np.abs(away - lumen), 0.5)
            present = soft_edge(self.noise(rng.uniform(15, 40)) - rng.uniform(0, 1.2), 0.15)
            self.lay(line * present, rng.uniform(0.4, 0.75))

    def add_nuclei(self) -> None:
        """Put a nucleus into the largest profile, if there is room for one."""
        rng, px = self.rng, self.magnification
        y, x = np.unravel_index(int(self.depth.argmax()), self.shape)
        room = float(self.depth[y, x])
        if room < 36 * px or rng.random() < 0.3:
            return
        window, inside = self._body((int(y), int(x)), room * rng.uniform(0.9, 1.3), 0.75 * room)
        chromatin = (self.noise(rng.uniform(8, 20)) + self.noise(4))[window] + np.exp(
            -np.abs(inside) / 3 / px
        )
        tone = rng.uniform(0.2, 0.4) + rng.uniform(0.04, 0.14) * chromatin
        self._fill(window, inside, tone, NUCLEUS)

    def add_mitochondria(self) -> None:
        """Draw round to long bodies with a dark border and cristae."""
        rng, px = self.rng, self.magnification
        count = rng.poisson(self.cells.size / px**2 * rng.uniform(0, 1 / 3500))
        tone, cristae = rng.uniform(0.28, 0.6), rng.uniform(0.03, 0.2)
        ripple = self.noise(7)
        for y, x in self._places(count, deep=5 * px):
            wide = min(rng.uniform(0.5, 0.9) * float(self.depth[y, x]), rng.uniform(7, 34) * px)
            long = wide * rng.uniform(1, 3)
            window, inside = self._body((y, x), long, wide)
            if wide < 4 or np.any(self.kinds[window][inside > 0] > MEMBRANE):
                continue
            down, right = np.ogrid[window]
            angle, period = rng.uniform(0, np.pi), rng.uniform(5, 10) * px
            phase = (down * np.cos(angle) + right * np.sin(angle)) * (2 * np.pi / period)
            stripes = np.sin(phase + rng.uniform(1, 4) * ripple[window])
            self._fill(window, inside, tone + cristae * stripes * rng.uniform(0.4, 1), ORGANELLE)

    def add_vesicles(self) -> None:
        """Scatter microtubules and single vesicles, and gather clouds of vesicles."""
        rng, px = self.rng, self.magnification
        area = self.cells.size / px**2
        dots = self._places(rng.poisson(area * rng.uniform(0, 1 / 250)), deep=2 * px)
        self._rings(dots, rng.uniform(0.6, 1.3) * px, hollow=0)
        single = self._places(rng.poisson(area * rng.uniform(0, 1 / 1500)), deep=6 * px)
        self._rings(single, rng.uniform(2, 5) * px, hollow=rng.uniform(0.2, 1))
        clouds = self._places(rng.poisson(area * rng.uniform(0, 1 / 9000)), deep=6 * px)
        size = rng.uniform(2, 4.5) * px
        for centre in clouds:
            spread = rng.normal(0, rng.uniform(8, 30) * px, (rng.integers(8, 70), 2))
            near = (centre + spread).astype(int).clip(0, np.array(self.shape) - 1)
            same = self.cells[tuple(near.T)] == self.cells[tuple(centre)]
            free = (self.depth > size) & (self.kinds == CYTOPLASM)
            self._rings(near[same & free[tuple(near.T)]], size, hollow=rng.uniform(0, 1))

    def add_membranes(self) -> None:
        """Draw what lies between the profiles: membranes, myelin, extracellular space."""
        rng, px = self.rng, self.magnification
        soft = 0.35 + 0.3 * px * rng.random()
        inner = soft_edge(-self.depth, soft)
        outer = 1 - np.clip(self.cleft / 1.5, 0, 1) * soft_edge(self.cleft - self.border, soft)
        self.lay(inner, rng.uniform(0.05, 0.4))
        width = self.border - self.cleft - self.depth
        strength = rng.uniform(0.55, 0.9) * (1 + 0.15 * self.noise(12))
        strength -= 0.25 * np.clip(width / (6 * px) - 0.5, 0, 1)  # cut obliquely: wide and faint
        if rng.random() < 0.5:  # gaps in the staining
            strength *= 1 - 0.8 * np.clip(self.noise(9) - rng.uniform(0.8, 1.8), 0, 1)
        lamellae = np.cos(self.depth * (2 * np.pi / (rng.uniform(2.5, 5) * px)))
        strength += 0.15 * lamellae * (width > 9 * px)
        self.lay(inner * outer, strength)

    def add_synapses(self) -> None:
        """Thicken membranes in short dark patches, on one side more than on the other."""
        reach = self.rng.uniform(4, 16) * self.magnification
        patch = self.patches(self.rng.uniform(12, 25), above=1.3)
        cover = soft_edge(reach * patch - self.depth, 1.2 * self.magnification)
        self.lay(cover * np.clip(3 * patch, 0, 1), 0.75 + 0.12 * self.noise(3))

    def truth(self) -> tuple[Profiles, _Kinds]:
        """Return one number per profile, 0 between them, and the kind of each pixel."""
        inside = (self.kinds != MEMBRANE) & (self.kinds != OUTSIDE)
        objects = np.asarray(label(np.where(inside, self.cells + 1, 0), connectivity=2))
        small = np.bincount(objects.ravel()) < _SMALLEST_PROFILE
        kinds = np.where(small[objects] & inside, MEMBRANE, self.kinds).astype(np.uint8)
        small[0] = True  # what lies between has no number
        numbers = np.where(small, 0, np.cumsum(~small)).astype(np.int32)
        return np.asarray(numbers[objects]), kinds

    def _myelin(self) -> Map:
        """Return the thickness of the sheaths that a few profiles have."""
        rng = self.rng
        if rng.random() > 0.15:
            return np.zeros(self.shape, np.float32)
        room = ndimage.maximum(self.border, self.cells, np.arange(int(self.cells.max()) + 1))
        sheath = np.minimum(rng.uniform(8, 24, len(room)) * self.magnification, 0.4 * room)
        sheath *= rng.random(len(room)) < rng.uniform(0.02, 0.2)
        return np.asarray(sheath.astype(np.float32)[self.cells])

    def _places(self, count: int, *, deep: float) -> _Places:
        """Return random pixels (N, 2) of the cytoplasm, deeper than so many pixels."""
        free = np.flatnonzero((self.depth > deep) & (self.kinds == CYTOPLASM))
        chosen = self.rng.choice(free, count if len(free) else 0)
        return np.stack(np.unravel_index(chosen, self.shape), axis=-1)

    def _body(self, centre: tuple[int, int], long: float, wide: float) -> tuple[_Window, Map]:
        """Return the window of a bent capsule in its cell, and the pixels below its surface."""
        rng, px = self.rng, self.magnification
        reach = int(1.3 * long) + 4
        rows, columns = (
            slice(max(0, at - reach), min(side, at + reach))
            for at, side in zip(centre, self.shape, strict=True)
        )
        y, x = np.ogrid[rows, columns]
        angle, bend = rng.uniform(0, np.pi), rng.uniform(-0.35, 0.35) / long
        u = (y - centre[0]) * np.sin(angle) + (x - centre[1]) * np.cos(angle)
        v = (y - centre[0]) * np.cos(angle) - (x - centre[1]) * np.sin(angle) + bend * u**2
        inside = wide - np.hypot(np.clip(np.abs(u) - (long - wide), 0, None), v)
        wobble = spline_noise(rng, inside.shape, max(0.9 * wide, 3))
        inside = inside + rng.uniform(0.02, 0.14) * wide * wobble
        own = self.cells[rows, columns] == self.cells[centre]
        inside = np.minimum(inside, self.depth[rows, columns] - rng.uniform(0.5, 3) * px)
        return (rows, columns), np.where(own, inside, -100).astype(np.float32)

    def _fill(self, window: _Window, inside: Map, tone: Float, kind: int) -> None:
        """Draw a body with the double membrane that wraps it."""
        rng, px = self.rng, self.magnification
        view, line = self.density[window], rng.uniform(0.7, 1.3) * px
        wall = np.exp(-(((inside - line) / line) ** 2)) * (inside > -2 * line)
        wall -= 0.5 * np.exp(-(((inside - 1.5 * line) / (0.3 * line)) ** 2)) * (line > 1.2)
        view += soft_edge(inside, 0.6) * (tone - view)
        view += np.clip(wall, 0, 1) * rng.uniform(0.4, 1) * (rng.uniform(0.6, 0.85) - view)
        self.kinds[window][(inside > 0) & (self.kinds[window] == CYTOPLASM)] = kind

    def _rings(self, places: _Places, radius: float, hollow: float) -> None:
        """Draw small dark discs around pixels, or rings as far as they are hollow (0 to 1)."""
        rng = self.rng
        reach = int(radius + 3)
        y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
        shift = rng.uniform(-0.5, 0.5, (len(places), 2, 1, 1))
        size = radius * rng.uniform(0.8, 1.2, (len(places), 1, 1))
        away = np.hypot(y - shift[:, 0], x - shift[:, 1])  # (N, 2 reach + 1, 2 reach + 1)
        ring = soft_edge(size - away, 0.4) - hollow * soft_edge(0.6 * size - 0.3 - away, 0.4)
        dark = np.zeros([side + 2 * reach for side in self.shape], np.float32)
        rows, columns = places[:, :1, None] + y + reach, places[:, 1:, None] + x + reach
        np.maximum.at(dark, (rows, columns), ring.astype(np.float32))
        cover = np.clip(dark[reach:-reach, reach:-reach], 0, 1)
        self.lay(cover * rng.uniform(0.4, 1), rng.uniform(0.5, 0.8))
