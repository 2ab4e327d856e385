"""Measure: a table of a layer's objects, in the dock, in the layer, and in a file."""

from __future__ import annotations

import csv
import gc
import io
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Image, Labels
from pytestqt.qtbot import QtBot
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFileDialog

from napari_unet.engine.errors import UnetPaintError
from napari_unet.ui.layers.added import Purpose, made_for
from napari_unet.ui.layers.geometry import looked_at
from napari_unet.ui.measure import job as measure_job
from napari_unet.ui.measure.control import Measuring
from napari_unet.ui.measure.step import MeasureStep
from napari_unet.ui.workbench import Workbench
from tests.ui.conftest import endless_job, failing_job

SHAPE = (3, 64, 48)


@pytest.fixture
def result(viewer: ViewerModel, image: Image) -> Labels:
    """Three objects on the image: 1 on two planes, 2, and 7 at the border."""
    found = np.zeros(SHAPE, np.int32)
    found[0:2, 4:14, 4:12], found[1, 30:32, 20:24], found[2, :9, :9] = 1, 2, 7
    return viewer.add_labels(
        found,
        name="result",
        scale=image.scale,
        translate=image.translate,
        units=image.units,
        axis_labels=image.axis_labels,
    )


@pytest.fixture
def step(workbench: Workbench, result: Labels, qtbot: QtBot) -> Iterator[MeasureStep]:
    measuring = Measuring(workbench)
    step = MeasureStep(workbench, measuring)
    qtbot.addWidget(step)
    workbench.changed.connect(step.refresh)
    workbench.choose(result=result)
    yield step
    workbench.changed.disconnect(step.refresh)
    step.release()
    measuring.release()


def press(step: MeasureStep, qtbot: QtBot) -> None:
    with qtbot.waitSignal(step.workbench.ended):
        step.action.button.click()


def cells(step: MeasureStep, name: str) -> list[str]:
    """Return a column of the table as it is shown."""
    model = step.results.table.model()
    assert model is not None
    columns = [model.headerData(i, Qt.Orientation.Horizontal) for i in range(model.columnCount())]
    column = columns.index(name)
    return [model.index(row, column).data() for row in range(model.rowCount())]


def test_it_is_folded_until_it_is_wanted(step: MeasureStep) -> None:
    assert not step.fold.fold.isExpanded()
    assert step.results.isHidden()
    assert step.layer.value.name == "result"
    assert step.action.hint.text() == "Sizes, shapes, and the grey values of 'cells'."


def test_each_object_on_each_plane_has_a_row(step: MeasureStep, image: Image, qtbot: QtBot) -> None:
    press(step, qtbot)

    assert not step.results.isHidden()
    assert cells(step, "label") == ["1", "1", "2", "7"]
    assert cells(step, "z") == ["0", "1", "1", "2"]
    assert cells(step, "area_um2") == ["10", "10", "1", "10.12"]  # 0.5 × 0.25 µm
    assert cells(step, "touches_border") == ["no", "no", "no", "yes"]
    bright = float(image.data[0, 4:14, 4:12].mean())
    assert cells(step, "intensity_mean")[0] == f"{bright:.4g}"
    assert step.status.text() == "'result': 3 objects, 4 rows, in µm."


def test_the_table_becomes_the_features_of_the_layer(
    step: MeasureStep, result: Labels, qtbot: QtBot
) -> None:
    press(step, qtbot)

    features = result.features
    assert features["index"].tolist() == list(range(8))  # the n-th row is the label n
    assert features["area_um2"][7] == pytest.approx(81 / 8)
    assert np.isnan(features["area_um2"][[0, 3]]).all()
    assert features["rows"][1] == 2
    assert "centroid_y_um" not in features  # it is another one on each plane
    under_the_mouse = result.data_to_world((1, 30, 22))
    assert "area_um2: 1," in result.get_status(under_the_mouse, world=True)["coordinates"]


def test_features_of_others_stay(step: MeasureStep, result: Labels, qtbot: QtBot) -> None:
    result.features = {"index": [2, 40], "class": ["mitotic", "gone"], "area_um2": [0.0, 0.0]}
    for _ in range(2):
        press(step, qtbot)
        features = result.features.set_index("index")
        assert features["class"][2] == "mitotic"
        assert features["class"][40] == "gone"
        assert features["area_um2"][2] == 1


def test_volumes_are_rows_through_z(
    step: MeasureStep, viewer: ViewerModel, result: Labels, qtbot: QtBot
) -> None:
    step.rows.value = True
    press(step, qtbot)
    assert cells(step, "label") == ["1", "2", "7"]
    assert cells(step, "volume_um3") == ["40", "2", "20.25"]
    step.layer.value = viewer.add_labels(result.data, name="plain")
    press(step, qtbot)
    assert step.status.text() == "'plain': 3 objects, in px."


def test_labels_without_units_have_those_of_the_image_under_them(
    step: MeasureStep, viewer: ViewerModel, image: Image, result: Labels, qtbot: QtBot
) -> None:
    placed = {"scale": image.scale, "translate": image.translate}
    step.layer.value = viewer.add_labels(result.data, name="plain", **placed)
    press(step, qtbot)
    assert step.status.text() == "'plain': 3 objects, 4 rows, in µm."
    assert cells(step, "area_um2")[0] == "10"


def test_a_row_leads_to_its_object_and_an_object_to_its_row(
    step: MeasureStep, viewer: ViewerModel, result: Labels, qtbot: QtBot
) -> None:
    press(step, qtbot)
    table = step.results.table
    table.sortByColumn(0, Qt.SortOrder.DescendingOrder)
    assert cells(step, "label") == ["7", "2", "1", "1"]
    model = table.model()
    assert model is not None

    table.setCurrentIndex(model.index(1, 0))

    assert looked_at(viewer, result) == (1, 30, 22)
    assert result.selected_label == 2
    result.selected_label = 7
    assert table.selected == 3
    assert looked_at(viewer, result)[0] == 1  # people look where they picked it
    viewer.dims.set_current_step(0, 1)
    result.selected_label = 1
    assert table.selected == 1  # its row of the shown plane
    result.selected_label = 5
    assert table.selected is None


def test_a_click_on_a_row_goes_there_and_once_more_when_one_has_gone_elsewhere(
    step: MeasureStep, viewer: ViewerModel, result: Labels, qtbot: QtBot
) -> None:
    press(step, qtbot)
    step.fold.fold.expand(animate=False)
    step.show()
    table = step.results.table
    model = table.model()
    assert model is not None
    for _ in range(2):
        place = table.visualRect(model.index(2, 0)).center()
        qtbot.mouseClick(table.viewport(), Qt.MouseButton.LeftButton, pos=place)  # type: ignore[no-untyped-call]
        assert looked_at(viewer, result) == (1, 30, 22)
        viewer.dims.set_current_step(0, 0)


def test_a_row_of_a_volume_leads_to_its_middle_plane(
    step: MeasureStep, viewer: ViewerModel, result: Labels, qtbot: QtBot
) -> None:
    step.rows.value = True
    press(step, qtbot)
    step.results.table.picked.emit(2)
    assert looked_at(viewer, result)[0] == 2
    step.results.table.picked.emit(0)
    assert looked_at(viewer, result)[0] == 0


def test_sorting_is_by_numbers_and_what_is_none_comes_last(
    step: MeasureStep, result: Labels, qtbot: QtBot
) -> None:
    result.data[0, 60, 40] = 30
    press(step, qtbot)
    table = step.results.table
    for order in (Qt.SortOrder.AscendingOrder, Qt.SortOrder.DescendingOrder):
        table.sortByColumn(0, order)
        labels = [int(text) for text in cells(step, "label")]
        assert labels == sorted(labels, reverse=order == Qt.SortOrder.DescendingOrder)


def test_paint_after_the_measurement_is_told_once_with_the_way_out(
    step: MeasureStep, result: Labels, qtbot: QtBot
) -> None:
    press(step, qtbot)
    result.refresh()  # nothing has changed
    result.visible = False
    result.visible = True
    qtbot.wait(700)
    assert step.action.button.text() == "Measure"

    result.paint((1, 50, 30), 9)

    qtbot.waitUntil(lambda: step.action.button.text() == "Measure again")
    assert step.status.text() == "The labels have changed since: the table is of before."
    assert not step.results.isHidden()
    press(step, qtbot)
    assert step.action.button.text() == "Measure"
    assert "9" in cells(step, "label")


def test_an_undo_is_a_change_as_well(step: MeasureStep, result: Labels, qtbot: QtBot) -> None:
    result.paint((1, 50, 30), 9)
    press(step, qtbot)
    result.undo()
    qtbot.waitUntil(lambda: step.action.button.text() == "Measure again")


def test_painted_background_is_no_object(
    step: MeasureStep, workbench: Workbench, labels: Labels, qtbot: QtBot
) -> None:
    labels.data[1, :4], labels.data[1, 8:12, 8:12] = 1, 2
    step.layer.value = labels
    press(step, qtbot)
    assert cells(step, "label") == ["2"]
    assert step.status.text() == "'strokes': 1 object, in µm; 1 is background."


def test_the_first_object_of_a_label_image_is_an_object(
    step: MeasureStep, labels: Labels, qtbot: QtBot
) -> None:
    for number in range(1, 8):
        labels.data[1, 8 * number - 4 : 8 * number, 8:12] = number
    step.layer.value = labels
    press(step, qtbot)
    assert cells(step, "label") == [str(number) for number in range(1, 8)]


def test_labels_that_lie_elsewhere_are_measured_without_grey_values(
    step: MeasureStep, viewer: ViewerModel, qtbot: QtBot
) -> None:
    step.layer.value = viewer.add_labels(np.ones((5, 6), np.uint8), name="other")
    assert step.action.hint.text().startswith("Sizes and shapes; for grey values, choose")
    assert step.rows.isHidden()
    press(step, qtbot)
    assert cells(step, "area_px") == ["30"]
    with pytest.raises(ValueError, match="intensity_mean"):
        cells(step, "intensity_mean")


def test_the_table_is_saved_as_csv(
    step: MeasureStep, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, qtbot: QtBot
) -> None:
    press(step, qtbot)
    chosen = tmp_path / "my.objects"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(chosen), ""))
    with qtbot.waitSignal(step.workbench.ended):
        step.results.save.click()

    text = (tmp_path / "my.objects.csv").read_text("utf-8")
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [row["label"] for row in rows] == ["1", "1", "2", "7"]
    assert step.status.text() == f"Saved my.objects.csv in {tmp_path}."
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: ("", ""))
    step.results.save.click()
    assert [file.name for file in tmp_path.iterdir()] == ["my.objects.csv"]


def test_a_table_that_cannot_be_saved_is_told(
    step: MeasureStep, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, qtbot: QtBot
) -> None:
    press(step, qtbot)
    told: list[str] = []
    step.workbench.failed.connect(told.append)
    chosen = tmp_path / "gone" / "table.csv"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(chosen), ""))
    with qtbot.waitSignal(step.workbench.ended):
        step.results.save.click()
    assert "does not exist" in told[0]
    assert step.status.text() == ""
    assert not step.results.isHidden()


def test_plots_are_of_any_column_and_of_the_counts(step: MeasureStep, qtbot: QtBot) -> None:
    press(step, qtbot)
    what = step.results.what
    assert what.currentText() == "objects per plane"
    assert step.results.line.text() == "1 to 2, on average 1.3."
    assert step.results.plot.value_at(0) == "0: 1"
    what.value = "area_um2"
    assert step.results.line.text() == "n 4 · median 10 · mean 7.781 · SD 3.915"
    press(step, qtbot)
    assert what.value == "area_um2"


def test_planes_without_objects_count_to_the_last(
    step: MeasureStep, result: Labels, qtbot: QtBot
) -> None:
    result.data[1:] = 0
    press(step, qtbot)
    assert step.results.what.currentText() == "objects per plane"
    assert step.results.line.text() == "0 to 1, on average 0.3."


def test_what_was_measured_until_it_was_stopped_is_shown(
    step: MeasureStep, monkeypatch: pytest.MonkeyPatch, qtbot: QtBot
) -> None:
    told: list[Any] = []
    step.workbench.progressed.connect(told.append)
    measure = measure_job.measure_objects

    def stopped(*args: Any, **kwargs: Any) -> Any:
        return lambda _stop: measure(*args, **kwargs)(lambda: True)

    monkeypatch.setattr(measure_job, "measure_objects", stopped)
    press(step, qtbot)
    assert cells(step, "label") == ["1"]
    assert told[-1].text == "Stopped: 1 row from 1 plane of 3."


def test_it_can_be_stopped_and_nothing_else_runs_meanwhile(
    step: MeasureStep, monkeypatch: pytest.MonkeyPatch, qtbot: QtBot
) -> None:
    event = measure_job.MeasurePlane(1, 0.3)
    endless = endless_job(event, last=event)
    monkeypatch.setattr(measure_job, "measure_objects", lambda *_, **__: endless)
    step.action.button.click()
    assert step.action.hint.text() == "Measuring… wait, or press Stop."
    with qtbot.waitSignal(step.workbench.ended):
        step.workbench.stop()
    assert step.action.button.isEnabled()
    assert step.results.isHidden()


def test_a_failure_leaves_no_table(
    step: MeasureStep, monkeypatch: pytest.MonkeyPatch, qtbot: QtBot
) -> None:
    failing = failing_job(UnetPaintError("gone."))
    monkeypatch.setattr(measure_job, "measure_objects", lambda *_, **__: failing)
    press(step, qtbot)
    assert step.results.isHidden()
    assert step.action.button.isEnabled()


def test_no_objects_are_an_empty_table(step: MeasureStep, result: Labels, qtbot: QtBot) -> None:
    result.data[:] = 0
    press(step, qtbot)
    assert cells(step, "label") == []
    assert step.status.text() == "'result': 0 objects, in µm."
    for name in range(step.results.what.count()):
        step.results.what.setCurrentIndex(name)
        assert step.results.line.text() == "No value."


def test_with_no_labels_it_says_what_to_do(step: MeasureStep, viewer: ViewerModel) -> None:
    viewer.layers.clear()
    step.refresh()
    assert step.action.hint.text() == "Nothing to measure yet: segment, or open a label image."


def test_layers_that_only_show_something_are_not_offered(
    step: MeasureStep, viewer: ViewerModel
) -> None:
    shown = np.zeros(SHAPE, np.uint8)
    viewer.add_labels(shown, name="mistakes", metadata=made_for(Purpose.MISTAKES))
    names = [step.layer.itemText(i) for i in range(step.layer.count())]
    assert names == ["result", "strokes"]


def test_the_table_goes_with_its_layer_and_nothing_keeps_it(
    step: MeasureStep, viewer: ViewerModel, qtbot: QtBot
) -> None:
    layer = viewer.add_labels(np.ones((5, 6), np.uint8), name="another")
    step.layer.value = layer
    press(step, qtbot)
    assert not step.results.isHidden()
    layer.refresh()  # it is looked at
    qtbot.wait(700)
    gone = weakref.ref(layer)

    viewer.layers.selection.active = viewer.layers[0]  # napari remembers the selected one
    viewer.layers.remove(layer)
    del layer

    assert step.results.isHidden()
    gc.collect()
    assert gone() is None
