"""Lines of text that fit into a narrow dock, whatever the names in them."""

from __future__ import annotations

import re

from qtpy.QtCore import QEvent, Qt
from qtpy.QtWidgets import QLabel, QWidget

from napari_unet.ui.parts.tooltips import show_above

__all__ = ["Text"]

_LONGEST = 17  # of a word, in widths of the letter M
_TAG = re.compile(r"</[a-z]+>")
_WORD = re.compile(r"[^\s/\\]+")  # Qt breaks paths at their folders
_BOUND = re.compile(r"(?<=\d) (?=(?:px|s|min|h|ms|µm)\b)|(?<=\d,) (?=[\d…])")
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
        return _BOUND.sub("\N{NO-BREAK SPACE}", _WORD.sub(self._fitting, self._text))

    def _fitting(self, word: re.Match[str]) -> str:
        metrics = self.fontMetrics()
        most = _LONGEST * metrics.horizontalAdvance("M")
        if metrics.horizontalAdvance(word[0]) <= most:
            return word[0]
        cut = metrics.elidedText(word[0], Qt.TextElideMode.ElideMiddle, most)
        return cut.replace("…", _CUT)
