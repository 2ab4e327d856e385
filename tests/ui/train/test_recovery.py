"""A training that was interrupted is offered for its image, and goes on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
import torch
from napari.layers import Image, Labels
from pytestqt.qtbot import QtBot

from napari_unet.config import AugmentConfig, NetworkConfig, ObjectsConfig, TrainConfig
from napari_unet.engine.events import FinishReason, StepDone, TrainDone, TrainResumed
from napari_unet.engine.training.schedule import Schedule
from napari_unet.engine.training.trainer import Trainer
from napari_unet.io.claims import claimed
from napari_unet.io.interrupted import find_interrupted, read_interrupted
from napari_unet.io.training_places import find_places
from napari_unet.ui.parts.offer_line import OfferLine
from napari_unet.ui.runner import JobEnd
from napari_unet.ui.train.control import Training
from napari_unet.ui.workbench import Workbench

QUICK = TrainConfig(
    seconds=None, steps=12, patch=24, reduction=1, augment=AugmentConfig(elastic_sigma=2, shift=4)
)
TINY = NetworkConfig(levels=2, base_channels=4)


@pytest.fixture(autouse=True)
def _always(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.set_num_threads(1)
    monkeypatch.setattr(Schedule, "may_keep", lambda *_: True)
    monkeypatch.setattr(Schedule, "may_ask_for_strokes", lambda *_: False)


@pytest.fixture
def training(workbench: Workbench, labels: Labels) -> Iterator[Training]:
    painted = np.asarray(labels.data)
    painted[0, 8:24, 8:24] = 2
    painted[0, 30:50, 5:40] = 1
    training = Training(workbench)
    yield training
    training.release()


def start(training: Training, config: TrainConfig = QUICK) -> None:
    training.start(config, ObjectsConfig(), network=TINY, preview=False)


def fail_once(training: Training, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a training fail after 5 steps."""
    update = Trainer._update

    def fail(self: Trainer, progress: float) -> float:
        if self.step == 5:
            raise ValueError("a fault of ours")
        return update(self, progress)

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "_update", fail)
        with qtbot.waitSignal(training._workbench.ended, timeout=60_000) as ended:
            start(training)
    assert ended.args == [JobEnd.FAILED]


def offered(training: Training, qtbot: QtBot) -> OfferLine:
    qtbot.waitUntil(lambda: training.recovery.offered is not None, timeout=20_000)
    line = OfferLine(training.recovery)
    qtbot.addWidget(line)
    return line


def resume(training: Training, qtbot: QtBot) -> list[object]:
    told: list[object] = []
    training.reported.connect(told.append)
    training.recovery.resumed.connect(
        lambda interrupted: training.resume(interrupted, ObjectsConfig(), preview=False)
    )
    with qtbot.waitSignal(training._workbench.ended, timeout=60_000) as ended:
        training.recovery.accept()
    assert ended.args == [JobEnd.COMPLETED]
    return told


def of_type(events: list[object], kind: type) -> list[object]:
    return [event for event in events if isinstance(event, kind)]


def test_a_training_that_failed_is_offered_and_goes_on_to_its_end(
    training: Training, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail_once(training, qtbot, monkeypatch)
    line = offered(training, qtbot)
    assert line.text.text().startswith(
        "A training of 'cells' on 'strokes' was interrupted after 5 steps ("
    )
    assert line.accept.isEnabled()

    told = resume(training, qtbot)

    (resumed,) = of_type(told, TrainResumed)
    assert isinstance(resumed, TrainResumed)
    assert [step.step for step in resumed.steps] == [1, 2, 3, 4, 5]
    assert resumed.is_same_paint
    assert [e.step for e in told if isinstance(e, StepDone)] == list(range(6, 13))
    (done,) = of_type(told, TrainDone)
    assert isinstance(done, TrainDone)
    assert done.reason is FinishReason.COMPLETED
    assert done.model.record.steps == 12
    assert find_places() == []


def test_closing_while_it_trains_keeps_it_for_the_next_time(
    workbench: Workbench, labels: Labels, training: Training, qtbot: QtBot
) -> None:
    with qtbot.waitSignal(
        training.reported, timeout=60_000, check_params_cb=lambda e: isinstance(e, StepDone)
    ):
        start(training, replace(QUICK, steps=5000))
    workbench.runner.abandon(patience=None)
    training._end_run()

    (left,) = find_interrupted()
    assert 0 < left.record.trainer.step < 5000
    again = Training(workbench)
    qtbot.waitUntil(lambda: again.recovery.offered is not None, timeout=20_000)
    again.release()


def test_a_killed_training_is_offered_when_its_image_is_open_and_no_other(
    workbench: Workbench,
    image: Image,
    training: Training,
    qtbot: QtBot,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fail_once(training, qtbot, monkeypatch)
    line = offered(training, qtbot)
    other = workbench.viewer.add_image(np.zeros((3, 64, 48), np.uint8), name="other")
    workbench.choose(images=(other,), labels=None)
    assert training.recovery.offered is None
    assert line.isHidden()
    workbench.choose(images=())
    assert line.text.text().endswith("to go on, open that image.")
    assert line.accept.isHidden()
    workbench.choose(images=(image,))
    assert not line.accept.isHidden()
    assert not line.accept.isEnabled()  # no labels yet


def test_nothing_is_kept_where_strokes_are_not_as_people_want_it(
    training: Training, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("napari_unet.ui.train.control.folder_to_keep_in", lambda: None)
    fail_once(training, qtbot, monkeypatch)
    assert find_places() == []


def test_what_is_discarded_is_gone(
    training: Training, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail_once(training, qtbot, monkeypatch)
    line = offered(training, qtbot)
    line.refuse.click()
    assert line.isHidden()
    assert find_places() == []


def test_stop_leaves_nothing_but_the_model(
    workbench: Workbench, training: Training, qtbot: QtBot
) -> None:
    with qtbot.waitSignal(workbench.ended, timeout=60_000) as ended:
        training.reported.connect(
            lambda event: workbench.stop() if isinstance(event, StepDone) else None
        )
        start(training, replace(QUICK, steps=5000))
    assert ended.args == [JobEnd.STOPPED]
    assert workbench.choices.model is not None
    assert find_places() == []


def test_what_another_window_goes_on_with_is_neither_resumed_nor_discarded(
    training: Training, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail_once(training, qtbot, monkeypatch)
    offered(training, qtbot)
    (place,) = find_places()
    told: list[Exception] = []
    training._workbench.failed.connect(told.append)
    training.recovery.resumed.connect(
        lambda interrupted: training.resume(interrupted, ObjectsConfig(), preview=False)
    )
    with claimed(place, "This training", quiet=600):
        with qtbot.waitSignal(training._workbench.ended, timeout=60_000) as ended:
            training.recovery.accept()
        assert ended.args == [JobEnd.FAILED]
        assert find_interrupted() == []
        training.recovery._left = [read_interrupted(place)]  # as it was found before
        training.recovery.refuse()
    assert [str(error).partition(" (")[0] for error in told] == 2 * [
        "This training is still going on in another window or command"
    ]
    assert find_places() == [place]
