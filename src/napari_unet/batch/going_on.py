"""A segmentation that was killed or stopped goes on where it was, if nothing has changed since."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from napari_unet.engine.counts import count
from napari_unet.engine.events import SegmentStarted
from napari_unet.engine.network import DeviceChoice
from napari_unet.engine.prediction import SegmentationPlan
from napari_unet.engine.stack import ArrayPlanes
from napari_unet.io.hashes import PlaneHashes
from napari_unet.io.kept_folders import KeptRun, new_kept
from napari_unet.io.kept_record import Basis, KeptRecord
from napari_unet.io.kept_segmentation import KeptSegmentation


@dataclass(frozen=True)
class Wanted:
    """One segmentation, as it was asked for."""

    name: str  # of the image
    planes: ArrayPlanes
    numbers: Sequence[int]
    model_name: str
    plan: SegmentationPlan
    device: DeviceChoice
    output: Path

    @cached_property
    def basis(self) -> Basis:
        """What decides the result; the image is read."""
        return Basis.of(self.plan, self.planes, device=self.device, hashes=self.hashes)

    @cached_property
    def hashes(self) -> PlaneHashes:
        """The hashes of the image's planes, for the basis and for the record of the result."""
        return PlaneHashes(self.planes)

    def record(self, started: SegmentStarted) -> KeptRecord:
        """Return what is noted of it where it is kept."""
        return KeptRecord(
            self.name,
            self.model_name,
            self.basis,
            self.planes.count,
            order=started.planes,
            side=started.tile,
            output=str(self.output.resolve()),
        )


@dataclass(frozen=True, slots=True, eq=False)
class TakenUp:
    """What a segmentation begins with."""

    kept: KeptSegmentation  # keeps the work, with what an earlier run has left
    plan: SegmentationPlan  # with the tiles of the earlier run, if it goes on
    note: str = ""  # whether it goes on, and if not, what has changed; empty: there was nothing


def take_up(wanted: Wanted, left: Sequence[KeptRun], *, anew: bool) -> TakenUp:
    """Return what keeps the work, and how it is cut into tiles.

    What was made otherwise stays, for a run that is as that one was.

    Parameters
    ----------
    left
        What ended programs have left, whatever it is of.
    anew
        Whether what was left is removed and nothing gone on with.
    """
    runs = [run for run in left if run.record.output == str(wanted.output.resolve())]
    for run in runs if anew else ():
        run.remove()
    if anew or not runs:
        return TakenUp(new_kept(wanted.record), wanted.plan)
    changes = [changed(wanted.basis, wanted.numbers, run.record) for run in runs]
    if "" not in changes:
        note = f"Of {_tell(runs[0])}, but {changes[0]} not as then: this begins anew."
        return TakenUp(new_kept(wanted.record), wanted.plan, note)
    run = runs[changes.index("")]
    plan = wanted.plan.with_side(run.record.side)
    note = f"Going on: of {_tell(run)}."  # before its folder is another one
    return TakenUp(run.take(), plan, note)


def changed(basis: Basis, numbers: Sequence[int], record: KeptRecord) -> str:
    """Return what has changed since a record, with its verb; empty: nothing."""
    words = basis.changed(record.basis)
    if not words and tuple(numbers) != record.order:
        words = "the planes that are asked for"
        return f"{words} are"
    return words and f"{words} {'are' if ' and ' in words else 'is'}"


def _tell(run: KeptRun) -> str:
    when = time.strftime("%d %b, %H:%M", time.localtime(run.saved)).lstrip("0")
    return (
        f"'{Path(run.record.output).name}', {run.finished:,} of "
        f"{count(len(run.record.order), 'plane')} were finished on {when}"
    )
