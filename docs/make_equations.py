"""Draw the figures of docs/equations.md with the functions that the program itself uses.

`python -m docs.make_equations`
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image

from napari_unet.config import PRESETS, ObjectsConfig
from napari_unet.engine.objects import cut_basins
from napari_unet.engine.paint import border_weights, separate, shape_field
from napari_unet.engine.stack.bitmap import Bitmap
from napari_unet.engine.training.augment import draw, sample, sampling_grid
from napari_unet.io.samples import synthetic_cells

PICTURES = Path(__file__).parent / "images"

_SIDE = 128  # of a panel, pixels of the plane
_ZOOM = 3  # pixels of the picture per pixel
_GAP = 8  # between panels, pixels of the picture
_COLOURS = np.array(  # the first is of the background
    [
        *[
            (0, 0, 0),
            (86, 180, 233),
            (230, 159, 0),
            (0, 158, 115),
            (204, 121, 167),
        ],
        *[(240, 228, 66), (0, 114, 178), (213, 94, 0)],
    ]
)

Labels = npt.NDArray[np.int32]
Panel = npt.NDArray[np.uint8]  # (Y, X, 3)


def main() -> None:
    """Draw all figures."""
    for name, panels in figures():
        Image.fromarray(side_by_side(panels)).save(PICTURES / name, optimize=True)


def side_by_side(panels: Sequence[Panel]) -> Panel:
    """Return one picture of some panels, each pixel as a square."""
    paper = np.full((_SIDE * _ZOOM, _GAP, 3), 255, np.uint8)
    parts = [paper]
    for panel in panels:
        parts += [np.kron(panel, np.ones((_ZOOM, _ZOOM, 1), np.uint8)), paper]
    return np.hstack(parts[1:-1])


def figures() -> Iterator[tuple[str, list[Panel]]]:
    """Yield the name of each figure, and its panels from left to right."""
    cells = synthetic_cells(planes=1, shape=(_SIDE, _SIDE))
    truth = cells.truth[0]
    yield "equation-weights.png", _weights(truth)
    yield "equation-shape.png", _shape(truth)
    yield "equation-elastic.png", _elastic(cells.image[0], truth)


def _weights(truth: Labels) -> list[Panel]:
    """Return objects, the gap that is put between them, and the border weight."""
    apart = separate(truth)
    weights = border_weights(apart)
    return [_coloured(truth), _coloured(apart), _grey(weights / weights.max())]


def _shape(truth: Labels) -> list[Panel]:
    """Return one mask without numbers, the shape field, and the objects that it is cut into."""
    field, mask = shape_field(truth), Bitmap(truth.shape)
    mask.write(slice(0, _SIDE), slice(0, _SIDE), truth > 0)
    found, _ = cut_basins(
        mask,
        lambda rows: np.round(255 * field[rows]).astype(np.uint8),
        ObjectsConfig().neck,
        smallest=16,
    )
    return [_grey(truth > 0), _grey(field), _coloured(found.rows(slice(0, _SIDE)))]


def _elastic(image: npt.NDArray[Any], truth: Labels) -> list[Panel]:
    """Return an image, the same deformed as `2015` does, and its labels with it."""
    deformation, _ = draw(np.random.default_rng(3), PRESETS["2015"].train.augment)
    grid = sampling_grid([deformation], [((_SIDE - 1) / 2,) * 2], [truth.shape], _SIDE)
    low, high = np.percentile(image, (0.5, 99.5))
    grey = torch.from_numpy(((image - low) / (high - low)).astype(np.float32))
    numbers = torch.from_numpy(truth.astype(np.float32))
    bent = sample(grey[None], grid, mode="bilinear")[0, 0].numpy()
    followed = sample(numbers[None], grid, mode="nearest")[0, 0].numpy()
    return [_grey(grey.numpy()), _grey(bent), _coloured(followed.astype(np.int32))]


def _grey(values: npt.NDArray[Any]) -> Panel:
    """Return a panel of values from 0, black, to 1, white."""
    shades = np.round(255 * np.clip(values, 0, 1)).astype(np.uint8)
    return np.repeat(shades[..., None], 3, axis=2)


def _coloured(labels: Labels) -> Panel:
    """Return a panel in which each object has one of seven colours, and background is black."""
    index = np.where(labels > 0, 1 + labels % (len(_COLOURS) - 1), 0)
    return _COLOURS[index].astype(np.uint8)


if __name__ == "__main__":
    main()
