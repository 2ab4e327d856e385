"""Segment a stack with a trained model, plane by plane into a file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from napari_unet.cli.console import Interruption, Update, say
from napari_unet.cli.filling import Follower, open_filling
from napari_unet.cli.going_on import Wanted, take_up
from napari_unet.cli.measure import measure_result, require_table
from napari_unet.cli.options import PlaneSelection
from napari_unet.cli.settings import SegmentWishes, require_folder
from napari_unet.config import OutputKind, Task
from napari_unet.engine.errors import SettingsError
from napari_unet.engine.network import DeviceChoice, Model, pick_device
from napari_unet.engine.prediction import Backend, segment
from napari_unet.io.checkpoints import load_model
from napari_unet.io.images import ImageStack, open_image
from napari_unet.io.kept_folders import KeptRun, find_kept
from napari_unet.io.library import find_model
from napari_unet.io.making import Making, hashing
from napari_unet.io.provenance import Source, UsedModel, to_text
from napari_unet.io.provenance_files import write_beside
from napari_unet.io.replacing import put_in_place
from napari_unet.io.unfinished import tell_unfinished, unfinished_path
from napari_unet.io.write_zarr import check_no_other_folder

RESULT_SUFFIXES = (".tif", ".tiff", ".zarr")
"""What the name of a result ends in."""

_NOTHING = "Stopped before the first plane was finished; nothing is written."
_GO_ON = "To go on, run the same command again."


def segment_stack(
    image: Path,
    *,
    model: str,
    output: Path,
    selection: PlaneSelection | None,
    wishes: SegmentWishes,
    kind: OutputKind,
    device: str,
    stop: Interruption,
    anew: bool = False,
) -> dict[str, Any]:
    """Segment, write what is finished, and return the figures.

    The file has the image's planes, axes and pixel size; planes that are not selected, or not
    reached when the work is stopped, are 0 in it. If it is stopped, a file that was there before
    stays, and the new one is called "….unfinished" beside it. Asked for again, the work goes on
    where it was stopped or killed, unless it is to begin `anew`.

    Raises
    ------
    UnetPaintError
        Whatever is wrong with the input, the device or the output; the text says what to do.
    """
    require_segmentation(output, image)
    segmenter = Segmenter.of(
        model, selection=selection, wishes=wishes, kind=kind, device=device, anew=anew
    )
    return segmenter.segment(image, output, stop)


def segment_measured(
    image: Path, output: Path, table: Path | None, stop: Interruption, **wishes: Any
) -> dict[str, Any]:
    """Segment as `segment_stack` does, and measure the objects into a table, if there is to be one.

    Raises
    ------
    UnetPaintError
        As `segment_stack` and `measure_stack`.
    """
    if table is not None:
        require_table(table, (image, output), wishes["kind"])
    figures = segment_stack(image, output=output, stop=stop, **wishes)
    if table is not None:
        figures |= measure_result(figures, image, table, wishes["selection"])
    return figures


def require_segmentation(output: Path, image: Path) -> None:
    """Make sure, before the work begins, that the result of an image can be written there.

    Raises
    ------
    UnetPaintError
        As `require_folder` does; also if it is a folder of something else.
    """
    require_folder(output, suffixes=RESULT_SUFFIXES, inputs=(image,))
    check_no_other_folder(output)


@dataclass(frozen=True)
class Segmenter:
    """A model, and all that is wanted of it but the image: it segments any number of files."""

    model: Model
    path: Path  # of the model
    device: DeviceChoice
    wishes: SegmentWishes
    kind: OutputKind
    selection: PlaneSelection | None
    anew: bool = False

    @classmethod
    def of(
        cls,
        model: str,
        *,
        selection: PlaneSelection | None,
        wishes: SegmentWishes,
        kind: OutputKind,
        device: str,
        anew: bool = False,
    ) -> Segmenter:
        """Load the model.

        Raises
        ------
        UnetPaintError
            If there is no such model or device, or objects are to be linked and there are none.
        """
        choice = pick_device(device)
        path = find_model(model)
        segmenter = cls(load_model(path), path, choice, wishes, kind, selection, anew)
        if wishes.links and not segmenter.is_numbered:
            raise SettingsError(
                "Only numbered objects can be linked from plane to plane; leave out --link, or "
                "take a model of objects and the output kind 'labels'."
            )
        return segmenter

    @property
    def is_numbered(self) -> bool:
        """Whether labels of objects come out."""
        return self.kind is OutputKind.LABELS and self.model.task is Task.OBJECTS

    @cached_property
    def used(self) -> UsedModel:
        """What is noted of the model."""
        return UsedModel.of(self.model, self.path.stem, self.path)

    @cached_property
    def backend(self) -> Backend | None:
        """The network on the device, for those who share it; None: it does not fit there."""
        return Backend.fitting(self.model, self.device)

    @cached_property
    def left(self) -> list[KeptRun]:
        """What ended programs have left to go on with; it is looked for once."""
        return find_kept()

    def open(self, image: Path) -> ImageStack:
        """Open an image; where the model takes one channel, those of one plane are planes."""
        return _for_model(open_image(image), self.model)

    def wanted(self, stack: ImageStack, output: Path) -> Wanted:
        """Return the segmentation of a stack.

        Raises
        ------
        SettingsError
            If a selected plane does not exist.
        """
        planes = stack.planes()
        selection, network = self.selection, self.model.network
        numbers = range(planes.count) if selection is None else selection.numbers(planes.count)
        return Wanted(
            name=stack.name,
            planes=planes,
            numbers=numbers,
            model_name=self.path.stem,
            model=self.model,
            device=self.device,
            tiling=self.wishes.tiling(network),
            objects=self.wishes.objects(network),
            kind=self.kind,
            output=output,
        )

    def segment(
        self,
        image: Path,
        output: Path,
        stop: Interruption,
        *,
        update: Update | None = None,
        backend: Backend | None = None,
        check: Callable[[], None] = lambda: None,
    ) -> dict[str, Any]:
        """Segment one file as `segment_stack` does, and return its figures.

        Parameters
        ----------
        update
            Takes how far it is; None: a progress bar shows it.
        backend
            The network, where several files share it; None: one is built.
        check
            Called before the file appears under its name; if it raises, none does.
        """
        stack = self.open(image)
        wanted = self.wanted(stack, output)
        planes = wanted.planes
        kept, tiling = take_up(wanted, self.left, anew=self.anew)
        events = segment(
            self.model,
            planes,
            device=self.device,
            tiling=tiling,
            objects=wanted.objects,
            kind=self.kind,
            numbers=wanted.numbers,
            kept=kept,
            backend=backend,
            provisional=False,
            stop=stop,
        )
        making = Making(model=self.used)
        # What is there stays until all of this is done.
        written = unfinished_path(output) if output.exists() else output
        with kept:
            with open_filling(written, stack, self.model, self.kind) as filling:
                told = hashing(events, planes)
                follow = Follower(kept, filling, making, numbered=self.is_numbered)
                begun, done, found = follow.all(told, update)
                if not done.planes:
                    say(
                        f"Stopped before the first plane was finished; nothing is written. {_GO_ON}"
                    )
                    stop.exit_if_requested()
                check()
                filling.fill(planes.count)
                left = set(begun.planes).difference(done.planes)
                filling.note_unfinished(left)
                provenance = making.provenance(
                    planes,
                    Source.of(stack, image),
                    kind=self.kind,
                    tiling=wanted.tiling,
                    objects=wanted.objects,
                )
                assert provenance is not None  # a plane is done
                filling.note_provenance(to_text(provenance, output.absolute().parent))
            if not left and written != output:
                written = put_in_place(written, output)
            record = write_beside(written, provenance)
            if left:
                stays = "" if written == output else f" '{output.name}' is as it was."
                say(f"{tell_unfinished(left)} and 0 in '{written.name}'.{stays} {_GO_ON}")
            else:
                kept.remove()
        return {
            "output": str(written),
            "record": None if record is None else str(record),
            "kind": self.kind.value,
            "device": begun.device,
            "planes": len(done.planes),
            "empty_planes": planes.count - len(done.planes),
            **({"objects": found} if self.is_numbered else {}),
            "tile": begun.tile,
            "finished": done.reason.value,
            "seconds": round(done.seconds, 3),
        }


def _for_model(stack: ImageStack, model: Model) -> ImageStack:
    """Return the stack; if it is one plane of channels and the model takes one, they are planes."""
    planes = stack.channels_as_planes()
    count = planes.layout().count
    if model.network.in_channels > 1 or stack.layout().count > 1 or count == 1:
        return stack
    say(f"The model takes one channel: the {count} channels of '{stack.name}' are read as planes.")
    return planes
