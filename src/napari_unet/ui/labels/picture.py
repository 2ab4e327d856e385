"""A small picture of strokes on their image."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from napari.layers import Image
from napari.utils.colormaps import label_colormap

from napari_unet.engine.errors import UnetPaintError
from napari_unet.io.unsaved import Leftover
from napari_unet.ui.layers.inputs import image_planes

_SIDE = 84  # pixels
_STRIPES = 50  # colours, as napari has them at first


def picture_of(left: Leftover, image: Image) -> npt.NDArray[Any]:
    """Return the first plane that is painted on, small and square, (Y, X, 4) from 0 to 1.

    Strokes in napari's colours on the grey image, however thin; transparent beside them where
    the plane is not square, and all over where nothing is painted, or can be read.
    """
    found = left.first_plane()
    if found is None:
        return np.zeros((_SIDE, _SIDE, 4))
    number, labels = found
    step = -(-max(labels.shape) // _SIDE)  # pixels that become one
    strokes = _largest(labels, step)
    colours = np.zeros((*strokes.shape, 4))
    colours[..., :3] = _grey(image, number, step, strokes.shape)[..., None]
    colours[..., 3] = 1
    painted = strokes != 0
    colours[painted] = label_colormap(_STRIPES).map(strokes[painted])
    return _square(colours)


def _largest(labels: npt.NDArray[Any], step: int) -> npt.NDArray[Any]:
    """Return the largest label of each block of step × step pixels."""
    high, wide = (-(-length // step) for length in labels.shape)
    padded = np.zeros((high * step, wide * step), labels.dtype)
    padded[: labels.shape[0], : labels.shape[1]] = labels
    largest: npt.NDArray[Any] = padded.reshape(high, step, wide, step).max(axis=(1, 3))
    return largest


def _grey(image: Image, number: int, step: int, shape: tuple[int, ...]) -> npt.NDArray[np.float64]:
    """Return every so many grey values of a plane from 0 to 1; zeros if it cannot be read."""
    grey = np.zeros(shape)
    try:
        planes = image_planes((image,))
        pixels = planes.read(number, slice(0, planes.shape[0]), slice(0, planes.shape[1]))
    except (UnetPaintError, MemoryError):
        return grey
    seen = pixels[:, ::step, ::step].mean(axis=0)
    low, high = np.percentile(seen, (1, 99))
    seen = np.clip((seen - low) / max(high - low, 1e-6), 0, 1)
    grey[: seen.shape[0], : seen.shape[1]] = seen[: shape[0], : shape[1]]
    return grey


def _square(colours: npt.NDArray[Any]) -> npt.NDArray[Any]:
    side = max(colours.shape[:2])
    square = np.zeros((side, side, 4))
    top, first = ((side - length) // 2 for length in colours.shape[:2])
    square[top : top + colours.shape[0], first : first + colours.shape[1]] = colours
    return square
