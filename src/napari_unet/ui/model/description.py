"""A model in words: its name, kinds, score and date, and how it came about."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_unet.config import Task
from napari_unet.engine.counts import count
from napari_unet.engine.paint import tell_of_objects

if TYPE_CHECKING:
    from napari_unet.engine.network import Model
    from napari_unet.io.checkpoints import CheckpointHeader


def describe_model(name: str, model: Model | CheckpointHeader) -> str:
    """Return name, kinds, score and date in one line; without a name the others.

    Bundled models have no date: it is that of the version.
    """
    record = model.record
    parts = [*filter(None, [name]), kinds_of(model)]
    if not tell_of_objects(record.whole_objects):
        parts.append("of strokes, not scored")
    elif record.validation_iou is not None:
        blocks = count(len(record.held_out), "held-out block")
        parts.append(f"IoU {score_of(model)} on {blocks}")
    elif _is_pretrained(model):
        return " · ".join([*parts, "pretrained"])
    else:
        parts.append("not validated")
    return " · ".join([*parts, *filter(None, [date_of(model)])])


def _is_pretrained(model: Model | CheckpointHeader) -> bool:
    """Whether it has learned, but from nobody's paint: as the bundled models have."""
    return model.record.steps > 0 and model.record.labelled_pixels == 0


def tell_story(model: Model | CheckpointHeader) -> str:
    """Return in some lines how a model came about."""
    record, network = model.record, model.network
    story = [
        f"Task: {model.task}",
        f"Network: {network.name}, {count(network.in_channels, 'channel')}",
        f"Started from: {record.start}",
    ]
    if record.started:
        what = "" if _is_pretrained(model) else f" on {record.labelled_pixels:,} px"
        story.append(
            f"Trained: {record.started}, {count(record.steps, 'step')}{what} ({record.device})"
        )
    if record.validation_iou is not None:
        what = "IoU" if tell_of_objects(record.whole_objects) else "IoU of strokes"
        story.append(
            f"Validation {what}: {record.validation_iou:.2f}, kept from step {record.best_step:,}"
        )
    if record.diameter is not None:
        story.append(f"Objects: {record.diameter.pixels:.0f} px wide, {record.diameter.source}")
    if model.reduction is not None and model.reduction > 1:
        story.append(f"Sees the image shrunk {model.reduction}×")
    if model.enlargement > 1:
        story.append(f"Sees the image enlarged {model.enlargement}×")
    if model.pixel_size is not None:
        y, x = model.pixel_size
        story.append(f"Pixel size: {y:.4g} × {x:.4g} µm")
    return "\n".join(story)


def kinds_of(model: Model | CheckpointHeader) -> str:
    """Return what the model tells apart: "objects", "3 classes"."""
    return "objects" if model.task is Task.OBJECTS else count(len(model.values), "class")


def score_of(model: Model | CheckpointHeader) -> str:
    """Return the validation IoU; empty if nothing that tells of objects was held out."""
    iou = model.record.validation_iou
    return "" if iou is None or not tell_of_objects(model.record.whole_objects) else f"{iou:.2f}"


def date_of(model: Model | CheckpointHeader) -> str:
    """Return the day on which it was trained; empty if it says nothing of it."""
    return model.record.started[:10]
