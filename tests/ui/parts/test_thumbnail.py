"""Thumbnails show the whole picture, its frame and its name."""

from __future__ import annotations

import numpy as np
import pytest
from pytestqt.qtbot import QtBot

from napari_unet.ui.parts.thumbnail import _FRAME, Thumbnail


@pytest.fixture
def thumbnail(qtbot: QtBot) -> Thumbnail:
    thumbnail = Thumbnail("Patch", "Grey values.")
    qtbot.addWidget(thumbnail)
    thumbnail.resize(84, thumbnail.height())
    return thumbnail


def colour(thumbnail: Thumbnail, x: int, y: int) -> str:
    return str(thumbnail.grab().toImage().pixelColor(x, y).name())


def test_the_quarters_are_in_their_places(thumbnail: Thumbnail) -> None:
    colours = np.zeros((2, 2, 4))
    colours[..., 3] = 1
    colours[0, 1, 1] = 1  # green, on the right of the top
    colours[1, 0, 2] = 1  # blue, on the left of the bottom
    thumbnail.show_colours(colours)
    seen = [colour(thumbnail, x, y) for x, y in ((10, 10), (70, 10), (10, 70), (70, 70))]
    assert seen == ["#000000", "#00ff00", "#0000ff", "#000000"]


def test_the_frame_marks_the_margin(thumbnail: Thumbnail) -> None:
    thumbnail.show_colours(np.ones((42, 42, 4)), margin=10)
    row = [colour(thumbnail, x, 42) for x in range(84)]
    marked = [x for x, name in enumerate(row) if name == _FRAME]
    assert marked
    assert all(min(abs(x - 20), abs(x - 64)) <= 1 for x in marked)
    thumbnail.show_colours(np.ones((42, 42, 4)))
    assert _FRAME not in [colour(thumbnail, x, 42) for x in range(84)]


def test_it_has_a_name_for_those_who_do_not_see_it(thumbnail: Thumbnail) -> None:
    assert thumbnail.accessibleName() == "Patch"
    assert thumbnail.accessibleDescription() == thumbnail.toolTip() == "Grey values."


def test_it_does_not_widen_the_dock(thumbnail: Thumbnail) -> None:
    assert thumbnail.minimumSizeHint().width() < 20
