"""The legend: what each number means, in its colour; a click on a row paints with it."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from napari.layers import Labels
from qtpy.QtCore import QRect, QSize, Qt, Signal  # type: ignore[attr-defined]
from qtpy.QtGui import QColor, QIcon, QPainter, QPixmap
from qtpy.QtWidgets import QHBoxLayout, QLineEdit, QPushButton, QVBoxLayout, QWidget

from napari_unet.config import Task
from napari_unet.engine.paint import LabelScheme
from napari_unet.ui.labels.class_names import class_names, name_class
from napari_unet.ui.layers.follower import Follower

_MOST_ROWS = 24  # of classes; more are painted by number


@dataclass(frozen=True, slots=True)
class Entry:
    """One row."""

    labels: tuple[int, ...]  # whose colours are shown
    text: str
    is_class: bool = False  # it can be named
    onwards: bool = False  # stands for all labels from the first on: objects

    def holds(self, label: int) -> bool:
        """Return True if the row stands for this label."""
        return label >= self.labels[0] if self.onwards else label in self.labels


def entries(scheme: LabelScheme, classes: int) -> tuple[Entry, ...]:
    """Return the rows for these labels, of which the first `classes` classes are shown."""
    background, first = scheme.background, scheme.first
    if scheme.task is Task.OBJECTS and background is not None:
        note = "" if background else ": what is not painted"
        return (
            Entry((background,), f"{background}  background{note}"),
            Entry((first, first + 1, first + 2), f"{first}, {first + 1}, …  objects", onwards=True),
        )
    rows = tuple(
        Entry((number,), str(number), is_class=True)
        for number in range(1, min(classes, _MOST_ROWS) + 1)
    )
    return rows if background is None else (Entry((0,), "0  what is not painted"), *rows)


class Legend(QWidget):
    """Rows of colour, number and meaning; follows the layer's colours, names and selected label."""

    label_clicked = Signal(int)
    objects_clicked = Signal()  # the next one is to be painted
    add_clicked = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._labels: Labels | None = None
        self._entries: tuple[Entry, ...] = ()
        self._rows: list[_Row] = []
        self._follower = Follower(self._refresh, "colormap", "selected_label", "features")
        self._add = QPushButton("+ Class")
        self._add.setToolTip("Add a class, and paint it.")
        self._add.clicked.connect(self.add_clicked)
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(1)
        self._column.addWidget(self._add)

    def show_entries(self, rows: tuple[Entry, ...], labels: Labels | None) -> None:
        """Show these rows in the colours of a layer; nothing without one."""
        self._labels = labels
        self._follower.follow([] if labels is None else [labels])
        rows = rows if labels is not None else ()
        if rows != self._entries:
            self._entries = rows
            self._build()
        self._add.setVisible(0 < sum(row.is_class for row in rows) < _MOST_ROWS)
        self._refresh()

    def edit_name(self, label: int) -> None:
        """Put the cursor into the name of a class."""
        for row in self._rows:
            if row.entry.is_class and row.entry.holds(label):
                row.name.setFocus(Qt.FocusReason.OtherFocusReason)

    def release(self) -> None:
        """Let go of the layer."""
        self._follower.release()
        self._labels = None

    def _build(self) -> None:
        for row in self._rows:
            self._column.removeWidget(row)
            row.hide()  # a name that is being written is finished
            row.deleteLater()  # as our child: it must not outlive the window
        self._rows = [_Row(entry) for entry in self._entries]
        for index, row in enumerate(self._rows):
            self._column.insertWidget(index, row)
            row.button.clicked.connect(self._on_row_clicked)
            row.name.editingFinished.connect(self._on_named)
        rows = [widget for row in self._rows for widget in (row.button, row.name)]
        # New rows are last in their window: to where the button + Class is, which then follows.
        for before, after in pairwise([self._add, *rows, self._add]):
            QWidget.setTabOrder(before, after)

    def _refresh(self) -> None:
        if self._labels is None:
            return
        names = class_names(self._labels)
        for row in self._rows:
            row.show_colours(self._labels)
            row.button.setChecked(row.entry.holds(int(self._labels.selected_label)))
            if not row.name.hasFocus():
                row.name.setText(names.get(row.entry.labels[0], ""))

    def _on_row_clicked(self) -> None:
        row = next(row for row in self._rows if row.button is self.sender())
        if row.entry.onwards:
            self.objects_clicked.emit()
        else:
            self.label_clicked.emit(row.entry.labels[0])
        self._refresh()  # a click on the highlighted row must not put its light out

    def _on_named(self) -> None:
        row = next(row for row in self._rows if row.name is self.sender())
        number, name = row.entry.labels[0], row.name.text().strip()
        if self._labels is not None and class_names(self._labels).get(number, "") != name:
            name_class(self._labels, number, name)


class _Row(QWidget):
    """A button with colours and number; for a class, its name beside it."""

    def __init__(self, entry: Entry) -> None:
        super().__init__()
        self.entry = entry
        self._shown: object = None  # what the swatches were drawn from
        self.button = QPushButton(entry.text)
        self.button.setCheckable(True)
        self.button.setStyleSheet("text-align: left; padding: 2px 4px")
        self.button.setToolTip("Paint the next object." if entry.onwards else "Paint with this.")
        self.name = QLineEdit()
        self.name.setPlaceholderText(f"class {entry.text}")
        self.name.setAccessibleName(f"Name of class {entry.text}")
        self.name.setToolTip("What this class is called; kept with the labels layer.")
        self.name.setVisible(entry.is_class)
        line = QHBoxLayout(self)
        line.setContentsMargins(0, 0, 0, 0)
        line.addWidget(self.button, stretch=0 if entry.is_class else 1)
        line.addWidget(self.name, stretch=1)

    def show_colours(self, labels: Labels) -> None:
        """Take the swatches from the layer's colormap."""
        colours = [_colour(labels, label) for label in self.entry.labels]
        drawn = (colours, self.fontMetrics().height() - 4, self.devicePixelRatioF())
        if drawn == self._shown:
            return  # Qt remembers each new icon that it has painted, some megabytes of them
        self._shown = drawn
        icon, size = _swatches(*drawn)
        self.button.setIcon(icon)
        self.button.setIconSize(size)


def _colour(labels: Labels, label: int) -> QColor:
    colour = labels.get_color(label)
    return QColor(0, 0, 0, 0) if colour is None else QColor.fromRgbF(*map(float, colour))


def _swatches(colours: list[QColor], side: int, ratio: float) -> tuple[QIcon, QSize]:
    """Return squares side by side, and their size."""
    size = QSize(len(colours) * (side + 2) - 2, side)
    pixmap = QPixmap(size * ratio)
    pixmap.setDevicePixelRatio(ratio)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    for index, colour in enumerate(colours):
        painter.fillRect(QRect(index * (side + 2), 0, side, side), colour)
    painter.end()
    return QIcon(pixmap), size
