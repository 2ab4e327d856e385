"""Bars: where they are, and what they say under the mouse."""

from __future__ import annotations

import numpy as np
import pytest
from pytestqt.qtbot import QtBot

from napari_unet.ui.parts.bars import BarPlot
from napari_unet.ui.parts.curves import ticks
from napari_unet.ui.parts.ink import Ink, number_text


@pytest.fixture
def plot(qtbot: QtBot) -> BarPlot:
    plot = BarPlot()
    qtbot.addWidget(plot)
    plot.resize(300, plot.height())
    return plot


def blue_columns(plot: BarPlot) -> int:
    """Return how many columns of the picture have something blue in them."""
    picture = plot.grab().toImage()
    blue = [
        any(
            (colour := picture.pixelColor(x, y)).blue() > colour.red() + 60
            for y in range(picture.height())
        )
        for x in range(picture.width())
    ]
    return sum(blue)


def test_a_histogram_has_a_bar_where_there_are_values(plot: BarPlot) -> None:
    plot.show_histogram(np.array([0.0, 0.1, 0.2, 9.9, 10.0, np.nan, np.inf]), "Histogram")
    assert plot.value_at(0) == "0–2: 3"
    assert plot.value_at(150) == "4–6: 0"
    assert plot.value_at(10_000) == "8–10: 2"
    assert 80 < blue_columns(plot) < 140  # two of five bars
    assert plot.accessibleName() == "Histogram"


def test_one_value_only_is_a_bar(plot: BarPlot) -> None:
    plot.show_histogram(np.full(9, 3.0), "Histogram")
    assert plot.value_at(160) == "2.9–3.1: 9"
    assert blue_columns(plot) > 20


def test_numbers_per_plane_are_bars_of_their_own(plot: BarPlot) -> None:
    plot.show_numbers(np.array([4, 0, 2]), 0, "Objects")
    assert [plot.value_at(x) for x in (60, 160, 280)] == ["0: 4", "1: 0", "2: 2"]


def test_nothing_to_plot_is_nothing(plot: BarPlot) -> None:
    for values in (np.zeros(0), np.array([np.nan])):
        plot.show_histogram(values, "Histogram")
        assert plot.value_at(100) == ""
        assert blue_columns(plot) == 0


def test_long_numbers_are_whole_and_have_room(
    plot: BarPlot, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[tuple[str, float]] = []
    monkeypatch.setattr(
        Ink,
        "draw_values",
        lambda _ink, scale, _colour, place, _side: written.extend(
            (number_text(value), place) for value in ticks(scale.limit)
        ),
    )
    plot.show_histogram(np.full(50_176, 123_456.0), "Histogram")
    plot.grab()
    assert [text for text, _ in written] == ["0", "50,000", "100,000"]
    text, place = written[-1]
    assert plot.fontMetrics().horizontalAdvance(text) < place
    assert plot.value_at(150).startswith("123,456–")
