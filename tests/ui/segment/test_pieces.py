"""More pieces or fewer: the result in its layer is cut anew, and nothing is predicted again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from napari.components import ViewerModel
from napari.layers import Image
from pytestqt.qtbot import QtBot

from napari_unet.config import ObjectsConfig, OutputKind, TilingConfig
from napari_unet.engine import prediction
from napari_unet.engine.events import PlaneDone
from napari_unet.io import kept_planes
from napari_unet.ui.layers.inputs import image_planes
from napari_unet.ui.runner import JobState
from napari_unet.ui.segment.control import Scope, Segmentation
from napari_unet.ui.segment.pieces import Pieces
from napari_unet.ui.workbench import CurrentModel, Workbench
from tests.engine.tiny import segment, tiny_model
from tests.ui.conftest import CPU, endless_job

MODEL = tiny_model(shape_field=True)
MANY = ObjectsConfig(neck=0.9, min_size=4)
TILING = TilingConfig(tile=64)


def predicted(image: Image, neck: float) -> npt.NDArray[np.int32]:
    """Return the foreground's objects as predicting with this neck gives them."""
    labels = np.zeros(image.data.shape, np.int32)
    objects = ObjectsConfig(neck=neck, min_size=4)
    for event in segment(MODEL, image_planes([image]), device=CPU, objects=objects, tiling=TILING):
        if isinstance(event, PlaneDone):
            labels[event.plane] = event.labels
    return labels


def as_sets(labels: npt.NDArray[np.int32]) -> set[bytes]:
    return {(labels == number).tobytes() for number in np.unique(labels[labels > 0])}


@pytest.fixture
def bench(viewer: ViewerModel, image: Image, qtbot: QtBot) -> Iterator[Workbench]:
    bench = Workbench(viewer)
    bench.use_device(CPU)
    bench.choose(images=(image,), start=CurrentModel("mine", MODEL))
    yield bench
    bench.close()


@pytest.fixture
def segmentation(bench: Workbench) -> Iterator[Segmentation]:
    control = Segmentation(bench)
    yield control
    control.release()


@pytest.fixture
def pieces(segmentation: Segmentation, qtbot: QtBot) -> Pieces:
    """Of a stack that was segmented into many objects."""
    with qtbot.waitSignal(segmentation.workbench.ended):
        segmentation.start(Scope.STACK, OutputKind.LABELS, TILING, MANY)
    return segmentation.pieces


@pytest.fixture
def said(bench: Workbench) -> list[str]:
    """What the line at the bottom says."""
    lines: list[str] = []
    bench.progressed.connect(lambda progress: lines.append(progress.text))
    return lines


@pytest.fixture
def cut(pieces: Pieces, bench: Workbench, qtbot: QtBot) -> Callable[[float], None]:
    """Wish for other pieces, and wait until they are there."""

    def cut(neck: float) -> None:
        with qtbot.waitSignal(bench.ended):
            pieces.cut_at(neck)

    return cut


def test_the_result_is_cut_anew_in_its_layer_without_predicting(
    cut: Callable[[float], None],
    bench: Workbench,
    image: Image,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(prediction, "segment", None)
    layer: Any = bench.choices.result
    layers, array, before = list(bench.viewer.layers), layer.data, layer.data.copy()

    cut(0.2)

    assert list(bench.viewer.layers) == layers
    assert layer.data is array
    assert len(np.unique(array)) < len(np.unique(before))
    assert as_sets(array) == as_sets(predicted(image, 0.2))
    assert layer.editable


def test_afterwards_it_is_a_finished_result_of_that_setting(
    cut: Callable[[float], None], segmentation: Segmentation
) -> None:
    cut(0.2)

    fewer = ObjectsConfig(neck=0.2, min_size=4)
    kinds = OutputKind.LABELS, TILING
    assert segmentation.missing(Scope.STACK, *kinds, fewer) is None
    (record,) = segmentation.last
    assert record.missing == 0
    assert record.recipe.plan.objects == fewer


def test_a_plane_that_was_corrected_by_hand_stays_and_the_window_says_so(
    cut: Callable[[float], None], said: list[str], bench: Workbench, image: Image
) -> None:
    layer: Any = bench.choices.result
    layer.selected_label = 77
    layer.paint((1, 20, 20), 77)
    corrected = layer.data[1].copy()

    cut(0.2)

    np.testing.assert_array_equal(layer.data[1], corrected)
    assert said[-1].endswith("objects. 1 plane corrected by hand stays as it is.")
    others = layer.data[[0, 2]]
    assert as_sets(others) == as_sets(predicted(image, 0.2)[[0, 2]])
    layer.undo()
    assert as_sets(layer.data[[0, 2]]) == as_sets(others)


def test_a_wish_waits_until_nothing_else_runs(
    pieces: Pieces, segmentation: Segmentation, bench: Workbench, qtbot: QtBot
) -> None:
    layer: Any = bench.choices.result
    before = layer.data.copy()
    bench.run("Training", endless_job("step", last="end"))
    pieces.cut_at(0.2)
    later = "The pieces change when nothing else runs."
    qtbot.waitUntil(lambda: segmentation.summary.endswith(later))
    np.testing.assert_array_equal(layer.data, before)

    bench.stop()

    qtbot.waitUntil(lambda: len(np.unique(layer.data)) < len(np.unique(before)))
    assert not segmentation.summary.endswith(later)


def test_a_result_that_is_painted_on_stays_and_the_window_says_so(
    pieces: Pieces, said: list[str], bench: Workbench, qtbot: QtBot
) -> None:
    layer: Any = bench.choices.result
    before = layer.data.copy()
    bench.choose(labels=layer)

    pieces.cut_at(0.2)

    qtbot.waitUntil(
        lambda: said[-1:] == ["'cells segmentation' was changed by hand and stays as it is."]
    )
    np.testing.assert_array_equal(layer.data, before)


@pytest.mark.parametrize("shape", [(2, 64, 48), (5, 64, 48), (3, 40, 40), (64, 48)])
def test_a_result_of_data_that_are_shown_no_more_stays_and_the_window_says_so(
    pieces: Pieces,
    said: list[str],
    bench: Workbench,
    image: Image,
    qtbot: QtBot,
    shape: tuple[int, ...],
) -> None:
    layer: Any = bench.choices.result
    before = layer.data.copy()
    image.data = np.ones(shape, np.uint8)

    pieces.cut_at(0.2)

    told = "'cells' shows other data than 'cells segmentation' was made of; segment again."
    qtbot.waitUntil(lambda: said[-1:] == [told])
    np.testing.assert_array_equal(layer.data, before)


def test_the_last_of_several_wishes_counts(pieces: Pieces, bench: Workbench, qtbot: QtBot) -> None:
    for neck in (0.8, 0.5, 0.3):
        pieces.cut_at(neck)
    with qtbot.waitSignal(bench.ended):
        pass
    assert pieces._segmentation.last[0].recipe.plan.objects.neck == 0.3


def test_buttons_do_not_flicker_while_a_small_result_is_cut(
    cut: Callable[[float], None], bench: Workbench
) -> None:
    told: list[JobState] = []
    bench.runner.state_changed.connect(told.append)

    cut(0.2)

    assert told == [JobState.IDLE]


def test_what_there_was_no_room_for_stays_and_the_window_says_so(
    segmentation: Segmentation,
    said: list[str],
    bench: Workbench,
    qtbot: QtBot,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(kept_planes, "_MOST", 10)
    pieces = segmentation.pieces
    with qtbot.waitSignal(bench.ended):
        segmentation.start(Scope.STACK, OutputKind.LABELS, TILING, MANY)
    layer: Any = bench.choices.result
    before = layer.data.copy()

    pieces.cut_at(0.2)

    stays = "3 planes of which only the objects are kept stay as they are."
    qtbot.waitUntil(lambda: said[-1] == stays)
    np.testing.assert_array_equal(layer.data, before)
