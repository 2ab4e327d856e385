"""The finished planes of an image, out of the shared folder."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_unet.engine.network import stride
from napari_unet.engine.prediction import SegmentationPlan
from napari_unet.engine.stack import Tile, cut_plane
from napari_unet.io.shared_work import SharedWork

_ROWS = 1024  # that are read at once: whole chunks of what is written


@dataclass(frozen=True, slots=True)
class Finished:
    """Gives the values of planes that are finished."""

    work: SharedWork
    shape: tuple[int, int]  # of a plane
    tiles: Sequence[Tile]
    is_numbered: bool

    @classmethod
    def of(cls, plan: SegmentationPlan, work: SharedWork, shape: tuple[int, int]) -> Finished:
        """Return those of a segmentation on which was agreed."""
        side, step = work.agreed().record.side, stride(plan.model.network.levels)
        return cls(work, shape, cut_plane(shape, side, step), plan.is_numbered)

    def rows(self, plane: int, above: int | None) -> Iterator[npt.NDArray[Any]]:
        """Yield the values of a plane from the top, (…, y, X).

        Parameters
        ----------
        above
            Of numbered objects, the largest number before the plane; None: as linking has said.

        Raises
        ------
        FileError
            If they are not there.
        """
        height, width = self.shape
        if self.is_numbered:
            labels = self.work.numbered(plane, above).labels
            assert labels is not None
            for top in range(0, height, _ROWS):
                yield labels.rows(slice(top, min(top + _ROWS, height)))
            return
        beside: list[npt.NDArray[Any]] = []
        for number, tile in enumerate(self.tiles):
            values = self.work.tile(plane, number)
            if values is None:
                raise self.work.lost(plane)
            beside.append(values)
            if tile.x.stop == width:
                yield np.concatenate(beside, axis=-1)
                beside = []
