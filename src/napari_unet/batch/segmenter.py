"""Segment a stack with a trained model, plane by plane into a file."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from pathlib import Path
from threading import RLock
from typing import Any, NamedTuple, Protocol

from napari_unet.batch.events import FileSegmented, Note, PartsDone, Stopped
from napari_unet.batch.filling import Filled, Kept, Takes, fill, open_filling
from napari_unet.batch.going_on import Wanted, take_up
from napari_unet.batch.plane_selection import PlaneSelection
from napari_unet.engine.events import SegmentEvent, Stop, never
from napari_unet.engine.network import DeviceChoice
from napari_unet.engine.prediction import Backend, SegmentationPlan, segment
from napari_unet.io.images import ImageStack, open_image
from napari_unet.io.kept_folders import KeptRun, find_kept
from napari_unet.io.making import Making, PlaneHashed, hashing
from napari_unet.io.output_files import check_output
from napari_unet.io.provenance import Provenance, Source, UsedModel, to_text
from napari_unet.io.provenance_files import write_beside
from napari_unet.io.replacing import put_in_place
from napari_unet.io.stack import AS_IT_IS, View
from napari_unet.io.unfinished import tell_unfinished, unfinished_path
from napari_unet.io.write_zarr import check_no_other_folder

RESULT_SUFFIXES = (".tif", ".tiff", ".zarr")
"""What the name of a result ends in."""

_NOTHING = "Stopped before the first plane was finished; nothing is written."


def check_segmentation(output: Path, image: Path) -> None:
    """Make sure, before the work begins, that the result of an image can be written there.

    Raises
    ------
    UnetPaintError
        As `check_output` does; also if it is a folder of something else.
    """
    check_output(output, suffixes=RESULT_SUFFIXES, inputs=(image,))
    check_no_other_folder(output)


class Opened(NamedTuple):
    """An image, as a model takes it."""

    path: Path
    stack: ImageStack
    note: str  # that it is not read as the file says, or what of it is; empty: all of it


@dataclass(frozen=True, slots=True, eq=False)
class Way:
    """How the work on one image is done: in this process, or by others."""

    kept: Kept
    told: Iterator[SegmentEvent | PlaneHashed | PartsDone]
    opened: Callable[[Path], AbstractContextManager[Takes]]  # the output's file
    note: str = ""  # what it goes on from
    figures: Callable[[], Mapping[str, Any]] = dict  # of the work, in the end


class Others(Protocol):
    """Other processes, which can do the work."""

    def way(self, segmenter: Segmenter, image: Opened, output: Path, stop: Stop) -> Way:
        """Return how they segment an image.

        Raises
        ------
        UnetPaintError
            If they cannot.
        """
        ...


@dataclass(frozen=True)
class Segmenter:
    """A model, and all that is wanted of it but the image: it segments any number of files.

    Several threads may use one.

    Parameters
    ----------
    plan
        The model, and how it segments.
    name, path
        The model as people call it, and where it is; None: in no file.
    device
        Where to compute.
    selection
        The planes; None: all.
    view
        What of each file is segmented.
    anew
        Whether nothing that an earlier run has left is gone on with.
    others
        The processes that do the work; None: this one.
    """

    plan: SegmentationPlan
    name: str
    path: Path | None
    device: DeviceChoice
    selection: PlaneSelection | None = None
    view: View = AS_IT_IS
    anew: bool = False
    others: Others | None = None
    _once: RLock = field(default_factory=RLock, repr=False, compare=False)

    @property
    def used(self) -> UsedModel:
        """What is noted of the model."""
        with self._once:
            return self._used

    @property
    def backend(self) -> Backend | None:
        """The network on the device, for those who share it; None: it does not fit there."""
        with self._once:
            return self._backend

    @property
    def left(self) -> list[KeptRun]:
        """What ended programs have left to go on with; it is looked for once."""
        with self._once:
            return self._left

    @cached_property
    def _used(self) -> UsedModel:
        return UsedModel.of(self.plan.model, self.name, self.path)

    @cached_property
    def _backend(self) -> Backend | None:
        return Backend.fitting(self.plan.model, self.device)

    @cached_property
    def _left(self) -> list[KeptRun]:
        return find_kept()

    def open(self, image: Path, position: str | None = None) -> Opened:
        """Open an image; where the model takes one channel, those of one plane are planes.

        Parameters
        ----------
        position
            Which image of a file of several; None: as the `view` says.
        """
        view = replace(self.view, position=position or self.view.position)
        stack = open_image(image, view)
        planes = stack.channels_as_planes()
        count = planes.layout().count
        is_as_meant = self.plan.model.network.in_channels > 1 or view.axes or view.channels
        if is_as_meant or stack.layout().count > 1 or count == 1:
            return Opened(image, stack, stack.level_note)
        note = (
            f"The model takes one channel: the {count} channels of '{stack.name}' are read as "
            "planes."
        )
        return Opened(image, planes, f"{note} {stack.level_note}".strip())

    def wanted(self, stack: ImageStack, output: Path) -> Wanted:
        """Return the segmentation of a stack.

        Raises
        ------
        SettingsError
            If a selected plane does not exist.
        """
        planes = stack.planes()
        selection = self.selection
        numbers = range(planes.count) if selection is None else selection.numbers(planes.count)
        return Wanted(
            name=stack.name,
            planes=planes,
            numbers=numbers,
            model_name=self.name,
            plan=self.plan,
            device=self.device,
            output=output,
        )

    def segment(
        self,
        image: Opened,
        output: Path,
        stop: Stop = never,
        *,
        backend: Backend | None = None,
        check: Callable[[], None] = lambda: None,
    ) -> Iterator[Note | SegmentEvent | PartsDone | FileSegmented]:
        """Segment one image into a file.

        The result has the image's planes, axes and pixel size; planes that are not selected, or not
        reached when the work is stopped, are 0 in it. If it is stopped, a file that was there
        before stays, and the new one is called "….unfinished" beside it. Asked for again, the work
        goes on where it was stopped or killed, unless it is to begin `anew`.

        Parameters
        ----------
        backend
            The network, where several files share it; None: one is built.
        check
            Called before the file appears under its name; if it raises, none does.

        Yields
        ------
        Note, SegmentEvent, FileSegmented
            As `engine.prediction.segment`, but for `PlaneUncut`; from others, `PartsDone` in
            place of tiles. `FileSegmented` comes last, unless
            it was stopped before the first plane was done: then there is no file.

        Raises
        ------
        UnetPaintError
            Whatever is wrong with the input, the device or the output; the text says what to do.
        """
        if self.others is None:
            way = self._here(image, output, stop, backend)
        else:
            way = self.others.way(self, image, output, stop)
        yield from (Note(text) for text in (image.note, way.note) if text)
        planes = image.stack.planes()
        making = Making(model=self.used)
        # What is there stays until all of this is done.
        written = unfinished_path(output) if output.exists() else output
        with way.kept:
            try:
                with way.opened(written) as filling:
                    filled = yield from fill(
                        way.told, filling, way.kept, making, numbered=self.plan.is_numbered
                    )
                    source = Source.of(image.stack, image.path)
                    provenance = making.provenance(planes, source, self.plan)
                    text = _as_text(provenance, output)
                    check()
                    filling.fill(planes.count)
                    left = set(filled.begun.planes).difference(filled.done.planes)
                    filling.note_unfinished(left)
                    filling.note_provenance(text)
            except _NothingDone:
                yield Stopped(_NOTHING)
                return
            if not left and written != output:
                written = put_in_place(written, output)
            assert provenance is not None  # else nothing is done
            record = write_beside(written, provenance)
            if left:
                stays = "" if written == output else f" '{output.name}' is as it was."
                yield Stopped(f"{tell_unfinished(left)} and 0 in '{written.name}'.{stays}")
            else:
                way.kept.remove()
        made = self._segmented(written, record, filled, planes.count, len(left))
        yield replace(made, figures={**made.figures, **way.figures()})

    def _here(self, image: Opened, output: Path, stop: Stop, backend: Backend | None) -> Way:
        """Return how this process segments an image."""
        wanted = self.wanted(image.stack, output)
        taken = take_up(wanted, self.left, anew=self.anew)
        events = segment(
            taken.plan,
            wanted.planes,
            device=self.device,
            numbers=wanted.numbers,
            kept=taken.kept,
            backend=backend,
            provisional=False,
            stop=stop,
        )
        told = hashing(events, wanted.planes, hashes=wanted.hashes)
        opened = partial(open_filling, stack=image.stack, plan=self.plan)
        return Way(taken.kept, told, opened, taken.note)

    def _segmented(
        self, output: Path, record: Path | None, filled: Filled, planes: int, left: int
    ) -> FileSegmented:
        begun, done = filled.begun, filled.done
        objects = filled.objects if self.plan.is_numbered else None
        seconds = round(done.seconds, 3)
        figures = {
            "output": str(output),
            "record": None if record is None else str(record),
            "kind": self.plan.kind.value,
            "device": begun.device,
            "planes": len(done.planes),
            "empty_planes": planes - len(done.planes),
            **({} if objects is None else {"objects": objects}),
            "tile": begun.tile,
            "finished": done.reason.value,
            "seconds": seconds,
        }
        return FileSegmented(output, record, figures, left, objects, seconds)


def _as_text(provenance: Provenance | None, output: Path) -> str:
    if provenance is None:
        raise _NothingDone
    return to_text(provenance, output.absolute().parent)


class _NothingDone(Exception):  # noqa: N818
    """It was stopped before the first plane; what was begun is not to appear."""
