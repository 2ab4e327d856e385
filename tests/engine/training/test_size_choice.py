"""Who says how large objects are: the user, painted objects, the model, and at last the network."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from napari_unet.config import ENLARGED, NetworkConfig, Task, TrainConfig, Unpainted
from napari_unet.engine.events import Stop, TrainDone, TrainStarted
from napari_unet.engine.network.model import Model, fresh_model
from napari_unet.engine.network.record import Diameter, DiameterSource, TrainRecord
from napari_unet.engine.paint.label_scheme import LabelScheme
from napari_unet.engine.paint.training_set import TrainingSet
from napari_unet.engine.stack.normalization import Normalization
from napari_unet.engine.stack.planes import ArrayPlanes
from napari_unet.engine.training import size_choice
from napari_unet.engine.training.plan import TrainingPlan
from napari_unet.engine.training.size_choice import SizeChoice, choose_size
from napari_unet.engine.training.size_estimate import SizeEstimate, sizes_around
from napari_unet.engine.training.size_memory import SizeMemory
from tests.engine.scenes import QUICK, TINY, run
from tests.engine.tiny import CPU

SHAPED = NetworkConfig(name="tiny", base_channels=4, levels=2, shape_field=True)
GIVEN, PAINTED, ESTIMATED = DiameterSource
SEEN = SizeEstimate(reduction=3, diameter=90.0)  # by the network that is asked

Labels = npt.NDArray[np.int32]
Asked = list[dict[str, Any]]


def scribbles() -> Labels:
    """Return strokes in two objects and on the background."""
    labels = np.zeros((160, 160), np.int32)
    labels[10:12] = 1
    labels[40:42, 20:50], labels[100:102, 80:120] = 2, 3
    return labels


def squares(side: int = 60) -> Labels:
    """Return two objects that are painted whole, with background all around them."""
    labels = np.ones((160, 160), np.int32)
    labels[8 : 8 + side, 8 : 8 + side], labels[90 : 90 + side, 90 : 90 + side] = 2, 3
    return labels


def pretrained(reduction: int | None = None, diameter: Diameter | None = None) -> Model:
    """Return a network that knows shapes, as one that is bundled or was trained on paint."""
    grey = Normalization((0.0,), (255.0,))
    model = fresh_model(SHAPED, grey, Task.OBJECTS, (0, 1))
    record = TrainRecord(steps=9, diameter=diameter)
    return replace(model, reduction=reduction, record=record)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Asked:
    """How the network is asked for its estimate."""
    calls: Asked = []

    def estimate(
        *_: object,
        known: float | None,
        reductions: tuple[int, ...],
        memory: SizeMemory,
        stop: Stop,
    ) -> SizeEstimate:
        assert not stop()
        calls.append({"known": known, "reductions": reductions})
        return SEEN

    monkeypatch.setattr(size_choice, "estimate_size", estimate)
    return calls


def choose(
    labels: Labels, start: NetworkConfig | Model, task: Task = Task.OBJECTS, **settings: Any
) -> SizeChoice:
    scheme = LabelScheme(task, Unpainted.IGNORED)
    plan = TrainingPlan(start=start, scheme=scheme, config=TrainConfig(**settings), device=CPU)
    image = ArrayPlanes(np.zeros(labels.shape, np.uint8))
    return choose_size(plan, TrainingSet.of((image, ArrayPlanes(labels))))


def test_the_size_of_objects_with_strokes_is_what_the_network_sees(asked: Asked) -> None:
    choice = choose(scribbles(), pretrained())
    assert choice == SizeChoice(3, Diameter(90.0, ESTIMATED), sizes_around(90.0))
    assert asked == [{"known": None, "reductions": (1, 2, 3, 4, 6)}]


def test_objects_that_are_painted_whole_say_their_size_themselves(asked: Asked) -> None:
    choice = choose(squares(), pretrained())
    assert choice.diameter is not None
    assert choice.diameter.source is PAINTED
    assert choice.diameter.pixels == pytest.approx(2 * 60 / np.pi**0.5)
    assert choice.strokes is None
    assert asked[0]["known"] == choice.diameter.pixels


@pytest.mark.parametrize("labels", [scribbles(), squares()])
def test_a_given_diameter_takes_the_place_of_any_other(asked: Asked, labels: Labels) -> None:
    trained = pretrained(2, Diameter(40.0, ESTIMATED))
    choice = choose(labels, trained, diameter=70.0)
    assert (choice.reduction, choice.diameter) == (3, Diameter(70.0, GIVEN))
    assert asked == [{"known": 70.0, "reductions": (1, 2, 3, 4, 6)}]


def test_what_is_given_holds_for_objects_with_strokes_only(asked: Asked) -> None:
    assert choose(scribbles(), pretrained(), diameter=70.0).strokes == sizes_around(70.0)
    assert choose(squares(), pretrained(), diameter=70.0).strokes is None


@pytest.mark.parametrize("source", [GIVEN, ESTIMATED])
def test_a_model_goes_on_with_its_size(asked: Asked, source: DiameterSource) -> None:
    known = Diameter(70.0, source)
    expected = SizeChoice(2, known, sizes_around(70.0))
    assert choose(scribbles(), pretrained(2, known)) == expected
    again = choose(scribbles(), pretrained(2, known), diameter=70.0)
    assert again == replace(expected, diameter=Diameter(70.0, GIVEN))
    assert asked == []


def test_a_given_reduction_holds_and_the_size_is_looked_for_with_it(asked: Asked) -> None:
    choice = choose(scribbles(), pretrained(), reduction=5)
    assert choice.diameter == Diameter(90.0, ESTIMATED)
    assert asked == [{"known": None, "reductions": (5,)}]
    assert choose(scribbles(), pretrained(), reduction=5, diameter=70.0).reduction == 5
    assert len(asked) == 1


def test_small_objects_are_enlarged_unless_the_image_is_to_be_seen_as_it_is(
    asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(size_choice, "estimate_size", lambda *_, **__: SizeEstimate(1, 8.0))
    assert choose(scribbles(), pretrained()).enlargement == ENLARGED
    assert choose(squares(9), pretrained()).enlargement == ENLARGED
    assert choose(scribbles(), pretrained(), diameter=11.0).enlargement == ENLARGED
    assert choose(scribbles(), pretrained(), diameter=12.0).enlargement == 1
    assert choose(scribbles(), pretrained(), reduction=1).enlargement == 1
    assert choose(scribbles(), TINY, diameter=8.0).enlargement == 1
    assert choose(scribbles(), pretrained(), Task.CLASSES).enlargement == 1


def test_a_model_goes_on_with_its_enlargement(asked: Asked) -> None:
    known = Diameter(8.0, ESTIMATED)
    small = replace(pretrained(1, known), enlargement=ENLARGED)
    assert choose(scribbles(), small).enlargement == ENLARGED
    assert choose(scribbles(), small, reduction=1).enlargement == ENLARGED  # its own
    assert choose(scribbles(), small, reduction=2) == SizeChoice(2, known, sizes_around(8.0))
    assert choose(scribbles(), small, Task.CLASSES).enlargement == ENLARGED
    assert asked == []


def test_a_network_without_shapes_is_not_asked(asked: Asked) -> None:
    assert choose(scribbles(), TINY) == SizeChoice(1)
    assert choose(squares(), TINY).diameter is not None
    given = choose(scribbles(), TINY, diameter=100.0)
    assert given == SizeChoice(3, Diameter(100.0, GIVEN), sizes_around(100.0))
    assert asked == []


def test_classes_have_no_size(asked: Asked) -> None:
    assert choose(squares(), pretrained(), Task.CLASSES) == SizeChoice(1)
    assert choose(squares(), pretrained(4), Task.CLASSES) == SizeChoice(4)
    assert asked == []


def test_training_tells_and_keeps_the_diameter() -> None:
    first, *_, last = run(replace(QUICK, steps=1, diameter=64.0))
    assert isinstance(first, TrainStarted)
    assert isinstance(last, TrainDone)
    assert first.diameter == last.model.record.diameter == Diameter(64.0, GIVEN)
    assert first.reduction == last.model.reduction == 2
