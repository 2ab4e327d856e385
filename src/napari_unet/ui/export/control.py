"""Exports results: which layers go together into which file."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from functools import partial
from itertools import count as numbers
from pathlib import Path

from napari.layers import Image, Labels, Layer
from qtpy.QtCore import QObject, Signal  # type: ignore[attr-defined]
from qtpy.QtGui import QGuiApplication

from napari_unet.io.methods_text import methods_text
from napari_unet.io.names import file_stem
from napari_unet.io.unfinished import tell_unfinished, unfinished_in
from napari_unet.ui.export import job
from napari_unet.ui.layers.added import GROUP, Purpose, is_result, purpose
from napari_unet.ui.layers.geometry import file_layout, full_resolution
from napari_unet.ui.layers.provenance import is_noted, provenance_of
from napari_unet.ui.progress import Progress
from napari_unet.ui.readiness import Readiness
from napari_unet.ui.runner import JobEnd
from napari_unet.ui.workbench import Workbench

ResultLayers = tuple[Layer, ...]
"""Layers that go into one file: one of labels, or all probabilities of one result."""


def can_be_exported(layer: Layer) -> bool:
    """Return True for any labels but our frames, and for probabilities that were made here."""
    if purpose(layer) is Purpose.PLACE:
        return False
    return isinstance(layer, Labels) or (isinstance(layer, Image) and is_result(layer))


class Exporting(QObject):
    """Writes results to files in the background."""

    told = Signal(str)  # which files there are; empty while they are written

    def __init__(self, workbench: Workbench) -> None:
        super().__init__()
        self.workbench = workbench
        self._written: list[job.Exported] = []  # by the last export

    def wanted(self, picked: Layer | None) -> list[ResultLayers]:
        """Return what is exported: the results selected in the layer list if several, else one."""
        selection = self.workbench.viewer.layers.selection
        selected = [layer for layer in self.workbench.viewer.layers if layer in selection]
        groups = self._groups([layer for layer in selected if can_be_exported(layer)])
        if len(groups) > 1:
            return groups
        return self._groups([picked] if picked is not None else [])

    def why_not(self, picked: Layer | None) -> str | None:
        """Return why nothing can be exported now and what to do, None if it can."""
        reason = Readiness.of(self.workbench).why_not_start()
        if reason or self.wanted(picked):
            return reason
        return "Nothing to export yet: segment, or make a labels layer."

    def warning(self, picked: Layer | None) -> str:
        """Return which planes of what would be exported are not finished; empty: none."""
        layers = [layers[0] for layers in self.wanted(picked)]
        gaps = [(layer, planes) for layer in layers if (planes := unfinished_in(layer.metadata))]
        if not gaps:
            return ""
        named = [
            tell_unfinished(planes) + (f" in '{layer.name}'" if len(layers) > 1 else "")
            for layer, planes in gaps
        ]
        return (
            f"{'; '.join(named)}, and what is missing is 0 in the file. To finish, press Continue "
            "in the step Segment first."
        )

    def has_methods(self, picked: Layer | None) -> bool:
        """Return whether there is one result, and it is known how it was made."""
        wanted = self.wanted(picked)
        return len(wanted) == 1 and is_noted(wanted[0][0])

    def copy_methods(self, picked: Layer | None) -> None:
        """Put a paragraph for the methods section of a paper on the clipboard."""
        made = provenance_of(picked) if picked is not None else None
        clipboard = QGuiApplication.clipboard()
        if made is None or clipboard is None:
            self.told.emit("It is not known how this result was made.")
            return
        clipboard.setText(methods_text(made))
        self.told.emit("Copied: how the result was made, with versions and the reference.")

    def export(self, results: Sequence[ResultLayers], paths: Sequence[Path]) -> None:
        """Write each result to its own file, in the format that its name says."""
        exports = [
            job.Export(
                path,
                tuple(full_resolution(layer) for layer in layers),
                file_layout(layers[0]),
                are_probabilities=not isinstance(layers[0], Labels),
                unfinished=unfinished_in(layers[0].metadata),
                provenance=provenance_of(layers[0]),
                features=layers[0].features if isinstance(layers[0], Labels) else None,
            )
            for layers, path in zip(results, paths, strict=True)
        ]
        self._written = []
        self.told.emit("")
        layers = {path: result[0] for result, path in zip(results, paths, strict=True)}
        end = partial(self._on_end, layers, time.monotonic())
        self.workbench.run("Exporting", job.export_files(exports), self._on_event, end)

    def export_into(self, results: Sequence[ResultLayers], folder: Path) -> None:
        """Write each result to a TIFF of its own, under the layer's name; replace no file."""
        paths: list[Path] = []
        for layers in results:
            paths.append(_free_path(folder, layers[0], paths))
        self.export(results, paths)

    def _groups(self, layers: Sequence[Layer]) -> list[ResultLayers]:
        """Return the layers, each with those that go into the same file."""
        everything = self.workbench.viewer.layers
        groups: dict[object, ResultLayers] = {}
        for layer in layers:
            group = layer.metadata.get(GROUP)
            if isinstance(layer, Labels) or group is None:
                groups[id(layer)] = (layer,)
            else:
                groups[group] = tuple(x for x in everything if x.metadata.get(GROUP) == group)
        return list(groups.values())

    def _on_event(self, event: job.PlaneWritten | job.Exported) -> None:
        if isinstance(event, job.PlaneWritten):
            self.workbench.progressed.emit(job.tell_plane(event))
        else:
            self._written.append(event)

    def _on_end(self, asked: Mapping[Path, Layer], began: float, end: JobEnd) -> None:
        """Tell which of the files that were asked for there are."""
        for file in self._written:
            self.workbench.exported.emit(asked[file.path], began)
        line = job.describe_end(self._written, len(asked))
        if end is JobEnd.COMPLETED:
            self.workbench.progressed.emit(Progress(line, 1))
        self.told.emit(line)


def _free_path(folder: Path, layer: Layer, taken: Sequence[Path]) -> Path:
    """Return a name that no file has: "cells.tif", "cells (2).tif"."""
    name = file_stem(layer.name, "labels")
    endings = ("" if number == 1 else f" ({number})" for number in numbers(1))
    paths = (folder / f"{name}{ending}.tif" for ending in endings)
    return next(path for path in paths if path not in taken and not path.exists())
