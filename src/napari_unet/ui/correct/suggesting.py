"""Jumps to the places that the network is least sure of, one after the other."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from napari.layers import Labels
from qtpy.QtCore import QObject, Signal  # type: ignore[attr-defined]

from napari_unet.config import ObjectsConfig, Unpainted
from napari_unet.engine.events import Place, PlaceLookedAt, Suggested
from napari_unet.ui.correct import job
from napari_unet.ui.correct.place_mark import PlaceMark
from napari_unet.ui.layers.geometry import looked_at, spatial_shape
from napari_unet.ui.layers.inputs import image_planes, lesson_planes
from napari_unet.ui.layers.jump import jump_to
from napari_unet.ui.layers.paint_event import is_painted_in
from napari_unet.ui.layers.shown_data import ShownData
from napari_unet.ui.readiness import Readiness
from napari_unet.ui.runner import JobEnd, JobState
from napari_unet.ui.workbench import Choices, Workbench

_AT_ONCE = 5  # places that one search brings


class Suggesting(QObject):
    """Looks for places, and shows one after the other; a model that changes outdates them."""

    told = Signal(str)  # where the user is now
    withdrawn = Signal(str)  # what was told, and is not so any more

    def __init__(self, workbench: Workbench) -> None:
        super().__init__()
        self.workbench = workbench
        self._places: list[Place] = []  # still to be shown, the least sure first
        self._basis = workbench.choices  # what they were found with
        self._seen = ShownData(workbench.choices.images)
        self._followed: Labels | None = None
        self._found = False  # a place, by the last search
        self._mark = PlaceMark(workbench.viewer, self._on_mark_gone)
        self._shown: Place | None = None  # that is marked
        workbench.changed.connect(self._on_changed)
        self._on_changed()

    @property
    def left(self) -> int:
        """How many places can be shown without a search."""
        return len(self._places)

    def why_not(self) -> str | None:
        """Return why it cannot run now and what to do, None if it can."""
        ready = Readiness.of(self.workbench)
        if self._places:
            return ready.why_no_image()
        reason = ready.why_not_segment()
        if reason or self.workbench.choices.labels is None:
            return reason
        return ready.why_no_labels()

    def suggest(self, objects: ObjectsConfig) -> None:
        """Jump to the next place; look for places first if there are none left.

        Parameters
        ----------
        objects
            How foreground is cut into objects.
        """
        if self._places:
            self._jump()
            return
        chosen, device = self.workbench.choices, self.workbench.device
        assert chosen.model is not None
        assert chosen.image is not None
        assert device is not None
        search = job.suggest_places(
            chosen.model,
            image_planes(chosen.images),
            lesson_planes(chosen.labels) if chosen.labels else None,
            device=device,
            focus=looked_at(self.workbench.viewer, chosen.image),
            count=_AT_ONCE,
            unpainted=chosen.unpainted,
            objects=objects,
        )
        self._found = False
        self._mark.hide()
        self.told.emit("")
        on_event = partial(self._on_event, ShownData(chosen.images))
        self.workbench.run("Looking for unsure places", search, on_event, self._on_end)

    def release(self) -> None:
        """Let go of the labels."""
        self.workbench.changed.disconnect(self._on_changed)
        self._follow(None)
        self._mark.hide()
        self._places = []

    def _jump(self) -> None:
        image = self.workbench.choices.image
        assert image is not None
        place, self._found = self._places.pop(0), True
        self._mark.hide()
        jump_to(self.workbench.viewer, image, place.plane, place.y, place.x)
        self._mark.show(image, place)
        self._shown = place
        self.told.emit(job.describe_place(place))

    def _on_event(self, seen: ShownData, event: PlaceLookedAt | Suggested) -> None:
        self.workbench.progressed.emit(job.describe_search(event))
        if isinstance(event, Suggested):
            is_there = seen.is_shown and seen.layers == self.workbench.choices.images
            self._places = list(event.places) if is_there else []
            if self._places:
                self._jump()
            elif not is_there:
                self.told.emit("Another image is shown than was searched; press Suggest again.")
            elif self.workbench.runner.state is not JobState.CANCELLING:
                self.told.emit("No unsure place was found that is not painted yet.")

    def _on_end(self, end: JobEnd) -> None:
        if not self._found and end is JobEnd.STOPPED:
            self.told.emit("It was stopped before an unsure place was found.")

    def _on_changed(self) -> None:
        """Forget what was found for another model, image or labels, or other data."""
        now, before, seen = self.workbench.choices, self._basis, self._seen
        self._basis, self._seen = now, ShownData(now.images)
        if _what_counts(now) != _what_counts(before) or not seen.is_shown:
            self._places = []
            self._mark.hide_soon()
        if now.labels is not self._followed:
            self._follow(now.labels)

    def _follow(self, labels: Labels | None) -> None:
        for event, slot in self._edits():
            event.disconnect(slot)
        self._followed = labels
        for event, slot in self._edits():
            event.connect(slot)

    def _edits(self) -> tuple[tuple[Any, Any], ...]:
        if self._followed is None:
            return ()
        events = self._followed.events
        return (events.paint, self._on_painted), (events.data, self._on_replaced)

    def _on_painted(self, event: Any) -> None:
        """Forget the places that were painted; the network is as unsure of the others."""
        if self._shown is not None and self._is_painted(self._shown, event.value):
            self._mark.hide()
        left = [place for place in self._places if not self._is_painted(place, event.value)]
        self._places = left

    def _is_painted(self, place: Place, changes: Any) -> bool:
        """Return True if these changes painted the place; if 0 is background, all of its plane."""
        assert self._followed is not None
        shape = spatial_shape(self._followed)
        position = np.unravel_index(place.plane, shape[:-2]) if shape[:-2] else ()
        plane = tuple(slice(int(at), int(at) + 1) for at in position)
        whole = slice(0, shape[-2]), slice(0, shape[-1])
        partly = self.workbench.choices.unpainted is Unpainted.IGNORED
        return is_painted_in(changes, (*plane, *((place.y, place.x) if partly else whole)))

    def _on_replaced(self) -> None:
        self._places = []
        self._mark.hide()

    def _on_mark_gone(self) -> None:
        """Say no more of the place: people have left it, have painted there, or it is outdated."""
        shown, self._shown = self._shown, None
        if shown is not None:
            self.withdrawn.emit(job.describe_place(shown))


def _what_counts(choices: Choices) -> tuple[object, ...]:
    return choices.images, choices.labels, choices.unpainted, choices.start
