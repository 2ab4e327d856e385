"""Measurements of a labels layer: the job, the layer's features, and the way to an object."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Image, Labels, Layer
from qtpy.QtCore import QObject, Signal  # type: ignore[attr-defined]

from napari_unet.engine.counts import count
from napari_unet.io.names import file_stem
from napari_unet.io.stack import Layout
from napari_unet.ui.layers.added import Purpose, purpose
from napari_unet.ui.layers.follower import Follower
from napari_unet.ui.layers.geometry import file_layout, looked_at
from napari_unet.ui.layers.inputs import image_planes, labels_planes, why_no_labels
from napari_unet.ui.layers.jump import look_at
from napari_unet.ui.measure import job
from napari_unet.ui.measure.changes import Changes
from napari_unet.ui.measure.features import attach
from napari_unet.ui.progress import Progress
from napari_unet.ui.readiness import Readiness
from napari_unet.ui.runner import JobEnd
from napari_unet.ui.workbench import Workbench

if TYPE_CHECKING:
    from napari_unet.engine.measurements import ObjectTable

_OURS = (Purpose.MISTAKES, Purpose.PREVIEW, Purpose.PLACE)
_COLOURS = ("red", "green", "blue")


def can_be_measured(layer: Layer) -> bool:
    """Return True for any labels but those that only show something."""
    return isinstance(layer, Labels) and purpose(layer) not in _OURS


def has_volumes(layer: Labels | None) -> bool:
    """Return whether a layer has several planes along Z."""
    if layer is None:
        return False
    layout = file_layout(layer)
    return "Z" in layout.axes and layout.shape[layout.axes.index("Z")] > 1


@dataclass(frozen=True, slots=True, eq=False)
class Measurement:
    """What was measured of a layer."""

    layer: Labels
    layout: Layout
    table: ObjectTable
    volumes: bool
    planes: int  # that were measured, from the first on
    background: int  # a number that was no object; 0: all were

    @property
    def parts(self) -> int:
        """How many planes were measured; of volumes, at how many times."""
        if not self.volumes:
            return self.planes
        lengths = dict(zip(self.layout.axes, self.layout.shape, strict=True))
        return min(self.planes // lengths["Z"], lengths.get("T", 1))

    def place(self, row: int) -> tuple[int, float, float]:
        """Return plane, y and x of the middle of an object's box."""
        table = self.table
        y, x = (
            float(table[f"bbox_{axis}_px"][row] + (table[f"bbox_{side}_px"][row] - 1) / 2)
            for axis, side in (("y", "height"), ("x", "width"))
        )
        if not self.volumes:
            return int(table["plane"][row]), y, x
        z = int(table["bbox_z_px"][row] + (table["bbox_depth_px"][row] - 1) // 2)
        axes = self.layout.axes[:-2]
        at = tuple(z if axis == "Z" else int(table[axis.lower()][row]) for axis in axes)
        return int(np.ravel_multi_index(at, self.layout.leading_shape)), y, x

    def row_of(self, label: int, plane: int) -> int | None:
        """Return the row of a label on this plane, or else its first one; None: it has none."""
        rows = np.flatnonzero(self.table["label"] == label)
        if not len(rows):
            return None
        here = (
            [row for row in rows.tolist() if self.place(row)[0] == plane] if rows.size > 1 else []
        )
        return int(here[0] if here else rows[0])


class Measuring(QObject):
    """Measures a labels layer, with the grey values of the chosen image if it lies there."""

    measured = Signal()  # `last` is new, or gone
    changed = Signal()  # the layer is not any more what was measured
    row_wanted = Signal(object)  # an object is selected in the viewer: its row, or None
    told = Signal(str)  # where the table was saved

    def __init__(self, workbench: Workbench) -> None:
        super().__init__()
        self._workbench = workbench
        self._going = False  # to an object, which selects it
        self._asked: tuple[Labels, Layout, bool] | None = None
        self._changes: Changes | None = None
        self._follower = Follower(self._on_selected, "selected_label")
        self.last: Measurement | None = None
        self.is_of_before = False  # the layer has changed since
        workbench.viewer.layers.events.removed.connect(self._on_layer_removed)

    def why_not(self, layer: Labels | None) -> str | None:
        """Return why a layer cannot be measured now and what to do, None if it can."""
        reason = Readiness.of(self._workbench).why_not_start()
        if reason is None and layer is None:
            return "Nothing to measure yet: segment, or open a label image."
        return reason

    def what(self, layer: Labels) -> str:
        """Return what is measured of a layer, in words."""
        images = self._images(layer)
        if not images:
            return "Sizes and shapes; for grey values, choose the image that lies under it."
        names = ", ".join(f"'{image.name}'" for image in images)
        return f"Sizes, shapes, and the grey values of {names}."

    def start(self, layer: Labels, *, volumes: bool) -> None:
        """Measure all objects of a layer.

        Parameters
        ----------
        layer
            Of which labels.
        volumes
            False: each object on each plane is a row; True: through all planes along Z.
        """
        from napari_unet.engine.measurements import Measures  # noqa: PLC0415 loads scipy

        choices, images = self._workbench.choices, self._images(layer)
        layout = _layout(layer, images)
        self._watch(layer)
        assert self._changes is not None
        measuring = job.measure_objects(
            labels_planes(layer),
            Measures(layout, _channel_names(images), volumes),
            image=image_planes(images) if images else None,
            scheme=choices.scheme if layer is choices.labels else None,
            remember=self._changes.remember,
        )
        self._asked = layer, layout, volumes
        self._workbench.run("Measuring", measuring, self._on_event, self._on_end)

    def go_to(self, row: int) -> None:
        """Show an object in the middle of the view, and select its label."""
        if self.last is None:
            return
        layer = self.last.layer
        self._going = True
        try:
            look_at(self._workbench.viewer, layer, *self.last.place(row))
            layer.selected_label = int(self.last.table["label"][row])
        finally:
            self._going = False

    def save(self, path: Path) -> None:
        """Write the table as CSV."""
        if self.last is not None:
            saving = job.save_table(path, self.last.table)
            self._workbench.run("Saving the table", saving, self._on_event)

    def proposed_path(self) -> Path:
        """Return a name for the table, beside the image's file."""
        image = self._workbench.choices.image
        source = image.source.path if image is not None else None
        if source:
            path = Path(source)
            return path.with_name(f"{file_stem(path.stem, '')} objects.csv")
        name = self.last.layer.name if self.last is not None else "labels"
        return Path.home() / f"{file_stem(name, 'labels')} objects.csv"

    def release(self) -> None:
        """Let go of the viewer and the layer."""
        self._workbench.viewer.layers.events.removed.disconnect(self._on_layer_removed)
        self._forget()

    def _images(self, layer: Labels) -> tuple[Image, ...]:
        """Return the chosen images, none if they do not lie on the labels."""
        images = self._workbench.choices.images
        return images if images and why_no_labels(layer, images) is None else ()

    def _watch(self, layer: Labels) -> None:
        self._forget()
        self.measured.emit()
        self._changes = Changes(layer, self._workbench.viewer)
        self._changes.found.connect(self._on_changed)

    def _forget(self) -> None:
        self.last, self.is_of_before = None, False
        self._follower.release()
        if self._changes is not None:
            self._changes.found.disconnect(self._on_changed)
            self._changes.release()
            self._changes = None

    def _on_event(self, event: object) -> None:
        match event:
            case job.MeasurePlane():
                self._workbench.progressed.emit(job.tell_plane(event))
            case job.MeasureDone():
                self._take(event)
                self._workbench.progressed.emit(Progress(job.tell_end(event), 1))
            case job.Saved(path=path):
                self._workbench.progressed.emit(Progress(f"Saved {path.name}.", 1))
                self.told.emit(f"Saved {path.name} in {path.parent}.")

    def _take(self, event: job.MeasureDone) -> None:
        assert self._asked is not None
        layer, layout, volumes = self._asked
        if layer not in self._workbench.viewer.layers:
            return
        self.last = Measurement(layer, layout, event.table, volumes, event.planes, event.background)
        attach(layer, event.features)
        self._follower.follow([layer])
        self.measured.emit()

    def _on_end(self, _end: JobEnd) -> None:
        self._asked = None
        if self.last is None:
            self._forget()

    def _on_changed(self) -> None:
        if self.last is not None and not self.is_of_before:
            self.is_of_before = True
            self.changed.emit()

    def _on_selected(self) -> None:
        if self.last is None or self._going:
            return
        layer = self.last.layer
        plane, _y, _x = looked_at(self._workbench.viewer, layer)
        self.row_wanted.emit(self.last.row_of(int(layer.selected_label), plane))

    def _on_layer_removed(self) -> None:
        if self.last is not None and self.last.layer not in self._workbench.viewer.layers:
            self._forget()
            self.measured.emit()


def _layout(layer: Labels, images: Sequence[Image]) -> Layout:
    """Return axes and spacing of labels; what they do not tell, as the image that they lie on."""
    layout = file_layout(layer)
    known = {**(file_layout(images[0]).spacing if images else {}), **layout.spacing}
    return replace(layout, spacing={axis: known[axis] for axis in layout.axes if axis in known})


def _channel_names(images: Sequence[Image]) -> tuple[str, ...]:
    names: list[str] = []
    for image in images:
        if not image.rgb:
            names.append(image.name)
        elif len(images) == 1:
            names += _COLOURS
    return tuple(names)


def summary(measurement: Measurement) -> str:
    """Return how many objects there are, of which layer."""
    table = measurement.table
    objects = count(len(np.unique(table["label"])), "object")
    line = f"'{measurement.layer.name}': {objects}"
    if len(table) != len(np.unique(table["label"])):
        line += f", {count(len(table), 'row')}"
    line += f", in {'px' if _size_name(table).endswith('_px') else 'µm'}"
    left_out = measurement.background
    return f"{line}; {left_out} is background." if left_out else f"{line}."


def plots(measurement: Measurement) -> dict[str, Any]:
    """Return what can be plotted, under its name: None for objects per plane, else a column."""
    found: dict[str, Any] = {}
    if len(measurement.table) and measurement.parts > 1:
        found[f"objects per {'time' if measurement.volumes else 'plane'}"] = None
    size = _size_name(measurement.table)
    names = [size, *(name for name in measurement.table.columns if name != size)]
    left_out = ("label", "plane", "touches_border")
    return found | {
        name: name
        for name in names
        if name not in left_out and not name.startswith("bbox_") and len(name) > 1
    }


def _size_name(table: ObjectTable) -> str:
    return next(name for name in table.columns if name.startswith(("area", "volume")))
