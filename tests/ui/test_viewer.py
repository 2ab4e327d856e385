"""The whole path in a real viewer: paint, train, segment, export, stop half-way, close."""

from __future__ import annotations

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
from qtpy.QtWidgets import QApplication, QFileDialog, QPushButton

from napari_unet.config import NETWORKS, NetworkConfig
from napari_unet.engine.device import pick_device
from napari_unet.engine.events import PlaneDone, StepDone, TileDone
from napari_unet.engine.planes import ArrayPlanes
from napari_unet.engine.predict import segment
from napari_unet.io.images import open_image
from napari_unet.io.samples import paint_strokes, synthetic_cells
from napari_unet.ui.dock import UNetPaint
from napari_unet.ui.jobs.runner import JobState

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
def dock(viewer: Any, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> UNetPaint:
    monkeypatch.setitem(NETWORKS, "light", NetworkConfig(levels=3, base_channels=8))
    dock = UNetPaint(viewer)
    viewer.window.add_dock_widget(dock, name="U-Net Paint")
    qtbot.waitUntil(lambda: dock._session.runner.state is JobState.IDLE, timeout=LONG)
    set_train(dock, patch=48, batch=2)
    return dock  # goes with the viewer


def set_train(dock: UNetPaint, **settings: Any) -> None:
    for name, value in settings.items():
        dock._form._train._widgets[name].value = value


def click(button: QPushButton, qtbot: QtBot) -> None:
    assert button.isEnabled(), button.toolTip()
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)  # type: ignore[no-untyped-call]


def click_and_wait(dock: UNetPaint, button: QPushButton, qtbot: QtBot) -> None:
    with qtbot.waitSignal(dock._session.ended, timeout=LONG):
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


def test_paint_train_segment_export_and_read_again(
    viewer: Any,
    dock: UNetPaint,
    qtbot: QtBot,
    MouseEvent: Any,  # noqa: N803 napari's name
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    viewer.dims.set_current_step(0, 1)
    sample = synthetic_cells(seed=1, planes=3, shape=(96, 96))
    click(dock._form.new_labels, qtbot)
    labels = viewer.layers["cells labels"]
    paint(labels, paint_strokes(sample.truth, planes=[1], cells=4), MouseEvent)
    assert len(np.unique(labels.data[1])) >= 5  # unpainted, background and cells
    painted = labels.data.copy()

    # Train
    set_train(dock, steps=60)
    click_and_wait(dock, dock._train.button, qtbot)
    model = dock._session.model
    assert model is not None, dock._progress.status.text()
    assert model.record.steps == 60
    assert model.pixel_size == (0.5, 0.5)

    # Segment
    click_and_wait(dock, dock._segment.button, qtbot)
    result = viewer.layers["cells segmentation"]
    assert result.data.any()
    np.testing.assert_array_equal(labels.data, painted)  # the painted layer is never touched
    np.testing.assert_allclose(result.scale, (300, 0.5, 0.5))
    direct = np.zeros_like(result.data)
    planes = ArrayPlanes(sample.image)
    for event in segment(model, planes, device=pick_device("cpu"), focus=(1, 48, 48)):
        if isinstance(event, PlaneDone):
            direct[event.plane] = event.values
    np.testing.assert_array_equal(result.data, direct)

    # Export
    path = tmp_path / "cells labels.tif"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(path), ""))
    click_and_wait(dock, dock._export.button, qtbot)
    np.testing.assert_array_equal(tifffile.imread(path), result.data)
    again = open_image(path)
    assert again.axes == "TYX"
    assert dict(again.spacing) == pytest.approx({"T": 300, "Y": 0.5, "X": 0.5})

    # See
    picture = viewer.screenshot(str(tmp_path / "window.png"), canvas_only=False, flash=False)
    np.testing.assert_array_equal(iio.imread(tmp_path / "window.png"), picture)
    assert picture[..., :3].std() > 10  # not an empty window


@pytest.fixture
def painted(viewer: Any, dock: UNetPaint) -> Any:
    """Strokes, painted without the mouse."""
    sample = synthetic_cells(seed=1, planes=3, shape=(96, 96))
    dock._form.new_labels.click()
    labels = viewer.layers["cells labels"]
    strokes = paint_strokes(sample.truth, planes=[1], cells=4)
    for number in np.unique(strokes)[1:]:
        labels.data_setitem(np.nonzero(strokes == number), number)
    return labels


def collect(dock: UNetPaint, kind: type) -> list[Any]:
    events: list[Any] = []
    dock._session.runner.reported.connect(
        lambda event: events.append(event) if isinstance(event, kind) else None
    )
    return events


def test_stopping_half_way_keeps_what_is_done(
    viewer: Any, dock: UNetPaint, painted: Any, qtbot: QtBot
) -> None:
    # Training: the best weights are kept
    steps = collect(dock, StepDone)
    click(dock._train.button, qtbot)
    qtbot.waitUntil(lambda: len(steps) >= 40, timeout=LONG)
    click_and_wait(dock, dock._progress.stop, qtbot)
    model = dock._session.model
    assert model is not None
    assert model.record.steps == len(steps)
    assert model.record.finished == "stopped"
    assert "(stopped)" in dock._progress.status.text()

    # Segmentation: finished tiles are kept
    dock._form._tiling._widgets["tile"].value = 16
    dock._form._tiling._widgets["rotations"].value = 7  # slow enough to stop half-way
    tiles, planes = collect(dock, TileDone), collect(dock, PlaneDone)
    click(dock._segment.button, qtbot)
    qtbot.waitUntil(lambda: len(tiles) >= 6, timeout=LONG)
    layer = viewer.layers["cells segmentation"]
    assert not layer.editable
    click_and_wait(dock, dock._progress.stop, qtbot)
    assert len(tiles) < tiles[-1].total
    assert layer in viewer.layers
    assert layer.editable
    kept = {event.plane: event.values for event in planes}
    assert kept
    for plane in range(3):
        np.testing.assert_array_equal(layer.data[plane], kept.get(plane, 0))
    assert "Stopped with" in dock._progress.status.text()
    assert "train" in dock._train.button.text().lower()
    assert dock._train.button.isEnabled()


def test_closing_the_window_in_mid_training_ends_it(
    viewer: Any, dock: UNetPaint, painted: Any, qtbot: QtBot
) -> None:
    steps = collect(dock, StepDone)
    click(dock._train.button, qtbot)
    qtbot.waitUntil(lambda: len(steps) >= 2, timeout=LONG)
    window = viewer.__wrapped__.window
    assert window._task_status_manager.get_status() == [
        "napari-worker: Executing Training (U-Net Paint)"
    ]  # napari asks before closing
    worker = dock._session.runner._worker
    viewer.close()
    qtbot.waitUntil(lambda: worker.wait(0), timeout=LONG)
    told = len(steps)
    qtbot.wait(100)
    assert len(steps) == told


def test_closing_the_dock_in_mid_training_ends_it(
    viewer: Any, dock: UNetPaint, painted: Any, qtbot: QtBot
) -> None:
    steps = collect(dock, StepDone)
    click(dock._train.button, qtbot)
    qtbot.waitUntil(lambda: len(steps) >= 2, timeout=LONG)
    worker = dock._session.runner._worker
    with qtbot.waitSignal(dock.destroyed):
        viewer.window.remove_dock_widget(dock)
    qtbot.waitUntil(lambda: worker.wait(0), timeout=LONG)
    viewer.layers.clear()  # nobody listens
    assert not [w for w in QApplication.topLevelWidgets() if isinstance(w, UNetPaint)]
    again, widget = viewer.window.add_plugin_dock_widget("napari-unet-paint", "U-Net Paint")
    qtbot.waitUntil(again.isVisible)
    assert widget is not dock
    qtbot.waitUntil(lambda: widget._session.runner.state is JobState.IDLE, timeout=LONG)


def test_the_sample_opens_ready_to_train(viewer: Any, dock: UNetPaint) -> None:
    viewer.layers.clear()
    viewer.open_sample("napari-unet-paint", "cells")
    choices = dock._form.choices()
    assert choices.image is not None
    assert choices.image.name == "cells"
    assert choices.labels is not None
    assert choices.labels.name == "strokes"
    assert dock._train.button.isEnabled()


def test_nothing_is_cut_off_in_a_narrow_dock(viewer: Any, dock: UNetPaint, qtbot: QtBot) -> None:
    for button in dock.findChildren(QPushButton):
        if button.isVisible():
            assert button.width() >= button.minimumSizeHint().width()
    assert dock.minimumSizeHint().width() <= 350
