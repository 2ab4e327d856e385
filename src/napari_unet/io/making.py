"""What is noted of a segmentation while it is made, for its record."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from dataclasses import dataclass, field, replace

from napari_unet.config import ObjectsConfig, OutputKind, TilingConfig
from napari_unet.engine.events import PlaneDone, SegmentDone, SegmentEvent, SegmentStarted
from napari_unet.engine.stack import Planes
from napari_unet.io.fingerprint import join_hashes, paint_hash, plane_hash
from napari_unet.io.provenance import Provenance, Source, UsedModel, now, versions


@dataclass(frozen=True, slots=True)
class PlaneHashed:
    """A whole plane is done, and this is what it was made from."""

    plane: int
    image: str  # `plane_hash`
    paint: str | None  # `paint_hash` of the labels that override the prediction; None: no paint


def hashing(
    events: Iterable[SegmentEvent], planes: Planes, painted: Planes | None = None
) -> Generator[SegmentEvent | PlaneHashed, None, None]:
    """Yield the events of a segmentation, and after each whole plane what it was made from.

    The plane has just been read for its tiles, so that most systems have it at hand.

    Raises
    ------
    FileError
        If a plane cannot be read any more.
    """
    for event in events:
        yield event
        if isinstance(event, PlaneDone) and event.complete:
            paint = None if painted is None else paint_hash(painted, event.plane)
            yield PlaneHashed(event.plane, plane_hash(planes, event.plane), paint)


@dataclass(slots=True, eq=False)
class Making:
    """What `hashing` tells of a segmentation, in one run or in several that go on."""

    started: str = field(default_factory=now)
    finished: str = ""
    device: str = ""
    backend: str = ""
    hashes: dict[int, str] = field(default_factory=dict)  # of planes, in the order of their making
    paint: dict[int, str] = field(default_factory=dict)  # of those that have some

    def note(self, event: object) -> None:
        """Take note of an event."""
        match event:
            case SegmentStarted():
                self.device, self.backend = event.device, event.backend
            case PlaneHashed():
                self.hashes.pop(event.plane, None)
                self.hashes[event.plane] = event.image
                self.paint.pop(event.plane, None)
                if event.paint is not None:
                    self.paint[event.plane] = event.paint
                self.finished = now()
            case SegmentDone():
                self.finished = now()

    def provenance(
        self,
        planes: Planes,
        image: Source,
        model: UsedModel,
        *,
        kind: OutputKind,
        tiling: TilingConfig,
        objects: ObjectsConfig,
        painted: Source | None = None,
    ) -> Provenance:
        """Return the record of the planes that are done.

        Parameters
        ----------
        planes
            The image's.
        image, painted
            What is known of the image, and of the labels that override the prediction, but for
            their hashes.
        """
        paint = None
        if painted is not None and self.paint:
            paint = replace(painted, hash=join_hashes(planes, self.paint))
        return Provenance(
            image=replace(image, hash=join_hashes(planes, self.hashes)),
            model=model,
            kind=kind,
            tiling=tiling,
            objects=objects,
            planes=tuple(self.hashes),
            device=self.device,
            backend=self.backend,
            started=self.started,
            finished=self.finished or now(),
            versions=versions(),
            painted=paint,
        )
