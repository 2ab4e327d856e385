"""Quality against cost of network sizes, on the sample of touching cells.

    python benchmarks/network_size.py --seconds 45 --repeats 3

For each network, in one run: seconds per training step, Mpx/s of prediction, and the scores over
the whole stack after the same seconds of training on the same strokes. Medians over the repeats,
each with another seed of training. Prints a Markdown table.
"""

from __future__ import annotations

import argparse
import statistics
import time
from dataclasses import dataclass, replace

from napari_unet.config import RECIPES, NetworkConfig, Task, Unpainted
from napari_unet.engine.device import pick_device
from napari_unet.engine.evaluate import Comparison, evaluate_objects
from napari_unet.engine.events import PlaneDone, TrainDone
from napari_unet.engine.planes import ArrayPlanes
from napari_unet.engine.predict import segment
from napari_unet.engine.train import fit
from napari_unet.io.samples import Sample, paint_strokes, synthetic_cells

SIZES = ("16/4", "24/3", "24/4", "32/4", "16/5")  # base channels / levels


@dataclass(frozen=True, slots=True)
class Outcome:
    steps: int
    step_seconds: float
    megapixels_per_second: float
    seg: float
    foreground_iou: float


def measure(sample: Sample, network: NetworkConfig, seconds: float, seed: int) -> Outcome:
    """Train for some seconds and score the whole stack."""
    device = pick_device()
    planes = ArrayPlanes(sample.image)
    config = replace(RECIPES["light"], seconds=seconds, patience=0, seed=seed)
    *_, done = fit(
        planes,
        ArrayPlanes(paint_strokes(sample.truth)),
        start=network,
        task=Task.OBJECTS,
        unpainted=Unpainted.IGNORED,
        config=config,
        device=device,
    )
    assert isinstance(done, TrainDone)
    begun = time.perf_counter()
    found = [
        event
        for event in segment(done.model, planes, device=device)
        if isinstance(event, PlaneDone)
    ]
    spent = time.perf_counter() - begun
    scores = evaluate_objects(
        Comparison(event.values, sample.truth[event.plane], None) for event in found
    )
    record = done.model.record
    return Outcome(
        steps=record.steps,
        step_seconds=record.seconds / record.steps,
        megapixels_per_second=sample.image.size / 1e6 / spent,
        seg=scores.seg,
        foreground_iou=scores.foreground_iou,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=45)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--sizes", nargs="+", default=SIZES, help="base channels / levels")
    wish = parser.parse_args()
    sample = synthetic_cells()
    print(f"{pick_device()}; {wish.seconds:g} s of training, medians of {wish.repeats}\n")
    print("| channels | levels | steps | s per step | Mpx/s | SEG (min to max) | foreground IoU |")
    print("|---|---|---|---|---|---|---|")
    for size in wish.sizes:
        channels, levels = map(int, size.split("/"))
        network = NetworkConfig(name="trial", base_channels=channels, levels=levels)
        runs = [measure(sample, network, wish.seconds, seed) for seed in range(wish.repeats)]
        seg = [run.seg for run in runs]
        steps, step, speed, iou = (
            statistics.median(getattr(run, name) for run in runs)
            for name in ("steps", "step_seconds", "megapixels_per_second", "foreground_iou")
        )
        print(
            f"| {channels} | {levels} | {steps:.0f} | {step:.2f} | {speed:.2f} "
            f"| {statistics.median(seg):.3f} ({min(seg):.3f} to {max(seg):.3f}) | {iou:.3f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
