"""What a stroke has changed is read from napari's event."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Labels
from pytestqt.qtbot import QtBot

from napari_unet.ui.layers.paint_event import is_painted_in, largest_painted, painted_planes


@pytest.mark.parametrize("shape", [(3, 64, 48), (2, 3, 64, 48), (64, 48)])
def test_the_planes_of_an_edit_are_known(shape: tuple[int, ...], qtbot: QtBot) -> None:
    layer = Labels(np.zeros(shape, np.int32))
    edits: list[Any] = []
    layer.events.paint.connect(lambda event: edits.append(event.value))
    at = (1,) * (len(shape) - 2)
    layer.paint((*at, 10, 10), 7)
    layer.fill((*at, 40, 40), 9)
    layer.data_setitem(tuple(np.array([i]) for i in (*at, 0, 0)), 12)
    leading = shape[:-2]
    plane = int(np.ravel_multi_index(at, leading)) if leading else 0
    assert [painted_planes(edit, leading) for edit in edits] == [frozenset({plane})] * 3
    assert [largest_painted(edit) for edit in edits] == [7, 9, 12]


def test_a_stroke_is_only_where_its_pixels_are(labels: Labels) -> None:
    told: list[Any] = []
    labels.events.paint.connect(lambda event: told.append(event.value))
    labels.paint_polygon([(1, 0, 0), (1, 40, 0), (1, 0, 40)], 2)  # half of its box
    (changes,) = told

    def painted(plane: int, y: slice, x: slice) -> bool:
        return is_painted_in(changes, (slice(plane, plane + 1), y, x))

    assert painted(1, slice(0, 8), slice(0, 8))
    assert painted(1, slice(16, 30), slice(16, 30))  # its edge
    assert not painted(1, slice(30, 64), slice(30, 48))  # in the box
    assert not painted(1, slice(50, 64), slice(0, 48))
    assert not painted(0, slice(0, 8), slice(0, 8))


def test_an_outline_that_the_brush_fills_is_one_edit_and_one_undo(
    viewer: ViewerModel, labels: Labels
) -> None:
    if not hasattr(labels, "_begin_stroke"):
        pytest.skip("this napari's brush does not fill")
    viewer.dims.set_current_step(0, 1)
    told: list[Any] = []
    labels.events.paint.connect(lambda event: told.append(event.value))
    corners = [(1, 10, 10), (1, 10, 30), (1, 40, 30), (1, 40, 10), (1, 10, 10)]
    labels.selected_label = 5
    labels._begin_stroke()  # as the right button of the mouse does
    for last, corner in pairwise(corners):
        labels._draw(5, last, corner)
    labels.paint_polygon(corners, 5)
    labels._commit_stroke()
    (changes,) = told
    assert painted_planes(changes, (3,)) == frozenset({1})
    assert largest_painted(changes) == 5
    assert is_painted_in(changes, (slice(1, 2), slice(25, 26), slice(20, 21)))  # inside
    assert (labels.data[1, 10:41, 10:31] == 5).all()
    labels.undo()
    assert not labels.data.any()


def test_changes_of_an_unknown_kind_may_be_anywhere() -> None:
    changes = [object()]
    assert painted_planes(changes, (3,)) is None
    assert largest_painted(changes) == 0
    assert is_painted_in(changes, (slice(0, 1), slice(0, 8), slice(0, 8)))
