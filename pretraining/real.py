"""Real images that may train the bundled weights: DSB2018 and BBBC039, both CC0.

What is held out for measuring (`pretraining.held_out`) is never read here.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tifffile
from skimage.transform import resize

from pretraining.held_out import is_held_out_bbbc039, is_held_out_dsb
from pretraining.synthetic.noise import log_uniform
from pretraining.synthetic.scene import NUCLEUS, OUTSIDE, Float, Scene
from pretraining.synthetic.shapes import Labels

__all__ = ["RealImage", "list_real", "real_scene"]

_DIAMETER = 10.0, 60.0  # of the median object after rescaling, pixels
_ZOOM = 0.35, 2.5
_SMALLEST = 30  # pixels: BBBC039 counts fragments below this as debris


@dataclass(frozen=True, slots=True)
class RealImage:
    """Where an image and its objects are."""

    image: Path
    labels: Path
    source: str


def list_real(data: Path) -> list[RealImage]:
    """Return the images that may train, in a fixed order.

    Parameters
    ----------
    data
        The folder with ``dsb2018`` and ``bbbc039``.

    Raises
    ------
    FileNotFoundError
        If one of them is missing.
    """
    nuclei = data / "dsb2018" / "stage1_train"
    with (data / "dsb2018" / "index.csv").open(newline="") as table:
        names = sorted(row["name"] for row in csv.DictReader(table))
    found = [
        RealImage(nuclei / "images" / f"{name}.tif", nuclei / "labels" / f"{name}.tif", "DSB2018")
        for name in names
        if (nuclei / "images" / f"{name}.tif").exists() and not is_held_out_dsb(name)
    ]
    fields = data / "bbbc039"
    found += [
        RealImage(path, fields / "labels" / path.name, "BBBC039")
        for path in sorted((fields / "images").glob("*.tif"))
        if not is_held_out_bbbc039(path.stem)
    ]
    if not any(image.source == "BBBC039" for image in found) or len(found) < 100:
        raise FileNotFoundError(f"DSB2018 or BBBC039 are missing in {data}")
    return found


def real_scene(rng: np.random.Generator, source: RealImage, shape: tuple[int, int]) -> Scene:
    """Return a crop of a real image, zoomed so that its objects have a random size."""
    image = tifffile.imread(source.image).astype(np.float32)
    labels = tifffile.imread(source.labels).astype(np.int32)
    if image.ndim == 3:
        image = image @ rng.dirichlet(np.ones(image.shape[2])).astype(np.float32)
    areas = np.bincount(labels.ravel())[1:]
    labels[np.append(True, areas < _SMALLEST)[labels]] = 0
    areas = areas[areas >= _SMALLEST]
    diameter = 2 * np.sqrt(np.median(areas) / np.pi) if areas.size else 20.0
    zoom = float(np.clip(log_uniform(rng, *_DIAMETER) / diameter, *_ZOOM))
    image, labels = _crop(rng, image, labels, [round(side / zoom) for side in shape])
    size = tuple(max(1, round(side * zoom)) for side in image.shape)
    image = resize(image, size, order=1, anti_aliasing=zoom < 1)
    labels = resize(labels, size, order=0, anti_aliasing=False, preserve_range=True)
    pad = [(0, max(0, wanted - side)) for wanted, side in zip(shape, size, strict=True)]
    image = np.pad(image, pad, mode="symmetric")[: shape[0], : shape[1]]
    labels = np.pad(labels, pad, mode="symmetric")[: shape[0], : shape[1]].astype(np.int32)
    kinds = np.where(labels > 0, NUCLEUS, OUTSIDE).astype(np.uint8)
    return Scene(image.astype(np.float32), labels, kinds)


def _crop(
    rng: np.random.Generator, image: Float, labels: Labels, size: list[int]
) -> tuple[Float, Labels]:
    """Cut a random window of at most this size."""
    corner = [
        int(rng.integers(0, max(0, side - wanted) + 1))
        for side, wanted in zip(image.shape, size, strict=True)
    ]
    window = tuple(slice(first, first + wanted) for first, wanted in zip(corner, size, strict=True))
    return image[window], labels[window]
