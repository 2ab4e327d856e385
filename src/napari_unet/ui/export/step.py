"""The step Export: which result, and to which file."""

from __future__ import annotations

from typing import Any

from napari.layers import Labels, Layer
from qtpy.QtWidgets import QPushButton

from napari_unet.ui.export.control import Exporting, can_be_exported
from napari_unet.ui.export.dialogs import ask_export_folder, ask_export_path
from napari_unet.ui.parts.action import Action
from napari_unet.ui.parts.pickers import LayerPicker
from napari_unet.ui.parts.settings import narrow_form
from napari_unet.ui.parts.step import Step
from napari_unet.ui.parts.text import PlainLabel
from napari_unet.ui.runner import JobEnd
from napari_unet.ui.workbench import Workbench

_LABELS = "Export labels"


class ExportStep(Step):
    """Writes one result, or all that are selected in the layer list."""

    def __init__(self, workbench: Workbench, exporting: Exporting) -> None:
        super().__init__(workbench, "Export")
        self.exporting = exporting
        self.result = LayerPicker(
            workbench.viewer, Layer, "The labels or probabilities to export.", can_be_exported
        )
        self.export = Action(
            _LABELS,
            "Writes all planes, with axes and pixel size, as TIFF (Fiji, napari) or OME-Zarr, and "
            "labels also as ImageJ ROIs, GeoJSON (QuPath) or for the Cell Tracking Challenge: as "
            "the name ends, or as the kind of file that you choose.",
        )
        self.methods = QPushButton("Copy methods text")
        self.methods.setToolTip(
            "Copies how this result was made, with versions and the reference, as a paragraph for "
            "the methods section of a paper."
        )
        self._followed: Layer | None = None  # the result that was chosen last
        self._build()
        self._connect()
        self.refresh()

    def refresh(self) -> None:
        """Show what would be exported, or why nothing can be."""
        chosen = self.workbench.choices.result
        if chosen is not self._followed:
            self._followed = chosen
            self.result.value = chosen
        wanted = self.exporting.wanted(self.result.value)
        self.result.setEnabled(len(wanted) < 2)
        text, ready = _LABELS, ""
        if len(wanted) > 1:
            text = f"Export {len(wanted)} results"
            ready = "Those selected in the layer list, each to its own file."
        elif wanted and not isinstance(wanted[0][0], Labels):
            text = "Export probabilities"
            ready = f"{len(wanted[0])} classes go into one file." if len(wanted[0]) > 1 else ""
        self.export.button.setText(text)
        lines = filter(None, [ready, self.exporting.warning(self.result.value)])
        self.methods.setVisible(self.exporting.has_methods(self.result.value))
        self.export.show_readiness(self.exporting.why_not(self.result.value), "\n".join(lines))

    def release(self) -> None:
        """Let go of the viewer."""
        self.result.release()
        self.exporting.told.disconnect(self.tell)
        self.workbench.ended.disconnect(self._on_ended)
        self._selection_changed().disconnect(self._on_selection_changed)

    def _build(self) -> None:
        rows = narrow_form()
        label = PlainLabel("Result")
        label.setBuddy(self.result)
        label.setToolTip(self.result.toolTip())
        self.result.setAccessibleName("Result to export")
        rows.addRow(label, self.result)
        self.body.addLayout(rows)
        self.body.addWidget(self.export)
        self.body.addWidget(self.methods)

    def _connect(self) -> None:
        self.result.picked.connect(self.refresh)
        self.export.clicked.connect(self._on_export_clicked)
        self.methods.clicked.connect(self._on_methods_clicked)
        self.exporting.told.connect(self.tell)
        self.workbench.ended.connect(self._on_ended)
        self._selection_changed().connect(self._on_selection_changed)

    def _selection_changed(self) -> Any:
        return self.workbench.viewer.layers.selection.events.changed

    def _on_selection_changed(self) -> None:
        self.refresh()

    def _on_export_clicked(self) -> None:
        self.refresh()  # the layers may have changed without a signal
        if not self.export.button.isEnabled():
            return
        wanted, image = self.exporting.wanted(self.result.value), self.workbench.choices.image
        if len(wanted) > 1:
            folder = ask_export_folder(self, image)
            if folder is not None:
                self.exporting.export_into(wanted, folder)
            return
        path = ask_export_path(self, wanted[0][0], image)
        if path is not None:
            self.exporting.export(wanted, [path])

    def _on_ended(self, _end: JobEnd) -> None:
        self.refresh()  # what made the result is noted at its end

    def _on_methods_clicked(self) -> None:
        wanted = self.exporting.wanted(self.result.value)
        self.exporting.copy_methods(wanted[0][0] if wanted else None)
