"""Step 1: the image, and its channels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from napari.layers import Image, Layer
from qtpy.QtCore import QSignalBlocker
from qtpy.QtWidgets import QPushButton, QVBoxLayout, QWidget

from napari_unet.config import Task, Unpainted
from napari_unet.engine.counts import count, shape_text
from napari_unet.engine.errors import EngineError
from napari_unet.ui.image.axes import AxesForm, describe_axes
from napari_unet.ui.image.channels import ChannelList
from napari_unet.ui.layers.added import purpose
from napari_unet.ui.layers.follower import Follower
from napari_unet.ui.layers.geometry import channel_axis, pixel_size
from napari_unet.ui.layers.inputs import image_planes, why_no_image, why_not_channels
from napari_unet.ui.layers.splitting import split_channels
from napari_unet.ui.parts.folded import Folded
from napari_unet.ui.parts.pickers import LayerPicker
from napari_unet.ui.parts.step import Step
from napari_unet.ui.parts.text import PlainLabel
from napari_unet.ui.workbench import Workbench
from napari_unet.ui.worker import begin_short

_SHOW_ME = "Open a small stack of touching cells with strokes painted on it, ready to train on."
_WHAT_MATTERS = (
    *("data", "name", "scale", "translate", "rotate", "shear", "affine", "units", "axis_labels"),
)


class ImageStep(Step):
    """Chooses the image: one layer, an RGB layer, or several layers as channels."""

    def __init__(self, workbench: Workbench) -> None:
        super().__init__(workbench, "Image")
        self.picker = LayerPicker(
            workbench.viewer, Image, "The image or stack to segment.", _is_an_image
        )
        self.channels = ChannelList()
        self.axes = AxesForm(workbench.viewer)
        self.split = QPushButton("Split channels")
        self.show_me = QPushButton("Show &me")
        self._further = _with_note(self.channels)
        self._folded = Folded("Channels and axes", _one_below_the_other(self._further, self.axes))
        self._follower = Follower(self._on_layer_changed, *_WHAT_MATTERS)
        self._sample: Any = None  # worker that makes it
        self._build()
        self._connect()
        self._on_picked()

    def refresh(self) -> None:
        """Show the chosen image, and what could be its channels."""
        chosen = self.workbench.choices.images
        if chosen:
            with QSignalBlocker(self.picker):  # chosen elsewhere
                self.picker.value = chosen[0]
        images = [layer for layer in self.workbench.viewer.layers if _is_an_image(layer)]
        self._follower.follow(images)
        others = [image for image in images if chosen and _can_join(chosen[0], image)]
        self.channels.offer(others, chosen[1:])
        self._further.setVisible(bool(others))
        is_open = self.axes.offer(chosen[0] if chosen else None)
        self.axes.setVisible(is_open)
        self._folded.setVisible(is_open or bool(others))
        self.split.setVisible(bool(chosen) and channel_axis(chosen[0]) is not None)
        self.picker.setVisible(bool(images))
        self.show_me.setVisible(not images)
        self.tell(why_no_image(chosen) or describe_images(chosen))

    def release(self) -> None:
        """Let go of the viewer and its layers."""
        self.picker.release()
        self._follower.release()
        for event in self._list_events():
            event.disconnect(self.refresh)
        if self._sample is not None:
            self._sample.returned.disconnect(self._on_sample_made)
            self._sample.errored.disconnect(self._on_sample_failed)
            self._sample = None

    def _build(self) -> None:
        self.picker.setAccessibleName("Image")
        self.show_me.setToolTip(_SHOW_ME)
        self.split.setToolTip("Puts a layer of each channel in the place of the image.")
        for widget in (self.picker, self.split, self._folded, self.show_me):
            self.body.addWidget(widget)

    def _connect(self) -> None:
        self.picker.picked.connect(self._on_picked)
        self.channels.picked.connect(self._on_picked)
        self.split.clicked.connect(self._on_split_clicked)
        self.show_me.clicked.connect(self._on_show_me_clicked)
        for event in self._list_events():
            event.connect(self.refresh)

    def _list_events(self) -> list[Any]:
        events = self.workbench.viewer.layers.events
        return [events.inserted, events.removed, events.reordered]

    def _on_picked(self) -> None:
        image = self.picker.value
        others = [] if image is None else [i for i in self.channels.value if _can_join(image, i)]
        self.workbench.choose(images=() if image is None else (image, *others))
        self.refresh()

    def _on_layer_changed(self) -> None:
        self.workbench.changed.emit()  # what the others can do may be another thing now
        self.refresh()

    def _on_split_clicked(self) -> None:
        first, *_ = split_channels(self.workbench.viewer, self.workbench.choices.images[0])
        self.workbench.choose(images=(first,))
        self.refresh()

    def _on_show_me_clicked(self) -> None:
        self.show_me.setEnabled(False)
        self._sample = begin_short(
            _make_sample,
            connect={"returned": self._on_sample_made, "errored": self._on_sample_failed},
        )

    def _on_sample_made(self, sample: tuple[list[Any], int]) -> None:
        self.show_me.setEnabled(True)
        self._sample = None
        viewer = self.workbench.viewer
        image, labels = (viewer.add_layer(Layer.create(*layer)) for layer in sample[0])
        self.workbench.choose(
            images=(image,), labels=labels, task=Task.OBJECTS, unpainted=Unpainted.IGNORED
        )
        axis = viewer.dims.ndim - image.ndim
        viewer.dims.set_point(axis, image.data_to_world((sample[1], 0, 0))[0])

    def _on_sample_failed(self, error: Exception) -> None:
        self.show_me.setEnabled(True)
        self._sample = None
        self.workbench.fail(
            EngineError(f"The example could not be made ({error}); open an image of your own.")
        )


def describe_images(images: Sequence[Image]) -> str:
    """Return "84 planes · 512×512 · uint8 · 0.19 µm/px"; images that can be used."""
    planes, axes = image_planes(images), describe_axes(images[0])
    facts = [count(planes.count, "plane") + f" ({axes})" * bool(axes), shape_text(planes.shape)]
    if images[0].rgb:
        facts.append(f"RGB as {planes.channels} channels")
    elif planes.channels > 1:
        facts.append(count(planes.channels, "channel"))
    facts.append(planes.dtype.name)
    size = pixel_size(images[0])
    if size is not None:
        facts.append(_per_pixel(*size))
    if images[0].multiscale:
        facts.append(f"the finest of {len(images[0].data)} resolutions")
    return " · ".join(facts)


def _per_pixel(y: float, x: float) -> str:
    sizes = f"{x:.3g}" if math.isclose(y, x, rel_tol=1e-3) else f"{y:.3g} × {x:.3g}"
    return f"{sizes} µm/px"


def _is_an_image(layer: Layer) -> bool:
    """Return True for the user's images; not for previews, probabilities and the like."""
    return isinstance(layer, Image) and purpose(layer) is None


def _can_join(image: Image, other: Image) -> bool:
    return other != image and why_not_channels(image, other) is None


def _one_below_the_other(*parts: QWidget) -> QWidget:
    content = QWidget()
    column = QVBoxLayout(content)
    for part in parts:
        column.addWidget(part)
    return content


def _with_note(channels: ChannelList) -> QWidget:
    """Return the list below a line that says what it is for."""
    content = QWidget()
    note = PlainLabel("Tick images that the network is to see as further channels:")
    note.setWordWrap(True)
    column = QVBoxLayout(content)
    column.setContentsMargins(0, 0, 0, 0)
    column.addWidget(note)
    column.addWidget(channels)
    return content


def _make_sample() -> tuple[list[Any], int]:
    """Return the sample's layers, and the first plane that is painted. Takes about a second."""
    from napari_unet.ui.sample import first_painted, open_sample  # noqa: PLC0415  # in its thread

    layers = open_sample()
    return layers, first_painted(layers[1][0])
