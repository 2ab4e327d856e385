"""Every way to change labels is noticed, on the right plane; everything else is not."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import zarr
from napari.components import ViewerModel
from napari.layers import Labels

from napari_unet.engine.errors import FileError
from napari_unet.engine.stack.planes import ArrayPlanes
from napari_unet.ui.layers import painted_planes
from napari_unet.ui.layers.painted_planes import PaintedPlanesTracker

INDEX = np.array([2, 2]), np.array([4, 5]), np.array([6, 6])


@pytest.fixture
def tracker(labels: Labels, viewer: ViewerModel) -> PaintedPlanesTracker:
    return PaintedPlanesTracker(labels, viewer)


@pytest.mark.parametrize(
    ("stroke", "planes"),
    [
        (lambda layer: layer.paint((1, 10, 10), 3), {1}),
        (lambda layer: layer.fill((2, 10, 10), 3), {2}),
        (lambda layer: layer.paint_polygon([(0, 0, 0), (0, 0, 9), (0, 9, 9)], 3), {0}),
        (lambda layer: layer.data_setitem(INDEX, 3), {2}),
        (lambda layer: setattr(layer, "data", np.ones_like(layer.data)), {0, 1, 2}),
        (lambda layer: layer.undo(), set()),
    ],
    ids=["brush", "fill", "polygon", "setitem", "data", "nothing to undo"],
)
def test_what_is_painted_is_noticed_once(
    labels: Labels,
    tracker: PaintedPlanesTracker,
    stroke: Callable[[Labels], None],
    planes: set[int],
) -> None:
    stroke(labels)
    assert tracker.take_changed() == planes
    assert tracker.take_changed() == frozenset()


def test_a_brush_through_several_planes_changes_them_all(
    labels: Labels, tracker: PaintedPlanesTracker
) -> None:
    labels.n_edit_dimensions = 3
    labels.brush_size = 3
    labels.paint((1, 10, 10), 3)
    assert tracker.take_changed() == set(np.flatnonzero(labels.data.any(axis=(1, 2))))


@pytest.mark.parametrize("shown", [0, 1, 2])
def test_undo_and_redo_are_noticed_on_whatever_plane_they_happen(
    labels: Labels, viewer: ViewerModel, tracker: PaintedPlanesTracker, shown: int
) -> None:
    labels.paint((1, 10, 10), 3)
    tracker.take_changed()
    viewer.dims.set_current_step(0, shown)
    labels.undo()
    assert tracker.take_changed() == {1}
    labels.redo()
    assert tracker.take_changed() == {1}


def test_an_undo_in_a_hidden_layer_is_noticed_when_it_is_shown(
    labels: Labels, tracker: PaintedPlanesTracker
) -> None:
    labels.paint((1, 10, 10), 3)
    tracker.take_changed()
    labels.visible = False
    labels.undo()
    labels.visible = True
    assert tracker.take_changed() == {1}


def test_undoing_what_was_painted_before_is_noticed(labels: Labels, viewer: ViewerModel) -> None:
    labels.paint((1, 10, 10), 3)
    labels.paint((1, 30, 30), 3)
    tracker = PaintedPlanesTracker(labels, viewer)
    labels.undo()
    assert tracker.take_changed() == {1}


def test_arrays_written_to_by_others_are_noticed_when_they_refresh_the_layer(
    labels: Labels, tracker: PaintedPlanesTracker
) -> None:
    labels.data[2, 5, 5] = 4
    labels.refresh()
    assert tracker.take_changed() == {2}


def test_scrolling_and_colours_read_nothing(
    labels: Labels,
    viewer: ViewerModel,
    tracker: PaintedPlanesTracker,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    labels.paint((1, 10, 10), 3)
    tracker.take_changed()
    read: list[int] = []
    monkeypatch.setattr(painted_planes, "_checksum", lambda planes, plane: read.append(plane))
    for plane in (0, 1, 2, 0):
        viewer.dims.set_current_step(0, plane)
    labels.selected_label = 5
    labels.opacity = 0.3
    viewer.dims.ndisplay = 3
    viewer.dims.ndisplay = 2
    assert tracker.take_changed() == frozenset()
    assert read == []


def test_without_a_viewer_scrolling_changes_nothing_either(
    labels: Labels, viewer: ViewerModel
) -> None:
    tracker = PaintedPlanesTracker(labels)
    labels.paint((1, 10, 10), 3)
    tracker.take_changed()
    viewer.dims.set_current_step(0, 0)
    assert tracker.take_changed() == frozenset()


def test_planes_that_are_gone_have_changed(labels: Labels, tracker: PaintedPlanesTracker) -> None:
    labels.paint((2, 10, 10), 3)
    tracker.take_changed()
    labels.data = np.zeros((2, 64, 48), np.uint16)
    assert tracker.take_changed() == {2}


def test_paint_that_moves_within_a_plane_is_a_change(
    labels: Labels, tracker: PaintedPlanesTracker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(painted_planes, "_BAND", 48 * 8)  # several bands per plane
    labels.data[1, 3, 3] = 4
    labels.refresh()
    assert tracker.take_changed() == {1}
    labels.data[1] = np.roll(labels.data[1], 8, axis=0)
    labels.refresh()
    assert tracker.take_changed() == {1}


def test_planes_of_several_leading_axes_are_numbered_in_order(viewer: ViewerModel) -> None:
    layer = viewer.add_layer(Labels(np.zeros((2, 3, 8, 8), np.uint8)))
    tracker = PaintedPlanesTracker(layer, viewer)
    layer.paint((1, 2, 4, 4), 7)
    assert tracker.take_changed() == {5}
    layer.data_setitem((np.array([0]), np.array([1]), np.array([4]), np.array([4])), 7)
    assert tracker.take_changed() == {1}


def test_a_single_plane_is_plane_0(viewer: ViewerModel) -> None:
    layer = viewer.add_layer(Labels(np.zeros((8, 8), np.uint8)))
    tracker = PaintedPlanesTracker(layer, viewer)
    layer.paint((4, 4), 7)
    assert tracker.take_changed() == {0}
    layer.data_setitem((np.array([4]), np.array([4])), 1)
    assert tracker.take_changed() == {0}


def test_labels_on_disk_are_followed_too(viewer: ViewerModel, tmp_path: Path) -> None:
    array = zarr.create_array(tmp_path / "l.zarr", shape=(3, 8, 8), chunks=(1, 8, 8), dtype="u2")
    layer = viewer.add_layer(Labels(array))
    tracker = PaintedPlanesTracker(layer, viewer)
    layer.paint((1, 4, 4), 7)
    assert tracker.take_changed() == {1}
    layer.undo()
    assert tracker.take_changed() == {1}


def test_a_released_tracker_hears_nothing_and_is_held_by_nobody(
    labels: Labels, viewer: ViewerModel
) -> None:
    tracker = PaintedPlanesTracker(labels, viewer)
    heard: list[bool] = []
    tracker.changed.connect(lambda: heard.append(True))
    tracker.release()
    labels.paint((1, 10, 10), 3)
    labels.undo()
    labels.data = np.ones((3, 64, 48), np.uint16)
    assert heard == []
    held = weakref.ref(tracker)
    del tracker
    gc.collect()
    assert held() is None


def test_a_plane_that_cannot_be_read_is_looked_at_again(
    labels: Labels, viewer: ViewerModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    tracker = PaintedPlanesTracker(labels, viewer)
    read, gone = ArrayPlanes.read, {1}

    def fail(planes: ArrayPlanes, plane: int, y: slice, x: slice) -> npt.NDArray[Any]:
        if plane in gone:
            raise FileError("Plane 1 cannot be read.")
        return read(planes, plane, y, x)

    monkeypatch.setattr(ArrayPlanes, "read", fail)
    labels.paint((1, 10, 10), 3)
    labels.paint((2, 10, 10), 3)

    assert tracker.take_changed() == {1, 2}
    assert tracker.take_changed() == frozenset()
    gone.clear()
    labels.paint((1, 20, 20), 3)
    assert tracker.take_changed() == {1}
