"""A program that is killed loses no stroke that is older than a few seconds."""

from __future__ import annotations

import errno
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Image, Labels
from pytestqt.qtbot import QtBot
from qtpy.QtCore import QThreadPool
from superqt.utils import create_worker

from napari_unet.io import unsaved
from napari_unet.io.unsaved import find_leftovers, usual_folder
from napari_unet.ui.labels import autosave as autosave_module
from napari_unet.ui.labels.autosave import Autosave
from napari_unet.ui.labels.recovery import Recovery, RecoveryLine
from napari_unet.ui.layers.stroke_folder import folders_to_look_in
from napari_unet.ui.parts.thumbnail import Thumbnail
from napari_unet.ui.workbench import Workbench
from tests.io.ended import end


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(autosave_module, "_WAIT_MS", 5)


@pytest.fixture
def workbench(viewer: ViewerModel, image: Image) -> Iterator[Workbench]:
    workbench = Workbench(viewer)
    workbench.choose(images=(image,))
    yield workbench
    workbench.close()


@pytest.fixture
def autosave(workbench: Workbench) -> Iterator[Autosave]:
    autosave = Autosave(workbench)
    yield autosave
    autosave.release()


@pytest.fixture
def recovery(workbench: Workbench, autosave: Autosave, qtbot: QtBot) -> Iterator[Recovery]:
    recovery = Recovery(workbench, autosave)
    yield recovery
    recovery.release()


def folders() -> list[Path]:
    folder = usual_folder()
    return sorted(folder.glob("*.zarr"))


def saved(value: int) -> bool:
    """Return whether a folder holds this label."""
    for path in folders():
        with suppress(OSError, ValueError):  # it is being made or removed
            whole = (path / unsaved._RECORD).exists()
            if whole and (np.asarray(unsaved._open_array(path, mode="r")) == value).any():
                return True
    return False


def crash() -> None:
    """Let what is on disk be that of a process that has ended."""
    for folder in folders_to_look_in():
        end(folder)


def test_strokes_are_on_disk_soon_and_so_is_what_an_undo_takes_back(
    autosave: Autosave, labels: Labels, qtbot: QtBot
) -> None:
    labels.data[2, 5, 5] = 9  # was there before
    labels.paint((1, 20, 20), 7)
    qtbot.waitUntil(lambda: saved(7) and saved(9))
    labels.paint((0, 20, 20), 8)
    qtbot.waitUntil(lambda: saved(8))
    labels.undo()
    qtbot.waitUntil(lambda: not saved(8))
    assert saved(7)
    assert len(folders()) == 1


def test_strokes_are_saved_while_all_threads_are_taken(
    autosave: Autosave, labels: Labels, qtbot: QtBot
) -> None:
    pool, end = QThreadPool.globalInstance(), threading.Event()
    assert pool is not None
    before = pool.maxThreadCount()
    pool.setMaxThreadCount(1)  # as with one core
    create_worker(end.wait)  # a training that takes minutes
    try:
        labels.paint((1, 20, 20), 7)
        qtbot.waitUntil(lambda: saved(7))
    finally:
        end.set()
        pool.waitForDone(1000)
        pool.setMaxThreadCount(before)


def test_nothing_is_kept_of_what_nobody_paints_on(
    autosave: Autosave, labels: Labels, viewer: ViewerModel, qtbot: QtBot
) -> None:
    labels.data[1] = 3
    labels.refresh()
    qtbot.wait(50)
    assert folders() == []


@pytest.mark.parametrize("fails", ["_write_record", "UnsavedLabels.write"])
def test_what_could_not_be_saved_is_saved_with_the_next_stroke(
    fails: str, autosave: Autosave, labels: Labels, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    failed: list[bool] = []

    def full(*_: object) -> None:
        failed.append(True)
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(f"napari_unet.io.unsaved.{fails}", full)
        labels.paint((1, 20, 20), 7)
        qtbot.waitUntil(lambda: bool(failed) and autosave._keepers[labels]._failed)
        assert len(folders()) == (fails == "UnsavedLabels.write")
    labels.paint((0, 20, 20), 8)
    qtbot.waitUntil(lambda: saved(7) and saved(8))
    assert len(folders()) == 1


@pytest.mark.parametrize("how", ["close", "remove", "export"])
def test_what_is_closed_removed_or_exported_leaves_nothing(
    how: str, workbench: Workbench, labels: Labels, qtbot: QtBot
) -> None:
    autosave = Autosave(workbench)
    labels.paint((1, 20, 20), 7)
    qtbot.waitUntil(lambda: saved(7))
    if how == "remove":
        workbench.viewer.layers.remove(labels)
    elif how == "export":
        workbench.exported.emit(labels, 0.0)  # read before the stroke
        assert saved(7)
        workbench.exported.emit(labels, float("inf"))
    else:
        autosave.release()
    assert folders() == []
    if how == "export":
        labels.paint((0, 20, 20), 6)
        qtbot.waitUntil(lambda: saved(6) and saved(7))
    if how != "close":
        autosave.release()
    assert folders() == []


def test_a_failure_is_told_once_until_it_is_over(
    autosave: Autosave, workbench: Workbench, labels: Labels, qtbot: QtBot,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    told: list[str] = []
    workbench.failed.connect(told.append)
    tries: list[bool] = []

    def full(*_: object) -> None:
        tries.append(True)
        raise OSError(errno.ENOSPC, "No space left on device")

    for number in (1, 2):
        with monkeypatch.context() as patch:
            patch.setattr(unsaved.UnsavedLabels, "write", full)
            for x in (10, 30):
                tries.clear()
                labels.paint((1, 20, x), 6 + number)
                qtbot.waitUntil(lambda: bool(tries))
                qtbot.waitUntil(lambda: autosave._keepers[labels]._worker is None)
        assert len(told) == number
        labels.paint((0, 20, 20), number)
        qtbot.waitUntil(partial(saved, number))
        qtbot.waitUntil(lambda: autosave._keepers[labels]._worker is None)
    assert "'strokes' is not kept on disk for now (No space left on device)" in told[0]


def test_a_preference_turns_keeping_off_and_moves_it(
    autosave: Autosave, labels: Labels, qtbot: QtBot, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    chosen = SimpleNamespace(kept=True, folder="")
    monkeypatch.setattr(
        "napari.settings.get_plugin_settings",
        lambda name: {"napari-unet-paint": SimpleNamespace(strokes=chosen)}[name],
        raising=False,
    )
    labels.paint((1, 20, 20), 7)
    qtbot.waitUntil(lambda: saved(7))
    chosen.folder = str(tmp_path)
    labels.paint((0, 20, 20), 8)
    moved = tmp_path / "Unsaved strokes"
    qtbot.waitUntil(lambda: not folders() and moved.exists())
    (path,) = moved.glob("*.zarr")
    assert {7, 8} <= set(np.unique(np.asarray(unsaved._open_array(path, mode="r"))))
    assert folders_to_look_in() == [usual_folder(), moved]
    chosen.kept = False
    labels.paint((2, 20, 20), 9)
    qtbot.waitUntil(lambda: not list(moved.iterdir()))
    labels.paint((2, 20, 30), 5)
    qtbot.wait(50)
    assert folders() == list(moved.iterdir()) == []


def test_labels_of_another_type_are_kept_anew(
    autosave: Autosave, labels: Labels, qtbot: QtBot
) -> None:
    labels.paint((1, 20, 20), 7)
    qtbot.waitUntil(lambda: saved(7))
    labels.data = labels.data.astype(np.uint32)
    labels.paint((1, 40, 20), 70000)
    qtbot.waitUntil(lambda: saved(70000) and len(folders()) == 1)
    assert saved(7)


def test_a_press_brings_the_strokes_back_where_they_were(
    workbench: Workbench, viewer: ViewerModel, image: Image, labels: Labels, qtbot: QtBot
) -> None:  # fmt: skip
    killed = Autosave(workbench)
    labels.paint((1, 20, 20), 7)
    painted = labels.data.copy()
    qtbot.waitUntil(lambda: saved(7))
    killed.setParent(None)
    crash()
    autosave = Autosave(workbench)
    recovery = Recovery(workbench, autosave)
    line = RecoveryLine(recovery)
    qtbot.addWidget(line)
    qtbot.waitUntil(lambda: bool(recovery.offered))
    assert line.text.text().endswith("were not saved: 'strokes'.")
    assert not line.isHidden()
    (thumbnail,) = line.findChildren(Thumbnail)
    assert thumbnail.accessibleName() == "strokes"
    (picture,) = recovery.pictures
    is_stroke = np.ptp(picture[..., :3], axis=-1) > 0.1  # coloured, on grey
    assert is_stroke[15:25, 10:30].any()
    assert not is_stroke[40:].any()
    qtbot.waitUntil(lambda: not recovery.is_looking)
    line.accept.click()
    qtbot.waitUntil(line.isHidden)
    back = workbench.choices.labels
    assert back is not None
    assert back is not labels
    np.testing.assert_array_equal(back.data, painted)
    np.testing.assert_array_equal(back.scale, image.scale)
    assert find_leftovers(usual_folder()) == []
    assert saved(7)  # a second crash takes nothing either
    recovery.release()
    autosave.release()
    assert folders() == []


def test_strokes_are_offered_for_their_own_image_only(
    workbench: Workbench, viewer: ViewerModel, image: Image, labels: Labels, qtbot: QtBot
) -> None:  # fmt: skip
    autosave = Autosave(workbench)
    labels.paint((1, 20, 20), 7)
    qtbot.waitUntil(lambda: saved(7))
    other = viewer.add_image(255 - image.data, name="cells")
    workbench.choose(images=())
    crash()
    recovery = Recovery(workbench, autosave)
    assert "Strokes on 'cells' of " in recovery.line
    assert recovery.line.endswith("open that image.")
    workbench.choose(images=(other,))
    qtbot.waitUntil(lambda: not recovery.is_looking)
    assert recovery.offered == []
    assert recovery.line == ""
    workbench.choose(images=(image,))
    qtbot.waitUntil(lambda: bool(recovery.offered))
    recovery.refuse()
    assert recovery.line == ""
    assert find_leftovers(usual_folder()) == []
    recovery.release()
    autosave.release()


def test_a_dock_without_leftovers_offers_nothing(recovery: Recovery, qtbot: QtBot) -> None:
    line = RecoveryLine(recovery)
    qtbot.addWidget(line)
    assert line.isHidden()
    assert recovery.line == ""


def test_a_killed_process_leaves_its_strokes(user_data: Path, tmp_path: Path) -> None:
    script = """
import sys
from pathlib import Path
import numpy as np
import platformdirs
platformdirs.user_data_path = lambda app, *_: Path(sys.argv[1]) / app
from napari.components import ViewerModel
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QApplication
from napari_unet.ui.labels.autosave import Autosave
from napari_unet.ui.workbench import Workbench
app = QApplication([])
viewer = ViewerModel()
image = viewer.add_image(np.eye(64, dtype=np.uint8), name="cells")
labels = viewer.add_labels(np.zeros((64, 64), np.uint16), name="strokes")
workbench = Workbench(viewer)
workbench.choose(images=(image,))
autosave = Autosave(workbench)
QTimer.singleShot(0, lambda: labels.paint((20, 20), 7))
app.exec()
"""
    with subprocess.Popen([sys.executable, "-c", script, str(user_data)]) as process:
        deadline = time.monotonic() + 60
        while not saved(7) and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.05)
        process.kill()
    (left,) = find_leftovers(usual_folder())
    assert (left.record.name, left.record.image) == ("strokes", "cells")
    assert (left.take().read() == 7).sum() > 50
