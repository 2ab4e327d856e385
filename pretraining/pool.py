"""The pool of scenes that pretraining draws from, made once and kept on disk.

Scene number n of a seed is always the same one, so the pool can be made by any number of
processes, broken off and gone on with.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from zlib import crc32

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from napari_unet.engine.paint import shape_field
from napari_unet.engine.stack import Normalization
from napari_unet.io.replacing import replacing
from pretraining.real import REAL, RealImage, list_real, real_scene
from pretraining.shapes_of_objects import relative_depth, single_parts
from pretraining.synthetic import electron, fluorescence, transmitted
from pretraining.synthetic.anatomy import outlines
from pretraining.synthetic.scene import Scene

__all__ = ["MODALITIES", "Example", "load_pool", "make_pool"]

Generator = Callable[[np.random.Generator, tuple[int, int]], Scene]

MODALITIES: Mapping[str, Generator] = {
    "electron": electron.electron_micrograph,
    "interference": transmitted.interference,
    "phase_contrast": transmitted.phase_contrast,
    "brightfield": transmitted.brightfield,
    "membranes": fluorescence.membranes,
    "nuclei": fluorescence.nuclei,
    "cells": fluorescence.cells,
    "bacteria": fluorescence.bacteria,
    "stained_tissue": fluorescence.stained_tissue,
}

_PERCENTILES = (0.5, 99.5)  # as the engine measures a plane without oddities
_REACH = 16.0  # pixels: distances to an outline are known up to here
_IN_A_FILE = 32
_ARRAYS = ("image", "objects", "kinds", "distance", "depth", "heat", "knows_objects")


@dataclass(frozen=True, slots=True)
class Example:
    """A scene made ready for training; all (Y, X), fields as shares of 255 or 127."""

    modality: str
    image: npt.NDArray[np.float16]  # -1 to 1
    objects: npt.NDArray[np.int16]  # one number for each connected part of an object
    kinds: npt.NDArray[np.uint8]
    distance: npt.NDArray[np.int8]  # to the nearest outline, inside > 0, in 127ths of its reach
    depth: npt.NDArray[np.uint8]  # `relative_depth` in 255ths
    heat: npt.NDArray[np.uint8]  # `shape_field` in 255ths
    knows_objects: npt.NDArray[np.bool_]  # (): False: of the objects only the foreground is known


def make_pool(folder: Path, data: Path, counts: Mapping[str, int], *, side: int, seed: int) -> None:
    """Make what is missing of a pool.

    Parameters
    ----------
    folder
        Where its files are kept.
    data
        Folder with the real images.
    counts
        Scenes of each modality, of `MODALITIES` or `pretraining.real.REAL`.
    side
        Of a scene, pixels.
    """
    folder.mkdir(parents=True, exist_ok=True)
    missing = [file for file in _files(folder, counts) if not file.path.exists()]
    make = partial(_make_file, data, side, seed)
    with ProcessPoolExecutor() as workers:
        for done, _ in enumerate(workers.map(make, missing), start=1):
            print(f"pool: {done} of {len(missing)} files", flush=True)


def load_pool(folder: Path, counts: Mapping[str, int]) -> list[Example]:
    """Return the scenes of a pool."""
    return [example for file in _files(folder, counts) for example in _read_file(file)]


def make_example(modality: str, data: Path, shape: tuple[int, int], seed: list[int]) -> Example:
    """Make one scene with everything that is trained on."""
    rng = np.random.default_rng(seed)
    if modality in REAL:
        images = _real(modality, data)
        scene = real_scene(rng, images[rng.integers(len(images))], shape)
    else:
        scene = MODALITIES[modality](rng, shape)
    low, high = np.percentile(scene.image, _PERCENTILES)
    normalization = Normalization((float(low),), (float(max(high, low + 1e-6)),))
    image = normalization.apply(scene.image[np.newaxis])[0]
    objects = single_parts(scene.objects)
    return Example(
        modality,
        image.astype(np.float16),
        objects.astype(np.int16),
        scene.kinds,
        np.round(127 * _signed_distance(objects)).astype(np.int8),
        np.round(255 * relative_depth(objects)).astype(np.uint8),
        np.round(255 * shape_field(objects)).astype(np.uint8),
        np.array(scene.knows_objects),
    )


def _signed_distance(objects: npt.NDArray[np.int32]) -> npt.NDArray[np.float64]:
    edge = outlines(objects)
    distance = ndimage.distance_transform_edt(~edge) if edge.any() else np.full(edge.shape, _REACH)
    return np.minimum(distance / _REACH, 1) * np.where(objects > 0, 1, -1)


@lru_cache
def _real(modality: str, data: Path) -> tuple[RealImage, ...]:
    return tuple(list_real(modality, data))


@dataclass(frozen=True, slots=True)
class _File:
    path: Path
    modality: str
    numbers: range  # of its scenes, within the modality


def _files(folder: Path, counts: Mapping[str, int]) -> list[_File]:
    """Return the files that a pool consists of; the last of a modality may hold fewer scenes."""
    return [
        _File(folder / f"{modality}-{first:05d}-{stop - first}.npz", modality, range(first, stop))
        for modality, count in counts.items()
        for first in range(0, count, _IN_A_FILE)
        for stop in (min(first + _IN_A_FILE, count),)
    ]


def _make_file(data: Path, side: int, seed: int, file: _File) -> None:
    kind = crc32(file.modality.encode())
    examples = [
        make_example(file.modality, data, (side, side), [seed, kind, number])
        for number in file.numbers
    ]
    arrays = {name: np.stack([getattr(one, name) for one in examples]) for name in _ARRAYS}
    with replacing(file.path) as unfinished, unfinished.open("wb") as opened:
        np.savez(opened, allow_pickle=False, **arrays)


def _read_file(file: _File) -> Iterator[Example]:
    with np.load(file.path) as stored:
        arrays = [stored[name] for name in _ARRAYS]
    for parts in zip(*arrays, strict=True):
        yield Example(file.modality, *parts)
