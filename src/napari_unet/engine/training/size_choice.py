"""How large objects are, whoever says it, and how large the network sees them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from napari_unet.config import ENLARGED, MAX_REDUCTION, Task, Unpainted
from napari_unet.engine.events import Stop, never
from napari_unet.engine.network.model import Model
from napari_unet.engine.network.record import Diameter, DiameterSource, ObjectSizes
from napari_unet.engine.paint.label_scheme import LabelScheme
from napari_unet.engine.paint.object_size import (
    choose_reduction,
    outlines_objects,
    typical_diameter,
)
from napari_unet.engine.paint.training_set import Pair, TrainingSet
from napari_unet.engine.stack.pixel_size import PixelSize, pixels_in
from napari_unet.engine.stack.planes import Planes
from napari_unet.engine.stack.reduction import Reduction
from napari_unet.engine.training.plan import TrainingPlan
from napari_unet.engine.training.size_estimate import TRIED, estimate_size, sizes_around

SMALL_DIAMETER = 12.0
"""Objects that are not as wide are enlarged, pixels."""


@dataclass(frozen=True, slots=True)
class SizeChoice:
    """How large the network sees the image, and how large objects are."""

    reduction: int  # side of the blocks that the network sees, pixels of the plane
    diameter: Diameter | None = None  # None: classes, or unknown
    strokes: ObjectSizes | None = None  # of objects that are not painted whole; None: as painted
    enlargement: int = 1  # a pixel is seen as so many by so many
    # Of the pixels that all of this is about, µm; others are seen as if they were as large. None:
    # that of an image is unknown, and all are taken to be equally large.
    pixel_size: PixelSize | None = None


def choose_size(plan: TrainingPlan, pairs: TrainingSet, *, stop: Stop = never) -> SizeChoice:
    """Return how large objects are, and by how much the image is reduced or enlarged for them.

    Parameters
    ----------
    plan
        A diameter or a reduction that its settings give holds, and so does the reduction of a
        model that goes on, unless another diameter is given.
    pairs
        Images and labels.
    stop
        Asked now and then; what was found out so far is then returned.

    Raises
    ------
    LabelsError, ImageError, EngineError
        As `fit`.

    Notes
    -----
    If no diameter is given, it is that of the objects that are painted whole; if there are none,
    that with which the model was trained, and at last what a network that knows shapes sees. For
    such a network alone, images of small objects are enlarged.

    All of it is in pixels of the first image, or of those that a model was trained on that keeps
    its reduction. Where these are larger or smaller than an image's, see `pixel_size.ALIKE`, it is
    looked at as if it had such pixels, unless the objects painted in several images differ more in
    size then than as they are.
    """
    fixed = _fixed_reduction(plan)
    pixel_size = _common_pixel_size(plan, fixed, pairs)
    by = [pixels_in(pixel_size, planes.pixel_size) for planes in pairs.images]
    choice = _choose(plan, _with_alike_pixels(pairs, by, plan.scheme.unpainted), fixed, stop)
    if fixed is None:
        choice = _large_enough(choice, min(by))
    return replace(choice, pixel_size=pixel_size)


def _common_pixel_size(
    plan: TrainingPlan, fixed: int | None, pairs: TrainingSet
) -> PixelSize | None:
    sizes = [size for planes in pairs.images if (size := planes.pixel_size) and all(size)]
    if len(sizes) < len(pairs.images):
        return None
    model, (height, width) = plan.model, sizes[0]
    known = None if model is None or fixed != model.reduction else model.pixel_size
    if known is not None:
        return known
    first = abs(height), abs(width)  # a flipped axis has a negative one
    return first if _makes_alike(first, pairs, plan.scheme) else None


def _makes_alike(common: PixelSize, pairs: TrainingSet, scheme: LabelScheme) -> bool:
    """Return whether pixels of one size make the painted objects of several images more alike.

    They do not where the images show things of different kinds: large cells at a low magnification,
    and small ones at a high one. Of objects that are not painted whole, nothing speaks against it.
    """
    by = [pixels_in(common, planes.pixel_size) for planes in pairs.images]
    if set(by) == {1} or scheme.task is Task.CLASSES:
        return True
    known = [
        (found, n)
        for labels, n in zip(pairs.labels, by, strict=True)
        if outlines_objects([labels], scheme) and (found := typical_diameter([labels], scheme))
    ]
    if len(known) < 2:
        return True
    as_they_are = [found for found, _ in known]
    in_common = [found / n for found, n in known]
    return max(in_common) / min(in_common) <= max(as_they_are) / min(as_they_are)


def _with_alike_pixels(
    pairs: TrainingSet, by: Sequence[float], unpainted: Unpainted
) -> TrainingSet:
    """Return the set with images as if their pixels were as large as all others'."""
    if set(by) == {1}:
        return pairs
    ways = [
        Reduction.scaled(pair.planes.shape, 1, 1, n)
        for pair, n in zip(pairs.pairs, by, strict=True)
    ]
    return TrainingSet(
        [
            Pair(way.image(pair.planes), way.labels(pair.labels, unpainted))
            for way, pair in zip(ways, pairs.pairs, strict=True)
        ]
    )


def _large_enough(choice: SizeChoice, least: float) -> SizeChoice:
    """Return the choice such that an image of larger pixels need not be enlarged too much.

    `least` of its pixels are as long as a usual one.
    """
    wanted = 1 / (ENLARGED * least)
    if choice.reduction / choice.enlargement >= wanted:
        return choice
    return replace(choice, reduction=min(max(1, round(wanted)), MAX_REDUCTION), enlargement=1)


def _choose(plan: TrainingPlan, pairs: TrainingSet, fixed: int | None, stop: Stop) -> SizeChoice:
    config, scheme, model, labels = plan.config, plan.scheme, plan.model, pairs.labels
    if scheme.task is Task.CLASSES:
        reduction = choose_reduction(labels, scheme, config, fixed)
        return SizeChoice(reduction, enlargement=_enlargement(plan, fixed, None))
    are_whole = outlines_objects(labels, scheme)
    diameter = _known_diameter(plan, labels, are_whole=are_whole)
    if model is None or not _knows_shapes(model):
        reduction = choose_reduction(labels, scheme, config, fixed)
    elif fixed is not None and diameter is not None:
        reduction = fixed
    else:
        tried = TRIED if fixed is None else (fixed,)
        known = None if diameter is None else diameter.pixels
        size = estimate_size(
            model,
            pairs,
            scheme,
            plan.device,
            known=known,
            reductions=tried,
            memory=plan.sizes,
            stop=stop,
        )
        reduction = size.reduction
        if diameter is None and size.diameter is not None:
            diameter = Diameter(size.diameter, DiameterSource.ESTIMATED)
    strokes = None if are_whole or diameter is None else sizes_around(diameter.pixels)
    enlargement = _enlargement(plan, fixed, diameter) if reduction == 1 else 1
    return SizeChoice(reduction, diameter, strokes, enlargement)


def _fixed_reduction(plan: TrainingPlan) -> int | None:
    """Return that which is given, or with which the model goes on; None: it is to be chosen."""
    config, model = plan.config, plan.model
    if config.reduction is not None or model is None:
        return config.reduction
    trained_with = model.record.diameter
    if config.diameter is not None and (
        trained_with is None or trained_with.pixels != config.diameter
    ):
        return None
    return model.reduction


def _enlargement(plan: TrainingPlan, fixed: int | None, diameter: Diameter | None) -> int:
    """Return as how many by how many pixels each is seen, of an image that is not reduced."""
    model = plan.model
    if model is None:
        return 1
    if fixed is not None:
        return model.enlargement if fixed == model.reduction else 1
    is_small = diameter is not None and diameter.pixels < SMALL_DIAMETER
    return ENLARGED if is_small and _knows_shapes(model) else 1


def _known_diameter(
    plan: TrainingPlan, labels: Sequence[Planes], *, are_whole: bool
) -> Diameter | None:
    """Return the diameter if nobody has to look for it in the image."""
    if plan.config.diameter is not None:
        return Diameter(plan.config.diameter, DiameterSource.GIVEN)
    painted = typical_diameter(labels, plan.scheme) if are_whole else None
    if painted is not None:
        return Diameter(painted, DiameterSource.PAINTED)
    return None if plan.model is None else plan.model.record.diameter


def _knows_shapes(model: Model) -> bool:
    return model.network.shape_field and model.is_trained
