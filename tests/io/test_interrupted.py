"""Trainings on disk: found again as they were, swept, and nothing else let in."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from napari_unet.engine.errors import FileError
from napari_unet.engine.events import StateReached
from napari_unet.engine.training.schedule import Schedule
from napari_unet.engine.training.state import TrainingState
from napari_unet.io.interrupted import About, find_interrupted, read_interrupted, write_state
from napari_unet.io.training_places import find_places, new_place
from tests.engine.training.test_resuming import train

ABOUT = About(("cells",), ("strokes",))


@pytest.fixture(scope="module")
def state() -> TrainingState:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Schedule, "may_keep", lambda *_: True)
        reached = [event for event in train() if isinstance(event, StateReached)]
    found = reached[5].state
    assert isinstance(found, TrainingState)
    return found


@pytest.fixture
def path(state: TrainingState, tmp_path: Path) -> Path:
    write_state(state, ABOUT, tmp_path / "m.unfinished")
    return tmp_path / "m.unfinished"


def test_a_state_comes_back_as_it_was(state: TrainingState, path: Path) -> None:
    found = read_interrupted(path)
    loaded = found.load()
    assert found.about == ABOUT
    assert loaded.record == state.record
    assert loaded.arrays.keys() == state.arrays.keys()
    for name, array in state.arrays.items():
        assert torch.equal(loaded.arrays[name], array), name
    for name, weight in state.model.weights.items():
        assert torch.equal(loaded.model.weights[name], weight), name
    assert loaded.past() == state.past()


def _texts(path: Path) -> dict[str, str]:
    with safe_open(path, framework="pt") as file:
        return dict(file.metadata())


def _set(texts: dict[str, str], part: str, *keys: Any) -> None:
    *way, last, value = keys
    whole = json.loads(texts[part])
    inner = whole
    for key in way:
        inner = inner[key]
    inner[last] = value
    texts[part] = json.dumps(whole)


BAD_TEXTS: dict[str, Callable[[dict[str, str]], Any]] = {
    "another format": lambda t: t.update(format="napari-unet-paint"),
    "a newer version": lambda t: t.update(format_version="2"),
    "no JSON": lambda t: t.update(run="{"),
    "a list": lambda t: t.update(run="[]"),
    "a random state of 200 bits": lambda t: _set(t, "run", "trainer", "random", "state", 1 << 200),
    "a larger patch": lambda t: _set(t, "run", "trainer", "patch", 10**6),
    "blocks far away": lambda t: _set(t, "run", "split", "blocks", 0, "y", [0, 10**30]),
    "another reduction": lambda t: _set(t, "run", "size", "reduction", 7),
    "places without pixels": lambda t: _set(
        t, "run", "trainer", "places", [{"plane": 0, "pixels": 9, "drawn": 0, "right": 0}]
    ),
    "a network that is too wide": lambda t: _set(t, "model", "network", "base_channels", 10**6),
}


@pytest.mark.parametrize("bad", BAD_TEXTS)
def test_a_description_that_is_none_gets_one_sentence(bad: str, path: Path) -> None:
    texts = _texts(path)
    BAD_TEXTS[bad](texts)
    save_file(load_file(path), path, texts)
    with pytest.raises(FileError, match="holds no training that can go on"):
        read_interrupted(path)


BAD_ARRAYS: dict[str, Callable[[dict[str, torch.Tensor]], Any]] = {
    "a foreign array": lambda a: a.update(extra=torch.zeros(3)),
    "a weight of another shape": lambda a: a.update({"now/head.bias": torch.zeros(7)}),
    "a missing weight": lambda a: a.pop("now/head.bias"),
    "another type": lambda a: a.update({"now/head.bias": torch.zeros(2, dtype=torch.float64)}),
    "NaN": lambda a: a["now/head.bias"].fill_(torch.nan),
    "steps that are no numbers": lambda a: a["steps"].fill_(torch.inf),
}


@pytest.mark.parametrize("bad", BAD_ARRAYS)
def test_arrays_that_do_not_fit_get_one_sentence(bad: str, path: Path) -> None:
    arrays = load_file(path)
    BAD_ARRAYS[bad](arrays)
    save_file(arrays, path, _texts(path))
    with pytest.raises(FileError, match="holds no training that can go on"):
        read_interrupted(path).load()


def test_the_newest_few_wait_and_what_is_damaged_is_left_alone(state: TrainingState) -> None:
    now = time.time()
    places = [new_place() for _ in range(7)]
    for age, place in enumerate(places):
        place.parent.mkdir(parents=True, exist_ok=True)
        write_state(state, ABOUT, place)
        os.utime(place, (now - 60 * age,) * 2)
    places[1].write_text("my notes")

    assert [left.path for left in find_interrupted()] == [places[0], *places[2:5]]
    assert find_places()[0] == places[1]  # written just now
    assert places[1].read_text() == "my notes"
    assert not places[6].exists()
    os.utime(places[0], (now - 15 * 24 * 3600,) * 2)
    assert places[0] not in find_places()
    assert not places[0].exists()
