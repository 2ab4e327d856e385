"""How fast are prediction, training, weight map and elastic deformation beside their peers?

    python -m benchmarks.speed [--repeats 7] [--parts prediction training …] [--document FILE]

Every row is the same work done by the project and by a named peer, in turns in one process, with
the same number of threads; the ratio is that of the medians. Needs `pip install monai openvino
scikit-learn bioimageio.core "pydantic<2.14"` (with pydantic 2.14, bioimageio.spec 0.5.12 cannot
describe a model). Writes docs/benchmarks.md where `--document` names it.

prediction   one plane by a U-Net of 32 channels and five levels (and by `light`): the project, with
             OpenVINO and with PyTorch; the same network in PyTorch as it comes; MONAI's sliding
             window (the same network with padding, windows of 512 px, overlap 0.25, Gaussian
             blending); bioimageio.core's blocks of 576 px with the context cut off; and what the
             arithmetic takes at the speed of a large matrix product
pixel classifier  one plane to numbered objects, beside features and forest of a pixel classifier
training     steps of the project beside a bare loop of forward, backward, update on one batch: with
             the same products (bfloat16 where the processor has instructions for them), and as
             PyTorch does by itself; eight times as many turns where a step is short, since a
             machine that others use as well changes its speed within a second
weight map   eq. 2 for all objects at once, beside one distance transform per object
elastic      one 572×572 image with its label image, beside MONAI's and scipy's
"""

from __future__ import annotations

import argparse
import platform
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import numpy.typing as npt
import torch

from benchmarks.documents import put_into
from benchmarks.forest import SETTINGS, grow_forests, segment_planes
from benchmarks.speed_peers import (
    bioimageio_blocks,
    border_weights_per_object,
    count_operations,
    monai_elastic,
    monai_sliding_window,
    plain_pass,
    scipy_elastic,
)
from napari_unet.config import (
    NETWORKS,
    RECIPES,
    AugmentConfig,
    NetworkConfig,
    Optimiser,
    OutputKind,
    Task,
    TilingConfig,
    TrainConfig,
    Unpainted,
)
from napari_unet.engine.counts import count
from napari_unet.engine.network import (
    Model,
    arrange,
    fresh_model,
    margin,
    multiplies_faster_in_bfloat16,
    openvino_network,
    pick_device,
    valid_output_size,
)
from napari_unet.engine.paint import LabelScheme, TrainingSet, border_weights
from napari_unet.engine.prediction import SegmentationPlan, segment
from napari_unet.engine.stack import ArrayPlanes, Normalization, measure
from napari_unet.engine.training import (
    Trainer,
    TrainingPlan,
    augment,
    weighted_cross_entropy,
)
from napari_unet.engine.training.lessons import read_lessons
from napari_unet.engine.training.seen_set import SeenSet
from napari_unet.engine.training.size_choice import SizeChoice
from napari_unet.io.checkpoints import load_model
from napari_unet.io.library import find_model
from napari_unet.io.samples import paint_strokes, synthetic_cells

WIDE = NetworkConfig(name="32 channels, 5 levels", base_channels=32, levels=5)
SIDE = 2048  # of the plane that is predicted, pixels
TILE = 388  # as fig. 1 of the paper
MATRIX = 2048  # side of the matrices whose product tells the speed of arithmetic
CPU = torch.device("cpu")
IMAGE = 572  # side of the image that is deformed, pixels


@dataclass(frozen=True, slots=True)
class Row:
    """The same work, done by the project and by a peer."""

    part: str
    work: str
    ours: str  # name
    peer: str
    our_seconds: float
    peer_seconds: float

    @property
    def ratio(self) -> float:
        """How many times as long the peer takes."""
        return self.peer_seconds / self.our_seconds


Timed = dict[str, float]
"""Median seconds of each way."""


def in_turns(ways: Mapping[str, Callable[[], Any]], repeats: int) -> Timed:
    """Time each way once per turn, after one turn that does not count; return medians."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(repeats + 1):
        for name, way in ways.items():
            begin = time.perf_counter()
            way()
            if turn:
                seconds[name].append(time.perf_counter() - begin)
    return {name: statistics.median(times) for name, times in seconds.items()}


def prediction(repeats: int) -> Iterator[Row]:
    """Predict a plane."""
    image = synthetic_cells(seed=1, planes=1, shape=(SIDE, SIDE)).image[0]
    for config in (WIDE, NETWORKS["light"]):
        model = fresh_model(config, measure(ArrayPlanes(image)), Task.OBJECTS, (0, 1), seed=0)
        values = np.random.default_rng(0).standard_normal((1, 1, SIDE, SIDE), dtype=np.float32)
        network = model.build(CPU)
        ways: dict[str, Callable[[], Any]] = {
            "U-Net Paint": partial(predict, model, image),
            "U-Net Paint, PyTorch": partial(predict, model, image, use_openvino=False),
            "PyTorch, tiles one by one": partial(plain_pass, network, values, TILE),
            "MONAI sliding window": monai_sliding_window(network, values),
            "bioimageio.core in blocks": bioimageio_blocks(network, values),
            "matrix product": partial(torch.matmul, *torch.randn(2, MATRIX, MATRIX)),
        }
        times = in_turns(ways, repeats)
        speed = 2 * MATRIX**3 / times.pop("matrix product")
        times["arithmetic at the speed of a matrix product"] = (
            count_operations(network, SIDE, TILE) / speed
        )
        for name in ("U-Net Paint", "U-Net Paint, PyTorch"):
            for peer in times:
                if not peer.startswith("U-Net"):
                    work = f"{SIDE}×{SIDE}, {config.name}"
                    yield Row("prediction", work, name, peer, times[name], times[peer])


def predict(
    model: Model, image: npt.NDArray[Any], *, use_openvino: bool = True, tile: int | None = None
) -> None:
    """Predict the probabilities of a plane as the command line does."""
    tiling, kind = TilingConfig(tile=tile), OutputKind.PROBABILITIES
    with nullcontext() if use_openvino else openvino_hidden():
        for _ in segment(
            SegmentationPlan.usual(model, tiling=tiling, kind=kind),
            ArrayPlanes(image),
            device=pick_device("cpu"),
        ):
            pass


def openvino_hidden() -> AbstractContextManager[object]:
    """Let PyTorch compute what OpenVINO would."""
    return mock.patch.object(openvino_network, "find_spec", return_value=None)


def pixel_classifier(repeats: int) -> Iterator[Row]:
    """Segment a plane into objects, from grey values to numbers."""
    sample = synthetic_cells(seed=1, planes=1, shape=(SIDE, SIDE))
    planes = ArrayPlanes(sample.image)
    model = load_model(find_model("light"))
    strokes = paint_strokes(sample.truth, planes=[0], cells=8)
    grown = grow_forests(planes, strokes, Task.OBJECTS, settings=SETTINGS[:1])

    def network() -> None:
        for _ in segment(SegmentationPlan.usual(model), planes, device=pick_device("cpu")):
            pass

    ways: dict[str, Callable[[], Any]] = {
        "light": network,
        "forest": partial(segment_planes, grown.forests, planes, [0]),
    }
    times = in_turns(ways, repeats)
    peer = "scikit-image features, scikit-learn forest of 60 trees"
    work = f"{SIDE}×{SIDE} to objects, light"
    yield Row("segmentation", work, "U-Net Paint", peer, times["light"], times["forest"])


def training(repeats: int) -> Iterator[Row]:
    """Train on strokes, and on one batch over and over, with both ways to multiply."""
    sample = synthetic_cells(seed=1, planes=1, shape=(512, 512))
    labels = paint_strokes(sample.truth, planes=[0], cells=8)
    for name, steps, turns in (("light", 2, 8 * repeats), ("2015", 1, repeats)):
        network, recipe = NETWORKS[name], replace(RECIPES[name], mixed_precision=True)
        precise = replace(recipe, mixed_precision=False)
        trainers = [make_trainer(sample.image, labels, network, r) for r in (recipe, precise)]
        loops = [BareLoop(network, r) for r in (recipe, precise)]
        ways = {
            "mixed": partial(repeat, partial(trainers[0].advance, 0.5), steps),
            "float32": partial(repeat, partial(trainers[1].advance, 0.5), steps),
            "patches": partial(repeat, trainers[0]._draw, steps),  # noqa: SLF001 timed by itself
            "bare": partial(repeat, loops[0].advance, steps),
            "bare float32": partial(repeat, loops[1].advance, steps),
        }
        times = in_turns(ways, turns)
        work = f"{count(steps, 'step')} of {count(recipe.batch, 'patch')}, {name}"
        mixed = multiplies_faster_in_bfloat16(CPU)
        same = "bare loop, bfloat16" if mixed else "bare loop"
        plain = "bare loop, float32, as PyTorch lays it out"
        yield Row("training", work, "step loop", same, times["mixed"], times["bare"])
        yield Row("training", work, "step loop", plain, times["mixed"], times["bare float32"])
        if mixed:
            ours, peers = times["float32"], times["bare float32"]
            yield Row("training", work, "step loop, float32", plain, ours, peers)
        yield Row("training", work, "patches", same, times["patches"], times["bare"])


def repeat(action: Callable[[], object], times: int) -> None:
    for _ in range(times):
        action()


def make_trainer(
    image: npt.NDArray[Any],
    labels: npt.NDArray[Any],
    network: NetworkConfig,
    recipe: TrainConfig,
    device: torch.device = CPU,
) -> Trainer:
    """Return a trainer for painted labels, as `fit` makes it."""
    pairs = TrainingSet.of((ArrayPlanes(image), ArrayPlanes(labels)))
    scheme = LabelScheme(Task.OBJECTS, Unpainted.IGNORED)
    plan = TrainingPlan(start=network, scheme=scheme, config=recipe, device=pick_device("cpu"))
    seen = SeenSet.of(pairs, SizeChoice(1), scheme.unpainted, measure)
    lessons = read_lessons(seen, plan)
    model = fresh_model(network, seen.normalization, Task.OBJECTS, (0, 1), seed=0)
    return Trainer(model, recipe, lessons=lessons, device=device)


class BareLoop:
    """Forward, backward, update, on the same tensors every time."""

    def __init__(
        self, network: NetworkConfig, recipe: TrainConfig, device: torch.device = CPU
    ) -> None:
        self._device = device
        model = fresh_model(network, Normalization((0.0,), (1.0,)), Task.OBJECTS, (0, 1), seed=0)
        self._mixed = recipe.mixed_precision and multiplies_faster_in_bfloat16(device)
        self._network = model.build(device).train()
        if self._mixed:
            arrange(self._network, device, mixed=True)
        kind = torch.optim.SGD if recipe.optimiser is Optimiser.SGD else torch.optim.AdamW
        self._optimiser = kind(self._network.parameters(), lr=recipe.learning_rate)
        size = valid_output_size(recipe.patch, network.levels)
        shape = (recipe.batch, 1, *[size + 2 * margin(network.levels)] * 2)
        self._images = torch.randn(shape, device=device)
        self._classes = torch.randint(0, 2, (recipe.batch, size, size), device=device)
        self._weights = torch.ones(recipe.batch, size, size, device=device)

    def advance(self) -> None:
        """Do one gradient update."""
        self._optimiser.zero_grad(set_to_none=True)
        with torch.autocast(self._device.type, torch.bfloat16, enabled=self._mixed):
            logits = self._network(self._images)
        loss = weighted_cross_entropy(logits.float(), self._classes, self._weights)
        loss.backward()  # type: ignore[no-untyped-call]
        self._optimiser.step()


def weight_map(repeats: int) -> Iterator[Row]:
    """Weigh the background between many objects."""
    few, many = round_objects(14, 1024), round_objects(71, 4096)
    ways = {"ours": lambda: border_weights(few), "many": lambda: border_weights(many)}
    times = in_turns(ways, repeats)
    begin = time.perf_counter()
    border_weights_per_object(few)
    slow = time.perf_counter() - begin  # once: it takes long
    peer = "one distance transform per object"
    yield Row("weight map", f"{few.max()} objects, 1024²", "all at once", peer, times["ours"], slow)
    yield Row(
        "weight map", f"{many.max():,} objects, 4096²", "all at once", "1 s", times["many"], 1.0
    )


def round_objects(per_side: int, side: int) -> npt.NDArray[np.int32]:
    """Return discs of about the same size in rows and columns, near each other."""
    rng = np.random.default_rng(0)
    pitch = side / per_side
    labels = np.zeros((side, side), dtype=np.int32)
    for number, (row, column) in enumerate(np.ndindex(per_side, per_side), start=1):
        centre = (np.array([row, column]) + 0.5 + 0.06 * rng.standard_normal(2)) * pitch
        radius = pitch * rng.uniform(0.4, 0.48)
        low = np.maximum(centre - radius, 0).astype(int)
        high = np.minimum(centre + radius + 2, side).astype(int)
        y, x = np.mgrid[low[0] : high[0], low[1] : high[1]]
        inside = np.hypot(y - centre[0], x - centre[1]) < radius
        region = labels[low[0] : high[0], low[1] : high[1]]
        region[inside & (region == 0)] = number
    return labels


def elastic(repeats: int) -> Iterator[Row]:
    """Deform an image and its label image."""
    rng = np.random.default_rng(0)
    image = rng.standard_normal((1, IMAGE, IMAGE), dtype=np.float32)
    labels = rng.integers(0, 9, (1, IMAGE, IMAGE)).astype(np.float32)
    config = replace(AugmentConfig(), rotation=0.0, flip=False)
    tensors = [torch.from_numpy(values) for values in (image, labels)]

    def ours() -> None:
        deformation, _ = augment.draw(rng, config)
        centre = (IMAGE - 1) / 2
        grid = augment.sampling_grid([deformation], [(centre, centre)], [(IMAGE, IMAGE)], IMAGE)
        for values, mode in zip(tensors, ("bilinear", "nearest"), strict=True):
            augment.sample(values, grid, mode=mode)

    ways = {
        "ours": ours,
        "MONAI Rand2DElastic": monai_elastic(image, labels),
        "scipy, cubic grid and map_coordinates": lambda: scipy_elastic(rng, image, labels),
    }
    times = in_turns(ways, repeats)
    for peer in list(times)[1:]:
        yield Row("elastic", f"{IMAGE}×{IMAGE}", "spline", peer, times["ours"], times[peer])


PARTS = {
    "prediction": prediction,
    "pixel classifier": pixel_classifier,
    "training": training,
    "weight map": weight_map,
    "elastic": elastic,
}


def table(rows: list[Row]) -> str:
    """Return the rows as a table."""
    lines = ["| work | | seconds | beside | seconds | ratio |", "|---|---|---|---|---|---|"]
    lines += [
        f"| {row.part}: {row.work} | {row.ours} | {row.our_seconds:.3f} | {row.peer} | "
        f"{row.peer_seconds:.3f} | {row.ratio:.2f} |"
        for row in rows
    ]
    return "\n".join(lines)


def machine() -> str:
    """Return what the figures were measured on."""
    peers = ("openvino", "monai", "bioimageio.core", "scikit-learn")
    names = ("torch", *peers, "numpy", "scipy", "napari-unet-paint")
    versions = ", ".join(f"{name} {version(name)}" for name in names)
    return (
        f"{time.strftime('%Y-%m-%d')}, {platform.machine()}, {torch.get_num_threads()} threads, "
        f"Python {platform.python_version()}, {versions}."
    )


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--document", type=Path)
    arguments = parser.parse_args()
    rows = []
    for part in arguments.parts:
        for row in PARTS[part](arguments.repeats):
            print(table([row]).splitlines()[-1], flush=True)
            rows.append(row)
    text = f"{table(rows)}\n\nMedians of {count(arguments.repeats, 'turn')}; {machine()}\n"
    print(f"\n{text}")
    if arguments.document:
        put_into(arguments.document, "speed", text)


if __name__ == "__main__":
    main()
