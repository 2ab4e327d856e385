"""What is noted of a segmentation while it is made, for its record."""

from __future__ import annotations

from collections.abc import Collection, Generator, Iterable
from dataclasses import dataclass, field, replace

from napari_unet.engine.events import PlaneDone, SegmentDone, SegmentEvent, SegmentStarted
from napari_unet.engine.prediction import SegmentationPlan
from napari_unet.engine.stack import Planes
from napari_unet.io.hashes import PlaneHashes, join_hashes, paint_hash
from napari_unet.io.provenance import Provenance, Source, UsedModel, now, versions


@dataclass(frozen=True, slots=True)
class PlaneHashed:
    """A whole plane is done, and this is what it was made from."""

    plane: int
    image: str  # `plane_hash`
    paint: str | None  # `paint_hash` of the labels that override the prediction; None: no paint


def hashing(
    events: Iterable[SegmentEvent],
    planes: Planes,
    painted: Planes | None = None,
    hashes: PlaneHashes | None = None,
) -> Generator[SegmentEvent | PlaneHashed, None, None]:
    """Yield the events of a segmentation, and after each whole plane what it was made from.

    The plane has just been read for its tiles, so that most systems have it at hand; where its
    `hashes` are asked for elsewhere as well, it is read once for both.

    Raises
    ------
    FileError
        If a plane cannot be read any more.
    """
    hashes = hashes or PlaneHashes(planes)
    for event in events:
        yield event
        if isinstance(event, PlaneDone) and event.complete:
            paint = None if painted is None else paint_hash(painted, event.plane)
            yield PlaneHashed(event.plane, hashes[event.plane], paint)


@dataclass(slots=True, eq=False)
class Making:
    """What `hashing` tells of a segmentation, in one run or in several that go on."""

    started: str = field(default_factory=now)
    finished: str = ""
    model: UsedModel | None = None
    device: str = ""
    backend: str = ""
    hashes: dict[int, str] = field(default_factory=dict)  # of planes, in the order of their making
    paint: dict[int, str] = field(default_factory=dict)  # of those that have some

    def note(self, event: object) -> None:
        """Take note of an event."""
        match event:
            case UsedModel():
                self.model = event
            case SegmentStarted():
                self.device, self.backend = event.device, event.backend
            case PlaneHashed():
                self.drop(event.plane)
                self.hashes[event.plane] = event.image
                if event.paint is not None:
                    self.paint[event.plane] = event.paint
                self.finished = now()
            case SegmentDone():
                self.finished = now()

    def drop(self, plane: int) -> None:
        """Forget a plane: it is about to be made anew."""
        self.hashes.pop(plane, None)
        self.paint.pop(plane, None)

    def cut_last(self, plane: int) -> None:
        """Take note that a plane that is there was cut anew, after all others."""
        if plane in self.hashes:
            self.hashes[plane] = self.hashes.pop(plane)

    def provenance(
        self,
        planes: Planes,
        image: Source,
        plan: SegmentationPlan,
        *,
        painted: Source | None = None,
        without: Collection[int] = (),
    ) -> Provenance | None:
        """Return the record of the planes that are done; None: there are none.

        Parameters
        ----------
        planes
            The image's.
        image, painted
            What is known of the image, and of the labels that override the prediction, but for
            their hashes.
        plan
            How the planes were made.
        without
            Planes that are there, but not made so.
        """
        hashes = {plane: found for plane, found in self.hashes.items() if plane not in without}
        paint = {plane: found for plane, found in self.paint.items() if plane in hashes}
        if self.model is None or not hashes:
            return None
        if painted is not None:
            painted = replace(painted, hash=join_hashes(planes, paint)) if paint else None
        return Provenance(
            image=replace(image, hash=join_hashes(planes, hashes)),
            model=self.model,
            kind=plan.kind,
            tiling=plan.tiling,
            objects=plan.objects,
            planes=tuple(hashes),
            device=self.device,
            backend=self.backend,
            started=self.started,
            finished=self.finished or now(),
            versions=versions(),
            painted=painted,
        )
