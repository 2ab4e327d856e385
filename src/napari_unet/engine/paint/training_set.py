"""What a network is trained on: images of any sizes, and what is painted on each."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from itertools import accumulate

from napari_unet.engine.counts import count, shape_text
from napari_unet.engine.errors import ImageError, LabelsError
from napari_unet.engine.paint.painted_box import PaintedBox, RememberedLabels, find_painted_box
from napari_unet.engine.stack.planes import Planes


@dataclass(frozen=True, slots=True, eq=False)
class Pair:
    """An image, and labels painted on it: as many planes of the same shape."""

    planes: Planes
    labels: Planes


class TrainingSet:
    """Images and their labels, whose planes are numbered through: first all of the first image.

    Labels may be painted on meanwhile. They are remembered, if it is asked for.

    Parameters
    ----------
    pairs
        Images of any sizes, types and numbers of planes, but with as many channels; and labels of
        each. Planes without any paint are no hindrance.

    Raises
    ------
    LabelsError
        If there is no pair, or labels are not as large as their image.
    ImageError
        If an image has other channels than the first.
    """

    def __init__(self, pairs: Sequence[Pair]) -> None:
        if not pairs:
            raise LabelsError("There is no image with labels; choose at least one to train on.")
        for pair in pairs:
            require_labels_of(pair.planes, pair.labels)
            _require_channels_of(pairs[0].planes, pair.planes)
        self.pairs = tuple(replace(pair, labels=_remembered(pair.labels)) for pair in pairs)
        self._first = [0, *accumulate(pair.planes.count for pair in pairs)]

    @classmethod
    def of(cls, *pairs: tuple[Planes, Planes]) -> TrainingSet:
        """Return that of these images and labels; raises as the class does."""
        return cls([Pair(*pair) for pair in pairs])

    @property
    def images(self) -> tuple[Planes, ...]:
        """The images."""
        return tuple(pair.planes for pair in self.pairs)

    @property
    def labels(self) -> tuple[Planes, ...]:
        """The labels of each image."""
        return tuple(pair.labels for pair in self.pairs)

    @property
    def count(self) -> int:
        """Number of planes of all images."""
        return self._first[-1]

    def place(self, number: int) -> tuple[int, int]:
        """Return which image a plane is of, and its number there."""
        image = bisect_right(self._first, number) - 1
        return image, number - self._first[image]

    def number(self, image: int, plane: int) -> int:
        """Return the number of an image's plane."""
        return self._first[image] + plane

    def pair(self, number: int) -> tuple[Pair, int]:
        """Return the image and labels that a plane is of, and its number there."""
        image, plane = self.place(number)
        return self.pairs[image], plane

    def shape(self, number: int) -> tuple[int, int]:
        """Return height and width of a plane, pixels."""
        return self.pair(number)[0].planes.shape

    def box(self, number: int) -> PaintedBox | None:
        """Return what is painted on a plane; see `find_painted_box`."""
        pair, plane = self.pair(number)
        box = find_painted_box(pair.labels, plane)
        return box and replace(box, number=number)

    @contextmanager
    def remembering(self) -> Iterator[None]:
        """Remember the labels that are read meanwhile, as they are read first."""
        with ExitStack() as each:
            for pair in self.pairs:
                assert isinstance(pair.labels, RememberedLabels)
                each.enter_context(pair.labels.remembering())
            yield

    def forget(self) -> None:
        """Read all labels anew from now on."""
        for pair in self.pairs:
            assert isinstance(pair.labels, RememberedLabels)
            pair.labels.forget()


def _remembered(labels: Planes) -> RememberedLabels:
    return labels if isinstance(labels, RememberedLabels) else RememberedLabels(labels)


def require_labels_of(planes: Planes, labels: Planes) -> None:
    """Make sure that the labels are as large as the image.

    Raises
    ------
    LabelsError
        If they are not.
    """
    if (labels.count, *labels.shape) != (planes.count, *planes.shape):
        raise LabelsError(
            f"The labels have {count(labels.count, 'plane')} of {shape_text(labels.shape)} px, but "
            f"the image has {planes.count} of {shape_text(planes.shape)} px; use a labels layer "
            "made for this image."
        )


def _require_channels_of(first: Planes, other: Planes) -> None:
    if other.channels != first.channels:
        raise ImageError(
            f"'{other.name}' has {count(other.channels, 'channel')}, but '{first.name}' has "
            f"{first.channels}; train on images with the same channels."
        )
