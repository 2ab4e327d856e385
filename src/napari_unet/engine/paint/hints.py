"""What is perhaps not meant as it is painted: noticed before training, and told in one line.

It is a hint, never an obstacle: each threshold is set so that what people paint as it is meant to
be painted stays unremarked, and that what is plainly something else is noticed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum, auto

import numpy as np
import numpy.typing as npt
from scipy import ndimage, sparse
from skimage.measure import label

from napari_unet.config import Task, Unpainted
from napari_unet.engine.counts import count
from napari_unet.engine.paint.label_scheme import PAINTED_BACKGROUND, LabelScheme
from napari_unet.engine.paint.painted_box import painted_boxes
from napari_unet.engine.stack.planes import Planes

_LOOKED_AT = 1 << 22  # pixels; larger planes are looked at in blocks
_SLIP = 9  # pixels of a piece that may be a slip of the brush
# How far the pieces of one number are apart that cannot be strokes in one object: so many times the
# longest piece that is painted of any object, and at least so many pixels.
_FAR, _AT_LEAST = 4.0, 64.0
# Or so many pieces, wherever they are: of sixty simulated persons on ten kinds of images, none has
# painted an object in more than two.
_MANY = 6
_MOST_PIECES = 256  # of one number; more are as far apart as these
_ALL_OVER = 3, 5  # places, or pieces, of each number: of so many, none is there by mistake
_KINDS = 4  # numbers at most that are used all over: kinds of regions are few
_OBJECTS = 6  # numbers of one piece each, at least: so many classes are rarely begun at once
_MOSTLY = 0.9  # of the numbers
# A class of fewer pixels than a dab of the usual brush, and a twentieth of the most painted one.
_LITTLE, _SHARE = 100, 1 / 20
_NAMED = 4  # numbers that are told one by one

Labels = npt.NDArray[np.int32]
Numbers = npt.NDArray[np.int64]


class Oddity(Enum):
    """What is odd about paint; the most important first."""

    ARE_CLASSES = auto()  # few numbers used all over, read as objects
    ARE_OBJECTS = auto()  # many numbers in one place each, read as classes
    SEPARATE = auto()  # an object in several places
    LITTLE = auto()  # a class with almost no paint


@dataclass(frozen=True, slots=True)
class Hint:
    """Something odd; as a text, one sentence that says what to do."""

    oddity: Oddity
    numbers: tuple[int, ...]  # that it is about
    pixels: int = 0  # of a class with little paint

    def __str__(self) -> str:
        match self.oddity:
            case Oddity.ARE_CLASSES:
                return (
                    f"{_several(self.numbers)} painted all over, as kinds of regions are: if they "
                    "are kinds, choose task classes; if not, give each object its own number."
                )
            case Oddity.ARE_OBJECTS:
                return (
                    f"Each of the {count(len(self.numbers), 'number')} is painted in one place, as "
                    "separate objects are: if they are objects, choose task objects."
                )
            case Oddity.SEPARATE:
                return (
                    f"{_several(self.numbers)} painted in several separate places: give each "
                    "object its own number; for kinds of regions choose task classes."
                )
        return (
            f"Of {_named(self.numbers)} almost nothing is painted ({self.pixels:,} px): paint some "
            "more strokes."
        )


@dataclass(frozen=True, slots=True, eq=False)
class PaintedNumbers:
    """What is painted on a plane, number by number; all (n,)."""

    numbers: Numbers  # but 0, ascending
    pixels: Numbers
    pieces: Numbers  # 8-connected, slips left out
    places: Numbers  # groups of pieces that are far apart


class Look:
    """Looks at a plane that comes in bands of rows.

    Parameters
    ----------
    shape
        Of the plane, pixels (Y, X). Of one with more than 2^22 pixels, blocks are looked at, each
        as the highest number in it, so that no thin stroke is lost.
    """

    def __init__(self, shape: tuple[int, int]) -> None:
        self._side = int(np.ceil(max(1.0, np.sqrt(shape[0] * shape[1] / _LOOKED_AT))))
        self._blocks = np.zeros([-(-length // self._side) for length in shape], np.int32)

    def add(self, top: int, band: npt.NDArray[np.integer]) -> None:
        """Take some rows, from row `top` on."""
        side, blocks = self._side, self._blocks
        if not band.any():
            return
        if side == 1:
            blocks[top : top + len(band)] = band
            return
        columns = np.maximum.reduceat(band, np.arange(0, band.shape[1], side), axis=1)
        starts = np.union1d([0], np.arange(-top % side, len(band), side))
        rows = np.maximum.reduceat(columns, starts, axis=0)
        first = top // side
        view = blocks[first : first + len(rows)]
        np.maximum(view, rows, out=view, casting="unsafe")

    def paint(self, numbers: Numbers, pixels: Numbers) -> PaintedNumbers:
        """Return what is painted.

        Parameters
        ----------
        numbers, pixels
            Of the plane, ascending, without 0.
        """
        corners, owners = self._pieces()
        far = _far_apart(corners, owners)
        pieces, places = np.ones((2, len(numbers)), np.int64)
        known, counts = np.unique(owners, return_counts=True)
        for number in known[counts > 1].tolist():
            mine = corners[owners == number]
            place = np.flatnonzero(numbers == number)
            pieces[place], places[place] = len(mine), _groups(mine[:_MOST_PIECES], far)
        return PaintedNumbers(numbers, pixels, pieces, places)

    def _pieces(self) -> tuple[npt.NDArray[np.float64], Labels]:
        """Return the boxes of the pieces, (n, 4) top, left, bottom and right, and their numbers."""
        rows, columns = (np.flatnonzero(self._blocks.any(axis=axis)) for axis in (1, 0))
        if not len(rows):
            return np.zeros((0, 4)), np.zeros(0, np.int32)
        painted = self._blocks[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        regions = label(painted, background=0, connectivity=2)
        boxes = [(y.start, x.start, y.stop, x.stop) for y, x in ndimage.find_objects(regions)]
        _, first, sizes = np.unique(regions, return_index=True, return_counts=True)
        is_piece = regions.ravel()[first] > 0
        owners = painted.ravel()[first[is_piece]]
        kept = sizes[is_piece] * self._side**2 >= _SLIP
        return self._side * np.array(boxes, np.float64)[kept], owners[kept]


def find_hint(planes: Iterable[PaintedNumbers], scheme: LabelScheme) -> Hint | None:
    """Return the most important that is odd about what is painted; None: nothing is.

    Parameters
    ----------
    planes
        The painted planes, or some of them.
    scheme
        How the numbers are read.
    """
    painted = [plane for plane in planes if len(plane.numbers)]
    if not painted:
        return None
    numbers, which = np.unique(
        np.concatenate([plane.numbers for plane in painted]), return_inverse=True
    )
    pixels = np.bincount(which, np.concatenate([plane.pixels for plane in painted])).astype(int)
    most = [np.zeros(len(numbers), np.int64) for _ in range(2)]
    for values, name in zip(most, ("pieces", "places"), strict=True):
        np.maximum.at(values, which, np.concatenate([getattr(one, name) for one in painted]))
    pieces, places = most
    if scheme.task is Task.CLASSES:
        return _of_classes(numbers, pixels, pieces, scheme)
    if scheme.unpainted is Unpainted.BACKGROUND:
        return None  # a label image, in which parts of an object can be anywhere
    return _of_objects(numbers, pixels, pieces, places)


def look_for_hint(labels: Sequence[Planes], scheme: LabelScheme, most: int = 64) -> Hint | None:
    """Return what is odd on up to `most` of the painted planes, spread over one stack or several.

    Raises
    ------
    LabelsError
        If the labels are not whole numbers from 0 to 2^31 - 1.
    """
    planes = []
    for box in painted_boxes(labels, most):
        look = Look((box.labels.shape[0], box.labels.shape[1]))
        look.add(0, box.labels)
        numbers, pixels = np.unique(box.labels[box.labels > 0], return_counts=True)
        planes.append(look.paint(numbers.astype(np.int64), pixels.astype(np.int64)))
    return find_hint(planes, scheme)


def _of_objects(numbers: Numbers, pixels: Numbers, pieces: Numbers, places: Numbers) -> Hint | None:
    is_object = numbers > PAINTED_BACKGROUND
    objects = numbers[is_object]
    all_over, separate = (
        ((places >= apart) | (pieces >= many))[is_object] for apart, many in (_ALL_OVER, (2, _MANY))
    )
    if 2 <= len(objects) <= _KINDS and all_over.all():
        return Hint(Oddity.ARE_CLASSES, _tuple(objects))
    if separate.any():
        return Hint(Oddity.SEPARATE, _tuple(objects[separate]))
    of_each = np.array([pixels[~is_object].sum(), pixels[is_object].sum()])
    if of_each.all() and _is_little(of_each)[0]:
        return Hint(Oddity.LITTLE, (PAINTED_BACKGROUND,), int(of_each[0]))
    return None


def _of_classes(
    numbers: Numbers, pixels: Numbers, pieces: Numbers, scheme: LabelScheme
) -> Hint | None:
    is_above = numbers > PAINTED_BACKGROUND
    if is_above.sum() >= _OBJECTS and (pieces[is_above] == 1).mean() >= _MOSTLY:
        return Hint(Oddity.ARE_OBJECTS, _tuple(numbers[is_above]))
    little = _is_little(pixels)
    if little.any() and scheme.unpainted is Unpainted.IGNORED:
        least = int(np.where(little, pixels, pixels.max()).argmin())
        return Hint(Oddity.LITTLE, (int(numbers[least]),), int(pixels[least]))
    return None


def _is_little(pixels: Numbers) -> npt.NDArray[np.bool_]:
    return np.asarray((pixels < _LITTLE) & (pixels < _SHARE * pixels.max()))


def _far_apart(corners: npt.NDArray[np.float64], owners: npt.NDArray[np.integer]) -> float:
    """Return from which distance on pieces are far apart, pixels."""
    objects = corners[owners > PAINTED_BACKGROUND]
    longest = (objects[:, 2:] - objects[:, :2]).max(initial=0)
    return float(max(_AT_LEAST, _FAR * longest))


def _groups(corners: npt.NDArray[np.float64], far: float) -> int:
    """Return into how many groups boxes (n, 4) fall that are at least so far apart."""
    low, high = corners[:, np.newaxis, :2], corners[:, np.newaxis, 2:]
    gaps = np.maximum(0, np.maximum(low - corners[:, 2:], corners[:, :2] - high))
    near = np.hypot(gaps[..., 0], gaps[..., 1]) < far
    groups, _ = sparse.csgraph.connected_components(near, directed=False)
    return int(groups)


def _several(numbers: tuple[int, ...]) -> str:
    """Return "Number 2 is", "Numbers 2 and 3 are"."""
    word, verb = ("Number", "is") if len(numbers) == 1 else ("Numbers", "are")
    return f"{word} {_listed(numbers)} {verb}"


def _named(numbers: tuple[int, ...]) -> str:
    return f"number {_listed(numbers)}"


def _listed(numbers: tuple[int, ...]) -> str:
    shown = [str(number) for number in numbers[:_NAMED]]
    if len(numbers) > _NAMED:
        return f"{', '.join(shown)} and {count(len(numbers) - _NAMED, 'other')}"
    return " and ".join(filter(None, [", ".join(shown[:-1]), shown[-1]]))


def _tuple(numbers: Numbers) -> tuple[int, ...]:
    found: tuple[int, ...] = tuple(numbers.tolist())
    return found
