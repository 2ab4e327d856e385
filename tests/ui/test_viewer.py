"""The whole path in a real viewer: paint, train, segment, correct, export; stop, keys, close."""

from __future__ import annotations

import gc
import sys
import weakref
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import imageio.v3 as iio
import numpy as np
import pytest
import tifffile
from napari.layers import Labels
from napari.utils._proxies import ReadOnlyWrapper
from napari.utils.interactions import (
    mouse_move_callbacks,
    mouse_press_callbacks,
    mouse_release_callbacks,
)
from pytestqt.qtbot import QtBot
from qtpy.QtCore import Qt
from qtpy.QtGui import QOpenGLContext
from qtpy.QtOpenGLWidgets import QOpenGLWidget
from qtpy.QtWidgets import (
    QApplication,
    QFileDialog,
    QPushButton,
    QScrollArea,
    QWidget,
)

from napari_unet.config import NetworkConfig
from napari_unet.engine.events import LabelsTaken, PlaneDone, Previewed, StepDone, TileDone
from napari_unet.engine.network.device import pick_device
from napari_unet.engine.prediction.segmentation import whole_planes
from napari_unet.engine.stack.planes import ArrayPlanes
from napari_unet.io.images import open_image
from napari_unet.io.samples import paint_strokes, synthetic_cells
from napari_unet.ui.correct.part import Part
from napari_unet.ui.correct.step import CorrectStep
from napari_unet.ui.dock import UNetPaint
from napari_unet.ui.export.step import ExportStep
from napari_unet.ui.image.step import ImageStep
from napari_unet.ui.labels.step import LabelsStep
from napari_unet.ui.layers.geometry import camera
from napari_unet.ui.parts.settings import SettingsForm
from napari_unet.ui.segment.step import SegmentStep
from napari_unet.ui.train.step import TrainStep
from tests.engine.tiny import segment
from tests.ui.pressing import hear, step

pytestmark = pytest.mark.viewer

BRUSH = 3  # pixels
LONG = 120_000  # ms


@pytest.fixture
def viewer(make_napari_viewer_proxy: Callable[..., Any]) -> Any:
    """A real viewer that warns, and so fails, if a private attribute is touched."""
    viewer = make_napari_viewer_proxy(show=True, strict_qt="raise")
    sample = synthetic_cells(seed=1, planes=3, shape=(96, 96))
    viewer.add_image(
        sample.image,
        name="cells",
        scale=(300, 0.5, 0.5),
        units=("s", "um", "um"),
        axis_labels=("t", "y", "x"),
    )
    return viewer


@pytest.fixture
def dock(viewer: Any, qtbot: QtBot, no_bundled_models: None) -> UNetPaint:
    dock = UNetPaint(viewer)
    viewer.window.add_dock_widget(dock, name="U-Net Paint")
    with qtbot.waitSignals([dock.workbench.ended] * 2, timeout=LONG):
        pass  # the device is found, the models are listed
    dock.workbench.choose(start=NetworkConfig(levels=3, base_channels=8))
    set_values(step(dock, TrainStep).settings.train, patch=48, batch=2)
    return dock  # goes with the viewer


def set_values(form: SettingsForm[Any], **settings: Any) -> None:
    for name, value in settings.items():
        form._widgets[name].value = value


def wait_for_count(dock: UNetPaint, qtbot: QtBot) -> None:
    """Wait until it is known that enough is painted."""
    line = step(dock, LabelsStep).status
    qtbot.waitUntil(lambda: "1 plane painted" in line.text())
    qtbot.waitUntil(step(dock, TrainStep).action.button.isEnabled)


def click(button: QPushButton, qtbot: QtBot) -> None:
    qtbot.waitUntil(button.isEnabled)  # once what was painted is counted
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)  # type: ignore[no-untyped-call]


def click_and_wait(dock: UNetPaint, button: QPushButton, qtbot: QtBot) -> None:
    with qtbot.waitSignal(dock.workbench.ended, timeout=LONG):
        click(button, qtbot)


def drag(layer: Any, points: Sequence[tuple[float, ...]], make_event: Callable[..., Any]) -> None:
    """Drag the mouse over the layer, as napari's canvas would tell it (world coordinates)."""

    def tell(callbacks: Callable[[Any, Any], None], kind: str, at: tuple[float, ...]) -> None:
        event = make_event(
            type=kind,
            is_dragging=kind == "mouse_move",
            position=at,
            dims_displayed=(1, 2),
            dims_point=at,
            button=1,
        )
        callbacks(layer, ReadOnlyWrapper(event, exceptions=("handled",)))

    tell(mouse_press_callbacks, "mouse_press", points[0])
    for point in points[1:]:
        tell(mouse_move_callbacks, "mouse_move", point)
    tell(mouse_release_callbacks, "mouse_release", points[-1])


def paint(layer: Labels, strokes: Any, make_event: Callable[..., Any]) -> None:
    """Paint the strokes of a person with napari's brush, row by row."""
    layer.mode = "paint"
    layer.brush_size = BRUSH
    for plane, y in np.argwhere(strokes.any(axis=2)):
        if y % BRUSH:
            continue
        row = strokes[plane, y]
        edges = np.flatnonzero(np.diff(row, prepend=0, append=0))
        for start, stop in pairwise(edges):
            if row[start]:
                layer.selected_label = int(row[start])
                line = [layer.data_to_world((plane, y, x)) for x in (start, stop - 1)]
                drag(layer, line, make_event)


def test_paint_train_paint_on_segment_correct_and_export(
    viewer: Any,
    dock: UNetPaint,
    qtbot: QtBot,
    MouseEvent: Any,  # noqa: N803 napari's name
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    viewer.dims.set_current_step(0, 1)
    sample = synthetic_cells(seed=1, planes=3, shape=(96, 96))
    click(step(dock, LabelsStep).new, qtbot)
    labels = viewer.layers["cells labels"]
    paint(labels, paint_strokes(sample.truth, planes=[1], cells=4), MouseEvent)
    assert len(np.unique(labels.data[1])) >= 5  # unpainted, background and cells
    wait_for_count(dock, qtbot)

    # Train, with a live preview
    steps, taken = hear(dock.workbench.runner, StepDone), hear(dock.workbench.runner, LabelsTaken)
    previews = hear(dock.workbench.runner, Previewed)
    click(step(dock, TrainStep).action.button, qtbot)
    qtbot.waitUntil(lambda: len(previews) >= 1, timeout=LONG)
    preview = viewer.layers["preview"]
    np.testing.assert_array_equal(preview.data[0], previews[-1].values)
    assert preview.translate[0] == 300  # on the shown plane
    assert viewer.layers.selection.active.name == "cells labels"  # people go on painting

    # Paint on meanwhile
    viewer.dims.set_current_step(0, 2)
    more = paint_strokes(sample.truth, planes=[2], cells=2)
    paint(labels, more, MouseEvent)
    qtbot.waitUntil(lambda: any(2 in event.planes for event in taken), timeout=LONG)
    qtbot.waitUntil(lambda: preview.translate[0] == 600, timeout=LONG)  # it follows
    qtbot.waitUntil(lambda: len(steps) >= 120, timeout=LONG)
    click_and_wait(dock, dock.progress.stop, qtbot)
    model = dock.workbench.choices.model
    assert model is not None, dock.progress.status.text()
    assert model.record.steps == len(steps)
    assert model.record.finished == "stopped"
    assert model.pixel_size == (0.5, 0.5)

    # Segment: the tiles stream into a layer of their own
    painted, tiles = labels.data.copy(), hear(dock.workbench.runner, TileDone)
    click_and_wait(dock, step(dock, SegmentStep).start, qtbot)
    assert tiles[0].plane == 2  # the shown one first
    result = viewer.layers["cells segmentation"]
    assert result.data.any()
    assert "preview" not in viewer.layers
    np.testing.assert_array_equal(labels.data, painted)
    np.testing.assert_allclose(result.scale, (300, 0.5, 0.5))
    direct = np.zeros_like(result.data)
    planes, cpu = ArrayPlanes(sample.image), pick_device("cpu")
    strokes = ArrayPlanes(painted)
    events = segment(model, planes, device=cpu, focus=(2, 48, 48), painted=strokes)
    for plane, values in whole_planes(events):
        direct[plane] = values
    np.testing.assert_array_equal(result.data, direct)

    # Correct: take a plane of the prediction, and undo
    viewer.dims.set_current_step(0, 0)
    assert result.data[0].any()
    correct = step(dock, CorrectStep)
    correct.part.value = Part.PLANE  # else what is in view
    with qtbot.waitSignal(dock.controls.correcting.told, check_params_cb=bool, timeout=LONG):
        click(correct.take, qtbot)
    assert result.contour > 0  # it does not hide what is repaired
    np.testing.assert_array_equal(labels.data[0] > 1, result.data[0] > 0)
    np.testing.assert_array_equal(labels.data[1:], painted[1:])
    labels.undo()
    np.testing.assert_array_equal(labels.data, painted)

    # Export
    path = tmp_path / "cells labels.tif"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(path), ""))
    click_and_wait(dock, step(dock, ExportStep).export.button, qtbot)
    np.testing.assert_array_equal(tifffile.imread(path), result.data)
    again = open_image(path)
    assert again.axes == "TYX"
    assert dict(again.spacing) == pytest.approx({"T": 300, "Y": 0.5, "X": 0.5})

    # See
    picture = viewer.screenshot(str(tmp_path / "window.png"), canvas_only=False, flash=False)
    np.testing.assert_array_equal(iio.imread(tmp_path / "window.png"), picture)
    assert picture[..., :3].std() > 10  # not an empty window


@pytest.fixture
def painted(viewer: Any, dock: UNetPaint, qtbot: QtBot) -> Any:
    """Strokes, painted without the mouse, and counted."""
    sample = synthetic_cells(seed=1, planes=3, shape=(96, 96))
    step(dock, LabelsStep).new.click()
    labels = viewer.layers["cells labels"]
    strokes = paint_strokes(sample.truth, planes=[1], cells=4)
    for number in np.unique(strokes)[1:]:
        labels.data_setitem(np.nonzero(strokes == number), number)
    wait_for_count(dock, qtbot)
    return labels


def test_a_segmentation_that_was_stopped_goes_on_where_it_ended(
    viewer: Any, dock: UNetPaint, painted: Any, qtbot: QtBot
) -> None:
    set_values(step(dock, TrainStep).settings.train, steps=20)
    click_and_wait(dock, step(dock, TrainStep).action.button, qtbot)
    segmenting = step(dock, SegmentStep)
    set_values(segmenting.tiling, tile=16, rotations=3)  # slow enough to stop half-way
    tiles, planes = hear(dock.workbench.runner, TileDone), hear(dock.workbench.runner, PlaneDone)
    click(segmenting.start, qtbot)
    qtbot.waitUntil(lambda: any(event.complete for event in planes), timeout=LONG)
    layer = viewer.layers["cells segmentation"]
    assert not layer.editable
    click_and_wait(dock, dock.progress.stop, qtbot)
    assert len(tiles) < tiles[-1].total
    assert layer.editable
    kept = {event.plane: np.asarray(event.labels) for event in planes}
    for plane in range(3):
        np.testing.assert_array_equal(layer.data[plane], kept.get(plane, 0))
    whole = {event.plane for event in planes if event.complete}
    left = 3 - len(whole)
    assert segmenting.start.text() == f"Continue: {left} plane{'s' if left > 1 else ''} left"

    planes.clear()
    click_and_wait(dock, segmenting.start, qtbot)
    assert {event.plane for event in planes} == {0, 1, 2} - whole
    for plane in whole:
        np.testing.assert_array_equal(layer.data[plane], kept[plane])
    assert segmenting.start.text() == "Segment stack"


def test_closing_the_window_in_mid_training_ends_it(
    viewer: Any, dock: UNetPaint, painted: Any, qtbot: QtBot
) -> None:
    steps = hear(dock.workbench.runner, StepDone)
    click(step(dock, TrainStep).action.button, qtbot)
    qtbot.waitUntil(lambda: len(steps) >= 2, timeout=LONG)
    window = viewer.__wrapped__.window
    assert "napari-worker: Executing Training (U-Net Paint)" in (
        window._task_status_manager.get_status()
    )  # napari asks before closing
    running = dock.workbench.runner._running
    assert running is not None
    worker = running.worker
    viewer.close()
    qtbot.waitUntil(lambda: worker.wait(0), timeout=LONG)
    told = len(steps)
    qtbot.wait(100)
    assert len(steps) == told


def test_the_viewer_keeps_nothing_of_a_job_that_has_ended(
    viewer: Any, dock: UNetPaint, qtbot: QtBot
) -> None:
    runner = dock.workbench.runner
    events = ["its only event"]
    with qtbot.waitSignal(dock.workbench.ended, timeout=LONG):
        runner.start("Working", lambda _stop: iter(events), lambda _: None, lambda _: None)
        assert runner._running is not None
        worker = weakref.ref(runner._running.worker)
    assert len(viewer.__wrapped__.window._task_status_manager.get_status()) == 0  # it is over

    def is_gone() -> bool:
        gc.collect()
        return worker() is None

    qtbot.waitUntil(is_gone, timeout=LONG)
    viewer.__wrapped__.window._task_status_manager.cancel_all()  # of what is gone


def test_closing_the_dock_in_mid_training_ends_it_and_it_opens_again(
    viewer: Any, dock: UNetPaint, painted: Any, qtbot: QtBot
) -> None:
    steps = hear(dock.workbench.runner, StepDone)
    click(step(dock, TrainStep).action.button, qtbot)
    qtbot.waitUntil(lambda: len(steps) >= 2, timeout=LONG)
    running = dock.workbench.runner._running
    assert running is not None
    worker = running.worker
    with qtbot.waitSignal(dock.destroyed):
        viewer.window.remove_dock_widget(dock)
    qtbot.waitUntil(lambda: worker.wait(0), timeout=LONG)
    assert not [w for w in QApplication.topLevelWidgets() if isinstance(w, UNetPaint)]
    again, widget = viewer.window.add_plugin_dock_widget("napari-unet-paint", "U-Net Paint")
    qtbot.waitUntil(again.isVisible)
    assert widget is not dock
    button = step(widget, TrainStep).action.button
    qtbot.waitUntil(button.isEnabled, timeout=LONG)


def test_a_circle_on_the_canvas_is_as_wide_as_an_object_and_goes_with_the_window(
    viewer: Any, dock: UNetPaint, painted: Any
) -> None:
    size = step(dock, TrainStep).object_size
    layers = list(viewer.layers)
    before = viewer.screenshot(canvas_only=False, flash=False)
    size.field.box.setValue(40)
    after = viewer.screenshot(canvas_only=False, flash=False)
    pane = size.circle.pane
    assert pane is not None
    corner = pane.mapTo(pane.window(), pane.rect().topLeft())
    here = np.s_[corner.y() : corner.y() + pane.height(), corner.x() : corner.x() + pane.width()]
    rows, columns = np.nonzero((before[here] != after[here]).any(axis=-1))
    zoom = camera(viewer).zoom
    for places in (rows, columns):
        assert np.ptp(places) == pytest.approx(40 * 0.5 * zoom, abs=6)  # a pixel is 0.5 wide
    assert list(viewer.layers) == layers
    viewer.close()
    assert size.circle.pane is None


def test_layers_are_removed_in_the_graphics_context_of_the_canvas(
    viewer: Any, dock: UNetPaint, qtbot: QtBot
) -> None:
    window = dock.window()
    assert window is not None
    canvas = window.findChild(QOpenGLWidget)
    qtbot.waitUntil(canvas.isValid)
    contexts: list[QOpenGLContext | None] = []
    viewer.layers.events.removed.connect(lambda: contexts.append(QOpenGLContext.currentContext()))
    canvas.doneCurrent()
    viewer.layers.remove("cells")
    assert contexts == [canvas.context()]


def test_the_sample_opens_ready_to_train(viewer: Any, dock: UNetPaint) -> None:
    viewer.layers.clear()
    viewer.open_sample("napari-unet-paint", "cells")
    choices = dock.workbench.choices
    assert choices.image is not None
    assert choices.image.name == "cells"
    assert choices.labels is not None
    assert choices.labels.name == "strokes"
    assert step(dock, TrainStep).action.button.isEnabled()


def test_nothing_is_cut_off_in_a_narrow_dock(dock: UNetPaint) -> None:
    for button in dock.findChildren(QPushButton):
        if button.isVisible():
            assert button.width() >= button.minimumSizeHint().width()
    assert dock.minimumSizeHint().width() <= 350


def place_of(dock: UNetPaint, widget: QWidget) -> tuple[int, int]:
    """Return the step that a widget is in (the footer comes last), and its height there."""
    for number, one in enumerate(dock.steps):
        if one.isAncestorOf(widget):
            return number, widget.mapTo(one, widget.rect().center()).y()
    return len(dock.steps), widget.mapTo(dock, widget.rect().center()).y()


@pytest.mark.skipif(sys.platform == "darwin", reason="Tab reaches buttons only where that is set")
def test_by_keyboard_alone(viewer: Any, dock: UNetPaint, painted: Any, qtbot: QtBot) -> None:
    window = dock.window()
    assert window is not None
    window.activateWindow()
    qtbot.waitUntil(window.isActiveWindow)
    controls = [
        widget
        for widget in dock.findChildren(QWidget)
        if widget.isVisible() and widget.isEnabled() and widget.focusProxy() is None
        if widget.focusPolicy() & Qt.FocusPolicy.TabFocus and not isinstance(widget, QScrollArea)
    ]
    step(dock, ImageStep).picker.setFocus()
    reached: list[QWidget] = []
    while (focus := QApplication.focusWidget()) is not None and focus not in reached:
        if not dock.isAncestorOf(focus):
            break
        reached.append(focus)
        qtbot.keyClick(focus, Qt.Key.Key_Tab)  # type: ignore[no-untyped-call]
    assert set(controls) <= set(reached)
    assert [place_of(dock, w) for w in reached] == sorted(place_of(dock, w) for w in reached)

    train = step(dock, TrainStep).action.button
    qtbot.waitUntil(train.isEnabled)
    train.setFocus()
    with qtbot.waitSignal(dock.controls.training.reported, timeout=LONG):
        qtbot.keyClick(train, Qt.Key.Key_Space)  # type: ignore[no-untyped-call]
    dock.progress.stop.setFocus()
    with qtbot.waitSignal(dock.workbench.ended, timeout=LONG):
        qtbot.keyClick(dock.progress.stop, Qt.Key.Key_Space)  # type: ignore[no-untyped-call]
