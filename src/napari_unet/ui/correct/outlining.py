"""A result as outlines while people correct it or train, so that they see what is on it."""

from __future__ import annotations

import math
from typing import Any

from napari.layers import Labels
from napari.utils.colormaps import CyclicLabelColormap
from qtpy.QtCore import QObject

from napari_unet.ui.layers.added import Purpose, find_ours, is_result
from napari_unet.ui.layers.geometry import spatial_shape
from napari_unet.ui.runner import JobState
from napari_unet.ui.workbench import Workbench

_THICKNESS = 2  # pixels of the layer
_WHITE = ((0, 0, 0, 0), (1, 1, 1, 1))  # background, and all objects
_LARGEST = 1 << 23  # pixels of a plane; on a larger one napari takes seconds to find the outlines


class Outlining(QObject):
    """Draws the chosen result as outlines from the first stroke on a plane on, or under a preview.

    It is as it was before when people go to another plane, unless training follows them there, when
    it is segmented anew or to be painted on, when the preview goes, and when the dock is closed. A
    result that people have drawn as outlines themselves is left alone.

    All outlines are white: an object has another number, and so another colour, in the labels and
    in a preview.
    """

    def __init__(self, workbench: Workbench) -> None:
        super().__init__()
        self._workbench = workbench
        self._labels: Labels | None = None  # whose strokes are followed
        self._outlined: Labels | None = None
        self._position: tuple[int, ...] = ()  # of the plane on which it is outlined
        self._colours: tuple[Any, Any] = (None, None)  # that it had, and that it has meanwhile
        self._was_previewed = self._has_preview()
        self._connections: list[tuple[Any, Any]] = [
            (workbench.changed, self._follow),
            (workbench.runner.state_changed, self._on_state_changed),
            (workbench.viewer.dims.events.point, self._on_moved),
            (workbench.viewer.layers.events.inserted, self._on_layers_changed),
            (workbench.viewer.layers.events.removed, self._on_layers_changed),
        ]
        for signal, slot in self._connections:
            signal.connect(slot)
        self._follow()

    def release(self) -> None:
        """Draw the result as it was, and let go of the viewer."""
        while self._connections:
            signal, slot = self._connections.pop()
            signal.disconnect(slot)
        self._listen(None)
        self._end()

    def _follow(self) -> None:
        chosen = self._workbench.choices
        if chosen.labels is not self._labels:
            self._listen(chosen.labels)
        if self._outlined not in (None, chosen.result) or self._outlined is chosen.labels:
            self._end()

    def _listen(self, labels: Labels | None) -> None:
        if self._labels is not None:
            self._labels.events.paint.disconnect(self._on_painted)
        self._labels = labels
        if labels is not None:
            labels.events.paint.connect(self._on_painted)

    def _on_painted(self) -> None:
        self._begin()

    def _on_layers_changed(self, _event: Any) -> None:
        previewed = self._has_preview()
        if previewed and not self._was_previewed:
            self._begin()
        elif self._was_previewed and not previewed:
            self._end()
        self._was_previewed = previewed

    def _has_preview(self) -> bool:
        return find_ours(self._workbench.viewer, Purpose.PREVIEW) is not None

    def _begin(self) -> None:
        result = self._workbench.choices.result
        if self._outlined is None and isinstance(result, Labels) and self._may_outline(result):
            self._outlined, self._position = result, self._shown_plane()
            white = CyclicLabelColormap(colors=_WHITE, background_value=0)
            self._colours = result.colormap, white
            result.colormap = white  # first: with outlines it takes napari seven times as long
            result.contour = _THICKNESS
            result.events.mode.connect(self._end)  # somebody takes the brush

    def _may_outline(self, result: Labels) -> bool:
        return (
            is_result(result)
            and result.visible
            and result is not self._labels
            and result.contour == 0
            and math.prod(spatial_shape(result)[-2:]) <= _LARGEST
            and not self._runs("Segmenting")
        )

    def _runs(self, name: str) -> bool:
        runner = self._workbench.runner
        return runner.state is not JobState.IDLE and runner.job_name == name

    def _on_state_changed(self, _state: JobState) -> None:
        if self._runs("Segmenting"):
            self._end()
        elif self._runs("Training") and self._has_preview():  # of an earlier training
            self._begin()

    def _on_moved(self, _event: Any) -> None:
        follows = self._runs("Training") and self._has_preview()
        if self._shown_plane() != self._position and not follows:
            self._end()

    def _shown_plane(self) -> tuple[int, ...]:
        return tuple(self._workbench.viewer.dims.current_step[:-2])

    def _end(self) -> None:
        outlined, self._outlined = self._outlined, None
        if outlined is None:
            return
        outlined.events.mode.disconnect(self._end)
        (before, ours), self._colours = self._colours, (None, None)
        if outlined.contour == _THICKNESS:
            outlined.contour = 0
        if outlined.colormap is ours:
            outlined.colormap = before
