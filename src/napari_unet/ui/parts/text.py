"""Lines of text that fit into a narrow dock, whatever the names in them."""

from __future__ import annotations

import html
import re

from qtpy.QtCore import QEvent, Qt
from qtpy.QtGui import QHelpEvent
from qtpy.QtWidgets import QLabel, QToolTip, QWidget

_LONGEST = 17  # of a word, in widths of the letter M
_WORD = re.compile(r"[^\s/\\]+")  # Qt breaks paths at their folders
_BOUND = re.compile(r"(?<=\d) (?=(?:px|s|min|h|ms|µm)\b)|(?<=\d,) (?=[\d…])")
_PER = re.compile(r"(?<=[mµ]m/)(?=px\b)")  # Qt would break after the slash
_CUT = "\N{WORD JOINER}…\N{WORD JOINER}"  # where a line does not end


class PlainLabel(QLabel):
    """A label that shows its text letter by letter.

    Names of layers and words of models come from files, and Qt's own labels would take tags in
    them at their word: load a picture, or offer a link.
    """

    def __init__(self, text: str = "", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setText(text)


class Text(PlainLabel):
    """Text that is broken into lines.

    A word that is too long for a line, as names of files and layers are, is cut in its middle,
    since their ends tell them apart; the tooltip then has the text as it is. Numbers stay beside
    their units.
    """

    def __init__(self, text: str = "", parent: QWidget | None = None) -> None:
        self._text = ""
        super().__init__(parent=parent)
        self.setWordWrap(True)
        self.setText(text)

    @property
    def shown_text(self) -> str:
        """The text as it is shown, with long words cut."""
        return super().text()

    def text(self) -> str:
        """Return the whole text."""
        return self._text

    def setText(self, text: str | None) -> None:  # noqa: N802 Qt
        """Show this, letter by letter."""
        if text == self._text:
            return
        self._text = text or ""
        self.setTextFormat(Qt.TextFormat.PlainText)
        super().setText(self._laid_out())

    def set_html(self, html: str) -> None:
        """Show this with its tags; nothing in it may come from a file."""
        self._text = html
        self.setTextFormat(Qt.TextFormat.RichText)
        super().setText(html)

    def event(self, event: QEvent | None) -> bool:
        """Tell the whole text in the tooltip if it is cut."""
        whole = self._text if _CUT in self.shown_text else ""
        return show_above(whole, self, event) or super().event(event)

    def _laid_out(self) -> str:
        """Return the text with long words cut, and numbers that stay beside their units."""
        fitting = _WORD.sub(self._fitting, self._text)
        return _PER.sub("\N{WORD JOINER}", _BOUND.sub("\N{NO-BREAK SPACE}", fitting))

    def _fitting(self, word: re.Match[str]) -> str:
        metrics = self.fontMetrics()
        most = _LONGEST * metrics.horizontalAdvance("M")
        if metrics.horizontalAdvance(word[0]) <= most:
            return word[0]
        cut = metrics.elidedText(word[0], Qt.TextElideMode.ElideMiddle, most)
        return cut.replace("…", _CUT)


def rich_tooltip(*texts: str) -> str:
    """Return texts, each on lines of its own, as a tooltip; empty ones are left out."""
    inner = "<br>".join(_escaped(text) for text in texts if text)
    return f"<qt>{inner}</qt>" if inner else ""


def show_above(text: str, widget: QWidget, event: QEvent | None) -> bool:
    """Show a text above the widget's own tooltip, if the event asks for one; False: no text."""
    if not text or not isinstance(event, QHelpEvent) or event.type() != QEvent.Type.ToolTip:
        return False
    above, own = rich_tooltip(text), widget.toolTip()
    if own and not own.startswith("<qt>"):  # napari makes such of all plain ones
        own = rich_tooltip(own)
    both = f"{above.removesuffix('</qt>')}<br>{own.removeprefix('<qt>')}" if own else above
    QToolTip.showText(event.globalPos(), both, widget)
    return True


def _escaped(text: str) -> str:
    return html.escape(text, quote=False).replace("\n", "<br>")
