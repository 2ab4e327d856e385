"""Jumps to the places that the network is least sure of."""

from __future__ import annotations

from typing import Any

from napari.layers import Labels
from qtpy.QtCore import QObject, Signal  # type: ignore[attr-defined]

from napari_unet.engine.events import Place, PlaceLookedAt, Suggested
from napari_unet.ui.jobs import suggesting
from napari_unet.ui.layers.geometry import looked_at
from napari_unet.ui.layers.inputs import image_planes, labels_planes
from napari_unet.ui.layers.jumping import jump_to
from napari_unet.ui.readiness import Readiness
from napari_unet.ui.workbench import Choices, Workbench

__all__ = ["Suggesting"]

_AT_ONCE = 5  # places that one search brings


class Suggesting(QObject):
    """Looks for places, and shows one after the other until model or labels change."""

    told = Signal(str)  # where the user is now

    def __init__(self, workbench: Workbench) -> None:
        super().__init__()
        self.workbench = workbench
        self._places: list[Place] = []  # still to be shown, the least sure first
        self._basis = workbench.choices  # what they were found with
        self._followed: Labels | None = None
        self._running = False
        workbench.changed.connect(self._on_changed)
        workbench.runner.reported.connect(self._on_reported)
        workbench.runner.finished.connect(self._on_finished)
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

    def suggest(self) -> None:
        """Jump to the next place; look for places first if there are none left."""
        if self._places:
            self._jump()
            return
        chosen, device = self.workbench.choices, self.workbench.device
        assert chosen.model is not None
        assert chosen.image is not None
        assert device is not None
        job = suggesting.suggest_places(
            chosen.model,
            image_planes(chosen.images),
            labels_planes(chosen.labels) if chosen.labels else None,
            device=device,
            focus=looked_at(self.workbench.viewer, chosen.image),
            count=_AT_ONCE,
            unpainted=chosen.unpainted,
        )
        self._running = True
        self.told.emit("")
        self.workbench.run("Looking for unsure places", job)

    def release(self) -> None:
        """Let go of the labels."""
        self.workbench.changed.disconnect(self._on_changed)
        self._follow(None)
        self._places = []

    def _jump(self) -> None:
        image = self.workbench.choices.image
        assert image is not None
        place = self._places.pop(0)
        jump_to(self.workbench.viewer, image, place)
        self.told.emit(suggesting.describe_place(place))

    def _on_reported(self, event: object) -> None:
        if not self._running or not isinstance(event, PlaceLookedAt | Suggested):
            return
        self.workbench.progressed.emit(suggesting.describe_search(event))
        if isinstance(event, Suggested):
            self._places = list(event.places)
            if self._places and self.workbench.choices.image is not None:
                self._jump()
            else:
                self.told.emit("No unsure place was found that is not painted yet.")

    def _on_finished(self) -> None:
        self._running = False

    def _on_changed(self) -> None:
        """Forget what was found for another model, image or labels."""
        now, before = self.workbench.choices, self._basis
        self._basis = now
        if _what_counts(now) != _what_counts(before):
            self._places = []
        if now.labels is not self._followed:
            self._follow(now.labels)

    def _follow(self, labels: Labels | None) -> None:
        for event in _edits(self._followed):
            event.disconnect(self._on_edited)
        self._followed = labels
        for event in _edits(labels):
            event.connect(self._on_edited)

    def _on_edited(self) -> None:
        self._places = []


def _what_counts(choices: Choices) -> tuple[object, ...]:
    return choices.images, choices.labels, choices.unpainted, choices.start


def _edits(labels: Labels | None) -> tuple[Any, ...]:
    return (labels.events.paint, labels.events.data) if labels is not None else ()
