"""What the network sees: the weight map of a painted plane, and an augmented training patch."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import numpy.typing as npt
import torch

from napari_unet.engine.events import Stop, never
from napari_unet.engine.network.record import HeldOut
from napari_unet.engine.network.unet import margin
from napari_unet.engine.paint.training_set import TrainingSet
from napari_unet.engine.stack.normalization import measure
from napari_unet.engine.training.block_events import held_out_on_plane, pixels_on_plane
from napari_unet.engine.training.lessons import read_lessons
from napari_unet.engine.training.plan import TrainingPlan
from napari_unet.engine.training.sampling import PatchSampler
from napari_unet.engine.training.seen_set import SeenSet
from napari_unet.engine.training.size_choice import choose_size


@dataclass(frozen=True, slots=True, eq=False)
class Patch:
    """An augmented training patch, in pixels as the network sees them."""

    image: npt.NDArray[np.float32]  # (C, y + 2 margin, x + 2 margin), normalised grey values
    classes: npt.NDArray[np.uint8]  # (y, x), targets.IGNORED where unlabelled
    weights: npt.NDArray[np.float32]  # (y, x), w(x) of eq. 2
    margin: int  # context per side, pixels


@dataclass(frozen=True, slots=True, eq=False)
class Inspection:
    """What training makes of the image and its labels, in pixels of the plane."""

    plane: int
    origin: tuple[int, int]  # of the two arrays below, in the plane, pixels (Y, X)
    weights: npt.NDArray[np.float32]  # (y, x), w(x) of eq. 2; counts where a class is
    classes: npt.NDArray[np.uint8]  # (y, x), targets.IGNORED where unlabelled or held out
    held_out: tuple[HeldOut, ...]  # blocks of this plane that validate
    patch: Patch  # from any painted plane
    values: tuple[int, ...]  # label value of each class


def inspect(
    pairs: TrainingSet,
    plan: TrainingPlan,
    *,
    plane: int,
    seed: int,
    stop: Stop = never,
) -> Inspection:
    """Prepare the labels as training does, and draw one patch.

    Parameters
    ----------
    pairs
        Images and labels.
    plan
        With which training would begin now.
    plane
        The painted plane nearest to it is shown; of two at the same distance the lower one.
    seed
        Of the patch; with `config.seed` it is the first one of a training run from scratch.
    stop
        Asked while it is found out how large objects are; what is known so far then counts.

    Raises
    ------
    ImageError, LabelsError, EngineError
        If image or labels cannot be used, or the device fails; the text says what to do.

    Notes
    -----
    All painted planes are read, as the class weights and the patch depend on all of them: this
    takes as long as the start of a training run. What is held out is what a run that starts now
    would hold out.
    """
    config, levels = plan.config, plan.network.levels
    with pairs.remembering():
        size = choose_size(plan, pairs, stop=stop)
    known = None if plan.model is None else plan.model.normalization
    seen = SeenSet.of(pairs, size, plan.scheme.unpainted, partial(measure, trained=known))
    lessons = read_lessons(seen, replace(plan, config=seen.usual.border(config)))
    pairs.forget()
    training = lessons.training
    shown = min(training.planes, key=lambda painted: abs(painted.number - plane))
    sampler = PatchSampler(
        training,
        config.augment,
        size=config.patch,
        levels=levels,
        device=torch.device("cpu"),
        sampling=config.sampling,
    )
    reduction = seen.reduction(shown.number)
    weights, origin = pixels_on_plane(shown.weights, shown.origin, reduction)
    classes, _ = pixels_on_plane(shown.classes, shown.origin, reduction)
    of_plane = tuple(block for block in lessons.held_out if block.plane == shown.number)
    return Inspection(
        plane=shown.number,
        origin=origin,
        weights=weights,
        classes=classes,
        held_out=held_out_on_plane(of_plane, seen),
        patch=_draw(sampler, seed, margin(levels)),
        values=training.values,
    )


def _draw(sampler: PatchSampler, seed: int, context: int) -> Patch:
    batch = sampler.draw(np.random.default_rng(seed), 1)
    return Patch(
        batch.images[0].numpy(),
        batch.classes[0].numpy().astype(np.uint8),
        batch.weights[0].numpy(),
        context,
    )
