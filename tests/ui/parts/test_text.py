"""Texts fit into a narrow dock, whatever the names in them."""

from __future__ import annotations

import pytest
from pytestqt.qtbot import QtBot

from napari_unet.ui.parts.text import Text

NAME = "20261130_experiment_7_well_B03_" * 4


@pytest.fixture
def text(qtbot: QtBot) -> Text:
    text = Text()
    qtbot.addWidget(text)
    return text


def test_a_name_without_spaces_does_not_widen_the_text(text: Text) -> None:
    text.setText("Labels are made.")
    assert text.minimumSizeHint().width() < 300
    text.setText(f"Press New labels: '{NAME}labels' has 3 planes.")
    assert text.minimumSizeHint().width() < 300
    assert "…" in text.shown_text
    assert text.shown_text.endswith("labels' has 3 planes.")  # its end is what tells it apart
    assert NAME in text.text()
    assert text.toolTip() == f"Press New labels: '{NAME}labels' has 3 planes."


def test_ordinary_text_is_left_alone(text: Text) -> None:
    for line in ("'strokes' has 3×64×40 pixels.", "A/path/of/many/short/parts/" * 5):
        text.setText(line)
        assert (text.shown_text, text.toolTip()) == (line, "")
    text.setToolTip("more")
    assert text.toolTip() == "more"


def test_the_tooltip_has_the_whole_text_first(text: Text) -> None:
    text.setToolTip("Stored on disk.")
    text.setText(NAME)
    assert text.toolTip() == f"{NAME}\nStored on disk."
    text.setToolTip("")
    assert text.toolTip() == NAME
    text.setText("short")
    assert text.toolTip() == ""


def test_rich_text_stays_whole(text: Text) -> None:
    rich = f'<font color="#d55e00">■</font>&nbsp;{"3&nbsp;misses&nbsp;·&nbsp;" * 9}'
    text.setText(rich)
    assert text.shown_text == rich
