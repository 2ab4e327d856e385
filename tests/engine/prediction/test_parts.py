"""What processes do apart from each other joins to what one does."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest

from napari_unet.config import Along, ObjectsConfig, TilingConfig
from napari_unet.engine.events import Resume
from napari_unet.engine.prediction.parts import Parts, number_planes, numbered_together
from napari_unet.engine.prediction.plan import SegmentationPlan
from napari_unet.engine.prediction.segmentation import segment
from napari_unet.engine.stack.planes import ArrayPlanes
from napari_unet.engine.stack.tiles import Tile
from tests.engine.tiny import CPU, noise, plane_values, tiny_model


@pytest.mark.parametrize("shape_field", [False, True])
@pytest.mark.parametrize("along", [None, Along.Z, Along.BOTH])
def test_tiles_and_planes_that_are_done_apart_give_the_same_labels(
    along: Along | None, *, shape_field: bool
) -> None:
    coarse = noise(2, 3, 15, 17).repeat(4, axis=-1).repeat(4, axis=-2)
    planes = ArrayPlanes(coarse)
    model = tiny_model(shape_field=shape_field)
    objects = ObjectsConfig(min_size=0, link=along is not None, link_along=along or Along.BOTH)
    plan = SegmentationPlan(model, objects, TilingConfig(tile=32))
    whole = plane_values(segment(plan, planes, device=CPU))

    one, other = (Parts(plan, planes, device=CPU) for _ in range(2))
    tiles = {
        (plane, tile): part.settle(plane, tile)
        for part, numbers in ((one, (5, 3, 0)), (other, (4, 1, 2)))
        for plane in numbers
        for tile in reversed(part.tiles)
    }
    decoded = {
        number: one.decode(number, partial(_of, tiles, number)) for number in (2, 5, 1, 0, 4, 3)
    }
    groups = list(numbered_together(planes, range(6), objects))
    in_order = (decoded[number] for number in range(6))
    numbered = list(number_planes(in_order, planes, range(6), objects, Resume()))

    assert groups == ([(0, 1, 2), (3, 4, 5)] if along is Along.BOTH else [(n,) for n in range(6)])
    for done, expected in zip(numbered, whole, strict=True):
        np.testing.assert_array_equal(np.asarray(done.labels), expected)


def _of(tiles: dict[Any, Any], plane: int, tile: Tile) -> Any:
    return tiles[plane, tile]
