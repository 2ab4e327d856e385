"""Tooltips that are broken into lines: Qt does so with rich text only."""

from __future__ import annotations

import html

from qtpy.QtCore import QEvent
from qtpy.QtGui import QHelpEvent
from qtpy.QtWidgets import QToolTip, QWidget

__all__ = ["lines", "show_above"]


def lines(*texts: str) -> str:
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
    QToolTip.showText(event.globalPos(), lines(text, widget.toolTip()), widget)
    return True


def _escaped(text: str) -> str:
    return html.escape(text, quote=False).replace("\n", "<br>")
