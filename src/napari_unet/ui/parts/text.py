"""Lines of text that fit into a narrow dock, whatever the names in them."""

from __future__ import annotations

import html
import re

from qtpy.QtCore import QEvent, Qt
from qtpy.QtGui import QHelpEvent
from qtpy.QtWidgets import QLabel, QToolTip, QWidget

_LONGEST = 17  # of a word, in widths of the letter M
_TAG = re.compile(r"</[a-z]+>")
_WORD = re.compile(r"[^\s/\\]+")  # Qt breaks paths at their folders
_BOUND = re.compile(r"(?<=\d) (?=(?:px|s|min|h|ms|µm)\b)|(?<=\d,) (?=[\d…])")
_PER = re.compile(r"(?<=[mµ]m/)(?=px\b)")  # Qt would break after the slash
_CUT = "\N{WORD JOINER}…\N{WORD JOINER}"  # where a line does not end


class Text(QLabel):
    """Text that is broken into lines.

    A word that is too long for a line, as names of files and layers are, is cut in its middle,
    since their ends tell them apart; the tooltip then has the text as it is. Numbers stay beside
    their units. Rich text is left alone.
    """

    def __init__(self, text: str = "", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._text = ""
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
        """Show this."""
        if text == self._text:
            return
        self._text = text or ""
        is_rich = _TAG.search(self._text) is not None
        super().setText(self._text if is_rich else self._laid_out())

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
    """Return texts, each on lines of its own, as a tooltip; empty ones are left out.

    A text that is such a tooltip already, as napari makes of all plain ones, stays as it is.
    """
    parts = [text if text.startswith("<qt>") else _escaped(text) for text in texts if text]
    inner = "<br>".join(part.removeprefix("<qt>").removesuffix("</qt>") for part in parts)
    return f"<qt>{inner}</qt>" if inner else ""


def show_above(text: str, widget: QWidget, event: QEvent | None) -> bool:
    """Show a text above the widget's own tooltip, if the event asks for one; False: no text."""
    if not text or not isinstance(event, QHelpEvent) or event.type() != QEvent.Type.ToolTip:
        return False
    QToolTip.showText(event.globalPos(), rich_tooltip(text, widget.toolTip()), widget)
    return True


def _escaped(text: str) -> str:
    return html.escape(text, quote=False).replace("\n", "<br>")
