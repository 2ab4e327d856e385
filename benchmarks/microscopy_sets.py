"""Real microscopy for benchmarks: which planes are painted, and which far from them are tested.

The data folder is ``$NAPARI_UNET_DATA``, or ``../shared/data`` beside the project. Bundled networks
were trained on none of these images; of DSB2018 and BBBC039 only held-out ones are used
(`pretraining.held_out`).
"""

from __future__ import annotations

import csv
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tifffile
from skimage.segmentation import find_boundaries

from benchmarks.undecided import UNDECIDED, read_sequence
from napari_unet.config import Task
from napari_unet.engine.stack import ArrayPlanes
from pretraining.held_out import (
    is_held_out_animal,
    is_held_out_bbbc039,
    is_held_out_dsb,
    is_held_out_field,
)

__all__ = ["DATA", "SETS", "MicroscopySet", "sequence"]

PROJECT = Path(__file__).parents[1]
DATA = Path(os.environ.get("NAPARI_UNET_DATA", PROJECT.parent / "shared" / "data"))

_DEBRIS = 30  # pixels: whatever is smaller in BBBC039 is a fragment, and is not judged
_FEW = 8  # objects that an image must have to be used
_PAINTED = 4  # planes that are painted, of the sets without order
_ENLARGED = [f"train_set{number:02}" for number in (2, 3, 8, 9, 24, 26)]  # cells of one size
_QUARTERS = ((0, 0), (0, 1), (1, 0), (1, 1))


_Crop = tuple[npt.NDArray[Any], npt.NDArray[Any]]  # image (Y, X) or (Y, X, C), truth (Y, X)


@dataclass(frozen=True, slots=True)
class MicroscopySet:
    """A small stack with its truth."""

    title: str
    task: Task
    image: npt.NDArray[Any]  # (planes, Y, X), colour (planes, C, Y, X)
    truth: npt.NDArray[Any]  # (planes, Y, X): objects, 0 = background; or classes, from 1 up
    painted: tuple[int, ...]  # planes in the order in which a person paints on them
    tested: tuple[int, ...]
    split: str  # in words
    pixel_size: float | None = None  # µm/px

    @property
    def planes(self) -> ArrayPlanes:
        """The image as the engine reads it."""
        return ArrayPlanes(self.image, channel_axis=1 if self.image.ndim == 4 else None)


def sequence(
    title: str,
    folder: str,
    *,
    painted: tuple[int, ...],
    tested: tuple[int, ...],
    split: str,
    pixel_size: float | None = None,
) -> MicroscopySet:
    """Return frames of a Cell Tracking Challenge sequence; its silver truth is painted."""
    image, truth = read_sequence(DATA / folder, painted, tested)
    return MicroscopySet(
        title,
        Task.OBJECTS,
        image,
        truth,
        *_places(painted, tested),
        split,
        pixel_size,
    )


def dic_hela() -> MicroscopySet:
    """DIC-C2DH-HeLa: few large cells that touch, without contrast between them."""
    return sequence(
        "DIC-HeLa",
        "ctc_dic_c2dh_hela",
        painted=(5, 75, 10, 80),
        tested=(31, 33, 54),
        split="painted frames 5, 75, 10, 80; tested gold frames 31, 33, 54, at least 21 away",
        pixel_size=0.19,
    )


def phc_u373() -> MicroscopySet:
    """PhC-C2DH-U373: spread cells with halos, in phase contrast."""
    return sequence(
        "PhC-U373",
        "ctc_phc_c2dh_u373",
        painted=(5, 20, 30, 40),
        tested=(67, 75, 92, 102),
        split="painted frames 5, 20, 30, 40; tested gold frames 67, 75, 92, 102, at least 27 away",
    )


def isbi2012() -> MicroscopySet:
    """ISBI 2012: electron microscopy, membrane against cell, from both halves of the volume."""
    folder = DATA / "isbi2012"
    cells = tifffile.imread(folder / "train-labels.tif")
    painted, tested = (2, 12, 0, 10), (6, 8, 16, 18)
    chosen = [*painted, *tested]
    return MicroscopySet(
        "ISBI 2012",
        Task.CLASSES,
        tifffile.imread(folder / "train-volume.tif")[chosen],
        np.where(cells > 0, 2, 1).astype(np.int32)[chosen],
        *_places(painted, tested),
        "painted sections 2, 12, 0, 10; tested 6, 8, 16, 18, at least 4 away",
        pixel_size=0.004,
    )


def bbbc039() -> MicroscopySet:
    """BBBC039: a hundred nuclei per field, many of them touching."""
    folder = DATA / "bbbc039"
    names = [
        path.name
        for path in sorted((folder / "images").glob("*.tif"))
        if is_held_out_bbbc039(path.stem)
    ][: 2 * _PAINTED]
    truth = np.stack([tifffile.imread(folder / "labels" / name) for name in names]).astype(np.int32)
    for plane in truth:
        plane[(np.bincount(plane.ravel()) < _DEBRIS)[plane]] = UNDECIDED
    return MicroscopySet(
        "BBBC039",
        Task.OBJECTS,
        np.stack([tifffile.imread(folder / "images" / name) for name in names]),
        truth,
        *_first_painted(len(names)),
        "painted 4 held-out fields, tested 4 others",
    )


def dsb_fluorescence() -> MicroscopySet:
    """DSB2018: fluorescent nuclei of several laboratories."""
    return _nuclei("DSB2018 fluorescence", "fluorescence_gray", (256, 256), tested=8)


def dsb_colour() -> MicroscopySet:
    """DSB2018: stained cells and tissue, in colour."""
    return _nuclei("DSB2018 colour", "colour", (256, 320), tested=7)


def dsb_dark() -> MicroscopySet:
    """DSB2018: dark nuclei on a light ground; quarters of three large images."""
    first, *others = _held_out_nuclei("dark_on_light_gray", (1024, 1024))
    crops = [_quarter(first, place) for place in _QUARTERS]
    crops += [_quarter(other, place) for other in others for place in (_QUARTERS[0], _QUARTERS[3])]
    return _stack(
        "DSB2018 dark on light", crops, "painted the quarters of one held-out image, tested others"
    )


def usiigaci() -> MicroscopySet:
    """Usiigaci: spread cells in phase contrast, many of which touch."""
    return _stack(
        "Usiigaci",
        _fields("usiigaci", _ENLARGED, crop=768),
        "painted the middles of 4 held-out fields, tested those of 2 others",
    )


def bbbc030() -> MicroscopySet:
    """BBBC030: cells that settle, in interference contrast."""
    return _stack("BBBC030", _halves(_fields("bbbc030_dic")), "halves of held-out fields")


def axon_tem() -> MicroscopySet:
    """Axons by transmission electron microscopy, of mice that nothing was pretrained on."""
    crops = [
        (tifffile.imread(path), tifffile.imread(path.parents[1] / "instances" / path.name))
        for path in sorted((DATA / "axon_tem" / "images").glob("*.tif"))
        if is_held_out_animal(path.stem)
    ]
    quarters = [
        (image[y, x], truth[y, x])
        for image, truth in crops
        for y, x in ((slice(0, 300), slice(0, 300)), (slice(300, 600), slice(300, 600)))
    ]
    return _stack("Axons, TEM", quarters, "painted a held-out mouse, tested another")


def fibsem() -> MicroscopySet:
    """FlyEM's FIB-SEM: membrane against the inside, in sections far from the pretraining's."""
    folder = DATA / "neuroproof_fibsem"
    name = "sections000_179.tif"
    sections = [120, 121, 122, 123, 140, 150, 160, 170]
    bodies = tifffile.imread(folder / "labels" / name)[sections]
    membrane = np.stack([find_boundaries(section, mode="thick") for section in bodies])
    return MicroscopySet(
        "FIB-SEM",
        Task.CLASSES,
        tifffile.imread(folder / "images" / name)[sections],
        np.where(membrane, 1, 2).astype(np.int32),
        *_first_painted(len(sections)),
        "painted held-out sections 120 to 123, tested 140, 150, 160, 170",
    )


def _fields(folder: str, names: Sequence[str] = (), crop: int | None = None) -> list[_Crop]:
    """Return the held-out fields of a set, all or some, or the middle of each."""
    found = []
    for path in sorted((DATA / folder / "images").glob("*.tif")):
        if is_held_out_field(path.stem) and (not names or path.stem in names):
            image = tifffile.imread(path)
            truth = tifffile.imread(DATA / folder / "labels" / path.name)
            middle = tuple(_middle(side, crop or side) for side in truth.shape)
            found.append((image[middle], truth[middle]))
    return found


def _middle(length: int, wanted: int) -> slice:
    first = (length - wanted) // 2
    return slice(first, first + wanted)


def _halves(fields: Sequence[_Crop]) -> list[_Crop]:
    width = fields[0][1].shape[1] // 2
    sides = slice(0, width), slice(width, 2 * width)
    return [(image[:, side], truth[:, side]) for image, truth in fields for side in sides]


SETS: dict[str, Callable[[], MicroscopySet]] = {
    "dic_hela": dic_hela,
    "phc_u373": phc_u373,
    "isbi2012": isbi2012,
    "bbbc039": bbbc039,
    "dsb_fluorescence": dsb_fluorescence,
    "dsb_colour": dsb_colour,
    "dsb_dark": dsb_dark,
    "usiigaci": usiigaci,
    "bbbc030": bbbc030,
    "axon_tem": axon_tem,
    "fibsem": fibsem,
}


def _nuclei(title: str, kind: str, shape: tuple[int, int], *, tested: int) -> MicroscopySet:
    chosen = _held_out_nuclei(kind, shape)[: _PAINTED + tested]
    split = f"painted 4 held-out images, tested {len(chosen) - _PAINTED} others"
    return _stack(title, [_read_nuclei(name) for name in chosen], split)


def _stack(title: str, crops: Sequence[_Crop], split: str) -> MicroscopySet:
    image = np.stack([image for image, _ in crops])
    return MicroscopySet(
        title,
        Task.OBJECTS,
        np.moveaxis(image, -1, 1) if image.ndim == 4 else image,
        np.stack([truth for _, truth in crops]).astype(np.int32),
        *_first_painted(len(crops)),
        split,
    )


def _held_out_nuclei(kind: str, shape: tuple[int, int]) -> list[str]:
    """Return the names of held-out images of one kind and shape, with enough objects."""
    with (DATA / "dsb2018" / "index.csv").open(newline="") as table:
        return sorted(
            row["name"]
            for row in csv.DictReader(table)
            if row["split"] == "stage1_train"
            and row["kind"] == kind
            and (int(row["height"]), int(row["width"])) == shape
            and int(row["n_instances"]) >= _FEW
            and is_held_out_dsb(row["name"])
        )


def _read_nuclei(name: str) -> _Crop:
    folder = DATA / "dsb2018" / "stage1_train"
    return (
        tifffile.imread(folder / "images" / f"{name}.tif"),
        tifffile.imread(folder / "labels" / f"{name}.tif"),
    )


def _quarter(name: str, place: tuple[int, int]) -> _Crop:
    image, truth = _read_nuclei(name)
    height, width = (side // 2 for side in truth.shape)
    window = (
        slice(place[0] * height, (place[0] + 1) * height),
        slice(place[1] * width, (place[1] + 1) * width),
    )
    return image[window], truth[window]


def _places(
    painted: tuple[int, ...], tested: tuple[int, ...]
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return where painted and tested planes are in a stack that holds them in this order."""
    count = len(painted)
    return tuple(range(count)), tuple(range(count, count + len(tested)))


def _first_painted(count: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    return tuple(range(_PAINTED)), tuple(range(_PAINTED, count))
