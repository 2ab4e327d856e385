"""How much of what was newly painted the model had wrong: what a correction teaches it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
import numpy.typing as npt

from napari_unet.config import Unpainted
from napari_unet.engine.events import PaintedPixels
from napari_unet.engine.paint.label_scheme import IGNORED
from napari_unet.engine.paint.painted_planes import PaintedPlane, PaintedStack, recode
from napari_unet.engine.stack.tiles import Span, Tile
from napari_unet.engine.training.preview import Predict

_TILE = 128  # pixels; strokes are thin, so that larger tiles would mostly predict other things
_MOST_TILES = 12  # looked at, evenly chosen: about half a second on two CPU cores


@dataclass(frozen=True, slots=True, eq=False)
class NewPaint:
    """What is newly painted on one plane."""

    plane: int
    origin: tuple[int, int]  # of the arrays in the plane, pixels (Y, X)
    is_new: npt.NDArray[np.bool_]  # (y, x)
    classes: npt.NDArray[np.uint8]  # (y, x)

    @property
    def pixels(self) -> int:
        """Number of newly painted, labelled pixels."""
        return int(self.is_new.sum())

    def tiles(self) -> Iterator[Tile]:
        """Yield rectangles of the plane that hold all new paint, as small as they can be.

        So none reaches further from the paint than the image that was read around it.
        """
        height, width = self.is_new.shape
        for top, left in product(range(0, height, _TILE), range(0, width, _TILE)):
            rows, columns = np.nonzero(self.is_new[top : top + _TILE, left : left + _TILE])
            if len(rows):
                yield Tile(_span(rows, self.origin[0] + top), _span(columns, self.origin[1] + left))


def _span(positions: npt.NDArray[np.intp], start: int) -> Span:
    return Span(start + int(positions.min()), start + int(positions.max()) + 1)


def find_new_paint(
    stack: PaintedStack,
    before: Sequence[PaintedPixels],
    values: tuple[int, ...],
    unpainted: Unpainted,
) -> list[NewPaint]:
    """Return the labelled pixels that were unlabelled, or of another class, before.

    Parameters
    ----------
    stack
        What is painted now.
    before
        What was painted.
    values
        Label value of each class of `before`.
    unpainted
        What 0 means: the rest of a plane that was painted before was background, or unlabelled.

    Notes
    -----
    Pixels of the separation border do not count: nobody painted them as background.
    """
    known = {pixels.plane: pixels for pixels in before}
    is_zero_painted = unpainted is Unpainted.BACKGROUND
    zero = stack.values.index(0) if is_zero_painted and 0 in stack.values else IGNORED
    found = []
    for plane in stack.planes:
        is_new = (plane.painted != IGNORED) & (plane.painted == plane.classes)
        if plane.number in known:
            old = known[plane.number]
            is_new &= plane.painted != _pasted(
                plane, old.origin, recode(old.classes, values, stack.values), rest=zero
            )
        if is_new.any():
            found.append(NewPaint(plane.number, plane.origin, is_new, plane.painted))
    return found


def _pasted(
    plane: PaintedPlane, origin: tuple[int, int], classes: npt.NDArray[np.uint8], *, rest: int
) -> npt.NDArray[np.uint8]:
    """Return the classes on the array of the plane; `rest` where there are none."""
    result = np.full(plane.painted.shape, rest, dtype=np.uint8)
    offset = [theirs - mine for theirs, mine in zip(origin, plane.origin, strict=True)]
    target = tuple(
        slice(max(0, shift), max(0, shift + length))
        for shift, length in zip(offset, classes.shape, strict=True)
    )
    window = result[target]
    source = tuple(
        slice(max(0, -shift), max(0, -shift) + length)
        for shift, length in zip(offset, window.shape, strict=True)
    )
    window[...] = classes[source]
    return result


def measure_wrong(
    paint: Sequence[NewPaint],
    values: tuple[int, ...],
    predict: Predict,
    known: tuple[int, ...],
) -> float:
    """Return the share of the new paint that the network has wrong, 0 to 1.

    Parameters
    ----------
    paint
        Not empty.
    values
        Label value of each class of `paint`.
    predict
        The network.
    known
        Label value of each channel that `predict` gives; what is painted as another one is wrong.

    Notes
    -----
    Of very much new paint a dozen tiles, evenly chosen, are looked at.
    """
    tiles = [(new, tile) for new in paint for tile in new.tiles()]
    chosen = np.unique(np.linspace(0, len(tiles) - 1, min(len(tiles), _MOST_TILES)).astype(int))
    wrong = pixels = 0
    for new, tile in (tiles[index] for index in chosen):
        top, left = new.origin
        inside = (
            slice(tile.y.start - top, tile.y.stop - top),
            slice(tile.x.start - left, tile.x.stop - left),
        )
        is_new = new.is_new[inside]
        predicted = np.asarray(known)[predict(new.plane, tile)[: len(known)].argmax(axis=0)]
        painted = np.asarray(values)[new.classes[inside][is_new]]
        wrong += int((predicted[is_new] != painted).sum())
        pixels += len(painted)
    return wrong / pixels
