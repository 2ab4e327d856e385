"""A model says on which image and labels it was trained, and on which before."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from napari_unet.config import Unpainted
from napari_unet.engine.errors import FileError
from napari_unet.engine.events import FinishReason, StepDone, TrainDone, TrainEvent, TrainStarted
from napari_unet.engine.network import Model
from napari_unet.engine.paint import TrainingSet
from napari_unet.engine.stack import ArrayPlanes
from napari_unet.io import trained_on
from napari_unet.io.checkpoints import load_model, save_model
from napari_unet.io.hashes import join_hashes, model_hash, paint_hash, stack_hash
from napari_unet.io.provenance import Source, Training
from napari_unet.io.trained_on import Lesson, telling_lessons
from tests.engine.tiny import noise, tiny_model

IMAGE = ArrayPlanes(noise(4, 20, 30))
LESSON = Lesson(
    Source("cells", "", (4, 20, 30), "ZYX"), Source("strokes", "", (4, 20, 30)), Unpainted.IGNORED
)


def painted(*planes: int) -> ArrayPlanes:
    labels = np.zeros((4, 20, 30), np.uint8)
    labels[list(planes), 3:6, 3:6] = 2
    return ArrayPlanes(labels)


def events(planes: tuple[int, ...], model: Model) -> Iterator[TrainEvent]:
    yield TrainStarted("CPU", planes, 9, (), (0, 1), 100)
    yield StepDone(1, 0.5, 0.1, 1.0)
    yield TrainDone(FinishReason.COMPLETED, model)


def trained(labels: ArrayPlanes, planes: tuple[int, ...], start: Model | None = None) -> Model:
    model = start or tiny_model()
    *_, last = telling_lessons(
        events(planes, model), TrainingSet.of((IMAGE, labels)), [LESSON], start
    )
    assert isinstance(last, TrainDone)
    return last.model


def test_a_model_says_what_it_was_trained_on_also_from_its_file(tmp_path: Path) -> None:
    labels = painted(1, 3)
    path = save_model(trained(labels, (1, 3)), tmp_path / "m.safetensors")
    (told,) = load_model(path).record.trained_on
    assert (told.image, told.labels, told.unpainted) == ("cells", "strokes", "ignored")
    assert (told.shape, told.axes, told.planes) == ((4, 20, 30), "ZYX", (1, 3))
    assert told.image_hash == stack_hash(IMAGE, (1, 3))
    paint = {plane: paint_hash(labels, plane) for plane in (1, 3)}
    assert told.labels_hash == join_hashes(IMAGE, paint)  # type: ignore[arg-type]
    assert (told.hashed, told.start_hash) == (2, "")


def test_a_model_that_goes_on_remembers_what_it_was_trained_on_before() -> None:
    first = trained(painted(1), (1,))
    second = trained(painted(2), (2,), first)
    assert [told.planes for told in second.record.trained_on] == [(1,), (2,)]
    assert second.record.trained_on[-1].start_hash == model_hash(first)
    assert Training.of(second).image == "cells"


def test_a_large_stack_is_not_read_once_more_as_a_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trained_on, "_MOST_PIXELS", 20 * 30 * 2)
    (told,) = trained(painted(0, 1, 3), (0, 1, 3)).record.trained_on
    assert (told.planes, told.hashed) == ((0, 1, 3), 2)
    assert told.image_hash == stack_hash(IMAGE, (0, 1))


def test_an_image_that_is_gone_costs_no_model() -> None:
    class Gone(ArrayPlanes):
        def read(self, plane: int, y: slice, x: slice) -> npt.NDArray[Any]:
            raise FileError("gone")

    pairs = TrainingSet.of((Gone(noise(4, 20, 30)), painted(1)))
    *_, last = telling_lessons(events((1,), tiny_model()), pairs, [LESSON], None)
    assert isinstance(last, TrainDone)
    (told,) = last.model.record.trained_on
    assert (told.image, told.image_hash, told.hashed) == ("cells", "", 0)


def test_files_without_it_still_open(tmp_path: Path) -> None:
    model = tiny_model()
    old = replace(model, record=replace(model.record, steps=3))
    assert load_model(save_model(old, tmp_path / "m.safetensors")).record.trained_on == ()
