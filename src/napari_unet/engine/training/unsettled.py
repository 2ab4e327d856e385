"""Corrected places: patches are cut around them more often until the network has them right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from napari_unet.engine.paint.label_scheme import IGNORED
from napari_unet.engine.paint.painted_planes import PaintedStack
from napari_unet.engine.training.corrections import NewPaint
from napari_unet.engine.training.sampling import Batch, Spot
from napari_unet.engine.training.state import PLACES, PlaceRecord

_EACH = 1 / 8  # of the patches are around a corrected place, for each of them
_SHARE = 1 / 2  # at most: what was right before is not to be forgotten
_MIDDLE = 32  # pixels: side of what is looked at around the middle of a patch
_RECALL = 0.8  # of each class there: outlines are a pixel or two apart even where all is right
_FIELD = 0.15  # mean error of the shape field there
_IN_A_ROW = 3  # patches that are right, each deformed in another way
_MOST = 60  # patches of a place that never is; perhaps its paint contradicts other paint
_PLACES = 256  # the newest


@dataclass(slots=True, eq=False)
class Corrected:
    """A place that was painted anew."""

    plane: int  # number
    pixels: npt.NDArray[np.intp]  # (n, 2): row and column in the plane
    drawn: int = 0
    right: int = 0  # in a row

    @property
    def is_settled(self) -> bool:
        """Whether it is right, or is given up."""
        return self.right >= _IN_A_ROW or self.drawn >= _MOST


class Unsettled:
    """Remembers the corrected places that the network does not have right."""

    def __init__(self) -> None:
        self.places: list[Corrected] = []

    def add(self, paint: Sequence[NewPaint], training: PaintedStack) -> None:
        """Take new paint, but for what is held out of training."""
        planes = {plane.number: plane for plane in training.planes}
        for new in paint:
            is_new = new.is_new & (planes[new.plane].classes != IGNORED)
            top, left = new.origin
            for tile in new.tiles():
                y, x = tile.y, tile.x
                inside = is_new[y.start - top : y.stop - top, x.start - left : x.stop - left]
                if inside.any():
                    pixels = np.argwhere(inside) + np.array([y.start, x.start])
                    self.places.append(Corrected(new.plane, pixels))
        self.places = self.places[-_PLACES:]

    def recorded(self) -> tuple[tuple[PlaceRecord, ...], Tensor]:
        """Return the places, and the pixels (n, 2) of all of them."""
        records = tuple(
            PlaceRecord(place.plane, len(place.pixels), place.drawn, place.right)
            for place in self.places
        )
        none = np.empty((0, 2), np.intp)
        pixels = np.concatenate([none, *(place.pixels for place in self.places)])
        return records, torch.from_numpy(pixels.astype(np.int32))

    def restore(self, records: Sequence[PlaceRecord], arrays: Mapping[str, Tensor]) -> None:
        """Remember what `recorded` has returned."""
        pixels = arrays[PLACES].numpy().astype(np.intp)
        ends = np.cumsum([record.pixels for record in records])
        self.places = [
            Corrected(record.plane, own, record.drawn, record.right)
            for record, own in zip(records, np.split(pixels, ends[:-1]), strict=False)
        ]

    def keep(self, planes: Sequence[int]) -> None:
        """Forget the places on all but these planes, as nothing is painted there any more."""
        self.places = [place for place in self.places if place.plane in planes]

    def draw(self, rng: np.random.Generator, count: int) -> list[tuple[Corrected, Spot]]:
        """Return places for some of `count` patches, and a pixel of each."""
        if not self.places:
            return []  # and no random number is drawn
        share = min(_SHARE, _EACH * len(self.places))
        chosen = rng.integers(len(self.places), size=rng.binomial(count, share))
        return [
            (place, Spot(place.plane, *place.pixels[rng.integers(len(place.pixels))].tolist()))
            for place in (self.places[index] for index in chosen)
        ]

    def note(self, places: Sequence[Corrected], outputs: Tensor, batch: Batch) -> None:
        """Take note of what the network made of the first patches of a batch.

        Parameters
        ----------
        places
            Around which they were cut.
        outputs
            (B, K, y, x): logits of the classes, and the shape field if the batch has one.
        """
        for place, right in zip(places, are_right(outputs, batch, len(places)), strict=True):
            place.drawn += 1
            place.right = place.right + 1 if right else 0
        self.places = [place for place in self.places if not place.is_settled]


@torch.no_grad()
def are_right(outputs: Tensor, batch: Batch, count: int) -> list[bool]:
    """Return whether each of the first `count` patches is right around its middle.

    Of each class that is painted there, four fifths must be found, and the shape field must be
    near to what it is to be.
    """
    side = min(_MIDDLE, outputs.shape[-1])
    first = (outputs.shape[-1] - side) // 2
    middle = (slice(count), ..., slice(first, first + side), slice(first, first + side))
    outputs, classes = outputs[middle].float().cpu(), batch.classes[middle].cpu()
    shape = None if batch.shape is None else batch.shape[middle].cpu()
    logits = outputs if shape is None else outputs[:, :-1]
    hits = logits.argmax(1) == classes
    found = []
    for index in range(count):
        labelled = np.unique(classes[index][classes[index] != IGNORED].numpy()).tolist()
        recalls = [float(hits[index][classes[index] == value].float().mean()) for value in labelled]
        is_right = all(recall >= _RECALL for recall in recalls)
        if shape is not None:
            wanted, weights = shape[index]
            error = ((outputs[index, -1] - wanted).abs() * weights).sum()
            is_right &= bool(error <= _FIELD * weights.sum())
        found.append(is_right)
    return found
