"""Which side of tiles does the trial before long work find, and what is it worth?

    python -m benchmarks.tile_sides [--repeats 5] [--rounds 3]

For networks of some sizes, with OpenVINO and with PyTorch: how long a plane of 2048×2048 px takes
in tiles of each side tried, in turns, as medians, the usual side first; which side some trials
find; and how long a trial takes. Needs `pip install openvino`.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from unittest import mock

import numpy as np

from benchmarks.speed import SIDE, in_turns, openvino_hidden, predict
from napari_unet.config import NETWORKS, NetworkConfig, Task
from napari_unet.engine.network import Model, fresh_model, pick_device
from napari_unet.engine.prediction import Predictor, tile_trial
from napari_unet.engine.stack import ArrayPlanes, measure

SHAPES = ((16, 4), (32, 4), (16, 5), (32, 5))  # channels, levels
IMAGE = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE)).astype(np.uint8)
PLANES = ArrayPlanes(IMAGE)


@dataclass(frozen=True, slots=True)
class Row:
    """What was found for a network and a library."""

    network: str
    library: str
    seconds: dict[int, float]  # per megapixel of a plane, by the side of its tiles
    found: Counter[int]  # side: trials
    trial: float  # seconds


def rows(repeats: int, trials: int) -> Iterator[Row]:
    """Try each network with each library."""
    for channels, levels in SHAPES:
        name = f"{channels} channels, {levels} levels"
        config = NetworkConfig(name=name, base_channels=channels, levels=levels)
        name += f" (`{NETWORKS['light'].name}`)" if (channels, levels) == (16, 4) else ""
        model = fresh_model(config, measure(PLANES), Task.OBJECTS, (0, 1))
        for library in ("OpenVINO", "PyTorch"):
            with nullcontext() if library == "OpenVINO" else openvino_hidden():
                yield row(model, name, library, repeats, trials)


def row(model: Model, name: str, library: str, repeats: int, trials: int) -> Row:
    """Find the fastest side some times, and predict a plane with all that are tried."""
    seconds, found = [], []
    sides: tuple[int, ...] = ()
    for _ in range(trials):
        begin = time.perf_counter()
        sides, side = try_sides(model)
        seconds.append(time.perf_counter() - begin)
        found.append(side)
    times = in_turns(
        {str(side): partial(predict, model, IMAGE, tile=side) for side in sides}, repeats
    )
    per_megapixel = {side: times[str(side)] / SIDE**2 * 1e6 for side in sides}
    return Row(name, library, per_megapixel, Counter(found), statistics.median(seconds))


def try_sides(model: Model) -> tuple[tuple[int, ...], int]:
    """Return the sides that a trial takes, the usual one first, and the one that it finds."""
    predictor = Predictor(model, PLANES, pick_device("cpu"))
    known: tile_trial.KnownSides = {}
    with mock.patch.object(tile_trial, "_WORTH", 0):
        events = list(predictor.find_fastest_side(known, planes=1))
    (found,) = known.values()
    return tuple(dict.fromkeys(event.side for event in events)), found


def main() -> None:
    """Print the table, row by row."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=3, help="trials for each row")
    options = parser.parse_args()
    print("| network | library | seconds per megapixel in tiles of | found | a trial |")
    print("|---|---|---|---|---|")
    for each in rows(options.repeats, options.rounds):
        times = ", ".join(f"{side} px: {seconds:.2f}" for side, seconds in each.seconds.items())
        found = ", ".join(f"{side} px ({times}×)" for side, times in each.found.most_common())
        print(
            f"| {each.network} | {each.library} | {times} | {found} | {each.trial:.1f} s |",
            flush=True,
        )


if __name__ == "__main__":
    main()
