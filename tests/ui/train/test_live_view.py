"""What a training run is told: the view once it has settled, and what was painted."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Image, Labels
from pytestqt.qtbot import QtBot

from napari_unet.engine.events import View
from napari_unet.ui.layers.painted_planes import PaintedPlanesTracker
from napari_unet.ui.train.live_view import LiveView

WHOLE = slice(0, 64), slice(0, 48)


@pytest.fixture
def live(viewer: ViewerModel, image: Image, labels: Labels, qtbot: QtBot) -> Iterator[LiveView]:
    live = LiveView(viewer, image, PaintedPlanesTracker(labels, viewer))
    yield live
    live.release()


def test_the_view_is_there_from_the_start(live: LiveView) -> None:
    assert live.view() == View(1, *WHOLE)


def test_it_follows_the_user_to_another_plane(
    live: LiveView, viewer: ViewerModel, qtbot: QtBot
) -> None:
    viewer.dims.set_current_step(0, 2)
    qtbot.waitUntil(lambda: live.view() == View(2, *WHOLE), timeout=2000)


def test_nothing_is_previewed_while_people_scroll(live: LiveView, viewer: ViewerModel) -> None:
    for step in (2, 0, 2, 0):
        viewer.dims.set_current_step(0, step)
        live._look()
        assert live.view() == View(1, *WHOLE)
    live._look()
    assert live.view() == View(0, *WHOLE)


def test_other_data_in_the_layer_is_not_previewed(
    live: LiveView, viewer: ViewerModel, image: Image
) -> None:
    before, image.data = image.data, np.zeros((7, 80, 80), np.uint8)
    viewer.dims.set_current_step(0, 6)  # the run, which reads the array before, has no such plane
    for _ in range(2):
        live._look()
    assert live.view() is None
    image.data = before
    viewer.dims.set_current_step(0, 2)
    for _ in range(2):
        live._look()
    assert live.view() == View(2, *WHOLE)


def test_without_previews_there_is_no_view(
    viewer: ViewerModel, image: Image, labels: Labels, qtbot: QtBot
) -> None:
    tracker = PaintedPlanesTracker(labels, viewer)
    live = LiveView(viewer, image, tracker, preview=False)
    assert live.view() is None
    assert not live._timer.isActive()
    live.release()


def test_strokes_are_told_of_once(live: LiveView, labels: Labels) -> None:
    labels.data_setitem((np.array([2]), np.array([5]), np.array([5])), 1)
    assert live.take_painted() == {2}
    assert live.take_painted() == frozenset()


def test_once_released_nothing_is_watched(
    viewer: ViewerModel, image: Image, labels: Labels
) -> None:
    before = {name: len(labels.events[name].callbacks) for name in ("paint", "data", "set_data")}
    live = LiveView(viewer, image, PaintedPlanesTracker(labels, viewer))
    live.release()
    assert live.view() is None
    assert before == {name: len(labels.events[name].callbacks) for name in before}
    gone = weakref.ref(live)
    del live
    gc.collect()
    assert gone() is None
