"""Which side of tiles does the trial before long work find, and what is it worth?

    python -m benchmarks.tile_sides [--repeats 5] [--rounds 3]

For networks of some sizes, with OpenVINO and with PyTorch: the usual side, the sides that are found
in some trials, how long a trial takes, and the time of a plane of 2048×2048 px with the usual side
beside that with the side found most often, in turns, as medians. Needs `pip install openvino`.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from unittest import mock

import numpy as np

from benchmarks.speed import SIDE, in_turns
from napari_unet.config import NETWORKS, NetworkConfig, OutputKind, Task, TilingConfig
from napari_unet.engine import openvino_network, tile_trial
from napari_unet.engine.device import pick_device
from napari_unet.engine.model import Model, fresh_model
from napari_unet.engine.normalize import measure
from napari_unet.engine.planes import ArrayPlanes
from napari_unet.engine.predict import segment
from napari_unet.engine.predictor import Predictor

SHAPES = ((16, 4), (32, 4), (16, 5), (32, 5))  # channels, levels
PLANES = ArrayPlanes(np.random.default_rng(0).integers(0, 256, (1, SIDE, SIDE)).astype(np.uint8))


@dataclass(frozen=True, slots=True)
class Row:
    """What was found for a network and a library."""

    network: str
    library: str
    usual: int  # pixels
    found: Counter[int]  # side: trials
    trial: float  # seconds
    seconds: tuple[float, float]  # of a plane, with the usual side and with the one found


def rows(repeats: int, trials: int) -> Iterator[Row]:
    """Try each network with each library."""
    for channels, levels in SHAPES:
        name = f"{channels} channels, {levels} levels"
        config = NetworkConfig(name=name, base_channels=channels, levels=levels)
        name += f" (`{NETWORKS['light'].name}`)" if (channels, levels) == (16, 4) else ""
        model = fresh_model(config, measure(PLANES), Task.OBJECTS, (0, 1))
        for library in ("OpenVINO", "PyTorch"):
            with nullcontext() if library == "OpenVINO" else hidden():
                yield row(model, name, library, repeats, trials)


def hidden() -> AbstractContextManager[object]:
    """Hide OpenVINO."""
    return mock.patch.object(openvino_network, "find_spec", return_value=None)


def row(model: Model, name: str, library: str, repeats: int, trials: int) -> Row:
    """Find the fastest side some times, and compare it with the usual one."""
    usual = Predictor(model, PLANES, pick_device("cpu")).tile_side
    seconds, sides = [], []
    for _ in range(trials):
        begin = time.perf_counter()
        sides.append(find(model))
        seconds.append(time.perf_counter() - begin)
    found = Counter(sides)
    ((best, _),) = found.most_common(1)
    ways = {str(side): partial(predict, model, side) for side in {usual, best}}
    times = in_turns(ways, repeats)
    pair = times[str(usual)], times[str(best)]
    return Row(name, library, usual, found, statistics.median(seconds), pair)


def find(model: Model) -> int:
    """Return the side of the plane's tiles after a trial."""
    predictor = Predictor(model, PLANES, pick_device("cpu"))
    with mock.patch.object(tile_trial, "_WORTH", 0):
        for _ in predictor.find_fastest_side({}, planes=1):
            pass
    return predictor.tile_side


def predict(model: Model, side: int) -> None:
    """Predict the plane in tiles of a side."""
    tiling = TilingConfig(tile=side)
    kind = OutputKind.PROBABILITIES
    for _ in segment(model, PLANES, device=pick_device("cpu"), tiling=tiling, kind=kind):
        pass


def main() -> None:
    """Print the table, row by row."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=3, help="trials for each row")
    options = parser.parse_args()
    print("| network | library | usual side | found (trials) | a trial | usual | found | ratio |")
    print("|---|---|---|---|---|---|---|---|")
    for each in rows(options.repeats, options.rounds):
        found = ", ".join(f"{side} ({times})" for side, times in each.found.most_common())
        before, after = each.seconds
        print(
            f"| {each.network} | {each.library} | {each.usual} | {found} | {each.trial:.1f} s | "
            f"{before:.2f} s | {after:.2f} s | {before / after:.2f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
