"""What the network sees, looked at in the background."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_unet.config import Task
from napari_unet.engine.events import Stop
from napari_unet.engine.paint import TrainingSet
from napari_unet.engine.training import TrainingPlan
from napari_unet.ui.worker import Job


@dataclass(frozen=True, slots=True, eq=False)
class SeenPatch:
    """An augmented training patch, ready to be drawn."""

    grey: npt.NDArray[np.float32]  # (y + 2 margin, x + 2 margin), 0 to 1, mean of the channels
    labels: npt.NDArray[Any]  # (y, x) label numbers, 0 where unlabelled
    weights: npt.NDArray[np.float32]  # (y, x), 0 where unlabelled
    margin: int  # context per side, pixels


@dataclass(frozen=True, slots=True, eq=False)
class Inspected:
    """The weight map of the painted plane nearest to the one asked for, and a patch."""

    plane: int
    origin: tuple[int, int]  # of the weight map in the plane, pixels (Y, X)
    weights: npt.NDArray[np.float32]  # (y, x), w(x) of eq. 2, 0 where unlabelled
    held_out: int  # blocks of this plane
    patch: SeenPatch


def inspect_labels(
    pairs: TrainingSet,
    plan: TrainingPlan,
    *,
    plane: int,
    seed: int,
) -> Job:
    """Prepare the labels as training does, and draw the patch of this seed.

    The arguments are those of `napari_unet.engine.training.inspect`; the event is `Inspected`.
    """

    def run(stop: Stop) -> Iterator[Inspected]:
        from napari_unet.engine.paint import IGNORED  # noqa: PLC0415
        from napari_unet.engine.training import inspect  # noqa: PLC0415

        seen = inspect(pairs, plan, plane=plane, seed=seed, stop=stop)
        patch = seen.patch
        # As painted: classes by their number, objects like the first strokes, 1 and 2.
        numbers = np.zeros(256, dtype=np.int32)
        numbers[: len(seen.values)] = seen.values if plan.scheme.task is Task.CLASSES else (1, 2)
        yield Inspected(
            plane=seen.plane,
            origin=seen.origin,
            weights=np.where(seen.classes == IGNORED, 0, seen.weights),
            held_out=len(seen.held_out),
            patch=SeenPatch(
                grey=_stretched(patch.image.mean(axis=0)),
                labels=numbers[patch.classes],
                weights=np.where(patch.classes == IGNORED, 0, patch.weights),
                margin=patch.margin,
            ),
        )

    return run


def _stretched(grey: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return the grey values with nearly all of them spread over 0 to 1."""
    low, high = np.percentile(grey, (1, 99)).tolist()
    stretched: npt.NDArray[np.float32] = np.clip((grey - low) / max(high - low, 1e-6), 0, 1)
    return stretched
