"""Train a model on painted labels."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from napari_unet.batch.plane_selection import PlaneSelection
from napari_unet.cli.console import progress_bar, say
from napari_unet.cli.resuming import Leftover, load_same
from napari_unet.cli.settings import TrainWishes
from napari_unet.config import Task, Unpainted
from napari_unet.engine.counts import count
from napari_unet.engine.errors import CheckpointError, FileError, LabelsError, SettingsError
from napari_unet.engine.events import (
    TOO_LITTLE,
    FinishReason,
    MemoryShort,
    Reviewed,
    Skipped,
    StepDone,
    Stop,
    TrainDone,
    TrainEvent,
    TrainResumed,
    TrainStarted,
    Validated,
)
from napari_unet.engine.network import Diameter, Model, pick_device
from napari_unet.engine.paint import (
    LabelScheme,
    TrainingSet,
    look_for_hint,
    looks_like_label_image,
    tell_of_objects,
)
from napari_unet.engine.prediction import review
from napari_unet.engine.training import TrainingPlan, fit
from napari_unet.io.checkpoints import save_model
from napari_unet.io.interrupted import KEEP_EVERY, About
from napari_unet.io.output_files import check_output
from napari_unet.io.stack import AS_IT_IS, View
from napari_unet.io.trained_on import Lesson, telling_lessons
from napari_unet.io.training_pairs import OpenPair, PairFiles, find_pairs, open_pair


def train_model(
    given: Sequence[PairFiles],
    wishes: TrainWishes,
    *,
    output: Path,
    selection: PlaneSelection | None,
    view: View = AS_IT_IS,
    stop: Stop,
    resume: bool = False,
) -> dict[str, Any]:
    """Train, save the best weights and return the figures.

    Until the training has ended whole, its state is kept beside the output, to go on from there
    after an interruption, whatever it was.

    Raises
    ------
    UnetPaintError
        Whatever is wrong with the input, the device or the output; the text says what to do. If
        training fails on its way, the best weights until then are saved before.
    """
    inputs = tuple(path for files in given for path in (files.image, files.labels))
    check_output(output, suffixes=(".safetensors",), inputs=inputs)
    files, alone = find_pairs(given)
    for sentence in alone:
        say(sentence)
    images, labels = ([getattr(one, what).name for one in files] for what in ("image", "labels"))
    leftover = Leftover(output, About(tuple(images), tuple(labels)))
    found, kept = leftover.look(resume=resume)
    device = pick_device(wishes.device)
    opened = _open(files, selection, view)
    pairs = TrainingSet([one.pair for one in opened])
    unpainted = wishes.unpainted or _usual_reading(pairs, wishes.task, files)
    plan = TrainingPlan(
        start=wishes.start,
        scheme=LabelScheme(wishes.task, unpainted),
        config=wishes.config,
        device=device,
    )
    with pairs.remembering():
        hint = look_for_hint(pairs.labels, plan.scheme)
    if hint is not None:
        say(str(hint))
    events = fit(
        pairs,
        plan,
        stop=stop,
        keep_every=None if kept is None else KEEP_EVERY,
        interrupted=None if found is None else load_same(found, plan),
    )
    lessons = [Lesson(*one.sources, unpainted) for one in opened]
    told = events if kept is None else kept.follow(events)
    begun, done, path = _follow(telling_lessons(told, pairs, lessons, plan.model), output)
    if kept is not None and done.reason is FinishReason.STOPPED:
        say("Stopped before its end; the same command with --resume goes on from there.")
    elif kept is not None:
        kept.remove()
    reviewed = review(done.model, pairs, plan.scheme, device=device, stop=stop)
    if reviewed is not None:
        say(str(reviewed))
    elif not tell_of_objects(done.model.record.whole_objects):
        say(TOO_LITTLE)
    return _figures(path, begun, done) | _found(reviewed)


def _open(
    files: Sequence[PairFiles], selection: PlaneSelection | None, view: View
) -> list[OpenPair]:
    """Open the images and their labels; of a single image, perhaps some planes only."""
    if selection is not None and len(files) > 1:
        raise SettingsError(
            f"--planes chooses planes of one image, but {len(files)} are given; leave it out, and "
            "give labels of the wanted planes only."
        )
    choose = None if selection is None else selection.numbers
    opened = [open_pair(one, choose, view) for one in files]
    for note in dict.fromkeys(one.stack.level_note for one in opened):
        if note:
            say(note)
    return opened


def _usual_reading(pairs: TrainingSet, task: Task, files: Sequence[PairFiles]) -> Unpainted:
    """Return that unpainted is ignored.

    Raises
    ------
    LabelsError
        If that is plainly not meant.
    """
    scheme = LabelScheme(task, Unpainted.IGNORED)
    for labels, one in zip(pairs.labels, files, strict=True):
        with pairs.remembering():
            is_label_image = looks_like_label_image([labels], scheme)
        if is_label_image:
            raise LabelsError(
                f"'{one.labels.name}' looks like a label image, in which 0 is the background and "
                "1 is an object: add --unpainted background; or, if the 1 in it is background "
                "that you painted, add --unpainted ignored."
            )
    return Unpainted.IGNORED


def _follow(events: Iterator[TrainEvent], output: Path) -> tuple[TrainStarted, TrainDone, Path]:
    """Show the events as they come, and save the model; return the first, the last and the file."""
    with progress_bar("Training") as update:
        begun = done = None
        what = "pixels"
        path = output
        for event in events:
            match event:
                case TrainStarted():
                    begun = event
                    what = "pixels" if tell_of_objects(event.whole_objects) else "strokes"
                    say("\n".join([_describe(event), *event.notes]))
                case StepDone():
                    update(event.progress, f"step {event.step}, loss {event.loss:.3f}")
                case Validated():
                    mark = ", the best so far" if event.best else ""
                    say(
                        f"{event.seconds:5.0f} s, step {event.step}: on held-out {what} loss "
                        f"{event.loss:.3f}, IoU {event.iou:.3f}{mark}"
                    )
                case MemoryShort():
                    say(f"{event}.")
                case Skipped():
                    say(event.reason)
                case TrainResumed() if not event.is_same_paint:
                    say("Something else is painted than before: its limits count from now.")
                case TrainDone():
                    done, path = event, _keep(event.model, output)
                    if event.reason is FinishReason.FAILED:
                        step = event.model.record.best_step
                        say(f"Training failed; the weights of step {step} are saved as '{path}'.")
    assert begun is not None
    assert done is not None  # `fit` ends with it or raises
    return begun, done, path


def _describe(begun: TrainStarted) -> str:
    planes = ", ".join(map(str, begun.planes[:10])) + (", …" if len(begun.planes) > 10 else "")
    where = f"{'plane' if len(begun.planes) == 1 else 'planes'} {planes}"
    if begun.images > 1:
        where = f"{count(len(begun.planes), 'plane')} of {begun.images} images"
    labelled = count(begun.labelled_pixels, "labelled pixel")
    held_out = count(len(begun.held_out), "block") if begun.held_out else "nothing"
    parts = [f"held out for validation: {held_out}"]
    if begun.diameter is not None:
        parts.append(f"objects are {begun.diameter.pixels:.0f} px wide ({begun.diameter.source})")
    if begun.reduction > 1:
        parts.append(f"{begun.reduction}×{begun.reduction} pixels seen as one")
    if begun.enlargement > 1:
        parts.append(f"each pixel seen as {begun.enlargement}×{begun.enlargement}")
    start = f"Training on {begun.device}: {labelled} on {where}"
    return "; ".join([start, *parts])


def _keep(model: Model, path: Path) -> Path:
    """Save the model; where that fails, in a temporary folder, so that no training is lost."""
    try:
        return save_model(model, path)
    except CheckpointError:  # its weights are useless
        raise
    except FileError as error:
        rescued = save_model(model, Path(tempfile.mkdtemp(prefix="napari-unet-")) / path.name)
        raise FileError(f"{error} The trained model was saved as '{rescued}' instead.") from error


def _figures(path: Path, begun: TrainStarted, done: TrainDone) -> dict[str, Any]:
    record = done.model.record
    return {
        "model": str(path),
        "start": record.start,
        "device": record.device,
        "task": done.model.task.value,
        "label_values": done.model.values,
        "reduction": done.model.reduction,
        "enlargement": done.model.enlargement,
        **_diameter(record.diameter),
        "parameters": begun.parameters,
        "images": begun.images,
        "planes": begun.planes,
        "labelled_pixels": record.labelled_pixels,
        "whole_objects": record.whole_objects,
        "held_out": [asdict(block) for block in record.held_out],
        "finished": record.finished,
        "steps": record.steps,
        "best_step": record.best_step,
        "seconds": record.seconds,
        "validation_loss": record.validation_loss,
        "validation_iou": record.validation_iou,
    }


def _found(reviewed: Reviewed | None) -> dict[str, Any]:
    """Return how many of the objects that are painted whole the network finds."""
    if reviewed is None or not reviewed.tells:
        return {}
    return {
        "painted_whole": reviewed.painted,
        "found": reviewed.right,
        "split": reviewed.split,
        "merged": reviewed.merged,
    }


def _diameter(diameter: Diameter | None) -> dict[str, Any]:
    if diameter is None:
        return {"diameter": None, "diameter_source": None}
    return {"diameter": round(diameter.pixels, 1), "diameter_source": diameter.source.value}


def for_people(figures: Mapping[str, Any]) -> dict[str, Any]:
    """Return the figures with the held-out blocks counted, not listed."""
    blocks = figures["held_out"]
    pixels = sum(block["pixels"] for block in blocks)
    return {**figures, "held_out": f"{count(pixels, 'pixel')} in {count(len(blocks), 'block')}"}
