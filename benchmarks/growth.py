"""How the cost grows with image size, planes, objects and threads.

    python -m benchmarks.growth [--repeats 5] [--picture docs/images/growth.png]

Needs `pip install matplotlib openvino`. Each point is the median of the repeats, after one that
does not count. Prediction is that of `light`, from grey values to numbered objects.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from benchmarks.speed import round_objects
from napari_unet.config import PRESETS, TilingConfig
from napari_unet.engine.network import Model, pick_device
from napari_unet.engine.objects import cut_objects
from napari_unet.engine.paint import border_weights
from napari_unet.engine.prediction import SegmentationPlan, segment
from napari_unet.engine.stack import ArrayPlanes
from napari_unet.io.checkpoints import load_model
from napari_unet.io.library import find_model
from napari_unet.io.samples import synthetic_cells

SIDES = (256, 512, 1024, 2048, 4096)  # pixels
PLANES = (1, 2, 4, 8, 16)
TILES = (64, 128, 256, 512, 1024, 2048)  # pixels
TILED_SIDE = 2048  # of the plane that they tile, pixels
OBJECTS_SIDE = 2048  # of the plane with more and more objects, pixels
PER_SIDE = (5, 10, 20, 40, 80)  # objects
PLANE = 512  # side of the planes of a stack, pixels


@dataclass(frozen=True, slots=True)
class Curve:
    """Seconds over something that grows."""

    title: str
    axis: str
    name: str
    at: Sequence[int]
    seconds: Sequence[float]

    @property
    def exponent(self) -> float:
        """Slope of the seconds over the numbers, both as logarithms: 1 is linear."""
        return float(np.polyfit(np.log(self.at), np.log(self.seconds), 1)[0])


def median_seconds(work: Callable[[], Any], repeats: int) -> float:
    """Return the median time of some work."""
    times = []
    for _ in range(repeats + 1):
        begin = time.perf_counter()
        work()
        times.append(time.perf_counter() - begin)
    return statistics.median(times[1:])


def cells(planes: int, side: int) -> npt.NDArray[Any]:
    """Return a stack of planes full of cells, which repeat."""
    block = synthetic_cells(seed=1, planes=1, shape=(256, 256)).image[0]
    return np.tile(block, (planes, -(-side // 256), -(-side // 256)))[:, :side, :side]


def run(model: Model, stack: npt.NDArray[Any], tile: int | None = None) -> None:
    """Segment a stack."""
    tiling = TilingConfig(tile=tile)
    for _ in segment(
        SegmentationPlan.usual(model, tiling=tiling), ArrayPlanes(stack), device=pick_device("cpu")
    ):
        pass


def measure(repeats: int) -> Iterator[Curve]:
    """Yield every curve."""
    model = load_model(find_model("light"))

    def curve(
        title: str, axis: str, name: str, at: Sequence[int], works: Sequence[Callable[[], Any]]
    ) -> Curve:
        return Curve(title, axis, name, at, [median_seconds(work, repeats) for work in works])

    def planes_on(threads: int) -> Curve:
        torch.set_num_threads(threads)
        works = [partial(run, model, cells(1, side)) for side in SIDES]
        name = f"{threads} thread{'s' * (threads > 1)}"
        return curve("Segmentation of a plane", "pixels", name, [side**2 for side in SIDES], works)

    works: list[Callable[[], Any]]
    threads = torch.get_num_threads()
    yield planes_on(threads)
    works = [partial(run, model, cells(planes, PLANE)) for planes in PLANES]
    yield curve("Segmentation of a stack", f"planes of {PLANE}×{PLANE}", "", PLANES, works)
    works = [partial(run, model, cells(1, TILED_SIDE), tile) for tile in TILES]
    title = f"Segmentation of {TILED_SIDE}×{TILED_SIDE}"
    yield curve(title, "side of the tiles, pixels", "", TILES, works)
    numbers = [n**2 for n in PER_SIDE]
    scenes = [round_objects(n, OBJECTS_SIDE) for n in PER_SIDE]
    title, axis = f"Objects on a plane of {OBJECTS_SIDE}×{OBJECTS_SIDE}", "objects"
    works = [partial(border_weights, scene) for scene in scenes]
    yield curve(title, axis, "weight map", numbers, works)
    works = [partial(cut_objects, scene > 0, PRESETS["light"].objects) for scene in scenes]
    yield curve(title, axis, "mask to objects", numbers, works)
    works = [partial(border_weights, round_objects(side // 64, side)) for side in SIDES]
    yield curve("Weight map", "pixels", "", [side**2 for side in SIDES], works)
    if threads > 1:
        yield planes_on(1)  # at last: OpenVINO never takes more threads than it took once


def draw(curves: Sequence[Curve], path: Path) -> None:
    """Draw the curves, one chart per title."""
    import matplotlib as mpl  # noqa: PLC0415  # for the picture only

    mpl.use("Agg")
    from matplotlib import pyplot as plt  # noqa: PLC0415

    titles = list(dict.fromkeys(curve.title for curve in curves))
    figure, charts = plt.subplots(1, len(titles), figsize=(4 * len(titles), 3.6))
    for chart, title in zip(charts, titles, strict=True):
        for curve in curves:
            if curve.title == title:
                chart.loglog(curve.at, curve.seconds, marker="o", label=curve.name)
                chart.set_xlabel(curve.axis)
        chart.set_title(title, fontsize=10)
        chart.set_ylabel("seconds")
        chart.grid(alpha=0.3)
        if chart.get_legend_handles_labels()[1]:
            chart.legend()
    figure.tight_layout()
    figure.savefig(path, dpi=110)


def main() -> None:
    """Measure, print and draw."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--picture", type=Path)
    arguments = parser.parse_args()
    curves = []
    print("| | grows with | from, to | seconds | exponent |\n|---|---|---|---|---|")
    for curve in measure(arguments.repeats):
        name = f"{curve.title}, {curve.name}" if curve.name else curve.title
        ends = (
            f"{curve.at[0]:,}, {curve.at[-1]:,} | {curve.seconds[0]:.3f}, {curve.seconds[-1]:.3f}"
        )
        print(f"| {name} | {curve.axis} | {ends} | {curve.exponent:.2f} |", flush=True)
        curves.append(curve)
    if arguments.picture:
        draw(curves, arguments.picture)


if __name__ == "__main__":
    main()
