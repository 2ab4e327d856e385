"""The events of a segmentation → whole planes, for planes that fit in memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_unet.engine.events import PlaneDone, SegmentEvent, TileDone


def whole_planes(events: Iterable[SegmentEvent]) -> Iterator[tuple[int, npt.NDArray[Any]]]:
    """Run a segmentation; yield the number of each plane and its values.

    Values are (Y, X) labels or classes, or (K, Y, X) probabilities; tiles that a stop left out
    are 0.

    Examples
    --------
    >>> labels = dict(whole_planes(segment(model, planes, device=device)))  # doctest: +SKIP
    """
    tiles: list[TileDone] = []
    for event in events:
        if isinstance(event, TileDone):
            tiles.append(event)
        elif isinstance(event, PlaneDone):
            labels = event.labels
            yield event.plane, _joined(tiles, event) if labels is None else np.asarray(labels)
            tiles = []


def _joined(tiles: list[TileDone], end: PlaneDone) -> npt.NDArray[Any]:
    regions = [(tile.y, tile.x) for tile in tiles]
    height = max(y.stop for y, _ in (*regions, *end.missing))
    width = max(x.stop for _, x in (*regions, *end.missing))
    values = tiles[0].values
    whole = np.zeros((*values.shape[:-2], height, width), values.dtype)
    for tile in tiles:
        whole[..., tile.y, tile.x] = tile.values
    return whole
