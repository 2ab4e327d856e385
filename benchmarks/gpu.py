"""What does a GPU give? Latency of a tile, share of its peak, training, and a huge plane.

    python -m benchmarks.gpu [--parts tile training plane] [--repeats 20] [--document FILE]

tile      512×512 px by the network of the paper, from an image on the device to logits there: as
          the project computes (float32), and the ways that it does not take: other layouts and
          numbers, a CUDA graph, and with `--compile` torch.compile; each with its largest
          difference from float32, and its share of the speed of a large matrix product of the
          same numbers. The row "and back" begins and ends in the computer's memory.
training  steps per second of the project, beside a plain float32 loop of forward, backward, update
plane     a plane of cells (`--side`, 20,000 px) from grey values to objects by `light`: where the
          time goes, and the same with one tile at a time instead of two

Runs on the fastest GPU, or on `--device`. Without a GPU `--device cpu --side 128 --repeats 1` only
shows that it works.
"""

from __future__ import annotations

import argparse
import platform
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks.documents import put_into
from benchmarks.label_precision import ARITHMETICS, Arithmetic, emulate
from benchmarks.profiles import profile, render
from benchmarks.speed import BareLoop, make_trainer, repeat
from benchmarks.speed_peers import count_operations
from napari_unet.config import NETWORKS, RECIPES, Task
from napari_unet.engine.counts import count
from napari_unet.engine.network import (
    DEVICES,
    DeviceChoice,
    FoldedUNet,
    UNet,
    fresh_model,
    margin,
    pick_device,
    valid_output_size,
)
from napari_unet.engine.prediction import (
    Predictor,
    SegmentationPlan,
    network_probabilities,
    segment,
)
from napari_unet.engine.stack import ArrayPlanes, Normalization
from napari_unet.io.checkpoints import load_model
from napari_unet.io.library import find_model
from napari_unet.io.samples import paint_strokes, synthetic_cells

MATRIX = 8192  # side of the matrices whose product tells the speed of arithmetic
MATRIX_CPU = 1024
BLOCK = 2000  # side of the cells that a huge plane repeats, pixels

Work = Callable[[], Any]


@dataclass(frozen=True, slots=True)
class Way:
    """A way to compute a tile."""

    title: str
    dtype: torch.dtype
    layout: torch.memory_format = torch.channels_last
    tf32: bool = False
    products: Arithmetic | None = None  # each convolution in several
    folded: bool = False
    graph: bool = False
    compiled: bool = False


WAYS = (
    Way("float32", torch.float32, torch.contiguous_format),
    Way("float32, channels last", torch.float32),
    Way("float32, folded", torch.float32, torch.contiguous_format, folded=True),
    Way("float32, folded, channels last", torch.float32, folded=True),
    Way("float32, CUDA graph", torch.float32, torch.contiguous_format, graph=True),
    Way("float32, compiled", torch.float32, torch.contiguous_format, compiled=True),
    Way("TensorFloat-32, channels last", torch.float32, tf32=True),
    Way("three products of TensorFloat-32", torch.float32, tf32=True, products=ARITHMETICS[-1]),
    Way("bfloat16, channels last", torch.bfloat16),
    Way("bfloat16, channels last, CUDA graph", torch.bfloat16, graph=True),
    Way("bfloat16, channels last, compiled", torch.bfloat16, compiled=True),
    Way("float16, channels last", torch.float16),
)


def seconds_of(work: Work, device: torch.device, repeats: int) -> float:
    """Return the median time of some work, after three times that do not count."""
    times = []
    for turn in range(repeats + 3):
        wait_for(device)
        begin = time.perf_counter()
        work()
        wait_for(device)
        if turn >= 3:
            times.append(time.perf_counter() - begin)
    return statistics.median(times)


def wait_for(device: torch.device) -> None:
    """Wait until a device has done all that it was asked for."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


def tile(choice: DeviceChoice, side: int, wish: argparse.Namespace) -> Iterator[str]:
    """Predict one tile in each way."""
    device, config = choice.torch_device, NETWORKS["2015"]
    model = fresh_model(config, Normalization((0.0,), (1.0,)), Task.OBJECTS, (0, 1), seed=0)
    inner = valid_output_size(side, config.levels)
    image = np.random.default_rng(0).standard_normal(
        (1, *[inner + 2 * margin(config.levels)] * 2), dtype=np.float32
    )
    operations = count_operations(model.build(torch.device("cpu")), inner, inner)
    exact = network_probabilities(model.build(device), device, slice(None))
    expected = torch.from_numpy(exact(image))
    yield "| 2015, one tile | ms | TFLOP/s | of a matrix product | largest difference |"
    yield "|---|---|---|---|---|"
    for way in WAYS:
        if (way.graph and device.type != "cuda") or (way.compiled and not wish.compile):
            continue
        with torch.inference_mode(), torch.backends.cudnn.flags(allow_tf32=way.tf32):
            work, output = way_of(way, model.build(device), torch.from_numpy(image)[None])
            seconds = seconds_of(work, device, wish.repeats)
            off = float((output().float().softmax(dim=1)[0].cpu() - expected).abs().max())
        speed, peak = operations / seconds, peak_of(way, device)
        yield (
            f"| {way.title} | {1e3 * seconds:.2f} | {speed / 1e12:.1f} | {speed / peak:.0%} "
            f"| {off:.0e} |"
        )
    seconds = seconds_of(partial(exact, image), device, wish.repeats)
    yield f"| float32, copied there and back | {1e3 * seconds:.2f} | | | |"


def way_of(way: Way, unet: UNet, image: Tensor) -> tuple[Work, Callable[[], Tensor]]:
    """Return the work of predicting an image (1, C, Y, X), and what gives its logits."""
    device = next(unet.parameters()).device
    if way.products is not None:
        emulate(unet, way.products)
    network: nn.Module = FoldedUNet(unet) if way.folded else unet
    network.to(dtype=way.dtype, memory_format=way.layout)  # type: ignore[call-overload]
    values = image.to(device, way.dtype).contiguous(memory_format=way.layout)
    forward: Callable[[Tensor], Tensor] = torch.compile(network) if way.compiled else network
    if not way.graph:
        return partial(forward, values), partial(forward, values)
    for _ in range(3):
        forward(values)
    torch.cuda.synchronize(device)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        logits = forward(values)

    def replay() -> Tensor:
        graph.replay()
        return logits

    return replay, replay


def peak_of(way: Way, device: torch.device) -> float:
    """Return the operations per second of a large matrix product in the same numbers."""
    side = MATRIX if device.type == "cuda" else MATRIX_CPU
    factors = torch.randn(2, side, side, device=device).to(way.dtype)
    usual = torch.backends.cuda.matmul.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = way.tf32
    try:
        return 2 * side**3 / seconds_of(partial(torch.matmul, *factors), device, 10)
    finally:
        torch.backends.cuda.matmul.allow_tf32 = usual


def training(choice: DeviceChoice, _side: int, wish: argparse.Namespace) -> Iterator[str]:
    """Train on strokes beside a plain loop on one batch."""
    device = choice.torch_device
    sample = synthetic_cells(seed=1, planes=1, shape=(512, 512))
    labels = paint_strokes(sample.truth, planes=[0], cells=8)
    yield "| training | steps per second | plain float32 loop | ratio | plain loop, same numbers |"
    yield "|---|---|---|---|---|"
    for name, steps in (("light", 20), ("2015", 5)) if device.type != "cpu" else (("light", 2),):
        network, recipe = NETWORKS[name], replace(RECIPES[name], mixed_precision=True)
        trainer = make_trainer(sample.image, labels, network, recipe, device)
        loops = [
            BareLoop(network, one, device)
            for one in (replace(recipe, mixed_precision=False), recipe)
        ]
        ways: list[Work] = [partial(trainer.advance, 0.5), *(loop.advance for loop in loops)]
        ours, plain, same = (
            steps / seconds_of(partial(repeat, way, steps), device, wish.repeats // 4 + 1)
            for way in ways
        )
        work = f"{name}, {count(recipe.batch, 'patch')}"
        yield f"| {work} | {ours:.1f} | {plain:.1f} | {ours / plain:.2f} | {same:.1f} |"


def plane(choice: DeviceChoice, side: int, _wish: argparse.Namespace) -> Iterator[str]:
    """Segment a huge plane into objects, and tell where the time goes."""
    model = load_model(find_model("light"))
    cells = synthetic_cells(seed=1, planes=1, shape=(min(BLOCK, side),) * 2).image
    copies = -(-side // cells.shape[-1])
    planes = ArrayPlanes(np.tile(cells, (1, copies, copies))[:, :side, :side])

    def work(planes: ArrayPlanes = planes) -> None:
        for _ in segment(SegmentationPlan.usual(model), planes, device=choice):
            pass

    work(ArrayPlanes(cells))  # what is loaded at first does not count
    with mock.patch.object(Predictor, "at_once", 1):
        one_by_one = profile(work)
    two = profile(work)
    yield "Before: one tile at a time; now: as the project does.\n"
    yield render(one_by_one, two)


PARTS = {"tile": tile, "training": training, "plane": plane}
SIDES = {"tile": 512, "training": 0, "plane": 20_000}


def main() -> None:
    """Measure and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--device", choices=DEVICES, default="auto")
    parser.add_argument("--side", type=int, help="of the tile or plane, pixels")
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--compile", action="store_true", help="also try torch.compile (minutes)")
    parser.add_argument("--document", type=Path)
    wish = parser.parse_args()
    choice = pick_device(wish.device)
    if choice.device == "cpu" and (wish.device == "auto" or wish.document):
        parser.error(
            f"a GPU is measured, and {choice} is none; "
            "'--device cpu --side 128 --repeats 1' only shows that it works"
        )
    sections = []
    for part in wish.parts:
        print(f"### {part}\n", flush=True)
        lines = []
        for line in PARTS[part](choice, wish.side or SIDES[part], wish):
            print(line, flush=True)
            lines.append(line)
        sections.append(f"### {part.capitalize()}\n\n" + "\n".join(lines))
    where = f"{choice.name}, torch {torch.__version__}, {platform.machine()}"
    text = "\n\n".join([*sections, f"{time.strftime('%Y-%m-%d')}, {where}.\n"])
    print(f"\n{where}")
    if wish.document:
        put_into(wish.document, "gpu", text)


if __name__ == "__main__":
    main()
