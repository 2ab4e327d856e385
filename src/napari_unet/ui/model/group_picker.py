"""A choice of things in named groups."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from qtpy.QtCore import QSignalBlocker, Qt, Signal  # type: ignore[attr-defined]
from qtpy.QtGui import QStandardItem, QStandardItemModel, QWheelEvent

from napari_unet.ui.parts.pickers import NarrowBox
from napari_unet.ui.parts.text import rich_tooltip


@dataclass(frozen=True, slots=True)
class Entry:
    """Something to choose, or to see that it cannot be chosen."""

    text: str
    thing: Any
    tooltip: str = ""
    usable: bool = True


class GroupPicker(NarrowBox):
    """One of the things in some groups; empty groups are left out.

    `picked` tells only what people pick, by mouse or keyboard, not what `offer` shows.
    """

    picked = Signal(object)  # the thing

    def __init__(self) -> None:
        super().__init__()
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self._offered: dict[str, tuple[Entry, ...]] = {}
        self._things: dict[int, Any] = {}  # row → thing
        self.activated.connect(self._on_activated)

    def offer(self, groups: Mapping[str, Sequence[Entry]], thing: Any) -> None:
        """Replace what there is to choose from, and show one of the things, or none."""
        offered = {title: tuple(entries) for title, entries in groups.items() if entries}
        with QSignalBlocker(self):
            if offered != self._offered:  # an open list is not closed for nothing
                self._offered = offered
                self._fill()
            rows = [row for row, other in self._things.items() if other is thing or other == thing]
            self.setCurrentIndex(rows[0] if rows else -1)

    def wheelEvent(self, event: QWheelEvent | None) -> None:  # noqa: N802 Qt
        """Scroll the dock, unless the picker has the focus: a model is not chosen in passing."""
        if self.hasFocus():
            super().wheelEvent(event)
        elif event is not None:
            event.ignore()

    def _fill(self) -> None:
        items = QStandardItemModel(self)
        self._things = {}
        for title, entries in self._offered.items():
            items.appendRow(_heading(title))
            for entry in entries:
                self._things[items.rowCount()] = entry.thing
                items.appendRow(_item(entry))
        self.setModel(items)

    def _on_activated(self, row: int) -> None:
        if row in self._things:
            self.picked.emit(self._things[row])


def _heading(title: str) -> QStandardItem:
    item = QStandardItem(title)
    item.setFlags(Qt.ItemFlag.NoItemFlags)
    font = item.font()
    font.setBold(True)
    item.setFont(font)
    return item


def _item(entry: Entry) -> QStandardItem:
    item = QStandardItem(entry.text)
    item.setToolTip(rich_tooltip(entry.tooltip or entry.text))
    item.setEnabled(entry.usable)
    return item
