"""The step that measures objects: a table, its plots, and a file of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from napari.layers import Labels
from qtpy.QtWidgets import QFileDialog, QPushButton, QVBoxLayout, QWidget

from napari_unet.ui.measure.control import (
    Measurement,
    Measuring,
    can_be_measured,
    has_volumes,
    plots,
    summary,
)
from napari_unet.ui.measure.table import ObjectTableView
from napari_unet.ui.parts.action import Action, set_ready
from napari_unet.ui.parts.bars import BarPlot
from napari_unet.ui.parts.folded import Folded
from napari_unet.ui.parts.ink import number_text
from napari_unet.ui.parts.pickers import LayerPicker, Picker
from napari_unet.ui.parts.settings import narrow_form
from napari_unet.ui.parts.step import Step
from napari_unet.ui.parts.text import PlainLabel, Text
from napari_unet.ui.readiness import Readiness
from napari_unet.ui.workbench import Workbench

_ROWS = {"Object on a plane": False, "Object through z": True}
_AGAIN = "The labels have changed since: the table is of before."


class MeasureStep(Step):
    """Which labels, and below it what was measured of them."""

    def __init__(self, workbench: Workbench, measuring: Measuring) -> None:
        super().__init__(workbench, "Measure")
        self.layer = LayerPicker(
            workbench.viewer, Labels, "The labels whose objects are measured.", can_be_measured
        )
        self.rows = Picker("What one row of the table is: an object on a plane, or a volume.")
        self.action = Action(
            "Measure", "Size, shape and grey values of each object, as a table and as features."
        )
        self.results = _Results()
        self._measuring = measuring
        self._seen: Any = None  # the last result that the workbench told of
        self._build()
        self._connect()
        self.refresh()

    def refresh(self) -> None:
        """Take over a new result, and show whether it can be measured."""
        result = self.workbench.choices.result
        if result is not self._seen:
            self._seen = result
            self.layer.value = result
        layer = self.layer.value
        self._show_rows(visible=has_volumes(layer))
        again = self._measuring.is_of_before and self._measures(layer)
        self.action.button.setText("Measure again" if again else "Measure")
        ready = self._measuring.what(layer) if layer is not None else ""
        self.action.show_readiness(self._measuring.why_not(layer), ready)
        self.results.show_readiness(Readiness.of(self.workbench).why_not_start())

    def release(self) -> None:
        """Let go of the viewer and of the control."""
        self.layer.release()
        self._measuring.measured.disconnect(self._on_measured)
        self._measuring.changed.disconnect(self._on_changed)
        self._measuring.row_wanted.disconnect(self.results.table.select)
        self._measuring.told.disconnect(self.tell)

    def _build(self) -> None:
        self.title.hide()  # it is that of the fold
        self.rows.offer(_ROWS)
        form_part = QWidget()
        self._form = narrow_form(form_part)
        self._form.addRow("Labels", self.layer)
        self._rows_label = PlainLabel("Rows")
        self._rows_label.setBuddy(self.rows)
        self._form.addRow(self._rows_label, self.rows)
        content = QWidget()
        column = QVBoxLayout(content)
        for part in (form_part, self.action, self.status, self.results):
            column.addWidget(part)
        self.results.hide()
        self.fold = Folded(self.title.text(), content)
        self.body.addWidget(self.fold)

    def _connect(self) -> None:
        self.layer.picked.connect(self.refresh)
        self.action.clicked.connect(self._on_clicked)
        self.results.table.picked.connect(self._measuring.go_to)
        self.results.save.clicked.connect(self._on_save_clicked)
        self._measuring.measured.connect(self._on_measured)
        self._measuring.changed.connect(self._on_changed)
        self._measuring.row_wanted.connect(self.results.table.select)
        self._measuring.told.connect(self.tell)

    def _show_rows(self, *, visible: bool) -> None:
        self.rows.setVisible(visible)
        self._rows_label.setVisible(visible)

    def _measures(self, layer: Labels | None) -> bool:
        """Return whether the table is of this layer."""
        last = self._measuring.last
        return last is not None and last.layer is layer

    def _on_clicked(self) -> None:
        self.refresh()  # layers may have changed without a word since
        if self.action.button.isEnabled():
            layer = self.layer.value
            self._measuring.start(layer, volumes=has_volumes(layer) and bool(self.rows.value))

    def _on_measured(self) -> None:
        last = self._measuring.last
        self.results.setVisible(last is not None)
        self.tell("" if last is None else summary(last))
        self.results.show_measurement(last)
        self.refresh()

    def _on_changed(self) -> None:
        self.tell(_AGAIN)
        self.refresh()

    def _on_save_clicked(self) -> None:
        chosen, _ = QFileDialog.getSaveFileName(
            self, "Save table", str(self._measuring.proposed_path()), "Table (*.csv)"
        )
        if chosen:
            self.tell("")
            is_named = chosen.lower().endswith(".csv")
            self._measuring.save(Path(chosen if is_named else f"{chosen}.csv"))


class _Results(QWidget):
    """The table, a plot of one of its columns, and the button that saves it."""

    def __init__(self) -> None:
        super().__init__()
        self.table = ObjectTableView()
        self.save = QPushButton("Save table…")
        self.what = Picker("What is plotted: a histogram of a column, or how many objects.")
        self.plot = BarPlot()
        self.line = Text()
        self._last: Measurement | None = None
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        for part in (self.table, self.save, self.what, self.plot, self.line):
            column.addWidget(part)
        self.what.setAccessibleName("Plot")
        self.what.picked.connect(self._on_what_picked)

    def show_readiness(self, reason: str | None) -> None:
        """Enable saving, or say why not."""
        set_ready(self.save, reason, "Write all rows as CSV, for spreadsheets, R and Python.")

    def show_measurement(self, last: Measurement | None) -> None:
        """Show this table, and a plot of one of its columns; None: hold on to none."""
        self._last = last
        if last is None:
            self.table.show_columns({})
            return
        self.table.show_columns(last.table.columns)
        before = self.what.currentText()
        self.what.offer({name: name for name in plots(last)})
        if before in plots(last):
            self.what.value = before
        self._on_what_picked()

    def _on_what_picked(self) -> None:
        name = self.what.value
        if self._last is None or name is None:
            return
        column = plots(self._last)[name]
        if column is None:
            self._plot_counts(self._last, name)
            return
        values = self._last.table[column].astype(np.float64)
        self.plot.show_histogram(values, f"Histogram of {name}")
        finite = values[np.isfinite(values)]
        self.line.setText(describe(finite))

    def _plot_counts(self, last: Measurement, name: str) -> None:
        which = last.table["t" if last.volumes else "plane"]
        counts = np.bincount(which, minlength=last.parts)  # those without an object, too
        self.plot.show_numbers(counts, 0, name)
        self.line.setText(f"{counts.min()} to {counts.max()}, on average {counts.mean():.1f}.")


def describe(values: Any) -> str:
    """Return number, median, mean and standard deviation of values in one line."""
    if not len(values):
        return "No value."
    figures = ("median", np.median(values)), ("mean", values.mean()), ("SD", values.std())
    return " · ".join(
        [f"n {len(values):,}", *(f"{name} {number_text(value, 4)}" for name, value in figures)]
    )
