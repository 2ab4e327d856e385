"""Real images that may train the bundled weights, and their truth.

DSB2018 and BBBC039 (CC0), Usiigaci and the axons of two electron microscopes (MIT), FlyEM's
FIB-SEM and BBBC030 (CC BY 3.0), NIST's colonies (US government work). What is held out for
measuring (`pretraining.held_out`) is never read here.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import tifffile
from skimage.segmentation import find_boundaries
from skimage.transform import resize

from pretraining.held_out import (
    SECTIONS,
    is_held_out_animal,
    is_held_out_bbbc039,
    is_held_out_dsb,
    is_held_out_field,
)
from pretraining.synthetic.noise import log_uniform
from pretraining.synthetic.scene import (
    CYTOPLASM,
    MEMBRANE,
    NUCLEUS,
    OUTSIDE,
    UNKNOWN,
    Float,
    Scene,
)
from pretraining.synthetic.shapes import Labels

__all__ = ["REAL", "RealImage", "list_real", "real_scene"]

_DIAMETER = 10.0, 60.0  # of the median object after rescaling, pixels
_ZOOM = 0.35, 2.5
_SMALLEST = 30  # pixels: BBBC039 counts fragments below this as debris
_LOOKS = 3  # windows of which the fullest is taken: some fields are nearly empty


@dataclass(frozen=True, slots=True)
class RealImage:
    """An image and its truth, each read when it is needed."""

    source: str
    read: Callable[[], tuple[Float, Labels, Labels]]  # image (Y, X) or (Y, X, C), objects, kinds
    are_single: bool = True  # each number is one object; False: foreground only


def list_real(modality: str, data: Path) -> list[RealImage]:
    """Return the images of a modality that may train, in a fixed order.

    Parameters
    ----------
    modality
        A key of `REAL`.
    data
        The folder with the sets.

    Raises
    ------
    FileNotFoundError
        If they are missing.
    """
    found = REAL[modality](data)
    if len(found) < (100 if modality == "real" else 1):
        raise FileNotFoundError(f"the real images of '{modality}' are missing in {data}")
    return found


def real_scene(rng: np.random.Generator, source: RealImage, shape: tuple[int, int]) -> Scene:
    """Return a crop of a real image, zoomed so that its objects have a random size."""
    image, labels, kinds = source.read()
    image = image.astype(np.float32)
    if image.ndim == 3:
        image = image @ rng.dirichlet(np.ones(image.shape[2])).astype(np.float32)
    areas = np.bincount(labels.ravel())[1:]
    small = np.append(False, areas < _SMALLEST)[labels]
    labels = np.where(small, 0, labels)
    kinds = np.where(small, OUTSIDE, kinds)
    areas = areas[areas >= _SMALLEST]
    single = source.are_single and areas.size > 0
    diameter = 2 * np.sqrt(np.median(areas) / np.pi) if single else 20.0
    zoom = float(np.clip(log_uniform(rng, *_DIAMETER) / diameter, *_ZOOM))
    window = _window(rng, labels, [round(side / zoom) for side in shape])
    size = tuple(max(1, round((side.stop - side.start) * zoom)) for side in window)
    pad = [(0, max(0, wanted - side)) for wanted, side in zip(shape, size, strict=True)]

    def fit(values: Float | Labels, order: int) -> Float:
        smooth = order > 0 and zoom < 1
        zoomed = resize(
            values[window], size, order=order, anti_aliasing=smooth, preserve_range=True
        )
        padded: Float = np.pad(zoomed, pad, mode="symmetric")[: shape[0], : shape[1]]
        return padded

    return Scene(
        fit(image, 1).astype(np.float32),
        fit(labels, 0).astype(np.int32),
        fit(kinds, 0).astype(np.uint8),
        knows_objects=source.are_single,
    )


def _window(rng: np.random.Generator, labels: Labels, size: list[int]) -> tuple[slice, slice]:
    """Return a window of at most this size: of some random ones that with the most of objects."""
    windows = []
    for _ in range(_LOOKS):
        corner = [
            int(rng.integers(0, max(0, side - wanted) + 1))
            for side, wanted in zip(labels.shape, size, strict=True)
        ]
        y, x = (
            slice(first, min(first + wanted, side))
            for first, wanted, side in zip(corner, size, labels.shape, strict=True)
        )
        windows.append((y, x))
    return max(windows, key=lambda window: np.count_nonzero(labels[window]))


def _nuclei(data: Path) -> list[RealImage]:
    """DSB2018 and BBBC039."""
    folder, table = data / "dsb2018" / "stage1_train", data / "dsb2018" / "index.csv"
    names = []
    if table.exists():
        with table.open(newline="") as rows:
            names = sorted(row["name"] for row in csv.DictReader(rows))
    pairs = [
        (folder / "images" / f"{name}.tif", folder / "labels" / f"{name}.tif")
        for name in names
        if (folder / "images" / f"{name}.tif").exists() and not is_held_out_dsb(name)
    ]
    fields = data / "bbbc039"
    pairs += [
        (path, fields / "labels" / path.name)
        for path in sorted((fields / "images").glob("*.tif"))
        if not is_held_out_bbbc039(path.stem)
    ]
    return [RealImage(image.parts[-4], _reader(image, labels, NUCLEUS)) for image, labels in pairs]


def _cells(folder: str) -> Callable[[Path], list[RealImage]]:
    """Images and labels of cells, by fields."""

    def find(data: Path) -> list[RealImage]:
        return [
            RealImage(folder, _reader(path, data / folder / "labels" / path.name, CYTOPLASM))
            for path in sorted((data / folder / "images").glob("*.tif"))
            if not is_held_out_field(path.stem)
        ]

    return find


def _axons(folder: str) -> Callable[[Path], list[RealImage]]:
    """Axons are the objects; myelin is a membrane, and of the rest nobody says what it is."""

    def find(data: Path) -> list[RealImage]:
        return [
            RealImage(folder, _axon_reader(path))
            for path in sorted((data / folder / "images").glob("*.tif"))
            if not is_held_out_animal(path.stem)
        ]

    return find


def _colonies(data: Path) -> list[RealImage]:
    """NIST's colonies: where cells are, not which."""
    folder = data / "nist_stemcell_colonies"
    return [
        RealImage(
            folder.name, _reader(path, folder / "labels" / path.name, CYTOPLASM), are_single=False
        )
        for path in sorted((folder / "images").glob("*.tif"))
        if not is_held_out_field(path.stem)
    ]


def _sections(data: Path) -> list[RealImage]:
    """Sections of FlyEM's volume: every pixel belongs to a body, membranes lie between them."""
    folder = data / "neuroproof_fibsem"
    if not folder.exists():
        return []
    return [RealImage(folder.name, _section_reader(folder, number)) for number in SECTIONS]


REAL: Mapping[str, Callable[[Path], list[RealImage]]] = {
    "real": _nuclei,
    "real_phase_contrast": _cells("usiigaci"),
    "real_interference": _cells("bbbc030_dic"),
    "real_transmission_electron": _axons("axon_tem"),
    "real_scanning_electron": _axons("axon_sem"),
    "real_block_face": _sections,
    "real_colonies": _colonies,
}
"""Modality → finds its images in the folder with the sets."""


def _reader(image: Path, labels: Path, kind: int) -> Callable[[], tuple[Float, Labels, Labels]]:
    def read() -> tuple[Float, Labels, Labels]:
        objects = tifffile.imread(labels).astype(np.int32)
        return tifffile.imread(image), objects, np.where(objects > 0, kind, OUTSIDE)

    return read


def _axon_reader(image: Path) -> Callable[[], tuple[Float, Labels, Labels]]:
    def read() -> tuple[Float, Labels, Labels]:
        folder = image.parents[1]
        objects = tifffile.imread(folder / "instances" / image.name).astype(np.int32)
        classes = tifffile.imread(folder / "labels" / image.name)
        kinds = np.array([UNKNOWN, CYTOPLASM, MEMBRANE, CYTOPLASM])[classes]
        return tifffile.imread(image), objects, kinds

    return read


def _section_reader(folder: Path, number: int) -> Callable[[], tuple[Float, Labels, Labels]]:
    def read() -> tuple[Float, Labels, Labels]:
        images, bodies = (_volume(folder / name) for name in ("images", "labels"))
        objects = bodies[number].astype(np.int32)
        membrane = find_boundaries(objects, mode="thick")
        kinds = np.where(membrane, MEMBRANE, CYTOPLASM)
        return images[number], np.where(membrane, 0, objects), kinds

    return read


@lru_cache(maxsize=2)
def _volume(folder: Path) -> Float:
    volume: Float = tifffile.imread(next(folder.glob("*.tif")))
    return volume
