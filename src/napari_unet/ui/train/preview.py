"""Layers that show a region of one plane: the live preview, and whatever else is held onto it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
from napari.components import ViewerModel
from napari.layers import Labels, Layer

from napari_unet.engine.events import Previewed, View
from napari_unet.ui.layers.added import Purpose, add_unselected, find_ours, is_result, made_for
from napari_unet.ui.layers.geometry import on_plane, place
from napari_unet.ui.layers.several_images import SeveralImages


class PreviewLayer:
    """The layer "preview": what is visible, as the network segments it now.

    Name, opacity and visibility are the user's; a preview that was deleted stays away until the
    next training. To be used on the main thread only.
    """

    def __init__(self, viewer: ViewerModel) -> None:
        self._viewer = viewer
        self._layer: Labels | None = None
        self._images: SeveralImages | None = None  # that may be previewed, with their data of then
        self._image: Layer | None = None  # that is previewed
        self._shown: View | None = None  # of a plane of it
        self._hidden = False  # as there is nothing to show yet
        self._came = 0.0  # when the last one did, seconds on some clock

    @property
    def layer(self) -> Labels | None:
        """The layer, None if there is none."""
        return self._layer if self._layer in self._viewer.layers else None

    @property
    def is_orphan(self) -> bool:
        """Whether the image that is previewed has left the viewer."""
        return self._image is not None and self._image not in self._viewer.layers

    @property
    def age(self) -> float | None:
        """Seconds since the last preview came; None: there is none, or nobody sees it."""
        layer = self.layer
        if layer is None or not layer.visible or self._shown is None:
            return None
        return time.monotonic() - self._came

    def begin(self, images: Sequence[Layer]) -> None:
        """Show previews of these images from now on; the last one of another goes.

        Views of several have the numbers of planes that are counted through all of them.
        """
        if self._image not in images:
            self.remove()
        image = images[0] if self._image is None else self._image
        left = find_ours(self._viewer, Purpose.PREVIEW)
        fits = isinstance(left, Labels) and left.ndim == image.ndim
        self._layer = left if fits else None
        if self._layer is not None:
            self._raise(self._layer, image)
        self._images, self._image = SeveralImages(images), image
        self._shown, self._hidden = None, False

    def prepare(self, view: View) -> None:
        """Add an empty layer if there is none yet: napari takes 0.1 s to add one.

        It is hidden until the first preview, as its first drawing takes as long.
        """
        view, image = self._place(view)
        if self._layer is not None or image is None:
            return
        self._image = image
        shape = (
            (view.y.stop - view.y.start) // view.step,
            (view.x.stop - view.x.start) // view.step,
        )
        self._layer = _make(image, view, np.zeros(shape, dtype=np.int32), visible=False)
        self._hidden = True
        add_unselected(self._viewer, self._layer, above=self._below(image))

    def show(self, event: Previewed) -> None:
        """Show this in place of the last preview."""
        view, image = self._place(event.view)
        if image is None:
            return
        if image is not self._image:
            self._change_to(image)
        if self._layer is None:
            self._layer = _make(image, view, event.values)
            add_unselected(self._viewer, self._layer, above=self._below(image))
        elif self.layer is not None:
            self._update(self._layer, image, view, event.values)
            if self._hidden:
                self._layer.visible = True
        self._shown, self._hidden = view, False
        self._came = time.monotonic()

    def end(self) -> None:
        """Leave what is shown; a layer on which nothing ever was goes."""
        if self._hidden:
            self.remove()

    def remove(self) -> None:
        """Take the layer out of the viewer."""
        if self.layer is not None:
            self._viewer.layers.remove(self.layer)
        self.release()
        self._hidden = False

    def release(self) -> None:
        """Let go of the layer; it stays in the viewer."""
        self._layer, self._image, self._images = None, None, None

    def _place(self, view: View) -> tuple[View, Layer | None]:
        """Return the view of the image that it is of; None: it is gone, or shows other data."""
        if self._images is None:
            return view, None
        image, plane = self._images.place(view.plane)
        is_there = image in self._viewer.layers and self._images.index(image) is not None
        return replace(view, plane=plane), image if is_there else None

    def _change_to(self, image: Layer) -> None:
        """Go on with another of the images; a layer that was deleted stays away."""
        layer = self.layer
        if layer is not None and layer.ndim != image.ndim:
            self._viewer.layers.remove(layer)
            self._layer = None
        elif layer is not None:
            self._raise(layer, image)
        self._image, self._shown = image, None

    def _below(self, image: Layer) -> Layer:
        """Return the layer above which a preview is seen: the image, or the last older result."""
        older = (layer for layer in self._viewer.layers if layer is image or is_result(layer))
        return list(older)[-1]

    def _raise(self, layer: Layer, image: Layer) -> None:
        """Put a preview that was there before above older results."""
        layers = self._viewer.layers
        place_of_it = layers.index(self._below(image))
        if layers.index(layer) < place_of_it:
            layers.move(layers.index(layer), place_of_it + 1)

    def _update(self, layer: Labels, image: Layer, view: View, shown: npt.NDArray[Any]) -> None:
        values = on_plane(image, shown)
        if layer.data.shape != values.shape:
            layer.data = values.copy()
            layer.editable = False  # napari makes new data editable
        else:
            layer.data[...] = values  # four times as fast as new data
            layer.refresh(thumbnail=False, highlight=False, extent=False)
        if self._shown != view:
            _move(layer, _arguments(image, view))


def _make(image: Layer, view: View, values: npt.NDArray[Any], *, visible: bool = True) -> Labels:
    layer = Labels(
        on_plane(image, values).copy(),  # written to when the next one comes
        name="preview",
        opacity=0.5,
        visible=visible,
        metadata=made_for(Purpose.PREVIEW),
        **_arguments(image, view),
    )
    layer.editable = False  # what is painted here would be gone with the next preview
    return layer


def _arguments(image: Layer, view: View) -> dict[str, Any]:
    """Return the arguments that put a preview onto its view."""
    return place(image, view.plane, (view.y.start, view.x.start), view.step)


def _move(layer: Layer, arguments: dict[str, Any]) -> None:
    """Place a layer; each change costs a redrawing, so that only what differs is changed."""
    for name, value in arguments.items():
        before = getattr(layer, name)
        before = before.affine_matrix if name == "affine" else before
        if not np.array_equal(before, value):
            setattr(layer, name, value)
