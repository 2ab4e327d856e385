"""The step Export: which result, and to which file."""

from __future__ import annotations

from typing import Any

from napari.layers import Labels, Layer
from qtpy.QtWidgets import QLabel

from napari_unet.ui.control.exporting import Exporting, can_be_exported
from napari_unet.ui.parts.actions import Action
from napari_unet.ui.parts.files import ask_export_folder, ask_export_path
from napari_unet.ui.parts.pickers import LayerPicker
from napari_unet.ui.parts.settings import narrow_form
from napari_unet.ui.steps.step import Step
from napari_unet.ui.workbench import Workbench

__all__ = ["ExportStep"]


class ExportStep(Step):
    """Writes one result, or all that are selected in the layer list."""

    def __init__(self, workbench: Workbench, exporting: Exporting) -> None:
        super().__init__(workbench, "Export")
        self.exporting = exporting
        self.result = LayerPicker(
            workbench.viewer, Layer, "The labels or probabilities to export.", can_be_exported
        )
        self.export = Action(
            "Export label TIFFs",
            "Writes all planes, with axes and pixel size, as TIFF (Fiji, napari) or OME-Zarr.",
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
        text, ready = "Export label TIFFs", ""
        if len(wanted) > 1:
            text = f"Export {len(wanted)} results"
            ready = "Those selected in the layer list, each to its own file."
        elif wanted and not isinstance(wanted[0][0], Labels):
            text = "Export probabilities"
            ready = f"{len(wanted[0])} classes go into one file." if len(wanted[0]) > 1 else ""
        self.export.button.setText(text)
        lines = filter(None, [ready, self.exporting.warning(self.result.value)])
        self.export.show_readiness(self.exporting.why_not(self.result.value), "\n".join(lines))

    def release(self) -> None:
        """Let go of the viewer."""
        self.result.release()
        self.exporting.told.disconnect(self.tell)
        self._selection_changed().disconnect(self._on_selection_changed)

    def _build(self) -> None:
        rows = narrow_form()
        label = QLabel("Result")
        label.setBuddy(self.result)
        label.setToolTip(self.result.toolTip())
        self.result.setAccessibleName("Result to export")
        rows.addRow(label, self.result)
        self.body.addLayout(rows)
        self.body.addWidget(self.export)

    def _connect(self) -> None:
        self.result.picked.connect(self.refresh)
        self.export.clicked.connect(self._on_export_clicked)
        self.exporting.told.connect(self.tell)
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
