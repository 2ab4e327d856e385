"""Small painted scenes that the tests of training share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_unet.config import AugmentConfig, NetworkConfig, Task, TrainConfig, Unpainted
from napari_unet.engine.events import Live, Stop, TrainDone, TrainEvent, never
from napari_unet.engine.network.device import pick_device
from napari_unet.engine.paint.label_scheme import LabelScheme
from napari_unet.engine.paint.training_set import TrainingSet
from napari_unet.engine.stack.planes import ArrayPlanes, Planes
from napari_unet.engine.training.fine_tuning import fit
from napari_unet.engine.training.plan import TrainingPlan

TINY = NetworkConfig(name="tiny", base_channels=8, levels=2)

QUICK = TrainConfig(
    seconds=None,
    steps=20,
    learning_rate=1e-2,
    patch=24,
    augment=AugmentConfig(elastic_sigma=2, shift=4),
)


def bright_squares(
    planes: int = 3, size: int = 64, seed: int = 0
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int32]]:
    """Return images of bright squares on a dark, noisy ground, and their label images."""
    rng = np.random.default_rng(seed)
    truth = np.zeros((planes, size, size), dtype=np.int32)
    for plane in truth:
        for number, corner in enumerate(np.ndindex(2, 2), start=1):
            y, x = np.array(corner) * size // 2 + rng.integers(4, size // 2 - 16, 2)
            plane[y : y + 12, x : x + 12] = number
    image = 60 + 90 * (truth > 0) + rng.normal(0, 15, truth.shape)
    return image.clip(0, 255).astype(np.uint8), truth


def strokes(truth: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
    """Paint two objects and some background of the first plane, as a person would."""
    painted = np.zeros_like(truth)
    first = truth[0]
    painted[0][(first > 0) & (first <= 2)] = first[(first > 0) & (first <= 2)] + 1
    painted[0, :3] = np.where(first[:3] == 0, 1, 0)
    painted[0, -4:] = np.where(first[-4:] == 0, 1, 0)
    painted[0, :, :3] = np.where(first[:, :3] == 0, 1, 0)
    return painted


def train(
    planes: Planes,
    labels: Planes,
    *,
    task: Task = Task.OBJECTS,
    unpainted: Unpainted = Unpainted.IGNORED,
    stop: Stop = never,
    live: Live | None = None,
    **plan: Any,
) -> Iterator[TrainEvent]:
    """Train a tiny network on the CPU, unless the plan is another."""
    usual = {"start": TINY, "config": QUICK, "device": pick_device("cpu")}
    scheme = LabelScheme(task, unpainted)
    how = TrainingPlan(scheme=scheme, **{**usual, **plan})
    return fit(TrainingSet.of((planes, labels)), how, stop=stop, live=live)


def run(config: TrainConfig = QUICK, **changes: Any) -> Iterator[TrainEvent]:
    """Train for a moment on strokes."""
    image, truth = bright_squares()
    labels = changes.pop("labels", strokes(truth))
    image = changes.pop("image", image)
    return train(ArrayPlanes(image), ArrayPlanes(labels), config=config, **changes)


def result(config: TrainConfig = QUICK, **changes: Any) -> TrainDone:
    """Return how that ends."""
    *_, last = run(config, **changes)
    assert isinstance(last, TrainDone)
    return last


class CountedPlanes(ArrayPlanes):
    """Planes that count how many of their pixels are read."""

    def __init__(self, array: npt.NDArray[Any]) -> None:
        super().__init__(array)
        self.pixels: Counter[int] = Counter()  # of each plane

    def read(self, plane: int, y: slice, x: slice) -> npt.NDArray[Any]:
        self.pixels[plane] += (y.stop - y.start) * (x.stop - x.start)
        return super().read(plane, y, x)
