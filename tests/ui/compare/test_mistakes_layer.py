"""Mistakes lie on the result, name themselves, and take memory only where there are some."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from napari.components import ViewerModel
from napari.layers import Labels
from pytestqt.qtbot import QtBot

from napari_unet.ui.compare.mistakes_layer import MistakesLayer, blank_mistakes
from napari_unet.ui.layers.added import Purpose, purpose

KINDS = {1: "false positive", 2: "miss"}


class HugeStack:
    """Ten thousand planes that are in no memory."""

    shape = (10_000, 4096, 4096)
    ndim = 3
    size = 10_000 * 4096 * 4096
    dtype = np.dtype(np.uint16)

    def __getitem__(self, index: object) -> npt.NDArray[np.uint16]:
        return np.zeros((4096, 4096), self.dtype)


@pytest.fixture
def result(viewer: ViewerModel) -> Labels:
    return viewer.add_labels(np.zeros((3, 64, 48), np.int32), name="result", scale=(3, 1, 1))


def test_memory_is_taken_only_where_something_is_written() -> None:
    array = blank_mistakes(Labels(HugeStack()))
    assert array.shape == HugeStack.shape
    assert array.nchunks_initialized == 0
    array[7] = np.eye(4096, dtype=np.uint8)
    assert array.nchunks_initialized <= 4  # of one plane
    assert array.nbytes_stored() < 1_000_000
    assert array[7, 100, 100] == 1
    assert not array[8, :10, :10].any()


def test_a_mistake_is_named_when_the_mouse_is_over_it(
    viewer: ViewerModel, result: Labels, qtbot: QtBot
) -> None:
    array = blank_mistakes(result)
    layer = MistakesLayer(viewer).begin(array, result, KINDS)
    array[1, 5, 6] = 2
    viewer.dims.set_current_step(0, 1)
    layer.refresh()
    assert purpose(layer) is Purpose.MISTAKES
    assert "mistake: miss" in layer.get_status((1, 5, 6))["coordinates"]
    assert "mistake: none" in layer.get_status((1, 9, 9))["coordinates"]


def test_only_a_plane_in_sight_is_drawn_again(
    viewer: ViewerModel, result: Labels, qtbot: QtBot
) -> None:
    shown = MistakesLayer(viewer)
    layer = shown.begin(blank_mistakes(result), result, KINDS)
    viewer.dims.set_current_step(0, 1)
    drawn: list[object] = []
    layer.events.set_data.connect(drawn.append)
    shown.show((2,))
    qtbot.wait(150)
    assert drawn == []
    shown.show((1,))
    qtbot.waitUntil(lambda: bool(drawn))
    shown.release()


def test_a_removed_layer_is_not_missed(viewer: ViewerModel, result: Labels) -> None:
    shown = MistakesLayer(viewer)
    layer = shown.begin(blank_mistakes(result), result, KINDS)
    viewer.layers.remove(layer)
    assert shown.layer is None
    shown.show((0,))
    again = shown.begin(blank_mistakes(result), result, KINDS)
    assert again.name == "result mistakes"
    shown.release()
    assert again in viewer.layers
