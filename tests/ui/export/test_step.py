"""The step Export: which layers go into which file, in each state of the job."""

from __future__ import annotations

import gc
import time
import weakref
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import tifffile
from napari.components import ViewerModel
from napari.layers import Image, Labels
from pytestqt.qtbot import QtBot
from qtpy.QtWidgets import QFileDialog

from napari_unet.config import OutputKind
from napari_unet.engine.errors import FileError
from napari_unet.io.unfinished import UNFINISHED
from napari_unet.ui.export import job as export_job
from napari_unet.ui.export.control import Exporting
from napari_unet.ui.export.dialogs import ask_export_folder, ask_export_path
from napari_unet.ui.export.step import ExportStep
from napari_unet.ui.segment.result import Result
from napari_unet.ui.workbench import Workbench
from tests.ui.conftest import endless_job, failing_job


@pytest.fixture
def step(viewer: ViewerModel, image: Image, labels: Labels, qtbot: QtBot) -> Iterator[ExportStep]:
    bench = Workbench(viewer)
    step = ExportStep(bench, Exporting(bench))
    bench.changed.connect(step.refresh)
    qtbot.addWidget(step)
    bench.choose(images=(image,))
    viewer.layers.selection = {labels}
    yield step
    step.release()
    bench.close()


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Answer the dialogs with 'answer' and 'kind'; what they proposed."""
    asked: dict[str, Any] = {"answer": "", "kind": ""}

    def save(_parent: Any, title: str, proposal: str, kinds: str) -> tuple[str, str]:
        asked.update(title=title, proposal=proposal, kinds=kinds)
        return str(asked["answer"]), asked["kind"]

    def folder(_parent: Any, title: str, start: str) -> str:
        asked.update(title=title, proposal=start)
        return str(asked["answer"])

    monkeypatch.setattr(QFileDialog, "getSaveFileName", save)
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", folder)
    return asked


def press(step: ExportStep, qtbot: QtBot) -> None:
    assert step.export.button.isEnabled(), step.export.button.toolTip()
    with qtbot.waitSignal(step.workbench.ended):
        step.export.button.click()


def add_probabilities(step: ExportStep, image: Image) -> tuple[Any, ...]:
    result = Result(image, OutputKind.PROBABILITIES, ("class 1", "class 2"))
    result.prepare()
    result.arrays[1][:] = 0.5
    for layer in result.make_layers():
        step.workbench.viewer.add_layer(layer)
    return tuple(step.workbench.viewer.layers[-2:])


def test_without_results_it_says_what_to_do(step: ExportStep, viewer: ViewerModel) -> None:
    viewer.layers.clear()
    step.refresh()
    assert not step.export.button.isEnabled()
    assert step.export.hint.text().startswith("Nothing to export yet")


def test_any_labels_can_be_exported(
    step: ExportStep, labels: Labels, qtbot: QtBot, asked: dict[str, Any], tmp_path: Path
) -> None:
    asked["answer"] = tmp_path / "out"
    labels.paint((1, 30, 30), 4)
    press(step, qtbot)
    assert Path(asked["proposal"]).name == "strokes.tif"
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "out.tif"), labels.data)
    assert step.status.text() == f"Saved out.tif in {tmp_path}."


def test_a_layer_is_told_to_be_in_a_file_as_it_was_when_the_export_began(
    step: ExportStep, labels: Labels, qtbot: QtBot, asked: dict[str, Any], tmp_path: Path
) -> None:
    told: list[tuple[Any, float]] = []
    step.workbench.exported.connect(lambda layer, when: told.append((layer, when)))
    asked["answer"] = tmp_path / "out"
    before = time.monotonic()
    press(step, qtbot)
    ((layer, when),) = told
    assert layer is labels
    assert before <= when <= time.monotonic()


@pytest.mark.parametrize("word", ["labels", "probabilities"])
def test_the_name_proposed_lies_beside_the_image(
    step: ExportStep, labels: Labels, image: Image, asked: dict[str, Any], word: str
) -> None:
    opened: Any = SimpleNamespace(source=SimpleNamespace(path="/data/hela.tif"))
    ask_export_path(step, labels if word == "labels" else image, opened)
    assert Path(asked["proposal"]) == Path(f"/data/hela {word}.tif")
    ask_export_folder(step, opened)
    assert Path(asked["proposal"]) == Path("/data")


def test_the_kind_of_file_decides_the_ending(
    step: ExportStep, qtbot: QtBot, asked: dict[str, Any], tmp_path: Path
) -> None:
    asked.update(answer=tmp_path / "out", kind="OME-Zarr, for large stacks (*.zarr)")
    press(step, qtbot)
    assert (tmp_path / "out.zarr").is_dir()
    assert "*.zarr" in asked["kinds"]


def test_a_cancelled_dialog_does_nothing(
    step: ExportStep, viewer: ViewerModel, image: Image, asked: dict[str, Any]
) -> None:
    step.export.button.click()
    viewer.layers.selection = {viewer.add_labels(image.data), viewer.layers["strokes"]}
    step.export.button.click()
    assert step.export.button.isEnabled()


def test_the_new_result_is_picked(step: ExportStep, viewer: ViewerModel, image: Image) -> None:
    result = viewer.add_labels(np.zeros(image.data.shape, np.int32), name="result")
    step.result.value = viewer.layers["strokes"]
    step.workbench.choose(result=result)
    assert step.result.value is result
    step.result.value = viewer.layers["strokes"]
    step.refresh()
    assert step.result.value is viewer.layers["strokes"]  # the user's choice stays


def test_selected_results_go_to_a_file_each(
    step: ExportStep,
    viewer: ViewerModel,
    image: Image,
    labels: Labels,
    qtbot: QtBot,
    asked: dict[str, Any],
    tmp_path: Path,
) -> None:
    other = viewer.add_labels(np.full((2, 64, 48), 3, np.int32), name="a/b")
    (tmp_path / "strokes.tif").write_bytes(b"mine")
    viewer.layers.selection = {image, labels, other}
    assert step.export.button.text() == "Export 2 results"
    asked["answer"] = tmp_path
    press(step, qtbot)
    assert (tmp_path / "strokes.tif").read_bytes() == b"mine"
    assert tifffile.imread(tmp_path / "strokes (2).tif").shape == labels.data.shape
    assert (tifffile.imread(tmp_path / "a_b.tif") == 3).all()
    assert step.status.text() == f"Saved 2 files in {tmp_path}."


def test_what_is_not_finished_is_said_before_and_after(
    step: ExportStep,
    viewer: ViewerModel,
    image: Image,
    labels: Labels,
    qtbot: QtBot,
    asked: dict[str, Any],
    tmp_path: Path,
) -> None:
    part = viewer.add_labels(np.zeros(image.data.shape, np.int32), name="part")
    part.metadata[UNFINISHED] = (1, 2)
    step.result.value = part
    step.refresh()
    assert step.export.hint.text() == (
        "Planes 1–2 are not segmented to their end, and what is missing is 0 in the file. To "
        "finish, press Continue in the step Segment first."
    )
    asked["answer"] = tmp_path / "out.tif"
    press(step, qtbot)
    gaps = "Planes 1–2 are not segmented to their end in"
    assert step.status.text() == f"Saved out.tif in {tmp_path}. {gaps} out.tif."
    viewer.layers.selection = {part, labels}
    assert f"\n{gaps} 'part', and" in step.export.hint.text()
    asked["answer"] = tmp_path
    press(step, qtbot)
    assert step.status.text() == f"Saved 2 files in {tmp_path}. {gaps} part.tif."
    del part.metadata[UNFINISHED]
    step.refresh()
    assert step.export.hint.text() == "Those selected in the layer list, each to its own file."


def test_a_name_too_long_for_a_file_is_shortened(
    step: ExportStep,
    viewer: ViewerModel,
    labels: Labels,
    qtbot: QtBot,
    asked: dict[str, Any],
    tmp_path: Path,
) -> None:
    others = [viewer.add_labels(labels.data, name="long " * 100 + end) for end in "ab"]
    viewer.layers.selection = {labels, *others}
    asked["answer"] = tmp_path
    press(step, qtbot)
    short = ("long " * 30).strip()
    expected = ["strokes.tif", f"{short}.tif", f"{short} (2).tif"]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(expected)
    ask_export_path(step, others[0], None)
    assert Path(asked["proposal"]) == Path.home() / f"{short}.tif"


def test_probabilities_of_a_result_go_into_one_file(
    step: ExportStep, image: Image, qtbot: QtBot, asked: dict[str, Any], tmp_path: Path
) -> None:
    first, second = add_probabilities(step, image)
    step.workbench.viewer.layers.selection = {first, second}
    step.result.value = second
    assert step.export.button.text() == "Export probabilities"
    assert step.export.hint.text() == "2 classes go into one file."
    asked["answer"] = tmp_path / "out.tif"
    press(step, qtbot)
    written = tifffile.imread(tmp_path / "out.tif")
    assert written.shape == (3, 2, 64, 48)
    assert (written[:, 1] == 0.5).all()


def test_images_are_no_results(step: ExportStep, image: Image) -> None:
    assert image not in step.result._things


def test_states_of_the_job(
    step: ExportStep,
    qtbot: QtBot,
    asked: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    asked["answer"] = tmp_path / "out.tif"
    told: list[Any] = []
    step.workbench.progressed.connect(told.append)
    writing = endless_job(export_job.PlaneWritten(1, 4), last=export_job.PlaneWritten(2, 4))
    monkeypatch.setattr(export_job, "export_files", lambda _exports: writing)
    step.export.button.click()
    assert not step.export.button.isEnabled()
    assert step.export.hint.text() == "Exporting… wait, or press Stop."
    qtbot.waitUntil(lambda: len(told) > 1)
    assert (told[1].text, told[1].fraction) == ("Writing plane 1 of 4", 0.25)
    with qtbot.waitSignal(step.workbench.ended):
        step.workbench.stop()
    assert step.status.text() == "Nothing was written."
    failing = failing_job(FileError("The disk is full."))
    monkeypatch.setattr(export_job, "export_files", lambda _exports: failing)
    said: list[str] = []
    step.workbench.failed.connect(said.append)
    press(step, qtbot)
    assert said == ["The disk is full."]
    assert step.export.button.isEnabled()


def test_nothing_is_held_after_release(viewer: ViewerModel, labels: Labels, qtbot: QtBot) -> None:
    bench = Workbench(viewer)
    events = viewer.layers.events
    emitters = [events.inserted, events.removed, labels.events.name]
    emitters.append(viewer.layers.selection.events.changed)
    before = [len(emitter.callbacks) for emitter in emitters]
    exporting = Exporting(bench)
    step = ExportStep(bench, exporting)
    step.release()
    assert [len(emitter.callbacks) for emitter in emitters] == before
    seen: list[weakref.ref[Any]] = [weakref.ref(step), weakref.ref(exporting)]
    del step, exporting
    gc.collect()
    assert [ref() for ref in seen] == [None, None]
    bench.close()


def test_it_fits_a_narrow_dock(step: ExportStep) -> None:
    assert step.minimumSizeHint().width() <= 280
