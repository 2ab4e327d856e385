"""What is known of a result: how it was made, which planes are done, which numbers are in use."""

from __future__ import annotations

import math
from collections.abc import Iterable
from copy import copy
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING
from weakref import ref

from napari.layers import Image, Labels

from napari_unet.config import OutputKind, Task
from napari_unet.engine.counts import count, duration
from napari_unet.engine.events import Judged, PlaneDone, Resume
from napari_unet.engine.stack import ArrayPlanes
from napari_unet.io.kept_segmentation import KeptSegmentation
from napari_unet.io.making import Making
from napari_unet.ui.layers.geometry import spatial_shape
from napari_unet.ui.layers.inputs import image_planes
from napari_unet.ui.layers.provenance import note_provenance, source_of
from napari_unet.ui.layers.shown_data import ShownData
from napari_unet.ui.layers.used_numbers import note_used
from napari_unet.ui.segment.result import Result

if TYPE_CHECKING:
    from napari_unet.engine.prediction import SegmentationPlan


@dataclass(frozen=True, slots=True, eq=False)
class Recipe:
    """Everything that decides what a segmentation looks like."""

    images: tuple[Image, ...]
    plan: SegmentationPlan
    painted: ref[Labels] | None  # overrides the prediction, as it is when a plane is done
    seen: ShownData = field(init=False)  # what is segmented: an image can be given other data
    planes: int = field(init=False)  # of it

    def __post_init__(self) -> None:
        object.__setattr__(self, "seen", ShownData(self.images))
        object.__setattr__(self, "planes", math.prod(spatial_shape(self.images[0])[:-2]))

    def makes_same(self, other: Recipe) -> bool:
        """Return True if both give the same result."""
        one, its = self.plan, other.plan
        return (
            self.images == other.images
            and one.model is its.model
            and (one.kind, one.tiling, one.objects) == (its.kind, its.tiling, its.objects)
            and self.painted == other.painted
            and self.seen.is_same(other.seen)
        )

    def with_neck(self, neck: float) -> Recipe:
        """Return the recipe of the same prediction, cut otherwise."""
        other = copy(self)  # of what was predicted, shown or not
        objects = replace(self.plan.objects, neck=neck)
        object.__setattr__(other, "plan", replace(self.plan, objects=objects))
        return other


@dataclass(slots=True, eq=False)
class Record:
    """A result on its way, or as far as it came."""

    recipe: Recipe
    result: Result
    finished: set[int] = field(default_factory=set)  # planes, with this recipe
    stale: set[int] = field(default_factory=set)  # of them those that are cut otherwise
    objects: dict[int, int] = field(default_factory=dict)  # plane → new objects
    judged: dict[int, Judged] = field(default_factory=dict)  # plane → its painted objects
    largest: int = 0  # object number in use
    seconds: float = 0  # of work
    kept: KeptSegmentation | None = None  # on disk, as long as no file holds the result
    kept_uncut: KeptSegmentation | None = None  # of the result before it was cut otherwise
    making: Making = field(default_factory=Making)  # of the planes, with this recipe
    unfinished: set[int] = field(init=False)  # planes that hold no result, or a part of one

    def __post_init__(self) -> None:
        self.unfinished = set(range(self.recipe.planes))

    @property
    def outdated(self) -> str:
        """What to do about a result of data that its image shows no more; empty: it shows them."""
        if self.recipe.seen.is_shown:
            return ""
        image, result = self.recipe.images[0].name, self.result.layers[0].name
        return f"'{image}' shows other data than '{result}' was made of; segment again."

    @property
    def missing(self) -> int:
        """Number of planes that are neither finished nor corrected by hand."""
        return self.recipe.planes - len((self.finished - self.stale) | self.result.edited)

    @property
    def cuttable(self) -> set[int]:
        """The planes that can be cut anew: not those that were corrected by hand."""
        kept = {plane for plane in self.finished if plane in self.result.uncut}
        return kept - self.result.edited

    @property
    def missed(self) -> list[tuple[int, slice, slice]]:
        """Plane, y and x of each painted object that the network itself has not found."""
        return [(plane, *box) for plane in sorted(self.judged) for box in self.judged[plane].missed]

    def resume(self, recipe: Recipe, plane: int | None) -> Resume:
        """Return what a run is to know of the planes that are there.

        Parameters
        ----------
        recipe
            Of the run. What was made otherwise is no help, but its numbers stay in use.
        plane
            The only plane that is done, even if it is finished; None: all that are missing.
        """
        kept = set(self.result.edited)
        if self.recipe.makes_same(recipe):
            kept |= self.finished - self.stale
        are_labels = recipe.plan.kind is OutputKind.LABELS and bool(self.result.arrays)
        labels = ArrayPlanes(self.result.arrays[0]) if are_labels else None
        return Resume(frozenset(kept - {plane}), self.largest, labels)

    def begin(self, recipe: Recipe, plane: int | None) -> None:
        """Take note of a run that begins; its layers are there."""
        if not self.recipe.makes_same(recipe):
            self.recipe = recipe
            self.finished.clear()
            self.stale.clear()
            self.objects.clear()
            self.judged.clear()
            self.making = Making()
        if plane is not None:
            self.finished.discard(plane)
            self.unfinished.add(plane)
            self.making.drop(plane)
        self._note_unfinished()
        for layer in self.result.layers:
            note_provenance(layer, None)  # it is told when the run has ended

    def begin_cut(self, neck: float) -> None:
        """Take note that the planes are about to be cut otherwise.

        What is kept stays as they were, for after a crash; more is not added to it.
        """
        self.kept, self.kept_uncut = None, self.kept_uncut or self.kept
        self.recipe = self.recipe.with_neck(neck)
        self.stale |= self.cuttable

    def drop_kept(self) -> None:
        """Remove what is kept on disk: it is not wanted after a crash."""
        for kept in (self.kept, self.kept_uncut):
            if kept is not None:
                kept.remove()
        self.kept = self.kept_uncut = None

    def finish(self, event: PlaneDone) -> None:
        """Take note of a plane, whole or not."""
        if event.labels is not None:
            self._note_largest(int(event.labels.values.max()))
            self.objects[event.plane] = event.objects
        self.judged.pop(event.plane, None)
        if event.judged is not None:
            self.judged[event.plane] = event.judged
        if event.complete:
            self.finished.add(event.plane)
            self.making.cut_last(event.plane)
            self.stale.discard(event.plane)
            self.unfinished.discard(event.plane)
            self._note_unfinished()

    def correct(self, planes: frozenset[int] | None, largest: int) -> None:
        """Take note of what was painted by hand, perhaps (None) on any plane."""
        if planes is None:
            planes = frozenset(range(self.recipe.planes))
        self.result.edited |= planes
        self._note_largest(largest)
        self.unfinished -= planes
        self._note_unfinished()

    def note_provenance(self) -> None:
        """Note in the layers what made them, as far as they came."""
        recipe, painted = self.recipe, self.recipe.painted and self.recipe.painted()
        provenance = self.making.provenance(
            image_planes(recipe.images),
            source_of(recipe.images),
            recipe.plan,
            painted=None if painted is None else source_of([painted]),
            without=self.stale,
        )
        if provenance is not None:
            provenance = provenance.corrected_on(self.result.edited)
        for layer in self.result.layers:
            note_provenance(layer, provenance)

    def _note_largest(self, largest: int) -> None:
        self.largest = max(self.largest, largest)
        for layer in self.result.layers:
            note_used(layer, self.largest)

    def _note_unfinished(self) -> None:
        self.result.note_unfinished(self.unfinished)


def channel_names(plan: SegmentationPlan) -> tuple[str, ...]:
    """Return the names of the probabilities; none for labels and classes."""
    if plan.kind is not OutputKind.PROBABILITIES:
        return ()
    if plan.model.task is Task.OBJECTS:
        return ("foreground",)
    return tuple(f"class {value}" for value in plan.model.values)


def summarise(records: Iterable[Record]) -> str:
    """Return how far some results are: "Segmented 12 of 84 planes · 402 objects".

    Those of data that are shown no more have a line of their own.
    """
    records = list(records)
    current = [record for record in records if not record.outdated]
    outdated = (record.outdated for record in records)
    return "\n".join(filter(None, (_how_far(current), *outdated)))


def _how_far(records: list[Record]) -> str:
    if not records:
        return ""
    planes = sum(record.recipe.planes for record in records)
    missing = sum(record.missing for record in records)
    objects = sum(sum(record.objects.values()) for record in records)
    done = f"Segmented {planes - missing:,} of {count(planes, 'plane')}"
    parts = [done if missing else count(planes, "plane")]
    if len(records) > 1:
        parts.insert(0, count(len(records), "layer"))
    if objects:
        parts.append(count(objects, "object"))
    if not missing:
        parts.append(duration(sum(record.seconds for record in records)))
    judged = [one for record in records for one in record.judged.values()]
    painted = sum(one.painted for one in judged)
    if painted:
        right = sum(one.right for one in judged)
        whole = f"{count(painted, 'object')} painted whole"
        parts.append(f"the network itself found {right:,} of {whole}")
    return " · ".join(parts)
