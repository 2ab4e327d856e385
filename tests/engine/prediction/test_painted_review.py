"""After training the network's own answer is held against the painted objects, and only there."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from skimage.draw import disk

from napari_unet.config import ObjectsConfig, Task, Unpainted
from napari_unet.engine.events import TOO_LITTLE, TOO_LITTLE_WHERE_THEY_TOUCH, Reviewed, never
from napari_unet.engine.network.record import TrainRecord
from napari_unet.engine.paint.label_scheme import LabelScheme
from napari_unet.engine.paint.training_set import TrainingSet
from napari_unet.engine.prediction import painted_review
from napari_unet.engine.prediction.painted_review import review
from napari_unet.engine.stack.planes import ArrayPlanes
from napari_unet.engine.stack.reduction import Reduction
from napari_unet.engine.stack.tiles import Tile
from tests.engine.tiny import CPU, tiny_model

STROKES = LabelScheme(Task.OBJECTS, Unpainted.IGNORED)
IMAGE = LabelScheme(Task.OBJECTS, Unpainted.BACKGROUND)
SHAPE = (3, 200, 1200)
Labels = npt.NDArray[np.int32]


class Answers:
    """A network that answers with a given foreground, and says what it was asked for."""

    tile_side = 1024
    device = CPU
    seen = Reduction(1, SHAPE[1:])

    def __init__(self, foreground: npt.NDArray[np.bool_]) -> None:
        self.model = replace(tiny_model(), record=TrainRecord(whole_objects=2))
        self._foreground = foreground
        self.pixels = 0

    def predict(self, plane: int, tile: Tile) -> npt.NDArray[np.float32]:
        self.pixels += tile.y.length * tile.x.length
        values = self._foreground[plane, tile.y.as_slice, tile.x.as_slice]
        return values.astype(np.float32)[np.newaxis]

    def release(self) -> None:
        pass


def discs(*places: tuple[int, int, int, int], first: int = 2) -> Labels:
    """Return discs of 24 px: plane, y, x, radius."""
    labels = np.zeros(SHAPE, np.int32)
    for number, (plane, y, x, radius) in enumerate(places, start=first):
        labels[plane][disk((y, x), radius, shape=SHAPE[1:])] = number
    return labels


CELLS = discs((0, 60, 60, 12), (0, 60, 510, 14), (2, 100, 900, 12), (2, 100, 926, 12))


@pytest.fixture
def ask(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return what is told of a network that answers so."""

    def ask(answers: Answers, labels: Labels, scheme: LabelScheme = STROKES, **how: Any) -> Any:
        monkeypatch.setattr(painted_review, "Predictor", lambda *_, **__: answers)
        planes = ArrayPlanes(np.zeros(SHAPE, np.uint8))
        model = how.pop("model", answers.model)
        exact = ObjectsConfig(gap=0, neck=0, min_size=9)
        pairs = TrainingSet.of((planes, ArrayPlanes(labels)))
        return review(model, pairs, scheme, device=CPU, objects=exact, **how)

    return ask


def bridged(cells: Labels) -> npt.NDArray[np.bool_]:
    """Return the cells with the third and the fourth grown together."""
    foreground = cells > 0
    foreground[2, 97:103, 900:926] = True
    return foreground


def test_it_tells_how_many_were_found_and_where_the_others_are(ask: Any) -> None:
    told = ask(Answers(bridged(CELLS)), CELLS + (CELLS == 0) * (np.arange(1200) > 1100))
    assert (told.right, told.painted, told.merged, told.split) == (2, 4, 2, 0)
    assert told.missed == (
        (2, slice(89, 112), slice(889, 912)),
        (2, slice(89, 112), slice(915, 938)),
    )
    assert str(told) == "It finds 2 of 4 objects painted whole (2 merged)."


def test_a_label_image_is_read_as_what_it_is(ask: Any) -> None:
    told = ask(Answers(bridged(CELLS)), np.where(CELLS > 0, CELLS - 1, 0), IMAGE)
    assert (told.right, told.painted) == (2, 4)


def test_only_the_surroundings_of_the_paint_are_predicted(ask: Any) -> None:
    answers = Answers(CELLS > 0)
    assert ask(answers, CELLS).right == 4
    assert answers.pixels < 0.2 * 2 * SHAPE[1] * SHAPE[2]


def test_of_very_many_objects_some_are_looked_at(ask: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(painted_review, "_PIXELS", 1000)
    assert ask(Answers(CELLS > 0), CELLS).painted == 2  # those of the first window
    answers = Answers(CELLS > 0)
    answers.seen = Reduction(2, SHAPE[1:])
    monkeypatch.setattr(painted_review, "_PIXELS", 100_000 // 4)
    assert ask(answers, CELLS).painted == 4


def test_of_scribbles_it_says_that_they_judge_nothing_and_what_would_help(ask: Any) -> None:
    answers = Answers(bridged(CELLS))
    strokes = np.zeros(SHAPE, np.int32)
    for number, (plane, y, x) in enumerate(((0, 60, 60), (2, 100, 900), (2, 100, 926)), start=2):
        strokes[plane, y - 1 : y + 2, x - 5 : x + 5] = number
    strokes[:, :4] = 1
    answers.model = replace(answers.model, record=TrainRecord(whole_objects=0))
    told = ask(answers, strokes)
    assert told.touching
    assert str(told) == TOO_LITTLE_WHERE_THEY_TOUCH
    strokes[strokes == 4] = 0  # nothing is known to have grown together
    assert str(ask(answers, strokes)) == TOO_LITTLE


def test_nothing_is_told_of_classes_or_of_nothing(ask: Any) -> None:
    answers = Answers(CELLS > 0)
    assert ask(answers, CELLS, LabelScheme(Task.CLASSES, Unpainted.IGNORED)) is None
    assert ask(answers, np.minimum(CELLS, 1)) is None  # background only
    assert ask(answers, CELLS, model=tiny_model(task=Task.CLASSES, values=(1, 2))) is None


def test_what_was_looked_at_before_a_stop_counts(ask: Any) -> None:
    answers = [False, False, True]  # before the first tile, after it, after the second
    told = ask(Answers(CELLS > 0), CELLS, stop=lambda: answers.pop(0))
    assert isinstance(told, Reviewed)
    assert 0 < told.painted < 4
    assert ask(Answers(CELLS > 0), CELLS, stop=lambda: True) is None
    assert ask(Answers(CELLS > 0), CELLS, stop=never).painted == 4
