"""A result on its way is kept on disk, with all that another session needs to go on with it."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from napari_unet.config import NetworkConfig
from napari_unet.engine.errors import FileError, UnetPaintError
from napari_unet.engine.events import SegmentStarted
from napari_unet.engine.prediction import SegmentationPlan
from napari_unet.engine.stack import Planes
from napari_unet.io.hashes import model_hash
from napari_unet.io.kept_folders import KeptRun, new_kept
from napari_unet.io.kept_record import Basis, KeptRecord
from napari_unet.io.kept_segmentation import MODEL, KeptSegmentation
from napari_unet.ui.segment.job import Turn
from napari_unet.ui.segment.record import Recipe
from napari_unet.ui.workbench import CurrentModel

if TYPE_CHECKING:
    from napari_unet.engine.network import DeviceChoice


@dataclass(frozen=True, slots=True, eq=False)
class Earlier:
    """What an earlier session has left, taken over by this one, and what it was made with."""

    record: KeptRecord
    work: KeptSegmentation
    model: CurrentModel


def keep(turn: Turn, recipe: Recipe, start: NetworkConfig | CurrentModel) -> KeptSegmentation:
    """Return what keeps the work of a turn; `start` is the chosen model."""
    assert isinstance(start, CurrentModel)
    name, path = recipe.images[0].name, start.path

    def describe(started: SegmentStarted) -> KeptRecord:
        return KeptRecord(
            name,
            start.name,
            Basis.of(turn.plan, turn.planes, device=turn.device),
            turn.planes.count,
            order=started.planes,
            side=started.tile,
            shape=turn.planes.shape,
            largest=turn.resume.largest,
            painted=turn.painted is not None,
            model_path="" if path is None else str(path.absolute()),
        )

    return new_kept(describe, turn.plan.model)


def model_to_go_on(run: KeptRun, planes: Planes, device: DeviceChoice) -> CurrentModel:
    """Return the model of an earlier session; the image is read, to compare it.

    Raises
    ------
    FileError
        If it cannot be gone on with, since something has changed; the text says what.
    UnetPaintError
        If it cannot be read.
    """
    from napari_unet.io.checkpoints import load_model  # noqa: PLC0415  # loads torch

    record, before = run.record, run.record.basis
    model = load_model(run.folder / MODEL)
    plan = SegmentationPlan(model, before.objects, before.tiling, before.kind)
    changed = Basis.of(plan, planes, device=device).changed(before)
    if changed:
        raise FileError(
            f"'{record.name}' cannot be gone on with, as something has changed since: {changed}. "
            "Segment it again, or undo the change."
        )
    current = CurrentModel(record.model_name, model)
    if record.model_path:
        path = Path(record.model_path)
        with suppress(UnetPaintError):  # it may be gone, or another one
            in_file = load_model(path)
            if model_hash(in_file) == before.model:
                current = CurrentModel(record.model_name, in_file, path)
    return current
