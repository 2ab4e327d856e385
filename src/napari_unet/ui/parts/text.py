"""Lines of text that fit into a narrow dock, whatever the names in them."""

from __future__ import annotations

import re

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QLabel, QWidget

__all__ = ["Text"]

_LONGEST = 14  # of a word, in widths of the letter M
_TAG = re.compile(r"</[a-z]+>")
_WORD = re.compile(r"[^\s/\\-]+")  # Qt breaks a line after / and -, but nowhere else in a name


class Text(QLabel):
    """Text that is broken into lines.

    A word that is too long for a line, as names of files and layers are, is cut in its middle,
    since their ends tell them apart; the tooltip then has the text as it is. Rich text is left
    alone.
    """

    def __init__(self, text: str = "", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._text = ""
        self._tooltip = ""
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
        self._text = text or ""
        is_rich = _TAG.search(self._text) is not None
        super().setText(self._text if is_rich else _WORD.sub(self._fitting, self._text))
        self.setToolTip(self._tooltip)

    def setToolTip(self, text: str | None) -> None:  # noqa: N802 Qt
        """Tell this, below the whole text if that is cut."""
        self._tooltip = text or ""
        whole = self._text if self.shown_text != self._text else ""
        super().setToolTip("\n".join(filter(None, (whole, self._tooltip))))

    def _fitting(self, word: re.Match[str]) -> str:
        metrics = self.fontMetrics()
        most = _LONGEST * metrics.horizontalAdvance("M")
        return metrics.elidedText(word[0], Qt.TextElideMode.ElideMiddle, most)
