"""A training on the command line goes on where it was interrupted."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from typer.testing import Result

from napari_unet.engine.training.schedule import Schedule
from napari_unet.engine.training.trainer import Trainer
from napari_unet.io.checkpoints import load_model
from napari_unet.io.claims import claimed
from napari_unet.io.interrupted import read_interrupted
from tests.cli.conftest import Command, sentence
from tests.cli.test_signals import real_signals


@pytest.fixture(autouse=True)
def _always(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the state after every step."""
    monkeypatch.setattr(Schedule, "may_keep", lambda *_: True)


def words(folder: Path, output: str = "m", steps: int = 12) -> list[str]:
    return [
        *("train", str(folder / "cells.tif"), str(folder / "strokes.tif"), "--device", "cpu"),
        *("--from", str(folder / "tiny.safetensors"), "--steps", str(steps)),
        *("--model", str(folder / f"{output}.safetensors")),
    ]


def interrupt(
    command: Command,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    error: BaseException,
    step: int = 7,
) -> Result:
    """Let a training fail at a step."""
    update = Trainer._update

    def fail(self: Trainer, progress: float) -> float:
        if self.step == 7:
            raise error
        return update(self, progress)

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "_update", fail)
        return command(*words(folder))


def assert_same_model(folder: Path, one: str, other: str) -> None:
    first, second = (load_model(folder / f"{name}.safetensors") for name in (one, other))
    assert first.record.best_step == second.record.best_step
    assert first.record.validation_loss == second.record.validation_loss
    for name, weight in first.weights.items():
        assert torch.equal(weight, second.weights[name]), name


ERRORS = [ValueError("a fault of ours"), MemoryError(), KeyboardInterrupt(), RuntimeError("broken")]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_whatever_ends_a_training_its_model_is_saved_and_it_goes_on_as_if_undisturbed(
    error: BaseException, command: Command, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failed = interrupt(command, folder, monkeypatch, error)
    assert failed.exit_code != 0
    assert "Training failed; the weights of step" in failed.stderr
    assert load_model(folder / "m.safetensors").record.finished == "failed"
    assert read_interrupted(folder / "m.unfinished").record.trainer.step == 7

    resumed = command(*words(folder), "--resume", "--json")
    whole = command(*words(folder, "whole"), "--json")

    assert resumed.exit_code == 0, resumed.stderr
    assert "Going on with the training that was interrupted after 7 steps" in resumed.stderr
    assert json.loads(resumed.stdout)["steps"] == json.loads(whole.stdout)["steps"] == 12
    assert_same_model(folder, "m", "whole")
    assert list(folder.glob("*.unfinished")) == []


@real_signals
def test_a_killed_training_goes_on_as_if_undisturbed(command: Command, folder: Path) -> None:
    program = (
        "from napari_unet.engine.training.schedule import Schedule\n"
        "Schedule.may_keep = lambda *_: True\n"
        "import torch; torch.set_num_threads(1)\n"
        "from napari_unet.cli import main; main()"
    )
    long = words(folder, steps=50)
    with subprocess.Popen([sys.executable, "-c", program, *long], stderr=subprocess.DEVNULL) as run:
        deadline = time.monotonic() + 120
        while not (folder / "m.unfinished").exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        run.send_signal(signal.SIGSTOP)
        running = command(*long, "--resume")
        run.kill()
    assert "still going on" in sentence(running)
    assert not (folder / "m.safetensors").exists()

    resumed = command(*long, "--resume")
    command(*words(folder, "whole", steps=50))

    assert resumed.exit_code == 0, resumed.stderr
    assert_same_model(folder, "m", "whole")
    assert list(folder.glob("*unfinished*")) + list(folder.glob(".*.part")) == []


def test_what_another_command_has_just_begun_to_go_on_with_is_left_to_it(
    command: Command, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupt(command, folder, monkeypatch, KeyboardInterrupt())
    path = folder / "m.unfinished"
    before = path.read_bytes()
    with claimed(path, "This training", quiet=600):  # it has not reached its first state
        assert "still going on in another window" in sentence(command(*words(folder), "--resume"))
        anew = command(*words(folder))
    assert anew.exit_code == 0
    assert "This training is not kept for after a crash" in anew.stderr
    assert path.read_bytes() == before


def test_without_resume_what_is_left_is_told_of_and_replaced(
    command: Command, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupt(command, folder, monkeypatch, KeyboardInterrupt())

    anew = command(*words(folder))

    (note,) = [line for line in anew.stderr.splitlines() if "unfinished" in line]
    assert "'m.unfinished' holds a training that was interrupted after 7 steps" in note
    assert "--resume" in note
    assert "step 0: on held-out" in anew.stderr
    assert list(folder.glob("*.unfinished")) == []


def test_resume_without_anything_left_begins_anew_and_says_so(
    command: Command, folder: Path
) -> None:
    outcome = command(*words(folder), "--resume")

    assert outcome.exit_code == 0
    assert "There is no 'm.unfinished' to go on with: the training begins anew." in outcome.stderr


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (("--seed", "3"), "seed 0, not 3"),
        (("--learning-rate", "0.5"), "learning rate 0.003, not 0.5"),
        (("--task", "classes"), "task objects, not classes"),
        (("--from", "scratch"), "from light, after 0 steps"),
    ],
    ids=["seed", "learning rate", "task", "start"],
)
def test_other_settings_are_refused_by_name(
    more: tuple[str, str],
    says: str,
    command: Command,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    interrupt(command, folder, monkeypatch, KeyboardInterrupt())
    before = (folder / "m.unfinished").read_bytes()

    refused = command(*words(folder), *more, "--resume")
    told = sentence(refused)

    assert "was begun with other settings" in told
    assert says in told
    assert "Going on" not in refused.stderr
    assert (folder / "m.unfinished").read_bytes() == before


def damage(path: Path, how: str) -> None:
    if how == "truncated":
        path.write_bytes(path.read_bytes()[:-100])
    elif how == "of another program":
        path.write_text("my notes")
    else:
        save_file(load_file(path), path, {"format": "napari-unet-paint training"})


@pytest.mark.parametrize("how", ["truncated", "of another program", "without a description"])
def test_what_is_damaged_is_told_of_in_one_sentence_and_left_alone(
    how: str, command: Command, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupt(command, folder, monkeypatch, KeyboardInterrupt())
    path = folder / "m.unfinished"
    damage(path, how)
    before = path.read_bytes()

    assert "holds no training that can go on" in sentence(command(*words(folder), "--resume"))
    anew = command(*words(folder))

    assert anew.exit_code == 0
    assert "holds no training that can go on" in anew.stderr
    assert path.read_bytes() == before


def test_a_state_that_cannot_be_kept_is_told_of_once_and_ends_nothing(
    command: Command, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("napari_unet.io.interrupted.write_state", full)

    outcome = command(*words(folder))

    assert outcome.exit_code == 0
    assert outcome.stderr.count("not kept for after a crash") == 1
    assert load_model(folder / "m.safetensors").record.steps == 12


@real_signals
def test_a_stopped_training_says_how_to_go_on_and_does(
    command: Command, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    update = Trainer._update

    def stop(self: Trainer, progress: float) -> float:
        if self.step == 6:
            os.kill(os.getpid(), signal.SIGTERM)
        return update(self, progress)

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "_update", stop)
        stopped = command(*words(folder))
    assert stopped.exit_code == 143
    assert "the same command with --resume goes on from there" in stopped.stderr
    assert load_model(folder / "m.safetensors").record.finished == "stopped"

    command(*words(folder), "--resume")
    command(*words(folder, "whole"))

    assert_same_model(folder, "m", "whole")
