"""Texts fit into a narrow dock, whatever the names in them."""

from __future__ import annotations

import ast
from pathlib import Path
from unittest.mock import patch

import pytest
from pytestqt.qtbot import QtBot
from qtpy.QtCore import QEvent, QPoint, Qt
from qtpy.QtGui import QHelpEvent, QTextDocument

import napari_unet
from napari_unet.engine.errors import printable
from napari_unet.ui.parts.text import PlainLabel, Text, rich_tooltip

NAME = "20261130_experiment_7_well_B03_" * 4


@pytest.fixture
def text(qtbot: QtBot) -> Text:
    text = Text()
    qtbot.addWidget(text)
    return text


def shown_tooltip(text: Text) -> str:
    where = QPoint(2, 2)
    with patch("napari_unet.ui.parts.text.QToolTip.showText") as show:
        text.event(QHelpEvent(QEvent.Type.ToolTip, where, text.mapToGlobal(where)))
    return str(show.call_args.args[1]) if show.called else text.toolTip()


def test_a_name_without_spaces_does_not_widen_the_text(text: Text) -> None:
    text.setText("Labels are made.")
    assert text.minimumSizeHint().width() < 300
    text.setText(f"Press New labels: '{NAME}labels' has 3 planes.")
    assert text.minimumSizeHint().width() < 300
    assert "…" in text.shown_text
    assert text.shown_text.endswith("labels' has 3 planes.")  # its end is what tells it apart
    assert NAME in text.text()
    assert shown_tooltip(text) == f"<qt>Press New labels: '{NAME}labels' has 3 planes.</qt>"


def test_ordinary_text_is_left_alone(text: Text) -> None:
    for line in ("'strokes' has 3×64×40 pixels.", "A/path/of/many/short/parts/" * 5):
        text.setText(line)
        assert (text.shown_text, shown_tooltip(text)) == (line, "")


def test_numbers_stay_beside_their_units(text: Text) -> None:
    text.setText("Training… background 1,204 px · paint objects (2, 3, …).")
    space = "\N{NO-BREAK SPACE}"
    shown = f"Training… background 1,204{space}px · paint objects (2,{space}3,{space}…)."
    assert (text.shown_text, shown_tooltip(text)) == (shown, "")


def test_a_pixel_size_is_not_broken_at_its_slash(text: Text) -> None:
    text.setText("10 planes · 256×256 · uint16 · 0.5 µm/px")
    shown = "10 planes · 256×256 · uint16 · 0.5\N{NO-BREAK SPACE}µm/\N{WORD JOINER}px"
    assert (text.shown_text, shown_tooltip(text)) == (shown, "")


def test_the_tooltip_has_the_whole_text_first(text: Text) -> None:
    text.setText(NAME)
    assert shown_tooltip(text) == f"<qt>{NAME}</qt>"
    text.setToolTip("Stored on disk.")
    assert shown_tooltip(text) == f"<qt>{NAME}<br>Stored on disk.</qt>"
    text.setToolTip("<qt>Stored on disk.</qt>")  # as napari makes it
    assert shown_tooltip(text) == f"<qt>{NAME}<br>Stored on disk.</qt>"
    text.setText("short < long")
    assert shown_tooltip(text) == "<qt>Stored on disk.</qt>"


def test_rich_text_stays_whole(text: Text) -> None:
    rich = f'<font color="#d55e00">■</font>&nbsp;{"3&nbsp;misses&nbsp;·&nbsp;" * 9}'
    text.set_html(rich)
    assert (text.shown_text, text.textFormat()) == (rich, Qt.TextFormat.RichText)
    text.setText("no tags")
    assert (text.shown_text, text.textFormat()) == ("no tags", Qt.TextFormat.PlainText)


EVIL = [
    "<b>bold</b>",
    '<img src="pixel.png">',
    '<a href="file:///etc">model</a>',
    "<qt><h1>hi</h1>",
]


@pytest.mark.parametrize("words", EVIL)
def test_tags_in_words_of_others_are_shown_as_they_are(words: str, qtbot: QtBot) -> None:
    plain_words, tags = PlainLabel(words), PlainLabel("a" * len(words))
    text = Text(words)
    for label in (plain_words, tags, text):
        qtbot.addWidget(label)
    assert text.textFormat() == plain_words.textFormat() == Qt.TextFormat.PlainText
    assert plain_words.sizeHint().height() == tags.sizeHint().height()
    text.setText(f"{words} {NAME}")
    assert not Qt.mightBeRichText(printable(words))  # type: ignore[attr-defined]
    assert printable(words).replace("\N{WORD JOINER}", "") == words
    for tooltip in (rich_tooltip(words), shown_tooltip(text)):
        document = QTextDocument()
        document.setHtml(tooltip)
        assert document.toPlainText().startswith(words)


def test_no_label_of_the_window_takes_tags_at_their_word() -> None:
    package = Path(napari_unet.__file__).parent / "ui"
    made = {
        (path.name, ast.unparse(node.func))
        for path in package.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith(("Label", "Text"))
    }
    assert ("step.py", "PlainLabel") in made
    assert {name for name in made if name[1] == "QLabel"} == set()
