"""Planes become final one after the other: numbered on, and never beyond int32."""

from __future__ import annotations

import numpy as np
import pytest

from napari_unet.config import ObjectsConfig
from napari_unet.engine.errors import EngineError
from napari_unet.engine.objects.decoder import MAX_OBJECTS
from napari_unet.engine.objects.uncut import UncutPlane
from napari_unet.engine.prediction.object_planes import ObjectPlanes
from napari_unet.engine.stack.tiles import Span, Tile

TWO = UncutPlane.of(
    [np.array([[True, False, False, False, False, True]])],
    (1, 6),
    ObjectsConfig(min_size=0, neck=0, gap=0),
)


def test_the_objects_of_a_plane_are_numbered_on() -> None:
    planes = ObjectPlanes(None, None, largest=40)
    for plane, numbers in ((3, [41, 42]), (1, [43, 44])):
        (done,) = planes.take(plane, TWO.cut())
        assert (done.plane, done.objects, done.complete) == (plane, 2, True)
        assert np.asarray(done.labels)[0].tolist() == [numbers[0], 0, 0, 0, 0, numbers[1]]
    assert planes.largest == 44
    assert planes.rest() == []


def test_tiles_that_are_missing_are_told_and_0() -> None:
    missing = Tile(Span(0, 1), Span(4, 6))
    (done,) = ObjectPlanes(None, None, largest=0).take(0, TWO.cut(), [missing])
    assert done.missing == ((slice(0, 1), slice(4, 6)),)
    assert np.asarray(done.labels)[0].tolist() == [1, 0, 0, 0, 0, 0]


def test_more_objects_than_int32_can_number_are_an_error() -> None:
    planes = ObjectPlanes(None, None, largest=MAX_OBJECTS - 2)
    (done,) = planes.take(0, TWO.cut())
    assert np.asarray(done.labels).max() == MAX_OBJECTS == np.iinfo(np.int32).max
    with pytest.raises(EngineError, match="raise the smallest object size"):
        planes.take(1, TWO.cut())
