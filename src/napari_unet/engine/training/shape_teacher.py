"""What the shape field is to be: what paint says of it, and elsewhere what the network said before.

A few scribbles say little about shapes, and a network that learns them forgets what shapes are. So
wherever paint leaves it open, the field is held to the first answer, brought within the bounds
that the paint sets.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from napari_unet.engine.paint.painted_planes import PaintedPlane

_OPEN = 0.5  # weight of a pixel whose field is the first answer's; that of a known one is 1

ShapeTarget = npt.NDArray[np.float32]
"""(2, y, x): what the field is to be, and the weight of each pixel."""


class ShapeTeacher:
    """Gives the shape field of painted planes, and remembers it.

    Parameters
    ----------
    first_answer
        The field (y, x) that the network gives before it learns, of an image (C, y, x).
    """

    def __init__(
        self, first_answer: Callable[[npt.NDArray[np.float32]], npt.NDArray[np.float32]]
    ) -> None:
        self._first_answer = first_answer
        self._answers: dict[tuple[int, tuple[int, int], tuple[int, ...]], ShapeTarget] = {}

    def targets(self, planes: Sequence[PaintedPlane]) -> list[ShapeTarget]:
        """Return what the field is to be on each plane."""
        keys = [(plane.number, plane.origin, plane.image.shape) for plane in planes]
        kept = {key: self._answers[key] for key in keys if key in self._answers}
        for key, plane in zip(keys, planes, strict=True):
            if key not in kept:
                kept[key] = self._first_answer(plane.image)
        self._answers = kept
        return [_target(plane, kept[key]) for key, plane in zip(keys, planes, strict=True)]


def _target(plane: PaintedPlane, answer: npt.NDArray[np.float32]) -> ShapeTarget:
    assert plane.bounds is not None
    low, high = plane.bounds.low, plane.bounds.high
    weights = np.where(low == high, 1, _OPEN)
    return np.stack([np.clip(answer, low, high), weights]).astype(np.float32)
