"""What a training run asks the window: what is visible, to be previewed, and what was painted."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from napari.components import ViewerModel
from napari.layers import Image, Layer
from qtpy.QtCore import QTimer

from napari_unet.config import ObjectsConfig
from napari_unet.engine.events import View
from napari_unet.ui.layers.in_view import in_view
from napari_unet.ui.layers.painted_planes import PaintedPlanesTracker
from napari_unet.ui.layers.several_images import SeveralImages

_LOOK_MS = 200
_MOST_PIXELS = 1 << 24  # of a view; of a larger one the middle is taken
_MOST_SHOWN = 1 << 20  # pixels of a view; of a larger one some are left out


class LiveView:
    """Implements `napari_unet.engine.events.Live` for one run.

    Made and released on the main thread; `view`, `take_painted` and `objects` may be asked from any
    thread.
    A thread that outlives the window may be the last to hold it: it is no QObject, and its timer
    is deleted by the main thread.

    Parameters
    ----------
    viewer, images
        What is looked at, five times a second: napari tells of no event when it has drawn. A view
        counts once it has stayed the same between two looks, so that nothing is previewed while
        people scroll or zoom. Of several images, the topmost that is to be seen is previewed.
    painted
        Follow the strokes on the labels of each image; released with the view.
    objects
        How previews are cut into objects at first.
    preview
        False: look at nothing until `watch` is called; new strokes are told of all the same.
    """

    def __init__(
        self,
        viewer: ViewerModel,
        images: Sequence[Image],
        painted: Sequence[PaintedPlanesTracker],
        objects: ObjectsConfig = ObjectsConfig(),  # noqa: B008 frozen
        *,
        preview: bool = True,
    ) -> None:
        self._viewer = viewer
        self._images = SeveralImages(images)
        self._painted = tuple(painted)
        self._objects = objects
        self._seen: View | None = None
        self._view: View | None = None  # read by the other thread: replaced, never changed
        self._timer = QTimer()
        self._timer.setInterval(_LOOK_MS)
        self._timer.timeout.connect(self._look)
        self.watch(preview)

    def view(self) -> View | None:
        """Return what to preview now; None: nothing is to be seen."""
        return self._view

    def take_painted(self) -> frozenset[int]:
        """Return the planes whose labels changed since this was asked last."""
        return frozenset(
            self._images.number(image, plane)
            for image, tracker in enumerate(self._painted)
            for plane in tracker.take_changed()
        )

    def objects(self) -> ObjectsConfig:
        """Return how previews are cut into objects now."""
        return self._objects

    def cut(self, objects: ObjectsConfig) -> None:
        """Cut previews so from now on."""
        self._objects = objects

    def watch(self, on: bool) -> None:  # noqa: FBT001 a slot
        """Follow what is visible from now on, or no more."""
        self._seen = self._view = self._visible() if on else None
        if on:
            self._timer.start()
        else:
            self._timer.stop()

    def release(self) -> None:
        """Look no more, and let go of the labels."""
        self.watch(False)  # noqa: FBT003
        self._timer.deleteLater()
        for tracker in self._painted:
            tracker.release()

    def _visible(self) -> View | None:
        """Return what is to be seen of the run's images; nothing of those with other data."""
        several = len(self._images.layers) > 1
        for layer in reversed(self._viewer.layers):
            image = self._images.index(layer)
            if image is None or (several and not layer.visible):
                continue
            view = visible(self._viewer, layer)
            if view is not None:
                return replace(view, plane=self._images.number(image, view.plane))
        return None

    def _look(self) -> None:
        seen = self._visible()
        if seen == self._seen:
            self._view = seen
        self._seen = seen


def visible(viewer: ViewerModel, layer: Layer) -> View | None:
    """Return the visible part of the shown plane, None if there is none; see `in_view`.

    Of a region above 1 Mpx not every pixel is shown, and above 16 Mpx its middle only.
    """
    view = in_view(viewer, layer)
    if view is None:
        return None
    view = _middle(view)
    pixels = (view.y.stop - view.y.start) * (view.x.stop - view.x.start)
    return replace(view, step=math.ceil(math.sqrt(pixels / _MOST_SHOWN)))


def _middle(view: View) -> View:
    """Return the view, cut to the largest number of pixels around its middle."""
    height, width = view.y.stop - view.y.start, view.x.stop - view.x.start
    if height * width <= _MOST_PIXELS:
        return view
    share = (_MOST_PIXELS / (height * width)) ** 0.5
    return View(view.plane, _shrunk(view.y, share), _shrunk(view.x, share))


def _shrunk(span: slice, share: float) -> slice:
    length = span.stop - span.start
    kept = max(1, int(length * share))
    start = span.start + (length - kept) // 2
    return slice(start, start + kept)
