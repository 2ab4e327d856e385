"""*Segment files*: which, where to, what became of each, and again."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from napari.components import ViewerModel
from napari.layers import Labels
from pytestqt.qtbot import QtBot
from qtpy.QtWidgets import QFileDialog

from napari_unet.batch import files as batch
from napari_unet.batch.events import FileEnded
from napari_unet.config import NETWORKS, ObjectsConfig, OutputKind, TilingConfig
from napari_unet.engine.events import Stop
from napari_unet.engine.network.model import Model
from napari_unet.io.batch_summary import FileOutcome, Status
from napari_unet.io.input_files import InputFile
from napari_unet.ui.segment.files_control import SegmentingFiles
from napari_unet.ui.segment.files_dialog import FilesButton, FilesDialog, HowToSegment
from napari_unet.ui.segment.paths_field import ImagesField
from napari_unet.ui.workbench import CurrentModel, Workbench
from tests.ui.conftest import CPU

PATIENCE = 20_000  # ms


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with in/a.tif, in/day/c.tif, and in/b.tif, which is empty."""
    (tmp_path / "in/day").mkdir(parents=True)
    for name, seed in (("a", 0), ("day/c", 1)):
        values = np.random.default_rng(seed).integers(0, 255, (40, 44), np.uint8)
        tifffile.imwrite(tmp_path / f"in/{name}.tif", values, photometric="minisblack")
    (tmp_path / "in/b.tif").write_bytes(b"")
    return tmp_path


@pytest.fixture
def dialog(viewer: ViewerModel, model: Model, folder: Path, qtbot: QtBot) -> Iterator[FilesDialog]:
    bench = Workbench(viewer)
    files = SegmentingFiles(bench)
    how = HowToSegment(OutputKind.LABELS, TilingConfig(), ObjectsConfig())
    button = FilesButton(files, lambda: how)
    qtbot.addWidget(button)
    bench.use_device(CPU)
    bench.choose(start=CurrentModel("mine", model))
    button.click()
    assert button.dialog is not None
    yield button.dialog
    files.release()
    bench.close()


def run(dialog: FilesDialog, folder: Path, qtbot: QtBot) -> None:
    dialog.form.images.choose(folder / "in")
    dialog.form.folder.line.setText(str(folder / "out"))
    with qtbot.waitSignal(dialog.files.workbench.ended, timeout=PATIENCE):
        dialog.start.click()


def shown(dialog: FilesDialog) -> list[FileOutcome]:
    model = dialog.table.outcomes
    return [model.ended(row).outcome for row in range(model.rowCount())]


def test_it_says_what_is_missing(dialog: FilesDialog, folder: Path) -> None:
    assert dialog.hint.text().startswith("Choose the images")
    assert dialog.table.isHidden()
    dialog.form.images.choose(folder / "in")
    assert dialog.hint.text() == "Choose a folder for the results."
    assert not dialog.start.isEnabled()
    dialog.form.folder.line.setText(str(folder / "out"))
    assert dialog.start.isEnabled()
    dialog.files.workbench.choose(start=NETWORKS["light"])
    assert dialog.start.toolTip() == dialog.hint.text() != ""


def test_files_are_segmented_failures_come_first_and_a_second_run_skips_what_is_done(
    dialog: FilesDialog, folder: Path, qtbot: QtBot
) -> None:
    dialog.form.tables.setChecked(True)
    dialog.form.suffix.setText("_seg")
    run(dialog, folder, qtbot)

    outcomes = shown(dialog)
    assert Path(outcomes[0].input).name == "b.tif"
    assert [outcome.status for outcome in outcomes] == ["failed", "done", "done"]
    assert dialog.hint.text() == "2 files done, 1 failed. The list is in summary.csv."
    dialog.table.selectRow(0)
    assert "0 bytes" in dialog.message.text()
    names = {p.relative_to(folder / "out").as_posix() for p in (folder / "out").rglob("*_seg*")}
    assert names == {
        f"{stem}{ending}"
        for stem in ("a_seg", "day/c_seg")
        for ending in (".tif", ".tif.json", ".csv")
    }

    run(dialog, folder, qtbot)
    assert [outcome.status for outcome in shown(dialog)] == ["failed", "skipped", "skipped"]
    assert "2 done before" in dialog.hint.text()


def test_an_image_and_its_result_are_opened_from_the_list(
    dialog: FilesDialog, folder: Path, qtbot: QtBot
) -> None:
    dialog.form.subfolders.setChecked(False)
    run(dialog, folder, qtbot)
    row = next(i for i, o in enumerate(shown(dialog)) if o.input.endswith("c.tif"))
    dialog.table.selectRow(row)
    layers = dialog.files.workbench.viewer.layers
    before = len(layers)
    dialog.show_result.click()
    dialog.show_result.click()  # they are there already

    image, labels = layers[before:]
    assert image.source.path == str(folder / "in/day/c.tif")
    assert isinstance(labels, Labels)
    assert labels.source.path == str(folder / "out/c.tif")
    np.testing.assert_array_equal(labels.data, tifffile.imread(folder / "out/c.tif"))


def test_what_cannot_be_opened_is_told(dialog: FilesDialog, folder: Path, qtbot: QtBot) -> None:
    file = InputFile(folder / "in/b.tif", folder / "out/b.tif")
    outcome = FileOutcome(str(file), str(file.output), Status.FAILED)
    with qtbot.waitSignal(dialog.files.workbench.failed) as failed:
        dialog.files.open_result(FileEnded(file, outcome, 1, 1))
    assert "0 bytes" in failed.args[0]


def test_what_fails_for_all_files_is_said_in_the_window(
    dialog: FilesDialog, folder: Path, qtbot: QtBot
) -> None:
    dialog.form.images.line.setText(str(folder / "*.png"))
    dialog.form.folder.line.setText(str(folder / "out"))
    with qtbot.waitSignal(dialog.files.workbench.ended, timeout=PATIENCE):
        dialog.start.click()
    assert "matches no image" in dialog.hint.text()
    assert dialog.start.isEnabled()


def test_pausing_stopping_and_going_on(
    dialog: FilesDialog, folder: Path, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, asked = threading.Event(), threading.Event()
    segment_files = batch.segment_files

    def wait_for_the_end(files: Any, out: Any, segmenter: Any, stop: Stop, **options: Any) -> Any:
        def stop_in_time() -> bool:
            begun.set()
            asked.wait(PATIENCE / 1000)
            return stop()

        return segment_files(files, out, segmenter, stop_in_time, **options)

    with monkeypatch.context() as patch:
        patch.setattr(batch, "segment_files", wait_for_the_end)
        dialog.form.images.choose(folder / "in")
        dialog.form.folder.line.setText(str(folder / "out"))
        dialog.start.click()
        qtbot.waitUntil(begun.is_set, timeout=PATIENCE)
        assert not dialog.form.isEnabled()
        dialog.pause.click()
        assert dialog.pause.text() == "Resume"
        dialog.pause.click()
        assert dialog.pause.text() == "Pause"
        with qtbot.waitSignal(dialog.files.workbench.ended, timeout=PATIENCE):
            dialog.progress.stop.click()
            assert not dialog.pause.isEnabled()
            asked.set()
    assert dialog.hint.text() == "Stopped: 0 files done, 3 left. Press Segment files to go on."

    run(dialog, folder, qtbot)
    assert [outcome.status for outcome in shown(dialog)] == ["failed", "done", "done"]


@pytest.mark.parametrize(
    ("text", "paths"),
    [("", ()), (" a b.tif ; c/*.tif;", ("a b.tif", "c/*.tif")), ("x", ("x",))],
)
def test_paths_can_be_typed(qtbot: QtBot, text: str, paths: tuple[str, ...]) -> None:
    field = ImagesField()
    qtbot.addWidget(field)
    field.line.setText(text)
    assert field.paths == tuple(map(Path, paths))


def test_of_many_chosen_files_the_number_is_shown(
    qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    field = ImagesField()
    qtbot.addWidget(field)
    many = [f"/data/{i}; x.tif" for i in range(9)]
    choose: Callable[..., Any] = lambda *_: (many, "")  # noqa: E731
    monkeypatch.setattr(QFileDialog, "getOpenFileNames", choose)
    field._on_files_clicked()
    assert field.line.text() == "9 files in /data"
    assert field.paths == tuple(map(Path, many))
    field.line.setText("other.tif")
    assert field.paths == (Path("other.tif"),)
