"""A segmentation that a crash has ended is offered, and goes on as if nothing had been."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Image, Labels
from pytestqt.qtbot import QtBot

from napari_unet.config import OutputKind
from napari_unet.engine.network.model import Model
from napari_unet.engine.prediction.predictor import Predictor
from napari_unet.engine.stack.tiles import Tile
from napari_unet.io import kept_folders, kept_segmentation
from napari_unet.io.checkpoints import save_model
from napari_unet.io.kept_folders import find_kept
from napari_unet.ui.layers.paint_count import PaintCount
from napari_unet.ui.parts.offer_line import OfferLine
from napari_unet.ui.runner import JobState
from napari_unet.ui.segment.control import Scope, Segmentation
from napari_unet.ui.segment.files_control import SegmentingFiles
from napari_unet.ui.segment.recovery import SegmentRecovery
from napari_unet.ui.segment.step import SegmentStep
from napari_unet.ui.workbench import CurrentModel, Workbench
from tests.io.ended import end
from tests.ui.conftest import CPU


@pytest.fixture(autouse=True)
def _crashed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep from the first tile on."""
    monkeypatch.setattr(kept_segmentation, "_WAIT", 0)


class Window:
    """A step on a workbench of its own, as in a new session."""

    def __init__(self, image: Image, qtbot: QtBot, *others: Labels) -> None:
        self._qtbot = qtbot
        self.viewer = ViewerModel()
        self.viewer.add_layer(image)
        for layer in others:
            self.viewer.add_layer(layer)
        self.workbench = Workbench(self.viewer)
        segmentation = Segmentation(self.workbench)
        self._recovery = SegmentRecovery(self.workbench, segmentation)
        files = SegmentingFiles(self.workbench)
        self.step = SegmentStep(self.workbench, segmentation, self._recovery, files)
        qtbot.addWidget(self.step)
        self.workbench.changed.connect(self.step.refresh)
        self.workbench.use_device(CPU)
        self.workbench.choose(images=(image,))
        (self.line,) = self.step.findChildren(OfferLine)

    def segment(self, model: CurrentModel, *, planes: int) -> None:
        """Segment until so many planes are finished, and a tile of the next one."""
        self.workbench.choose(start=model)
        self.step.tiling._widgets["tile"].value = 32  # 4 per plane
        begun: list[int] = []  # plane of each tile
        reached = threading.Event()
        predict = Predictor.predict

        def waiting(predictor: Predictor, plane: int, tile: Tile) -> Any:
            begun.append(plane)
            if len(begun) == 4 * planes + 3:
                reached.wait(5)
            return predict(predictor, plane, tile)

        def finished() -> int:
            return sum(len(record.finished) for record in self.step.segmentation.last)

        with (
            pytest.MonkeyPatch.context() as patch,
            self._qtbot.waitSignal(self.workbench.ended, timeout=20_000),
        ):
            patch.setattr(Predictor, "predict", waiting)
            self.step.start.click()
            if planes < 3:
                self._qtbot.waitUntil(lambda: finished() == planes)
                assert self.workbench.runner.state is JobState.RUNNING
                self.workbench.stop()
                reached.set()

    @property
    def result(self) -> Labels:
        """The layer that was filled."""
        result = self.workbench.choices.result
        assert isinstance(result, Labels)
        return result

    def crash(self) -> None:
        """End without a word: what is on disk stays."""
        for record in self.step.segmentation.last:
            record.kept = None
        end(kept_folders._folder())
        self.step.release()
        self._recovery.release()
        self.step.segmentation.release()
        self.workbench.close()

    def go_on(self) -> None:
        """Press Continue, and wait for the segmentation's end."""
        with self._qtbot.waitSignals([self.workbench.ended] * 2, timeout=20_000):
            self.line.accept.click()


@pytest.fixture
def mine(model: Model) -> CurrentModel:
    return CurrentModel("mine", model)


@pytest.fixture
def whole(image: Image, mine: CurrentModel, qtbot: QtBot) -> np.ndarray:
    """The undisturbed result."""
    window = Window(Image(image.data, name="cells"), qtbot)
    window.segment(mine, planes=3)
    data = np.array(window.result.data)
    for record in window.step.segmentation.last:
        record.drop_kept()
    window.crash()
    assert find_kept() == []
    return data


def test_after_a_crash_only_what_is_missing_is_segmented(
    image: Image,
    mine: CurrentModel,
    qtbot: QtBot,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first = Window(image, qtbot)
    first.step.objects._widgets["min_size"].value = 5
    first.segment(mine, planes=1)
    first.crash()
    predicted: list[int] = []
    predict = Predictor.predict

    def counted(self: Predictor, plane: int, tile: object) -> object:
        predicted.append(plane)
        return predict(self, plane, tile)  # type: ignore[arg-type]

    monkeypatch.setattr(Predictor, "predict", counted)
    window = Window(image, qtbot)
    qtbot.waitUntil(lambda: not window.line.isHidden())
    assert "A segmentation of 'cells' stopped after 1 of 3 planes (" in window.line.text.text()
    window.go_on()

    assert 4 <= len(predicted) <= 4 + 2  # of the second plane, two tiles at least were there
    assert window.step.objects.value().min_size == 5
    assert window.workbench.choices.model is not None
    assert window.step.segmentation.summary.startswith("3 planes")
    assert window.line.isHidden()
    assert window.result.data.shape == image.data.shape
    window.crash()


def test_what_goes_on_in_a_window_equals_what_never_ended(
    image: Image, mine: CurrentModel, whole: np.ndarray, qtbot: QtBot
) -> None:
    first = Window(image, qtbot)
    first.segment(mine, planes=2)
    first.crash()
    window = Window(image, qtbot)
    qtbot.waitUntil(lambda: not window.line.isHidden())
    window.go_on()
    np.testing.assert_array_equal(window.result.data, whole)
    window.crash()


def test_a_whole_result_that_was_not_saved_is_offered_and_an_exported_one_is_not(
    image: Image, mine: CurrentModel, qtbot: QtBot
) -> None:
    first = Window(image, qtbot)
    first.segment(mine, planes=3)
    first.workbench.exported.emit(image, 0.0)
    result = first.result
    end(kept_folders._folder())
    window = Window(Image(image.data, name="cells"), qtbot)
    qtbot.waitUntil(lambda: "was not saved (" in window.line.text.text())
    window.crash()
    first.workbench.exported.emit(result, 0.0)
    assert find_kept() == []
    first.crash()


def test_a_result_that_is_cut_anew_is_offered_as_it_was(
    image: Image, mine: CurrentModel, qtbot: QtBot
) -> None:
    first = Window(image, qtbot)
    first.segment(mine, planes=3)
    data = np.array(first.result.data)
    (record,) = first.step.segmentation.last
    record.begin_cut(0.2)
    end(kept_folders._folder())
    record.kept_uncut = None  # it ends without a word
    window = Window(Image(image.data, name="cells"), qtbot)
    qtbot.waitUntil(lambda: "was not saved (" in window.line.text.text())
    window.go_on()
    np.testing.assert_array_equal(window.result.data, data)
    window.step.segmentation.last[0].drop_kept()
    first.crash()
    window.crash()
    assert find_kept() == []


def test_what_was_removed_is_not_offered(image: Image, mine: CurrentModel, qtbot: QtBot) -> None:
    first = Window(image, qtbot)
    first.segment(mine, planes=1)
    end(kept_folders._folder())
    assert len(find_kept()) == 1
    first.viewer.layers.remove(first.result)
    assert find_kept() == []
    first.crash()


def test_an_image_that_has_changed_is_noticed(
    image: Image, mine: CurrentModel, qtbot: QtBot
) -> None:
    first = Window(image, qtbot)
    first.segment(mine, planes=1)
    first.crash()
    other = Image(np.asarray(image.data) // 2, name="cells")
    window = Window(other, qtbot)
    qtbot.waitUntil(lambda: not window.line.isHidden())
    failures: list[str] = []
    window.workbench.failed.connect(failures.append)
    with qtbot.waitSignal(window.workbench.ended):
        window.line.accept.click()
    assert "something has changed since: the image." in failures[0]
    assert len(window.viewer.layers) == 1
    assert len(find_kept()) == 1

    window.line.refuse.click()
    assert find_kept() == []
    assert window.line.isHidden()
    window.crash()


def test_another_image_is_asked_for(image: Image, mine: CurrentModel, qtbot: QtBot) -> None:
    first = Window(image, qtbot)
    first.segment(mine, planes=1)
    first.crash()
    window = Window(Image(np.zeros((3, 64, 48), np.uint8), name="other"), qtbot)
    qtbot.wait(50)
    assert window.line.isHidden()
    window.viewer.layers.clear()
    assert window.line.text.text().endswith("; to go on, open that image.")
    assert window.line.accept.isHidden()
    window.crash()


def test_a_model_that_is_still_in_its_file_goes_on_under_its_name(
    image: Image, mine: CurrentModel, qtbot: QtBot, tmp_path: Path
) -> None:
    path = save_model(mine.model, tmp_path / "mine.safetensors")
    first = Window(image, qtbot)
    first.segment(CurrentModel("mine", mine.model, path), planes=1)
    first.crash()
    window = Window(image, qtbot)
    qtbot.waitUntil(lambda: not window.line.isHidden())
    window.go_on()
    start = window.workbench.choices.start
    assert isinstance(start, CurrentModel)
    assert (start.name, start.path) == ("mine", path)
    window.crash()


def test_labels_that_overrode_the_prediction_are_asked_for(
    image: Image, labels: Labels, mine: CurrentModel, qtbot: QtBot
) -> None:
    labels.data[:, 8:12, 8:12] = 2
    first = Window(image, qtbot, labels)
    first.workbench.painted = PaintCount(planes=3, ones=4, unpainted=3000, numbers=np.array([1, 2]))
    first.workbench.choose(labels=labels)
    first.segment(mine, planes=1)
    first.crash()
    window = Window(image, qtbot, labels)
    qtbot.waitUntil(lambda: not window.line.isHidden())
    assert not window.line.accept.isEnabled()
    assert "Painted labels overrode" in window.line.accept.toolTip()
    window.workbench.painted = first.workbench.painted
    window.workbench.choose(labels=labels)
    window.go_on()
    assert (window.result.data[:, 8:12, 8:12] > 0).all()
    window.crash()


def test_pieces_cut_anew_are_not_mixed_with_those_of_before(
    image: Image, mine: CurrentModel, qtbot: QtBot
) -> None:
    window = Window(image, qtbot)
    window.segment(mine, planes=3)
    (record,) = window.step.segmentation.last
    assert record.recipe.plan.kind is OutputKind.LABELS
    record.begin_cut(0.3)
    assert find_kept() == []
    assert Scope.STACK is window.step.scope.value
    window.crash()
