"""Fine-tuning on painted labels, as an iterator of events."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from functools import partial

import numpy as np
import numpy.typing as npt

from napari_unet import __version__
from napari_unet.config import NetworkConfig
from napari_unet.engine.counts import count
from napari_unet.engine.events import (
    FinishReason,
    Live,
    Stop,
    TrainDone,
    TrainEvent,
    TrainStarted,
    never,
)
from napari_unet.engine.network.device import engine_errors
from napari_unet.engine.network.model import Model, adapt, fresh_model
from napari_unet.engine.network.record import TrainRecord
from napari_unet.engine.network.unet import stride
from napari_unet.engine.paint.holes import as_painted
from napari_unet.engine.paint.outline import outline_level
from napari_unet.engine.paint.training_set import TrainingSet
from napari_unet.engine.stack.normalization import Normalization, measure
from napari_unet.engine.stack.planes import Planes
from napari_unet.engine.stack.tiles import Tile
from napari_unet.engine.training.block_events import events_on_plane, known_in_blocks
from napari_unet.engine.training.keeping import Begun, Keeper
from napari_unet.engine.training.lessons import Lessons, read_lessons
from napari_unet.engine.training.memory_shortage import Means, within_means
from napari_unet.engine.training.painted_objects import PaintedObjects
from napari_unet.engine.training.plan import TrainingPlan
from napari_unet.engine.training.preview import Previewer
from napari_unet.engine.training.run import TrainingRun
from napari_unet.engine.training.seen_set import SeenSet, tell_of_images
from napari_unet.engine.training.size_choice import choose_size
from napari_unet.engine.training.state import (
    ImageRecord,
    Planned,
    TrainingState,
    require_images_of,
)
from napari_unet.engine.training.trainer import Trainer


def fit(
    pairs: TrainingSet,
    plan: TrainingPlan,
    *,
    stop: Stop = never,
    live: Live | None = None,
    keep_every: float | None = None,
    interrupted: TrainingState | None = None,
) -> Iterator[TrainEvent]:
    """Train on painted labels.

    Parameters
    ----------
    pairs
        Images and labels. Planes whose labels were looked at before, and are remembered, are not
        read again.
    plan
        From what, how and where to train.
    stop
        Asked after each step; True ends training, and the best weights are kept.
    live
        Asked between steps what to preview, and which planes were painted on meanwhile; their
        labels are read again, and training goes on with them. None: neither.
    keep_every
        Seconds after which `StateReached` tells all that is needed to go on later, at least; and
        less often if whoever hears of it takes more than 1.5 % of the time. It is told after a stop
        and before an error, too, but not when training ends by itself. None: never.
    interrupted
        Such a state, to go on from; the plan's start and settings are then those of before.

    Yields
    ------
    TrainEvent
        `TrainStarted`; `TrainResumed`, if an interrupted run goes on, or `Corrected`, if something
        else is painted than the plan knows of; then
        `Previewed`, `Validated` and `StepDone`, new strokes as `Corrected` and `LabelsTaken`;
        `MemoryShort` where memory ran out and training goes on with smaller patches or on the CPU;
        `Skipped` where a preview or new strokes failed and it goes on without; and in every case
        `TrainDone` at last.

    Raises
    ------
    ImageError, LabelsError
        If image or labels cannot be used; the text says what to do. Labels that cannot be used
        while training goes on are no error: it goes on with what was painted before.
    EngineError
        If the device fails, or the loss is not finite any more. Whatever is raised after some
        steps, `TrainDone` with the best weights before comes first.

    Notes
    -----
    With a step limit and no time limit the run repeats exactly for the same seed, labels,
    device and number of threads, if nothing is painted meanwhile. With a time limit the number of
    steps depends on the machine.

    A run that was interrupted goes on in the same way, to the last bit, where it would have
    repeated; a time limit goes on with the seconds that were left. If other labels are painted by
    then, it goes on with those, as with new strokes.

    With new strokes, the limits, the falling learning rate and the patience start anew. What was
    held out stays held out, and the best weights so far compete with the later ones on the pixels
    that are held out then. After a stop there is a last validation only if it takes less than a
    second; if new strokes have not been validated by then, the last weights are kept.

    Large objects are made smaller for the network (see `size_choice.choose_size`), and images
    whose pixels differ in size are seen alike. It is decided once, from the labels at the start;
    a model that is trained on keeps what it has. All that is reported is in pixels of the planes
    as they are given, which are numbered through as those of the set are. Each image is
    normalised by its own grey values.
    """
    if interrupted is not None:
        require_images_of(interrupted, pairs.images)
        before = interrupted.record.plan
        plan = replace(
            plan, start=interrupted.model, scheme=before.scheme, config=before.config, known=()
        )
    model = plan.model
    own = None if model is None else (model.reduction, model.enlargement)
    if interrupted is not None:
        size = interrupted.record.size
    else:
        with pairs.remembering():
            size = choose_size(plan, pairs, stop=stop)
    same = own == (size.reduction, size.enlargement)
    if interrupted is not None:
        begun = Begun.of(interrupted)
    else:
        look = ImageRecord.unread if keep_every is None else ImageRecord.of
        images = tuple(look(planes) for planes in pairs.images)
        begun = Begun(Planned.of(plan, _describe(plan.start)), images, size)
    seen = SeenSet.of(pairs, size, plan.scheme.unpainted, _first_range(plan, interrupted))
    known = known_in_blocks(plan.known, seen.reduction) if same else ()
    events = _train(
        pairs,
        seen,
        replace(plan, known=known),
        begun,
        stop=stop,
        live=live,
        keep_every=keep_every,
        interrupted=interrupted,
    )
    yield from events_on_plane(events, seen)


def _train(
    pairs: TrainingSet,
    seen: SeenSet,
    plan: TrainingPlan,
    begun: Begun,
    *,
    stop: Stop,
    live: Live | None,
    keep_every: float | None,
    interrupted: TrainingState | None,
) -> Iterator[TrainEvent]:
    """Train on the images as the network sees them; previews alone are in pixels of the plane."""
    config, task, size, usual = plan.config, plan.scheme.task, begun.size, seen.usual
    lessons, model = _prepare(seen, replace(plan, config=usual.border(config)), interrupted)
    pairs.forget()  # labels may be painted on from now on
    model = replace(
        model,
        reduction=size.reduction,
        enlargement=size.enlargement,
        pixel_size=size.pixel_size,
    )
    yield TrainStarted(
        device=str(plan.device),
        planes=lessons.stack.numbers,
        labelled_pixels=lessons.labelled_pixels,
        held_out=lessons.held_out,
        values=model.values,
        parameters=sum(weight.numel() for weight in model.weights.values()),
        reduction=size.reduction,
        enlargement=size.enlargement,
        whole_objects=lessons.stack.whole_objects,
        diameter=size.diameter,
        images=len(pairs.images),
        notes=tuple(filter(None, tell_of_images(pairs, size, lessons.stack.numbers))),
    )
    means = Means(config.patch, plan.device)
    if interrupted is not None:
        means.patch = interrupted.record.trainer.patch
    trainer = yield from within_means(
        lambda: Trainer(
            model,
            replace(config, patch=means.patch),
            lessons=lessons,
            device=means.device.torch_device,
            interrupted=interrupted,
        ),
        means,
    )

    def predict(number: int, tile: Tile) -> npt.NDArray[np.float32]:
        pair, plane = seen.pairs.pair(number)
        return trainer.predict(pair.planes, plane, tile)

    def predict_on_plane(number: int, tile: Tile) -> npt.NDArray[np.float32]:
        return seen.reduction(number).predict(partial(predict, number), tile)

    def outline() -> float:
        wide = None if size.diameter is None else size.diameter.pixels / math.sqrt(usual.area)
        return outline_level(lessons.stack.whole_objects, wide)

    painted = PaintedObjects(lessons, task, usual.area, size.strokes)
    previewer = Previewer(
        predict_on_plane,
        shape=lambda number: pairs.shape(number) if 0 <= number < pairs.count else None,
        stride=stride(model.network.levels),
        reduction=usual.factor,
        task=task,
        values=model.values,
        outline=outline if model.network.shape_field else None,
        objects=lambda: as_painted(usual.objects(plan.objects()), *painted.measure()),
    )
    keeper = Keeper(begun, lessons, trainer, keep_every)
    run = TrainingRun(
        lessons,
        trainer,
        previewer,
        keeper.progress(interrupted),
        means=means,
        predict=predict,
        live=live,
        keeper=keeper,
    )

    def done(reason: FinishReason) -> TrainDone:
        best, (sizes, hole) = run.best, painted.measure()
        record = TrainRecord(
            started=begun.started,
            version=__version__,
            start=begun.plan.start,
            device=str(means.device),
            steps=trainer.step,
            best_step=best.step,
            seconds=round(run.seconds, 3),
            finished=reason.value,
            labelled_pixels=lessons.labelled_pixels,
            whole_objects=lessons.stack.whole_objects,
            painted_objects=sizes,
            diameter=size.diameter,
            smallest_hole=hole,
            held_out=lessons.held_out,
            validation_loss=best.loss,
            validation_iou=best.iou,
            settings=asdict(config),
        )
        return TrainDone(reason, replace(best.model, record=record), lessons.stack.pixels)

    try:
        if plan.known and plan.values:
            yield from run.compare(plan.known, plan.values)
        reason = yield from run.events(stop)
    except (Exception, KeyboardInterrupt):  # whatever it is, what was learned is not lost
        yield from run.last_state()
        if run.has_learned:
            yield done(FinishReason.FAILED)
        raise
    yield done(reason)


def _first_range(
    plan: TrainingPlan, interrupted: TrainingState | None
) -> Callable[[Planes], Normalization]:
    """Return what gives the grey value range of the first image."""
    if interrupted is not None:
        return lambda _: interrupted.model.normalization
    start = plan.model
    return partial(measure, trained=None if start is None else start.normalization)


def _prepare(
    seen: SeenSet, plan: TrainingPlan, interrupted: TrainingState | None
) -> tuple[Lessons, Model]:
    """Read what is painted, and make the model to start from."""
    config, scheme, start, normalization = plan.config, plan.scheme, plan.model, seen.normalization
    lessons = read_lessons(seen, plan, interrupted)
    if interrupted is not None:
        return lessons, interrupted.model  # new classes are added as new strokes are taken in
    values = lessons.stack.values
    with engine_errors(plan.device):
        if start is None:
            model = fresh_model(plan.network, normalization, scheme.task, values, seed=config.seed)
        else:
            model = adapt(start, normalization, scheme.task, values, seed=config.seed)
    return lessons, model


def _describe(start: NetworkConfig | Model) -> str:
    if isinstance(start, NetworkConfig):
        return f"{start.name}, from scratch"
    record = start.record
    return f"{start.network.name}, after {count(record.steps, 'step')} ({record.started})"
