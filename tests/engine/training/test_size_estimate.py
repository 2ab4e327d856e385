"""How large objects are that are only scribbled in, as a network sees them."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pytest
from skimage.draw import disk

from napari_unet.config import Task, Unpainted
from napari_unet.engine.network.model import Model
from napari_unet.engine.paint.label_scheme import LabelScheme
from napari_unet.engine.paint.training_set import TrainingSet
from napari_unet.engine.stack.planes import ArrayPlanes, Planes
from napari_unet.engine.stack.tiles import Tile
from napari_unet.engine.training import size_estimate
from napari_unet.engine.training.size_estimate import SizeEstimate, estimate_size, sizes_around
from napari_unet.engine.training.size_memory import SizeMemory
from tests.engine.tiny import CPU, tiny_model

MIDDLES = [(60, 60), (60, 180), (180, 60), (180, 180)]


class Seeing:
    """A network that tells objects apart with some reductions, and sees fog with others."""

    sees: tuple[int, ...] = (1, 2)
    looks: ClassVar[list[int | None]] = []

    def __init__(self, model: Model, planes: Planes, device: object) -> None:
        self.looks.append(model.reduction)
        self._clear = model.reduction in self.sees
        self._planes = planes

    def predict(self, number: int, tile: Tile) -> npt.NDArray[np.float32]:
        image = self._planes.read(number, slice(0, 240), slice(0, 240))[0]
        foreground = image if self._clear else np.full_like(image, 0.4)
        return np.stack([foreground, image])

    def release(self) -> None: ...


@pytest.fixture(autouse=True)
def seeing(monkeypatch: pytest.MonkeyPatch) -> type[Seeing]:
    monkeypatch.setattr(size_estimate, "Predictor", Seeing)
    monkeypatch.setattr(Seeing, "looks", [])
    return Seeing


def estimate(
    radius: float = 25, *, painted: bool = True, stroke: int = 5, **options: Any
) -> SizeEstimate:
    image, labels = np.zeros((240, 240), np.float32), np.zeros((240, 240), np.int32)
    labels[0] = 1
    for number, middle in enumerate(MIDDLES if painted else []):
        image[disk(middle, radius)] = 1
        labels[middle[0], middle[1] - stroke : middle[1] + stroke] = number + 2
    scheme = LabelScheme(Task.OBJECTS, Unpainted.IGNORED)
    planes, model = ArrayPlanes(image), options.pop("model", None) or tiny_model()
    options = {"known": None, **options}
    return estimate_size(
        model, TrainingSet.of((planes, ArrayPlanes(labels))), scheme, CPU, **options
    )


def test_the_diameter_is_that_of_the_objects_found_under_the_paint() -> None:
    found = estimate(25)
    assert found.reduction == 2
    assert found.diameter == pytest.approx(50, rel=0.05)


def test_a_reduction_with_which_objects_are_not_told_apart_is_not_taken(
    seeing: type[Seeing], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(seeing, "sees", (1,))
    assert estimate(25).reduction == 1


def test_a_known_diameter_is_not_looked_for() -> None:
    assert estimate(25, known=30.0) == SizeEstimate(1, 30.0)


def test_only_the_wanted_reductions_are_tried() -> None:
    assert estimate(25, reductions=(1,)).reduction == 1
    assert estimate(25, reductions=(6,)) == SizeEstimate(6, None)  # where it sees nothing


def test_a_stop_is_heeded_between_two_looks() -> None:
    assert estimate(25, reductions=(1, 2), stop=lambda: True).reduction == 2  # the quicker one
    assert estimate(25, reductions=(2,), stop=lambda: True).diameter == pytest.approx(50, rel=0.05)


def test_without_paint_in_objects_nothing_is_known() -> None:
    assert estimate(painted=False) == SizeEstimate(1, None)


def test_sizes_are_those_of_a_circle() -> None:
    sizes = sizes_around(20.0)
    assert sizes.median == pytest.approx(np.pi * 100)
    assert sizes.smallest == round(sizes.median / 4)


def test_what_was_asked_last_is_answered_without_another_look(seeing: type[Seeing]) -> None:
    model, memory = tiny_model(), SizeMemory()
    first = estimate(25, model=model, memory=memory)
    looks = len(seeing.looks)
    assert looks
    assert estimate(25, model=model, memory=memory) == first
    assert len(seeing.looks) == looks


@pytest.mark.parametrize("other", ["paint", "image", "model", "known", "reductions"])
def test_another_question_is_looked_into(seeing: type[Seeing], other: str) -> None:
    memory = SizeMemory()
    asked: dict[str, Any] = {"radius": 25, "model": tiny_model(), "memory": memory}
    estimate(**asked)
    looks = len(seeing.looks)
    changes: dict[str, dict[str, Any]] = {
        "paint": {"stroke": 9},
        "image": {"radius": 20},
        "model": {"model": tiny_model()},
        "known": {"known": 30.0},
        "reductions": {"reductions": (1, 2)},
    }
    estimate(**asked | changes[other])
    assert len(seeing.looks) > looks


def test_a_search_that_was_stopped_is_not_remembered(seeing: type[Seeing]) -> None:
    model, memory = tiny_model(), SizeMemory()
    estimate(25, model=model, memory=memory, stop=lambda: True)
    looks = len(seeing.looks)
    assert estimate(25, model=model, memory=memory) == estimate(25)
    assert len(seeing.looks) > looks
