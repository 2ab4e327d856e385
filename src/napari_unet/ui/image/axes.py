"""Which axis of an image is what, where napari has opened a file without their names."""

from __future__ import annotations

from collections.abc import Mapping

from napari.components import ViewerModel
from napari.layers import Image, Layer
from qtpy.QtCore import QSignalBlocker
from qtpy.QtWidgets import QWidget

from napari_unet.io.axes import axis_letter
from napari_unet.ui.layers.geometry import channel_axis, layer_axes, spatial_shape, stated_axes
from napari_unet.ui.parts.pickers import Picker
from napari_unet.ui.parts.settings import narrow_form
from napari_unet.ui.parts.text import PlainLabel

_NAMES = {"time": "t", "depth (z)": "z", "channels": "c", "positions": "p"}
_UNNAMED = "not named"
_TOOLTIP = (
    "Time and depth: objects can be linked along them. Channels: they can be split into layers. "
    "Positions: each stands by itself."
)
_MOST_CHANNELS = 16  # a longer last axis is X


class AxesForm(QWidget):
    """A box for each axis that is not plainly Y or X; what is picked becomes the axis's label.

    The labels are those of the layer, so that napari shows them at its sliders, too, and other
    layers that lie on the image, as labels painted on it do, get the same.
    """

    def __init__(self, viewer: ViewerModel) -> None:
        super().__init__()
        self._viewer = viewer
        self._image: Image | None = None
        self.boxes: dict[int, Picker] = {}
        self._rows = narrow_form(self)

    def offer(self, image: Image | None) -> bool:
        """Show the axes of an image; return whether any of them is not named, or holds channels."""
        axes = {} if image is None else {axis: spatial_shape(image)[axis] for axis in _open(image)}
        if image is not self._image or axes.keys() != self.boxes.keys():
            self._build(axes)
        self._image = image
        for axis, box in self.boxes.items():
            with QSignalBlocker(box):
                box.value = _name(image, axis)
        return image is not None and any(
            stated_axes(image)[axis] in "?C" for axis, length in axes.items() if length > 1
        )

    def _build(self, axes: Mapping[int, int]) -> None:
        while self._rows.rowCount():
            row = self._rows.takeRow(0)
            for item in (row.labelItem, row.fieldItem):
                old = item.widget()
                assert old is not None
                old.deleteLater()  # later: perhaps it is it that tells
        self.boxes = {axis: Picker(_TOOLTIP) for axis in axes}
        for axis, box in self.boxes.items():
            box.offer({**_NAMES, _UNNAMED: ""})
            box.setAccessibleName(f"Axis {axis + 1}")
            box.picked.connect(self._on_picked)
            self._rows.addRow(PlainLabel(f"Axis {axis + 1} ({axes[axis]:,})"), box)

    def _on_picked(self) -> None:
        for axis, box in self.boxes.items():
            if self._image is not None and box.value != _name(self._image, axis):
                name_axis(self._viewer, self._image, axis, box.value)
                return


def name_axis(viewer: ViewerModel, image: Image, axis: int, name: str) -> None:
    """Call an axis of an image, and of what lies on it, "t", "z", "c" or "p"; "": it has no name.

    Another axis of that name loses it.
    """
    before = tuple(image.axis_labels)
    labels = [
        str(at - image.ndim) if at == axis or label.lower() == name else label
        for at, label in enumerate(before)
    ]
    if name:
        labels[axis] = name
    shape = spatial_shape(image)
    for layer in [image, *viewer.layers]:
        if tuple(layer.axis_labels) == before and spatial_shape(layer) == shape:
            layer.axis_labels = tuple(labels)


def describe_axes(layer: Layer) -> str:
    """Return "t 3, z 4" of a layer with more than one axis of planes, else nothing.

    A "?" is behind what is only guessed.
    """
    shape = spatial_shape(layer)[:-2]
    if sum(length > 1 for length in shape) < 2:
        return ""
    guessed, stated = layer_axes(layer).lower(), stated_axes(layer)
    named = [
        f"{guess}{'?' if told == '?' else ''} {length:,}"
        for guess, told, length in zip(guessed, stated, shape, strict=False)
        if length > 1
    ]
    return ", ".join(named)


def _name(image: Image | None, axis: int) -> str:
    """Return what an axis is called among the names to choose from."""
    letter = "" if image is None else axis_letter(str(image.axis_labels[axis])).lower()
    return letter if letter in _NAMES.values() else ""


def _open(image: Image) -> list[int]:
    """Return the axes that may be something else than Y and X."""
    shape = spatial_shape(image)
    axes = list(range(image.ndim - 2))
    is_short = image.ndim > 2 and not image.rgb and shape[-1] <= _MOST_CHANNELS
    if is_short or channel_axis(image) == image.ndim - 1:
        axes.append(image.ndim - 1)
    return axes
