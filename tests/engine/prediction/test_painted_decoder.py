"""What is painted overrides what is predicted: in every kind of output, tile by tile."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from napari_unet.config import ObjectsConfig, OutputKind, Task, TilingConfig
from napari_unet.engine.errors import LabelsError, SettingsError
from napari_unet.engine.events import Judged, PlaneDone
from napari_unet.engine.stack.planes import ArrayPlanes
from tests.engine.tiny import CPU, noise, plane_values, segment, tiny_model

OBJECTS = tiny_model()
CLASSES = tiny_model(task=Task.CLASSES, values=(1, 2, 4))
STACK = noise(3, 40, 50)
ALL = ObjectsConfig(min_size=0)


def paint() -> npt.NDArray[np.int32]:
    """Background, two whole objects that touch, and a third; nothing on plane 2."""
    painted = np.zeros(STACK.shape, np.int32)
    painted[0, :10] = 1
    painted[0, 12:24, 5:15], painted[0, 12:24, 15:25] = 2, 3
    painted[1, 20:30, 20:30] = 2
    return painted


def segmented(model: Any, painted: Any, **settings: Any) -> npt.NDArray[Any]:
    planes = None if painted is None else ArrayPlanes(painted)
    events = segment(model, ArrayPlanes(STACK), device=CPU, painted=planes, **settings)
    return np.stack(plane_values(events))


def test_objects_come_out_as_painted_with_numbers_that_no_plane_shares() -> None:
    painted = paint()
    before = segmented(OBJECTS, None, objects=ALL)
    result = segmented(OBJECTS, painted, objects=ALL)
    assert not result[0, :10].any()
    for plane, number in ((0, 2), (0, 3), (1, 2)):
        (new,) = np.unique(result[plane][painted[plane] == number])
        assert new > 0
        assert not (result == new)[(painted > 0) & (painted != number)].any()
    np.testing.assert_array_equal(result[2] > 0, before[2] > 0)
    ids = [np.unique(values[values > 0]) for values in result]
    np.testing.assert_array_equal(np.concatenate(ids), np.arange(1, result.max() + 1))


@pytest.mark.parametrize("link", [False, True])
def test_it_is_told_how_the_painted_objects_were_found(*, link: bool) -> None:
    found = segmented(OBJECTS, None, objects=ALL)
    painted = paint()
    painted[1] = np.where(found[1] > 0, found[1] + 1, 1)  # as predicted
    events = segment(
        OBJECTS,
        ArrayPlanes(STACK),
        device=CPU,
        painted=ArrayPlanes(painted),
        objects=replace(ALL, link=link),
    )
    judged = {event.plane: event.judged for event in events if isinstance(event, PlaneDone)}
    count = len(np.unique(found[1])) - 1
    assert judged[1] == Judged(count, count)
    assert judged[2] is None  # nothing is painted


def test_the_tiles_do_not_matter() -> None:
    one, other = (
        segmented(OBJECTS, paint(), objects=ALL, tiling=TilingConfig(tile=side))
        for side in (16, 64)
    )
    np.testing.assert_array_equal(one, other)


def test_painted_objects_are_linked_as_painted() -> None:
    painted = np.zeros(STACK.shape, np.int32)
    painted[:, 12:24, 5:15] = 2
    painted[1, 12:24, 5:15] = 7  # the numbers of paint do not matter
    result = segmented(OBJECTS, painted, objects=ObjectsConfig(min_size=0, link=True))
    numbers = np.unique(result[:, 12:24, 5:15])
    assert len(numbers) == 1


@pytest.mark.parametrize("kind", [OutputKind.CLASSES, OutputKind.LABELS])
def test_classes_come_out_as_painted_in_every_tile(kind: OutputKind) -> None:
    painted = np.zeros(STACK.shape, np.int32)
    painted[0, 5:30, 5:45], painted[1, :, 20] = 4, 3  # 3: a class that the model does not know
    settings: dict[str, Any] = {"kind": kind, "tiling": TilingConfig(tile=16)}
    before, result = (segmented(CLASSES, labels, **settings) for labels in (None, painted))
    assert result.dtype == before.dtype
    np.testing.assert_array_equal(result, np.where(painted > 0, painted, before))


def test_the_mask_of_objects_comes_out_as_painted() -> None:
    painted = paint()
    before, result = (
        segmented(OBJECTS, labels, kind=OutputKind.CLASSES) for labels in (None, painted)
    )
    np.testing.assert_array_equal(result, np.where(painted > 0, painted > 1, before))


def test_probabilities_stay_what_the_network_says() -> None:
    before, result = (
        segmented(OBJECTS, labels, kind=OutputKind.PROBABILITIES) for labels in (None, paint())
    )
    np.testing.assert_array_equal(result, before)


def test_a_plane_that_lacks_tiles_stays_as_predicted() -> None:
    stops = iter([False, False, True])
    events = segment(
        OBJECTS,
        ArrayPlanes(STACK),
        device=CPU,
        painted=ArrayPlanes(paint()),
        tiling=TilingConfig(tile=16),
        stop=lambda: next(stops),
    )
    (done,) = (event for event in events if isinstance(event, PlaneDone))
    assert not done.complete
    assert done.labels is not None
    assert np.asarray(done.labels)[:10].any()


def test_paint_of_another_size_is_refused() -> None:
    with pytest.raises(LabelsError, match="use a labels layer made for this image"):
        segmented(OBJECTS, np.zeros((3, 40, 49), np.int32))


def test_a_class_that_does_not_fit_is_refused() -> None:
    painted = np.full(STACK.shape, 300, np.int32)
    with pytest.raises(SettingsError, match="class 300 does not fit into 8 bit"):
        segmented(CLASSES, painted, kind=OutputKind.CLASSES)
