"""Layers come without a word about the selection, and where they belong."""

from __future__ import annotations

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Image, Labels

from napari_unet.ui.layers.added import add_unselected


@pytest.fixture
def layer() -> Labels:
    return Labels(np.zeros((3, 8, 8), np.int32), name="new")


@pytest.mark.parametrize("chosen", [set(), {"strokes"}, {"cells", "strokes"}])
def test_what_is_selected_stays_so_and_nobody_is_told(
    viewer: ViewerModel, image: Image, labels: Labels, layer: Labels, chosen: set[str]
) -> None:
    selection = viewer.layers.selection
    viewer.layers.selection = {viewer.layers[name] for name in chosen}
    active = selection.active
    told: list[object] = []
    selection.events.connect(told.append)
    add_unselected(viewer, layer, above=image)
    assert layer in viewer.layers
    assert {selected.name for selected in selection} == chosen
    assert selection.active is active
    assert told == []


def test_the_selection_is_told_of_again_afterwards(
    viewer: ViewerModel, image: Image, labels: Labels, layer: Labels
) -> None:
    viewer.layers.selection.active = labels
    add_unselected(viewer, layer)
    told: list[object] = []
    viewer.layers.selection.events.active.connect(lambda event: told.append(event.value))
    for chosen in (image, layer, labels):
        viewer.layers.selection.active = chosen
        assert told[-1] is chosen


def test_it_lies_right_above_another_else_on_top(
    viewer: ViewerModel, image: Image, labels: Labels, layer: Labels
) -> None:
    add_unselected(viewer, layer, above=image)
    add_unselected(viewer, Labels(layer.data, name="top"))
    add_unselected(viewer, Labels(layer.data, name="last"), above=Image(np.zeros((8, 8))))
    assert [each.name for each in viewer.layers] == ["cells", "new", "strokes", "top", "last"]
