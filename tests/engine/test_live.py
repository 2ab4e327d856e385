"""Training beside a user who looks and paints: previews, and new strokes without a restart."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch

from napari_unet.config import ObjectsConfig, Task, TrainConfig, Unpainted
from napari_unet.engine.errors import ImageError
from napari_unet.engine.events import (
    Corrected,
    FinishReason,
    LabelsTaken,
    Previewed,
    StepDone,
    TrainDone,
    TrainEvent,
    TrainStarted,
    Validated,
    View,
)
from napari_unet.engine.model import Model
from napari_unet.engine.pace import Pace
from napari_unet.engine.planes import ArrayPlanes
from napari_unet.engine.sampling import PatchSampler
from napari_unet.engine.train import fit
from napari_unet.engine.trainer import Trainer
from tests.engine.scenes import QUICK, TINY, bright_squares, strokes
from tests.engine.tiny import CPU, segmented

WHOLE = View(0, slice(0, 64), slice(0, 64))
Labels = npt.NDArray[np.int32]


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ask for new strokes after every step."""
    monkeypatch.setattr(Pace, "may_ask_for_strokes", lambda pace: True)


@dataclass
class User:
    """Looks at a view, and paints after some steps."""

    looks_at: View | None = None
    paints: dict[int, Callable[[Labels], object]] = field(default_factory=dict)  # after step
    labels: Labels = field(default_factory=lambda: strokes(bright_squares()[1]))
    asked: int = 0

    def view(self) -> View | None:
        return self.looks_at

    def take_painted(self) -> frozenset[int]:
        self.asked += 1
        before = self.labels.copy()
        self.paints.get(self.asked, lambda labels: None)(self.labels)
        changed = (before != self.labels).any(axis=(1, 2))
        return frozenset(np.flatnonzero(changed).tolist())


def train(user: User, config: TrainConfig = QUICK, **changes: Any) -> Iterator[TrainEvent]:
    image, _ = bright_squares()
    arguments: dict[str, Any] = {
        "start": TINY,
        "task": Task.OBJECTS,
        "unpainted": Unpainted.IGNORED,
        "device": CPU,
        "live": user,
        **changes,
    }
    planes = ArrayPlanes(arguments.pop("image", image))
    return fit(planes, ArrayPlanes(user.labels), config=config, **arguments)


def of_type(events: list[TrainEvent], *kinds: type) -> list[Any]:
    return [event for event in events if isinstance(event, kinds)]


def result(events: list[TrainEvent]) -> TrainDone:
    done = events[-1]
    assert isinstance(done, TrainDone)
    return done


def third_square(labels: Labels) -> None:
    truth = bright_squares()[1]
    labels[0][truth[0] == 3] = 4


def second_plane(labels: Labels) -> None:
    labels[1] = strokes(bright_squares()[1][[1]])[0]


# --- previews


def test_the_first_preview_comes_before_the_first_validation_and_within_three_steps() -> None:
    events = list(train(User(looks_at=WHOLE)))

    kinds = [type(event) for event in events]
    assert kinds[:2] == [TrainStarted, Previewed]
    assert kinds.index(Previewed) < kinds.index(Validated)
    assert of_type(events, Previewed)[0].step <= 3
    assert kinds[-1] is TrainDone


def still(**changes: Any) -> TrainConfig:
    """Return settings that leave the weights as they are."""
    return replace(QUICK, learning_rate=1e-20, steps=2, **changes)


@pytest.fixture(scope="module")
def trained() -> Model:
    events = fit(
        ArrayPlanes(bright_squares()[0]),
        ArrayPlanes(strokes(bright_squares()[1])),
        start=TINY,
        task=Task.OBJECTS,
        unpainted=Unpainted.IGNORED,
        config=replace(QUICK, steps=60),
        device=CPU,
    )
    return result(list(events)).model


@pytest.fixture(scope="module")
def trained_classes() -> Model:
    events = fit(
        ArrayPlanes(bright_squares()[0]),
        ArrayPlanes(np.where(bright_squares()[1] > 0, 9, 4)),
        start=TINY,
        task=Task.CLASSES,
        unpainted=Unpainted.IGNORED,
        config=replace(QUICK, steps=40),
        device=CPU,
    )
    return result(list(events)).model


def test_a_preview_is_what_segmenting_gives(trained: Model) -> None:
    objects = ObjectsConfig(threshold=0.6, min_size=30)

    events = list(train(User(looks_at=WHOLE), still(), start=trained, objects=objects))

    preview = of_type(events, Previewed)[0]
    expected = segmented(result(events).model, bright_squares()[0][:1], objects=objects)
    assert preview.view == WHOLE
    assert preview.values.dtype == np.int32
    assert expected.max() >= 3
    # the range of grey values is that of the whole stack
    whole = planes_of(result(events).model, objects)
    np.testing.assert_array_equal(preview.values, whole[0])


def planes_of(model: Model, objects: ObjectsConfig) -> npt.NDArray[Any]:
    from napari_unet.engine.predict import segment
    from tests.engine.tiny import plane_values

    (values,) = plane_values(
        segment(model, ArrayPlanes(bright_squares()[0]), device=CPU, objects=objects, numbers=[0])
    )
    return values[np.newaxis]
