"""A training run between two steps: all that it needs to go on as if it had never stopped."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from napari_unet.config import NetworkConfig, TrainConfig
from napari_unet.engine.counts import count
from napari_unet.engine.errors import ImageError, UnetPaintError
from napari_unet.engine.events import StepDone, Validated
from napari_unet.engine.network.model import Model
from napari_unet.engine.paint.held_out import SplitRecord
from napari_unet.engine.paint.label_scheme import LabelScheme
from napari_unet.engine.paint.painted_planes import PaintedStack
from napari_unet.engine.random_state import RandomState
from napari_unet.engine.stack.fingerprint import fingerprint
from napari_unet.engine.stack.planes import Planes
from napari_unet.engine.training.best_weights import BestRecord
from napari_unet.engine.training.optimiser import SLOTS
from napari_unet.engine.training.plan import TrainingPlan
from napari_unet.engine.training.schedule import ScheduleRecord
from napari_unet.engine.training.size_choice import SizeChoice

NOW, BEST, ANCHOR = "now", "best", "anchor"
"""Weights as they are, the best so far, those to which they go back: "now/name of the weight"."""

PLACES, STEPS, VALIDATIONS, SIDES = "places", "steps", "validations", "sides"
"""Names of arrays; that of a plane's cells is "sides/number"."""

_STEP_COLUMNS, _VALIDATION_COLUMNS = 4, 5
_DTYPES = {
    PLACES: torch.int32,
    STEPS: torch.float64,
    VALIDATIONS: torch.float64,
    SIDES: torch.uint8,
}

Shapes = Mapping[str, tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class Planned:
    """What a run was told before it began, as far as what it learns depends on it."""

    scheme: LabelScheme
    config: TrainConfig
    start: str  # in words
    network: NetworkConfig  # to start from
    weights: int  # fingerprint of those to start from; 0: none were learned yet

    @classmethod
    def of(cls, plan: TrainingPlan, start: str) -> Planned:
        """Return what a plan says; `start` is what it starts from, in words."""
        weights = 0 if plan.model is None else _print_arrays(_in_order(plan.model.weights))
        return cls(plan.scheme, plan.config, start, plan.network, weights)


@dataclass(frozen=True, slots=True)
class PlaceRecord:
    """A corrected place that is not settled; its pixels are in the array `PLACES`."""

    plane: int
    pixels: int
    drawn: int
    right: int

    def __post_init__(self) -> None:
        if self.pixels < 1:
            raise ValueError("a corrected place without pixels")


@dataclass(frozen=True, slots=True)
class TrainerRecord:
    """What a trainer knows beside its arrays."""

    step: int
    patch: int  # pixels
    random: RandomState  # of patches and augmentation
    places: tuple[PlaceRecord, ...] = ()

    def __post_init__(self) -> None:
        if self.step < 0 or self.patch < 1:
            raise ValueError(f"step {self.step}, patches of {self.patch} px")


@dataclass(frozen=True, slots=True)
class ImageRecord:
    """An image that was trained on, so that it is known again."""

    shape: tuple[int, int, int]  # planes, Y, X
    fingerprint: int | None = None  # None: not looked at, or it could not be read

    def __post_init__(self) -> None:
        if min(self.shape) < 1:
            raise ValueError(f"planes of {self.shape!r:.60}")

    @classmethod
    def of(cls, planes: Planes) -> ImageRecord:
        """Return that of an image, the middle of which is read if it can be."""
        return replace(cls.unread(planes), fingerprint=_print_image(planes))

    @classmethod
    def unread(cls, planes: Planes) -> ImageRecord:
        """Return that of an image of which nothing is read."""
        return cls((planes.count, *planes.shape))


@dataclass(frozen=True, slots=True)
class RunRecord:
    """All of a run's state but its arrays."""

    plan: Planned
    images: tuple[ImageRecord, ...]
    paint: int  # fingerprint of what is learned from
    started: str  # UTC, ISO 8601
    size: SizeChoice
    trainer: TrainerRecord
    is_settled: bool  # the last step's validation is over
    best: BestRecord
    schedule: ScheduleRecord
    split: SplitRecord

    def __post_init__(self) -> None:
        if not self.images or self.trainer.patch > self.plan.config.patch:
            raise ValueError(f"{len(self.images)} images, patches of {self.trainer.patch} px")


@dataclass(frozen=True, slots=True, eq=False)
class TrainingState:
    """A run between two steps.

    Parameters
    ----------
    model
        As it was at the start, with today's outputs.
    arrays
        By name, on the CPU. The weights now; of the best and of those to go back to, only what
        differs from the model's; what the optimiser remembers; and the arrays of `RunRecord`.
    """

    model: Model
    record: RunRecord
    arrays: Mapping[str, Tensor]

    @property
    def step(self) -> int:
        """The last step."""
        return self.record.trainer.step

    @property
    def seconds(self) -> float:
        """Seconds since the start."""
        return self.record.schedule.seconds

    def weights(self, kind: str) -> dict[str, Tensor]:
        """Return all weights of a kind."""
        own = self.model.weights
        return {name: self.arrays.get(f"{kind}/{name}", tensor) for name, tensor in own.items()}

    def sides(self) -> dict[int, npt.NDArray[np.uint8]]:
        """Return the side of each cell that was divided, by the number of the plane."""
        return {
            int(name.removeprefix(f"{SIDES}/")): cells.numpy().astype(np.uint8)
            for name, cells in self.arrays.items()
            if name.startswith(f"{SIDES}/")
        }

    @property
    def is_finite(self) -> bool:
        """Whether its numbers are ones to go on with, neither NaN nor infinite."""
        weights = [*self.weights(NOW).values(), *self.weights(BEST).values()]
        past = [self.arrays[STEPS], self.arrays[VALIDATIONS]]
        return all(bool(torch.isfinite(array).all()) for array in (*weights, *past))

    def past(self) -> tuple[list[StepDone], list[Validated]]:
        """Return how the run went until then."""
        steps = [
            StepDone(int(row[0]), *row[1:]) for row in self.arrays[STEPS].to(torch.float64).tolist()
        ]
        validations = [
            Validated(int(step), seconds, loss, iou, best=bool(best))
            for step, seconds, loss, iou, best in self.arrays[VALIDATIONS]
            .to(torch.float64)
            .tolist()
        ]
        return steps, validations


def differing(kind: str, weights: Mapping[str, Tensor], start: Model) -> dict[str, Tensor]:
    """Return those weights that are not what the start's are, named as arrays."""
    own = start.weights
    return {f"{kind}/{name}": t for name, t in weights.items() if not torch.equal(t, own[name])}


def past_arrays(steps: Sequence[StepDone], validations: Sequence[Validated]) -> dict[str, Tensor]:
    """Return how a run went as arrays."""
    rows = [(e.step, e.loss, e.seconds, e.progress) for e in steps]
    scores = [(e.step, e.seconds, e.loss, e.iou, e.best) for e in validations]
    return {
        STEPS: torch.tensor(rows, dtype=torch.float64).reshape(-1, _STEP_COLUMNS),
        VALIDATIONS: torch.tensor(scores, dtype=torch.float64).reshape(-1, _VALIDATION_COLUMNS),
    }


def dtype_of(name: str) -> torch.dtype:
    """Return the type of the numbers in an array of this name."""
    return _DTYPES.get(name.partition("/")[0], torch.float32)


def find_misfit(record: RunRecord, weights: Shapes, arrays: Shapes) -> str | None:
    """Return in a few words what is wrong with the arrays of a run; None: nothing.

    Parameters
    ----------
    weights
        Shapes of the weights of the network.
    arrays
        Shapes of the arrays.
    """
    expected = dict(_expected(record, weights))
    for name, shape in arrays.items():
        kind, _, of = name.partition("/")
        is_known = (
            (kind in (NOW, BEST, ANCHOR) and weights.get(of) == shape)
            or (kind in SLOTS and of in weights and shape in (weights[of], ()))
            or (kind == SIDES and of.isdecimal() and len(shape) == 2)
            or (name in expected and _is_like(shape, expected[name]))
        )
        if not is_known:
            return f"the array '{name:.60}' is {shape!r:.60}"
    missing = [name for name in expected if name not in arrays]
    return f"the array '{missing[0]:.60}' is missing" if missing else None


def _expected(record: RunRecord, weights: Shapes) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Yield the arrays that must be there; -1: any length."""
    yield from ((f"{NOW}/{name}", shape) for name, shape in weights.items())
    yield PLACES, (sum(place.pixels for place in record.trainer.places), 2)
    yield STEPS, (-1, _STEP_COLUMNS)
    yield VALIDATIONS, (-1, _VALIDATION_COLUMNS)


def _is_like(shape: tuple[int, ...], expected: tuple[int, ...]) -> bool:
    return len(shape) == len(expected) and all(
        wanted in (-1, length) for length, wanted in zip(shape, expected, strict=True)
    )


def print_paint(stack: PaintedStack) -> int:
    """Return a fingerprint of all that is learned from: image around the paint, and labels."""
    return _print_arrays(_paint_of(stack))


def _print_image(planes: Planes) -> int | None:
    """Return the fingerprint of an image; None: its middle cannot be read."""
    try:
        return fingerprint(planes)
    except (UnetPaintError, MemoryError):
        return None


def require_images_of(state: TrainingState, images: Sequence[Planes]) -> None:
    """Make sure that a run was interrupted on these images, in this order.

    Raises
    ------
    ImageError
        If it was not.
    """
    before = state.record.images
    if len(before) != len(images):
        raise ImageError(
            f"The interrupted training was on {count(len(before), 'image')}, not "
            f"{len(images)}; choose those, or begin anew."
        )
    for known, planes in zip(before, images, strict=True):
        is_same_size = known.shape == ImageRecord.unread(planes).shape
        if not is_same_size or known.fingerprint not in (None, _print_image(planes)):
            raise ImageError(
                f"The interrupted training was on another image than '{planes.name}'; open that "
                "one to go on, or begin anew."
            )


def _paint_of(stack: PaintedStack) -> Iterator[npt.NDArray[Any]]:
    yield np.array(stack.values)
    for plane in stack.planes:
        yield np.array([plane.number, *plane.origin, *plane.image.shape])
        yield from (plane.image, plane.painted, plane.classes, plane.weights)
        if plane.bounds is not None:
            bounds = (getattr(plane.bounds, field.name) for field in fields(plane.bounds))
            yield from map(np.asarray, bounds)


def _in_order(weights: Mapping[str, Tensor]) -> Iterator[npt.NDArray[Any]]:
    return (weights[name].detach().numpy() for name in sorted(weights))


def _print_arrays(arrays: Iterator[npt.NDArray[Any]]) -> int:
    found = 0
    for array in arrays:
        found = zlib.crc32(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data, found)
    return found
