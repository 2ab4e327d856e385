"""Results stream into layers of their own, locked meanwhile, and the view keeps up."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from napari.components import ViewerModel
from napari.layers import Image, Labels, Layer
from pytestqt.qtbot import QtBot

from napari_unet.config import OutputKind
from napari_unet.engine.errors import EngineError
from napari_unet.engine.events import PlaneDone, TileDone
from napari_unet.engine.stack.run_labels import RunLabels
from napari_unet.ui.layers import arrays
from napari_unet.ui.layers.throttled_refresh import ThrottledRefresh
from napari_unet.ui.segment import pyramid
from napari_unet.ui.segment import stream as stream_module
from napari_unet.ui.segment.pyramid import Pyramid
from napari_unet.ui.segment.result import Result
from napari_unet.ui.segment.stream import ResultStream, can_show_regions, show_region

PLANE = (64, 48)
SHOWN = 1  # of three planes: napari opens a stack in the middle


def tile(plane: int, y: slice, x: slice, value: int) -> TileDone:
    values = np.full((y.stop - y.start, x.stop - x.start), value, dtype=np.int32)
    return TileDone(plane, y, x, values, done=1, total=6)


def whole(plane: int, value: int) -> PlaneDone:
    return PlaneDone(plane, RunLabels.of(np.full(PLANE, value)), objects=1)


def prepared(image: Image) -> Result:
    result = Result(image, OutputKind.LABELS)
    result.prepare()
    return result


@pytest.fixture
def stream(viewer: ViewerModel, qtbot: QtBot) -> Iterator[ResultStream]:
    stream = ResultStream(viewer)
    yield stream
    stream.end()


@pytest.fixture
def result(image: Image, stream: ResultStream) -> Result:
    """A result that is being filled, and has appeared."""
    result = prepared(image)
    stream.begin(result)
    stream._appear()
    return result


# Where values go


def test_the_layer_lies_exactly_on_the_image(
    stream: ResultStream, viewer: ViewerModel, image: Image
) -> None:
    image.rotate = np.array([[1, 0, 0], [0, 0.8, -0.6], [0, 0.6, 0.8]])
    result = prepared(image)
    stream.begin(result)
    (layer,) = result.layers
    assert layer in viewer.layers
    assert layer.name == "cells segmentation"
    assert layer.data.shape == image.data.shape
    assert layer.data.dtype == np.int32
    assert layer.units == image.units
    assert layer.axis_labels == image.axis_labels
    assert layer.metadata["napari-unet-paint"] == "segmentation"
    corner = np.array(image.data.shape) - 1
    np.testing.assert_allclose(layer.data_to_world(corner), image.data_to_world(corner))


def test_strokes_stay_in_sight_above_a_new_result(
    stream: ResultStream, viewer: ViewerModel, image: Image
) -> None:
    strokes = viewer.add_labels(np.zeros(image.data.shape, dtype=np.uint16))
    viewer.add_points()
    before, result = list(viewer.layers), prepared(image)
    stream.begin(result, painted=strokes)
    assert list(viewer.layers) == [*before[:-2], *result.layers, *before[-2:]]


def test_a_result_comes_on_top_where_its_image_covers_the_strokes(
    stream: ResultStream, viewer: ViewerModel, image: Image
) -> None:
    strokes = viewer.add_labels(np.zeros(image.data.shape, dtype=np.uint16))
    viewer.layers.move(viewer.layers.index(strokes), 0)
    before, result = list(viewer.layers), prepared(image)
    stream.begin(result, painted=strokes)
    assert list(viewer.layers) == [*before, *result.layers]


def test_a_hidden_result_that_is_filled_anew_appears_with_its_first_tile(
    stream: ResultStream, result: Result
) -> None:
    (layer,) = result.layers
    stream.end()
    layer.visible = False
    stream.begin(result)
    assert not layer.visible
    stream.show(tile(1, slice(0, 16), slice(8, 24), 7))
    assert layer.visible


def test_a_new_layer_is_hidden_until_its_first_tile(stream: ResultStream, image: Image) -> None:
    result = prepared(image)
    stream.begin(result)
    (layer,) = result.layers
    assert not layer.visible
    stream.show(tile(1, slice(0, 16), slice(8, 24), 7))
    assert layer.visible
    layer.visible = False  # by the user
    stream.show(tile(1, slice(16, 32), slice(8, 24), 7))
    stream.end()
    assert not layer.visible


def test_a_layer_without_a_tile_is_shown_at_the_end(stream: ResultStream, image: Image) -> None:
    result = prepared(image)
    stream.begin(result)
    stream.end()
    assert result.layers[0].visible


def test_tiles_are_in_the_layer_at_once(result: Result) -> None:
    (layer,) = result.layers
    result.write(tile(1, slice(0, 16), slice(8, 24), 7))
    assert (layer.data[1, :16, 8:24] == 7).all()
    assert np.count_nonzero(layer.data) == 16 * 16
    result.write(whole(1, 3))
    assert (layer.data[1] == 3).all()
    assert not layer.data[[0, 2]].any()


def test_planes_of_several_leading_axes_go_to_their_place() -> None:
    result = prepared(Image(np.zeros((2, 3, *PLANE), dtype=np.uint8)))
    result.write(whole(4, 9))
    assert (result.arrays[0][1, 1] == 9).all()
    assert np.count_nonzero(result.arrays[0]) == PLANE[0] * PLANE[1]


def test_a_single_plane_needs_no_leading_axis() -> None:
    result = prepared(Image(np.zeros(PLANE, dtype=np.uint8)))
    result.write(tile(0, slice(0, 8), slice(0, 8), 1))
    assert np.count_nonzero(result.arrays[0]) == 64
    result.write(whole(0, 2))
    assert (result.arrays[0] == 2).all()


def test_the_finest_level_of_a_multiscale_image_counts() -> None:
    fine = np.zeros((128, 128), dtype=np.uint8)
    result = prepared(Image([fine, fine[::2, ::2]], multiscale=True, scale=(0.5, 0.5)))
    (layer,) = result.make_layers()
    assert layer.data.shape == (128, 128)
    np.testing.assert_allclose(layer.scale, (0.5, 0.5))


def test_probabilities_go_to_one_layer_per_channel(image: Image) -> None:
    result = Result(image, OutputKind.PROBABILITIES, ("class 1", "class 2"))
    result.prepare()
    values = np.stack([np.full((8, 8), p, np.float32) for p in (0.25, 0.75)])
    result.write(TileDone(2, slice(0, 8), slice(8, 16), values, 1, 1))
    layers = result.make_layers()
    assert [float(layer.data[2, :8, 8:16].mean()) for layer in layers] == [0.25, 0.75]
    assert [np.count_nonzero(layer.data) for layer in layers] == [64, 64]


def test_want_of_memory_is_one_sentence(image: Image, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*args: Any, **kwargs: Any) -> Any:
        raise MemoryError

    monkeypatch.setattr(pyramid, "new_array", full)
    with pytest.raises(EngineError, match="no memory for the segmentation of 'cells'"):
        prepared(image)


# The layer


def test_the_layer_is_locked_while_it_fills(result: Result, stream: ResultStream) -> None:
    (layer,) = result.layers
    layer.mode = "paint"
    assert layer.mode == "pan_zoom"  # napari refuses: not editable
    assert not layer.editable
    assert getattr(layer, "locked", True)
    stream.end()
    assert layer.editable
    assert not getattr(layer, "locked", False)


def test_ending_leaves_a_layer_alone_that_was_locked_by_hand(
    result: Result, stream: ResultStream
) -> None:
    (layer,) = result.layers
    stream.end()
    layer.editable = False
    stream.end()
    assert not layer.editable


def test_the_layer_that_people_paint_on_stays_active(
    stream: ResultStream, viewer: ViewerModel, image: Image, labels: Labels
) -> None:
    viewer.layers.selection.active = labels
    stream.begin(prepared(image))
    assert viewer.layers.selection.active == labels


def test_no_undo_history_is_touched(result: Result, stream: ResultStream, labels: Labels) -> None:
    (layer,) = result.layers
    labels.paint((0, 10, 10), 5)
    result.write(whole(0, 3))
    stream.end()
    layer.undo()
    assert (layer.data[0] == 3).all()  # nothing to undo
    assert labels.data.any()
    labels.undo()
    assert not labels.data.any()


def test_a_removed_layer_is_told_and_hurts_nobody(
    result: Result, stream: ResultStream, viewer: ViewerModel, image: Image
) -> None:
    lost = [stream.lost]
    viewer.layers.remove(result.layers[0])
    lost.append(stream.lost)
    stream.show(whole(0, 3))
    stream.end()
    lost.append(stream.lost)
    assert lost == [False, True, False]


def test_a_layer_that_is_filled_anew_shows_the_new_array(
    result: Result, stream: ResultStream, image: Image, viewer: ViewerModel
) -> None:
    stream.end()
    count = len(viewer.layers)
    again = Result(image, OutputKind.LABELS, (), result.layers, result.names)
    again.prepare()
    stream.begin(again)
    assert result.layers[0].data is again.arrays[0]
    assert len(viewer.layers) == count


def test_a_result_on_disk_is_emptied_and_used_again(
    stream: ResultStream, image: Image, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def on_disk(shape: Any, dtype: Any, name: str, *, share: float) -> Any:
        assert share == 1
        return zarr.create_array(
            tmp_path / f"{name}.zarr", shape=shape, dtype=dtype, chunks=(1, 32, 32)
        )

    monkeypatch.setattr(pyramid, "new_array", on_disk)
    first = prepared(image)
    stream.begin(first)
    first.write(whole(1, 3))
    assert (first.layers[0].data[1] == 3).all()
    stream.end()
    again = Result(image, OutputKind.LABELS, (), first.layers, first.names)
    again.prepare()
    stream.begin(again)
    assert again.layers[0].data is first.arrays[0]
    assert not again.layers[0].data[:].any()
    assert len(list(tmp_path.iterdir())) == 1


@pytest.fixture
def large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Planes of the tests count as large."""
    monkeypatch.setattr(pyramid, "_LARGE_SIDE", 32)
    monkeypatch.setattr(pyramid, "_COARSEST", 16)


@pytest.mark.usefixtures("large")
def test_large_planes_are_shown_at_several_resolutions(
    stream: ResultStream, viewer: ViewerModel, image: Image
) -> None:
    result = prepared(image)
    stream.begin(result)
    (layer,) = result.layers
    assert layer.multiscale
    assert [level.shape for level in layer.data] == [(3, 64, 48), (3, 32, 24), (3, 16, 12)]
    for event in (tile(1, slice(5, 30), slice(3, 22), 7), tile(1, slice(30, 41), slice(3, 22), 8)):
        result.write(event)
        stream.show(event)
    stream.end()
    for at, level in enumerate(layer.data):
        np.testing.assert_array_equal(level, layer.data[0][:, :: 2**at, :: 2**at])
    assert result.holds([image, layer])
    assert not layer.editable  # napari cannot paint there
    again = Result(image, OutputKind.LABELS, (), result.layers, result.names)
    again.prepare()
    stream.begin(again)
    assert not any(level.any() for level in layer.data)
    again.write(whole(2, 5))
    assert all((level[2] == 5).all() for level in layer.data)


@pytest.mark.usefixtures("large")
def test_the_levels_of_a_large_plane_share_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    def in_memory(share: float = 1) -> list[bool]:
        levels = Pyramid.new((3, *PLANE), np.int32, "cells", share=share).levels
        return [isinstance(level, np.ndarray) for level in levels]

    monkeypatch.setattr(arrays, "_LARGE", 50_000)  # bytes; the levels have 36,864, 9,216, 2,304
    assert in_memory() == [True, True, True]
    assert in_memory(0.9) == [False, False, True]
    monkeypatch.setattr(arrays, "_LARGE", 12_000)
    assert in_memory() == [False, False, False]


def test_the_channels_of_a_result_share_the_memory(
    monkeypatch: pytest.MonkeyPatch, image: Image
) -> None:
    monkeypatch.setattr(arrays, "_LARGE", 100_000)  # bytes; a channel has 36,864
    for channels, in_memory in (("a", "b"), True), (("a", "b", "c"), False):
        result = Result(image, OutputKind.PROBABILITIES, channels)
        result.prepare()
        assert all(isinstance(array, np.ndarray) is in_memory for array in result.arrays)


@pytest.mark.usefixtures("large")
def test_probabilities_of_large_planes_too(stream: ResultStream, image: Image) -> None:
    result = Result(image, OutputKind.PROBABILITIES, ("foreground",))
    result.prepare()
    stream.begin(result)
    values = np.random.default_rng(0).random((1, *PLANE), dtype=np.float32)
    result.write(TileDone(1, slice(0, 64), slice(0, 48), values, done=1, total=1))
    stream.end()
    (layer,) = result.layers
    assert layer.multiscale
    np.testing.assert_array_equal(layer.data[1][1], values[0, ::2, ::2])
    result.write(PlaneDone(1, None, 0, missing=((slice(0, 10), slice(0, 48)),)))
    assert not layer.data[1][1, :5].any()
    assert layer.data[1][1, 5:].all()


# What is shown, and when


def count_refreshes(layer: Layer) -> list[Any]:
    shown: list[Any] = []
    layer.events.set_data.connect(lambda _: shown.append(layer))
    if isinstance(layer, Labels):
        layer.events.labels_update.connect(lambda _: shown.append(layer))
    return shown


def test_repaints_come_at_most_ten_times_a_second(qtbot: QtBot) -> None:
    calls: list[int] = []
    refresh = ThrottledRefresh(lambda: calls.append(1))
    begun = time.monotonic()
    for _ in range(40):
        refresh.soon()
        qtbot.wait(10)
    refresh.cancel()
    assert 2 <= len(calls) <= 2 + 10 * (time.monotonic() - begun)  # 0.4 s, or more if it is busy


def test_a_refresh_that_is_slow_is_seldom(qtbot: QtBot) -> None:
    calls: list[float] = []

    def slow() -> None:
        calls.append(time.monotonic())
        time.sleep(0.02)

    refresh = ThrottledRefresh(slow)
    until = time.monotonic() + 1
    while time.monotonic() < until:
        refresh.soon()
        qtbot.wait(10)
    refresh.cancel()
    assert 2 <= len(calls) <= 3  # at least 0.4 s apart


def test_a_refresh_may_ask_for_the_next_one(qtbot: QtBot) -> None:
    calls: list[int] = []

    def again() -> None:
        calls.append(1)
        if len(calls) < 3:
            refresh.soon()

    refresh = ThrottledRefresh(again)
    refresh.soon()
    assert len(calls) == 1
    qtbot.waitUntil(lambda: len(calls) == 3)


def test_the_last_tile_is_shown_without_another_event(
    result: Result, stream: ResultStream, qtbot: QtBot
) -> None:
    shown = count_refreshes(result.layers[0])
    stream.show(tile(SHOWN, slice(0, 8), slice(0, 8), 1))
    stream.show(tile(SHOWN, slice(8, 16), slice(0, 8), 2))
    qtbot.waitUntil(lambda: len(shown) == 2)


def test_tiles_of_planes_that_are_not_shown_refresh_nothing(
    result: Result, stream: ResultStream, viewer: ViewerModel, qtbot: QtBot
) -> None:
    shown = count_refreshes(result.layers[0])
    viewer.dims.set_current_step(0, 2)
    shown.clear()
    stream.show(tile(0, slice(0, 8), slice(0, 8), 1))
    qtbot.wait(150)
    assert shown == []
    stream.show(tile(2, slice(0, 8), slice(0, 8), 1))
    assert len(shown) == 1


def test_all_tiles_are_in_sight_in_3d(
    result: Result, stream: ResultStream, viewer: ViewerModel
) -> None:
    viewer.dims.ndisplay = 3
    shown = count_refreshes(result.layers[0])
    stream.show(tile(2, slice(0, 8), slice(0, 8), 1))
    assert len(shown) == 1


# Regions instead of whole planes


def told_to_the_graphics_card(layer: Labels) -> list[tuple[Any, Any]]:
    told: list[tuple[Any, Any]] = []
    layer.events.labels_update.connect(lambda e: told.append((e.data.copy(), list(e.offset))))
    return told


def test_nothing_is_sent_to_a_layer_that_got_other_data(
    stream: ResultStream, result: Result, viewer: ViewerModel
) -> None:
    (layer,) = result.layers
    layer.data = np.zeros((3, 8, 8), np.int32)  # cropped by another plugin, say
    told = told_to_the_graphics_card(layer)
    stream.show(tile(SHOWN, slice(32, 48), slice(0, 16), 7))
    assert told == []
    assert result.arrays[0][SHOWN].shape == PLANE  # it goes on in its own


@pytest.mark.parametrize("dtype", [np.int32, np.uint16, np.uint8])
def test_a_region_is_shown_as_napari_shows_a_stroke(viewer: ViewerModel, dtype: Any) -> None:
    values = np.zeros((3, *PLANE), dtype)
    values[SHOWN, 8:] = np.random.default_rng(0).integers(1, 250, size=(56, 48))
    ours = Labels(values)
    assert ours.data is values
    theirs = Labels(np.zeros((3, *PLANE), dtype))
    for layer in (ours, theirs):
        viewer.add_layer(layer)
    viewer.dims.set_current_step(0, SHOWN)
    expected = told_to_the_graphics_card(theirs)
    theirs.data_setitem(np.nonzero(values), values[np.nonzero(values)])
    assert can_show_regions(viewer, ours)
    shown = told_to_the_graphics_card(ours)
    show_region(ours, (SHOWN,), slice(8, 64), slice(0, 48))
    assert [offset for _, offset in shown] == [offset for _, offset in expected] == [[8, 0]]
    np.testing.assert_array_equal(shown[0][0], expected[0][0])
    assert shown[0][0].dtype == expected[0][0].dtype


def _contours(layer: Labels, viewer: ViewerModel) -> None:
    layer.contour = 1


def _one_label_only(layer: Labels, viewer: ViewerModel) -> None:
    layer.show_selected_label = True


def _in_3d(layer: Labels, viewer: ViewerModel) -> None:
    viewer.dims.ndisplay = 3


def _turned(layer: Labels, viewer: ViewerModel) -> None:
    viewer.dims.order = (0, 2, 1)


def _colours_by_hand(layer: Labels, viewer: ViewerModel) -> None:
    layer.colormap = {1: "red", None: "blue"}


@pytest.mark.parametrize("change", [_contours, _one_label_only, _in_3d, _turned, _colours_by_hand])
def test_where_regions_cannot_be_shown_the_layer_is_refreshed(
    result: Result, stream: ResultStream, viewer: ViewerModel, change: Any
) -> None:
    (layer,) = result.layers
    assert isinstance(layer, Labels)
    assert can_show_regions(viewer, layer)
    change(layer, viewer)
    refreshed = count_refreshes(layer)
    stream.show(tile(SHOWN, slice(0, 8), slice(0, 8), 1))
    assert len(refreshed) == 1


def test_a_finished_plane_is_shown_in_bands(
    result: Result, stream: ResultStream, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream_module, "_AT_ONCE", 16 * 48)
    (layer,) = result.layers
    assert isinstance(layer, Labels)
    shown = told_to_the_graphics_card(layer)
    result.write(whole(SHOWN, 3))
    stream.show(whole(SHOWN, 3))
    qtbot.waitUntil(lambda: len(shown) == 4)
    assert [offset for _, offset in shown] == [[0, 0], [16, 0], [32, 0], [48, 0]]
    assert all((colours == 3).all() for colours, _ in shown)
