"""The Model step: where to start from is explicit, and one's own models are looked after."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from napari.components import ViewerModel
from pytestqt.qtbot import QtBot
from qtpy.QtCore import QPoint, QPointF, Qt
from qtpy.QtGui import QWheelEvent
from qtpy.QtWidgets import QApplication, QFileDialog, QInputDialog

from napari_unet.config import NETWORKS, Task
from napari_unet.engine.network.model import Model
from napari_unet.engine.network.record import Diameter, DiameterSource, HeldOut, TrainRecord
from napari_unet.io.checkpoints import save_model
from napari_unet.io.library import FOLDER_VARIABLE
from napari_unet.ui.model import job as model_job
from napari_unet.ui.model.control import Models
from napari_unet.ui.model.description import describe_model, tell_story
from napari_unet.ui.model.step import ModelStep
from napari_unet.ui.runner import JobState
from napari_unet.ui.workbench import CurrentModel, Workbench
from tests.ui.conftest import CPU, endless_job

RECORD = TrainRecord(
    started="2026-11-20T10:00:00+00:00",
    start="scratch",
    device="CPU",
    steps=1200,
    best_step=900,
    labelled_pixels=5000,
    held_out=tuple(HeldOut(0, (y, y + 8), (0, 8), 64) for y in range(24)),
    validation_iou=0.834,
)


@pytest.fixture
def folder(tmp_path: Path, model: Model, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two models, one of them with a record, a file that is none, and a bundled model."""
    folder = tmp_path / "models"
    folder.mkdir()
    monkeypatch.setenv(FOLDER_VARIABLE, str(folder))
    save_model(replace(model, record=RECORD, pixel_size=(0.5, 0.5)), folder / "HeLa.safetensors")
    save_model(replace(model, task=Task.CLASSES, values=(1, 2)), folder / "kinds.safetensors")
    (folder / "broken.safetensors").write_bytes(b"no model")
    bundled = save_model(model, tmp_path / "light.safetensors")
    monkeypatch.setattr(model_job, "bundled_models", lambda: [bundled])
    return folder


@pytest.fixture
def workbench(viewer: ViewerModel, folder: Path, qtbot: QtBot) -> Iterator[Workbench]:
    workbench = Workbench(viewer)
    workbench.choose(images=(viewer.layers["cells"],))
    yield workbench
    workbench.close()


@pytest.fixture
def step(workbench: Workbench, qtbot: QtBot) -> Iterator[ModelStep]:
    """The step, with the models listed and the bundled one chosen."""
    models = Models(workbench)
    step = ModelStep(workbench, models)
    qtbot.addWidget(step)
    workbench.changed.connect(step.refresh)
    workbench.use_device(CPU)
    settle(step, qtbot)
    yield step
    workbench.changed.disconnect(step.refresh)
    step.release()
    models.release()


def settle(step: ModelStep, qtbot: QtBot) -> None:
    """Wait until nothing runs and nothing waits."""
    QApplication.processEvents()
    runner = step.workbench.runner
    waiting = step._models._queue
    qtbot.waitUntil(lambda: runner.state is JobState.IDLE and not waiting._waiting)


def texts(step: ModelStep) -> list[str]:
    return [step.picker.itemText(row).strip() for row in range(step.picker.count())]


def pick(step: ModelStep, text: str, qtbot: QtBot) -> None:
    row = texts(step).index(text)
    step.picker.setCurrentIndex(row)
    step.picker.activated.emit(row)
    settle(step, qtbot)


def select(step: ModelStep, name: str) -> Any:
    """Make this model the current row of the table; return its cell."""
    table = step.yours.table
    for row in range(table.rowCount()):
        item = table.item(row, 0)
        if item is not None and item.text() == name:
            table.setCurrentCell(row, 0)
            return item
    raise AssertionError(f"no {name}")


def names(step: ModelStep) -> list[str]:
    table = step.yours.table
    items = [table.item(row, 0) for row in range(table.rowCount())]
    return [item.text() for item in items if item is not None]


def answer(monkeypatch: pytest.MonkeyPatch, name: str, *, agreed: bool = True) -> list[str]:
    """Answer the question for a name; return what was proposed."""
    proposed: list[str] = []

    def ask(*_: Any, text: str) -> tuple[str, bool]:
        proposed.append(text)
        return name, agreed

    monkeypatch.setattr(QInputDialog, "getText", ask)
    return proposed


def test_there_are_three_groups_and_the_bundled_model_is_chosen(step: ModelStep) -> None:
    assert texts(step) == [
        *("Bundled", "light"),
        *("Yours", "HeLa", "broken", "kinds"),
        *("New", "New: light", "New: 2015"),
    ]
    assert step.picker.currentText().strip() == "light"


def test_without_bundled_models_a_new_network_is_chosen(
    viewer: ViewerModel, folder: Path, monkeypatch: pytest.MonkeyPatch, qtbot: QtBot
) -> None:
    monkeypatch.setattr(model_job, "bundled_models", list)
    workbench = Workbench(viewer)
    models = Models(workbench)
    step = ModelStep(workbench, models)
    qtbot.addWidget(step)
    workbench.use_device(CPU)
    settle(step, qtbot)
    assert "Bundled" not in texts(step)
    assert step.picker.currentText().strip() == "New: light"
    assert "your labels alone" in step.status.text()
    step.release()
    models.release()
    workbench.close()


def test_headings_and_damaged_files_cannot_be_chosen_and_say_why(step: ModelStep) -> None:
    items: Any = step.picker.model()
    usable = [row for row in range(items.rowCount()) if items.item(row).isEnabled()]
    assert [texts(step)[row] for row in usable] == [
        *("light", "HeLa", "kinds", "New: light", "New: 2015")
    ]
    assert "no safetensors file" in items.item(texts(step).index("broken")).toolTip()


def test_a_chosen_model_is_described(step: ModelStep, qtbot: QtBot) -> None:
    pick(step, "HeLa", qtbot)
    assert step.status.text() == "objects · IoU 0.83 on 24 held-out blocks · 2026-11-20"
    for fact in ("scratch", "1,200 steps", "5,000 px", "step 900", "0.5 × 0.5 µm"):
        assert fact in step.status.toolTip()
    pick(step, "kinds", qtbot)
    assert step.status.text() == "2 classes · not validated"


def test_a_model_that_nobody_painted_for_is_called_pretrained(model: Model) -> None:
    bundled = replace(model, record=TrainRecord(steps=9000, started=RECORD.started, device="CPU"))
    assert describe_model("light", bundled) == "light · objects · pretrained"
    strokes = replace(bundled, record=replace(RECORD, whole_objects=0))
    assert describe_model("mine", strokes) == "mine · objects · of strokes, not scored · 2026-11-20"
    assert "Validation IoU of strokes: 0.83, kept" in tell_story(strokes)
    assert "9,000 steps (CPU)" in tell_story(bundled)
    small = replace(RECORD, diameter=Diameter(8.2, DiameterSource.ESTIMATED))
    story = tell_story(replace(model, record=small, enlargement=2))
    assert "Objects: 8 px wide, estimated from strokes\nSees the image enlarged 2×" in story
    assert "1,200 steps on 5,000 px" in tell_story(replace(model, record=RECORD))


@pytest.mark.parametrize("name", list(NETWORKS))
def test_a_new_network_is_chosen(step: ModelStep, name: str, qtbot: QtBot) -> None:
    pick(step, f"New: {name}", qtbot)
    assert step.workbench.choices.start == NETWORKS[name]


def test_a_trained_model_is_selected_and_stays_to_be_chosen_again(
    step: ModelStep, model: Model, qtbot: QtBot
) -> None:
    trained = CurrentModel("cells, trained 12:00", model)
    step.workbench.choose(start=trained)
    assert step.picker.currentText().strip() == "Trained, not kept"
    assert step.status.text().startswith("cells, trained 12:00 · ")
    pick(step, "HeLa", qtbot)
    assert "Trained, not kept" in texts(step)
    pick(step, "Trained, not kept", qtbot)
    assert step.workbench.choices.start is trained


def test_a_trained_model_is_kept_under_the_image_s_name_and_the_date(
    step: ModelStep, model: Model, monkeypatch: pytest.MonkeyPatch, qtbot: QtBot
) -> None:
    assert step.keep.isHidden()
    step.workbench.choose(start=CurrentModel("trained", model))
    proposed = answer(monkeypatch, "  day one ")
    step.keep.click()
    settle(step, qtbot)
    assert proposed == [f"cells {date.today():%Y-%m-%d}"]
    assert step.picker.currentText().strip() == "day one"
    assert "Trained, not kept" not in texts(step)
    assert step.keep.isHidden()


def test_keeping_can_be_thought_better_of(
    step: ModelStep, model: Model, monkeypatch: pytest.MonkeyPatch, qtbot: QtBot
) -> None:
    step.workbench.choose(start=CurrentModel("trained", model))
    answer(monkeypatch, "day one", agreed=False)
    step.keep.click()
    settle(step, qtbot)
    assert names(step) == ["HeLa", "broken", "kinds"]


def test_the_table_says_what_is_known(step: ModelStep) -> None:
    table = step.yours.table
    row = [table.item(0, column) for column in range(4)]
    assert [item.text() for item in row if item] == ["HeLa", "2026-11-20", "objects", "0.83"]
    assert row[0] is not None
    assert "1,200 steps" in row[0].toolTip()
    broken = table.item(1, 0)
    assert broken is not None
    assert "no safetensors file" in broken.toolTip()
    assert not broken.flags() & Qt.ItemFlag.ItemIsEditable


def test_a_model_is_renamed_in_place(step: ModelStep, folder: Path, qtbot: QtBot) -> None:
    pick(step, "HeLa", qtbot)
    select(step, "HeLa").setText("HeLa 2")
    settle(step, qtbot)
    assert names(step) == ["HeLa 2", "broken", "kinds"]
    assert (folder / "HeLa 2.safetensors").exists()
    assert step.picker.currentText().strip() == "HeLa 2"


@pytest.mark.parametrize("name", ["a/b", "kinds", ""])
def test_a_name_that_cannot_be_is_taken_back(step: ModelStep, name: str, qtbot: QtBot) -> None:
    with qtbot.waitSignal(step.workbench.failed):
        select(step, "HeLa").setText(name)
    settle(step, qtbot)
    assert names(step) == ["HeLa", "broken", "kinds"]


@pytest.mark.parametrize("name", ["HeLa", "broken"])
def test_a_deleted_model_is_brought_back(step: ModelStep, name: str, qtbot: QtBot) -> None:
    select(step, name)
    assert step.yours.undo.isHidden()
    step.yours.delete.click()
    settle(step, qtbot)
    assert name not in names(step)
    assert step.yours.gone.text() == f"Deleted '{name}'."
    step.yours.undo.click()
    settle(step, qtbot)
    assert names(step) == ["HeLa", "broken", "kinds"]
    assert step.yours.undo.isHidden()


def test_the_chosen_model_outlives_its_file(step: ModelStep, qtbot: QtBot) -> None:
    pick(step, "HeLa", qtbot)
    before = step.workbench.choices.start
    select(step, "HeLa")
    step.yours.delete.click()
    settle(step, qtbot)
    assert step.workbench.choices.start is before
    assert step.picker.currentText().strip() == "HeLa (in memory)"


def test_nothing_selected_is_said(step: ModelStep) -> None:
    step.yours.table.setCurrentCell(-1, -1)
    assert not step.yours.delete.isEnabled()
    assert "Select a model" in step.yours.delete.toolTip()
    assert "Select a model" in step.yours.export.toolTip()
    assert step.yours.import_.isEnabled()


def test_models_are_imported_and_exported(
    step: ModelStep, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, qtbot: QtBot
) -> None:
    copy = tmp_path / "copy.safetensors"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(copy), ""))
    select(step, "HeLa")
    step.yours.export.click()
    settle(step, qtbot)
    assert copy.read_bytes() == (folder / "HeLa.safetensors").read_bytes()
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(copy), ""))
    step.yours.import_.click()
    settle(step, qtbot)
    assert "copy" in names(step)
    assert step.picker.currentText().strip() == "copy"


def test_dialogs_that_are_cancelled_do_nothing(
    step: ModelStep, monkeypatch: pytest.MonkeyPatch, qtbot: QtBot
) -> None:
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: ("", ""))
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: ("", ""))
    select(step, "HeLa")
    step.yours.export.click()
    step.yours.import_.click()
    assert step.workbench.runner.state is JobState.IDLE


def test_opening_the_table_reads_the_folder_again(
    step: ModelStep, folder: Path, qtbot: QtBot
) -> None:
    (folder / "kinds.safetensors").rename(folder / "by another window.safetensors")
    step.folded.fold.expand(animate=False)
    settle(step, qtbot)
    assert "by another window" in names(step)
    assert "by another window" in texts(step)


def test_while_a_job_runs_nothing_can_be_changed(
    step: ModelStep, model: Model, qtbot: QtBot
) -> None:
    select(step, "HeLa")
    step.workbench.choose(start=CurrentModel("trained", model))
    parts = step.picker, step.keep, step.yours.delete, step.yours.import_, step.yours.export
    step.workbench.run("Training", endless_job("step", last="end"))
    assert not any(part.isEnabled() for part in parts)
    assert {part.toolTip() for part in parts} == {"Training… wait, or press Stop."}
    step.workbench.runner.pause()
    assert not any(part.isEnabled() for part in parts)
    step.workbench.stop()
    assert not any(part.isEnabled() for part in parts)
    settle(step, qtbot)
    assert all(part.isEnabled() for part in parts)


def test_the_picker_keeps_the_focus_while_a_model_is_read(step: ModelStep, qtbot: QtBot) -> None:
    """Arrow keys go on to the next model; a disabled picker would lose them."""
    enabled: list[bool] = []
    step.workbench.changed.connect(lambda: enabled.append(step.picker.isEnabled()))
    pick(step, "HeLa", qtbot)
    assert all(enabled)


def test_scrolling_the_dock_chooses_no_model(step: ModelStep) -> None:
    before = step.picker.currentIndex()
    where = QPointF(5, 5)
    wheel = QWheelEvent(
        where,
        where,
        QPoint(),
        QPoint(0, -120),
        Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(step.picker, wheel)
    assert step.picker.currentIndex() == before
    assert not wheel.isAccepted()


def test_it_fits_a_narrow_dock(step: ModelStep) -> None:
    step.folded.fold.expand(animate=False)
    assert step.minimumSizeHint().width() <= 240


def test_a_released_step_is_let_go_of(workbench: Workbench, qtbot: QtBot) -> None:
    models = Models(workbench)
    step = ModelStep(workbench, models)
    step.release()
    models.release()
    gone = weakref.ref(step), weakref.ref(models)
    step.deleteLater()
    del step, models
    qtbot.wait(1)
    gc.collect()
    assert [ref() for ref in gone] == [None, None]
    workbench.use_device(CPU)
    assert workbench.runner.state is JobState.IDLE
