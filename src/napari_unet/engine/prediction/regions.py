"""Which parts of a large stack are looked at, so that it takes some seconds."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from napari_unet.engine.stack.planes import Planes
from napari_unet.engine.stack.tiles import Span, Tile, cut_plane, round_up

_PLANES = 12  # looked at
_NEAREST = 4  # of them beside the focus; the others are spread evenly over the stack
_PIXELS = 1 << 22  # looked at in all: some seconds on a CPU
_REGION = 256  # side of what is looked at on planes that are too large to look at wholly, pixels


@dataclass(frozen=True, slots=True)
class Region:
    """What is looked at in one piece."""

    plane: int
    area: Tile

    @property
    def shape(self) -> tuple[int, int]:
        """Pixels (Y, X)."""
        return self.area.y.length, self.area.x.length

    def tiles(self, side: int, step: int) -> list[Tile]:
        """Cut it into tiles of about this side, a multiple of the step."""
        top, left = self.area.y.start, self.area.x.start
        return [
            Tile(
                Span(tile.y.start + top, tile.y.stop + top),
                Span(tile.x.start + left, tile.x.stop + left),
            )
            for tile in cut_plane(self.shape, round_up(min(side, max(self.shape)), step), step)
        ]


def choose_regions(planes: Planes, focus: int) -> list[Region]:
    """Return what to look at, the planes nearest to the focus first."""
    every = sorted(range(planes.count), key=lambda plane: abs(plane - focus))
    chosen = set(every)
    if planes.count > _PLANES:
        spread = np.linspace(0, planes.count - 1, _PLANES - _NEAREST).round()
        chosen = {*every[:_NEAREST], *spread.astype(int).tolist()}
    pixels = _PIXELS // len(chosen)
    numbers = [plane for plane in every if plane in chosen]
    return [Region(n, area) for n in numbers for area in _areas(planes.shape, pixels, seed=n)]


def _areas(shape: tuple[int, int], pixels: int, seed: int) -> list[Tile]:
    """Return the whole plane, or rectangles spread over it that hold about so many pixels.

    The plane is divided into equal cells, and a rectangle is drawn in each of them.
    """
    if math.prod(shape) <= pixels:
        return [Tile(Span(0, shape[0]), Span(0, shape[1]))]
    height, width = min(_REGION, shape[0]), min(_REGION, shape[1])
    wanted = max(1, pixels // (height * width))
    rows = min(wanted, shape[0] // height, max(1, round(math.sqrt(wanted * shape[0] / shape[1]))))
    columns = min(wanted // rows, shape[1] // width)
    rng = np.random.default_rng(seed)
    return [
        Tile(
            _draw_span(rng, shape[0], rows, row, height),
            _draw_span(rng, shape[1], columns, column, width),
        )
        for row, column in np.ndindex(rows, columns)
    ]


def _draw_span(rng: np.random.Generator, length: int, cells: int, cell: int, size: int) -> Span:
    """Return a span of `size` pixels somewhere in one of the equal cells of an axis."""
    first, last = length * cell // cells, length * (cell + 1) // cells - size
    start = int(rng.integers(first, last, endpoint=True))
    return Span(start, start + size)
