"""Results stream into a layer of their own, locked meanwhile, and the view keeps up calmly."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Image, Labels
from pytestqt.qtbot import QtBot

from napari_unet.engine.errors import EngineError
from napari_unet.engine.events import PlaneDone, TileDone
from napari_unet.ui.layers.streaming import ResultStream

PLANE = (64, 48)
SHOWN = 1  # of three planes: napari opens a stack in the middle


def tile(plane: int, y: slice, x: slice, value: int) -> TileDone:
    values = np.full((y.stop - y.start, x.stop - x.start), value, dtype=np.int32)
    return TileDone(plane, y, x, values, done=1, total=6)


def whole(plane: int, value: int) -> PlaneDone:
    return PlaneDone(plane, np.full(PLANE, value, dtype=np.int32), objects=1, complete=True)


@pytest.fixture
def stream(viewer: ViewerModel, qtbot: QtBot) -> Iterator[ResultStream]:
    stream = ResultStream(viewer)
    yield stream
    stream.release()


def test_the_layer_lies_exactly_on_the_image(
    stream: ResultStream, viewer: ViewerModel, image: Image
) -> None:
    image.rotate = np.array([[1, 0, 0], [0, 0.8, -0.6], [0, 0.6, 0.8]])
    layer = stream.begin(image)
    assert layer in viewer.layers
    assert layer.name == "cells segmentation"
    assert layer.data.shape == image.data.shape
    assert layer.data.dtype == np.int32
    assert layer.units == image.units
    assert layer.axis_labels == image.axis_labels
    corner = np.array(image.data.shape) - 1
    np.testing.assert_allclose(layer.data_to_world(corner), image.data_to_world(corner))


def test_tiles_are_in_the_layer_at_once(stream: ResultStream, image: Image) -> None:
    layer = stream.begin(image)
    stream.write(tile(1, slice(0, 16), slice(8, 24), 7))
    assert (layer.data[1, :16, 8:24] == 7).all()
    assert np.count_nonzero(layer.data) == 16 * 16
    stream.write(whole(1, 3))
    assert (layer.data[1] == 3).all()
    assert not layer.data[[0, 2]].any()


def test_planes_of_several_leading_axes_go_to_their_place(
    viewer: ViewerModel, stream: ResultStream
) -> None:
    layer = stream.begin(viewer.add_image(np.zeros((2, 3, *PLANE), dtype=np.uint8)))
    stream.write(whole(4, 9))
    assert (layer.data[1, 1] == 9).all()
    assert np.count_nonzero(layer.data) == PLANE[0] * PLANE[1]


def test_a_single_plane_needs_no_leading_axis(viewer: ViewerModel, stream: ResultStream) -> None:
    layer = stream.begin(viewer.add_image(np.zeros(PLANE, dtype=np.uint8)))
    stream.write(tile(0, slice(0, 8), slice(0, 8), 1))
    assert layer.data[:8, :8].all()


def test_the_finest_level_of_a_multiscale_image_counts(
    viewer: ViewerModel, stream: ResultStream
) -> None:
    fine = np.zeros((128, 128), dtype=np.uint8)
    image = viewer.add_image([fine, fine[::2, ::2]], multiscale=True, scale=(0.5, 0.5))
    layer = stream.begin(image)
    assert layer.data.shape == (128, 128)
    np.testing.assert_allclose(layer.scale, (0.5, 0.5))


def test_the_layer_is_locked_while_it_fills(stream: ResultStream, image: Image) -> None:
    layer = stream.begin(image)
    layer.mode = "paint"
    assert layer.mode == "pan_zoom"  # napari refuses: not editable
    assert not layer.editable
    assert getattr(layer, "locked", True)
    stream.end()
    assert layer.editable
    assert not getattr(layer, "locked", False)


def test_the_layer_that_people_paint_on_stays_active(
    stream: ResultStream, viewer: ViewerModel, image: Image, labels: Labels
) -> None:
    viewer.layers.selection.active = labels
    stream.begin(image)
    assert viewer.layers.selection.active == labels


def count_refreshes(layer: Labels) -> list[Any]:
    shown: list[Any] = []
    layer.events.set_data.connect(lambda _: shown.append(layer))
    return shown


def test_the_view_is_refreshed_at_most_ten_times_a_second(
    stream: ResultStream, image: Image, qtbot: QtBot
) -> None:
    shown = count_refreshes(stream.begin(image))
    for _ in range(40):
        stream.write(tile(SHOWN, slice(0, 8), slice(0, 8), 1))
        qtbot.wait(10)
    assert 2 <= len(shown) <= 6  # 0.4 s or a little more


def test_the_last_tile_is_shown_without_another_event(
    stream: ResultStream, image: Image, qtbot: QtBot
) -> None:
    layer = stream.begin(image)
    shown = count_refreshes(layer)
    stream.write(tile(SHOWN, slice(0, 8), slice(0, 8), 1))
    stream.write(tile(SHOWN, slice(8, 16), slice(0, 8), 2))
    qtbot.waitUntil(lambda: len(shown) == 2)


def test_tiles_of_planes_that_are_not_shown_refresh_nothing(
    stream: ResultStream, viewer: ViewerModel, image: Image, qtbot: QtBot
) -> None:
    shown = count_refreshes(stream.begin(image))
    viewer.dims.set_current_step(0, 2)
    shown.clear()
    stream.write(tile(0, slice(0, 8), slice(0, 8), 1))
    qtbot.wait(150)
    assert shown == []
    stream.write(tile(2, slice(0, 8), slice(0, 8), 1))
    assert len(shown) == 1


def test_all_tiles_are_in_sight_in_3d(
    stream: ResultStream, viewer: ViewerModel, image: Image
) -> None:
    layer = stream.begin(image)
    viewer.dims.ndisplay = 3
    shown = count_refreshes(layer)
    stream.write(tile(2, slice(0, 8), slice(0, 8), 1))
    assert len(shown) == 1


def test_no_undo_history_is_touched(stream: ResultStream, image: Image, labels: Labels) -> None:
    labels.paint((0, 10, 10), 5)
    layer = stream.begin(image)
    stream.write(whole(0, 3))
    stream.end()
    painted = labels.data.copy()
    layer.undo()
    assert (layer.data[0] == 3).all()  # nothing to undo
    labels.undo()
    assert painted.any()
    assert not labels.data.any()


def test_a_second_run_uses_the_layer_again_and_starts_empty(
    stream: ResultStream, viewer: ViewerModel, image: Image
) -> None:
    first = stream.begin(image)
    first.opacity = 0.3
    stream.write(whole(2, 3))
    stream.end()
    count = len(viewer.layers)
    second = stream.begin(image)
    assert second == first
    assert second.opacity == 0.3
    assert len(viewer.layers) == count
    assert not second.data.any()
    assert not second.editable
    stream.write(whole(0, 4))
    assert (second.data[0] == 4).all()


def _edit(layer: Labels, viewer: ViewerModel) -> None:
    layer.paint((0, 10, 10), 5)


def _fill(layer: Labels, viewer: ViewerModel) -> None:
    layer.fill((0, 10, 10), 5)


def _rename(layer: Labels, viewer: ViewerModel) -> None:
    layer.name = "mine"


def _replace(layer: Labels, viewer: ViewerModel) -> None:
    layer.data = layer.data.copy()


@pytest.mark.parametrize("change", [_edit, _fill, _rename, _replace])
def test_a_result_that_was_changed_by_hand_is_kept(
    stream: ResultStream, viewer: ViewerModel, image: Image, change: Any
) -> None:
    first = stream.begin(image)
    stream.write(whole(0, 3))
    stream.end()
    change(first, viewer)
    kept = first.data.copy()
    second = stream.begin(image)
    stream.write(whole(0, 9))
    assert second != first
    assert first in viewer.layers
    np.testing.assert_array_equal(first.data, kept)


def test_never_into_the_layer_that_is_trained_on(
    stream: ResultStream, viewer: ViewerModel, image: Image
) -> None:
    first = stream.begin(image)
    stream.end()
    assert stream.begin(image, not_into=first) != first


def test_another_image_gets_a_layer_of_its_own(
    stream: ResultStream, viewer: ViewerModel, image: Image
) -> None:
    first = stream.begin(image)
    stream.write(whole(0, 3))
    stream.end()
    other = viewer.add_image(np.zeros((3, *PLANE), dtype=np.uint8), name="other")
    second = stream.begin(other)
    assert second.name == "other segmentation"
    assert (first.data[0] == 3).all()


def test_a_removed_layer_is_told_and_hurts_nobody(
    stream: ResultStream, viewer: ViewerModel, image: Image
) -> None:
    layer = stream.begin(image)
    lost = [stream.lost]
    viewer.layers.remove(layer)
    lost.append(stream.lost)
    stream.write(whole(0, 3))
    stream.end()
    lost.append(stream.lost)
    assert lost == [False, True, False]
    assert stream.begin(image) in viewer.layers


def test_ending_leaves_a_layer_alone_that_was_locked_by_hand(
    stream: ResultStream, image: Image
) -> None:
    layer = stream.begin(image)
    stream.end()
    layer.editable = False
    stream.end()
    assert not layer.editable


def test_want_of_memory_is_one_sentence(
    stream: ResultStream, image: Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*args: Any, **kwargs: Any) -> Any:
        raise MemoryError

    monkeypatch.setattr(np, "zeros", full)
    with pytest.raises(EngineError, match="no memory for the segmentation of 'cells'"):
        stream.begin(image)


def test_releasing_disconnects_from_the_layer(stream: ResultStream, image: Image) -> None:
    layer = stream.begin(image)
    before = len(layer.events.paint.callbacks)
    stream.release()
    assert len(layer.events.paint.callbacks) == before - 1
    assert layer.editable
