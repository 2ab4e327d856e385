"""Does an odd frame, a bar, dust or an empty field change what is found in all the rest?

    python -m benchmarks.odd_stacks --before COMMIT       # beside the code of an older commit

Real stacks are made odd, twenty strokes and filled cells train the bundled network for some steps,
and planes that nobody painted are scored. In the first table the stack is odd that is painted and
segmented; in the second one the model has learned from the stack as it is, and another, odd one is
segmented. An odd frame is added to the stack and is neither painted nor scored; objects under bars
and dust are neither, too. Prints tables in Markdown.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from benchmarks.microscopy_sets import SETS, MicroscopySet
from benchmarks.profiles import ROOT, sources_of
from benchmarks.stroke_budgets import cached_set, paint_budget, score
from benchmarks.undecided import UNDECIDED
from napari_unet.cli.settings import train_config
from napari_unet.config import Unpainted
from napari_unet.engine.events import TrainDone
from napari_unet.engine.network import Model, pick_device
from napari_unet.engine.paint import LabelScheme, TrainingSet
from napari_unet.engine.prediction import SegmentationPlan, segment, whole_planes
from napari_unet.engine.stack import ArrayPlanes
from napari_unet.engine.training import TrainingPlan, fit
from napari_unet.io.checkpoints import load_model
from napari_unet.io.library import find_model

SET_NAMES = ("bbbc039", "phc_u373", "dsb_fluorescence")
BUDGET = 20  # strokes and filled cells, on two planes
HOT = 0.006  # share of the pixels
DUST = 0.01  # share of the pixels
FEW = 3  # objects that a sparse field has left
BLOCK = 16  # side of the blocks of background that cover objects, pixels
AROUND = 6  # pixels around an object that are covered with it

Image = npt.NDArray[Any]
Odd = Callable[[MicroscopySet, np.random.Generator], MicroscopySet]


def as_it_is(chosen: MicroscopySet, _rng: np.random.Generator) -> MicroscopySet:
    return chosen


def with_frame(change: Callable[[Image], Image]) -> Odd:
    """Return how to put one changed frame before a stack."""

    def put(chosen: MicroscopySet, _rng: np.random.Generator) -> MicroscopySet:
        top = np.iinfo(chosen.image.dtype).max
        odd = change(chosen.image[:1].astype(np.float64)).clip(0, top)
        return replace(
            chosen,
            image=np.concatenate([odd.astype(chosen.image.dtype), chosen.image]),
            truth=np.concatenate([np.full_like(chosen.truth[:1], UNDECIDED), chosen.truth]),
            painted=tuple(plane + 1 for plane in chosen.painted),
            tested=tuple(plane + 1 for plane in chosen.tested),
        )

    return put


def with_bar(chosen: MicroscopySet, _rng: np.random.Generator) -> MicroscopySet:
    """Burn a white bar into a corner: 3 % of the plane."""
    height, width = chosen.image.shape[1:]
    bar = np.zeros((height, width), dtype=bool)
    bar[round(0.9 * height) : round(0.96 * height), round(0.05 * width) : round(0.55 * width)] = (
        True
    )
    return _covered(chosen, np.broadcast_to(bar, chosen.image.shape), _brightest(chosen))


def with_hot_pixels(chosen: MicroscopySet, rng: np.random.Generator) -> MicroscopySet:
    image = chosen.image.copy()
    image[rng.random(image.shape) < HOT] = _brightest(chosen)
    return replace(chosen, image=image)


def with_dust(chosen: MicroscopySet, rng: np.random.Generator) -> MicroscopySet:
    """Scatter blurred specks, eight times as bright as the image, as far as its type goes."""
    height, width = chosen.image.shape[1:]
    image, truth = chosen.image.copy(), chosen.truth.copy()
    low, high = np.percentile(chosen.image, (1, 99))
    for plane in range(len(image)):
        specks = np.zeros((height, width))
        while (specks > 0.5).mean() < DUST:
            y, x = rng.integers(height), rng.integers(width)
            yy, xx = np.mgrid[:height, :width]
            specks[(yy - y) ** 2 + (xx - x) ** 2 <= rng.integers(2, 6) ** 2] = 1
        specks = ndimage.gaussian_filter(specks, 1)
        shining = image[plane] + 8 * (high - low) * specks
        image[plane] = shining.clip(0, _brightest(chosen)).astype(image.dtype)
        truth[plane] = _undecided_under(truth[plane], specks > 0.02)
    return replace(chosen, image=image, truth=truth)


def with_few_objects(chosen: MicroscopySet, rng: np.random.Generator) -> MicroscopySet:
    return _emptied(chosen, rng, left=FEW)


def without_objects(chosen: MicroscopySet, rng: np.random.Generator) -> MicroscopySet:
    return _emptied(chosen, rng, left=0)


def with_offset(chosen: MicroscopySet, _rng: np.random.Generator) -> MicroscopySet:
    """Add the offset of another camera: half of the range."""
    low, high = np.percentile(chosen.image, (0.5, 99.5))
    return replace(chosen, image=chosen.image.astype(np.uint16) + np.uint16((high - low) / 2))


def with_other_bits(chosen: MicroscopySet, _rng: np.random.Generator) -> MicroscopySet:
    """Turn 8 bit into 16, and more than 8 into 8, as programs do that stretch to the maximum."""
    if chosen.image.dtype == np.uint8:
        return replace(chosen, image=chosen.image.astype(np.uint16) * 257)
    stretched = chosen.image * (255 / chosen.image.max())
    return replace(chosen, image=stretched.astype(np.uint8))


ODD_ALL_ALONG: dict[str, Odd] = {
    "as it is": as_it_is,
    "one frame saturated": with_frame(lambda frame: frame + 1e9),
    "one frame black": with_frame(lambda frame: 0 * frame),
    "one frame 8×": with_frame(lambda frame: 8 * frame),
    "one frame 16×": with_frame(lambda frame: 16 * frame),
    "a bar": with_bar,
    "hot pixels": with_hot_pixels,
    "dust": with_dust,
}
ODD_AFTERWARDS: dict[str, Odd] = {
    "as it is": as_it_is,
    "one frame saturated": ODD_ALL_ALONG["one frame saturated"],
    "a bar": with_bar,
    "hot pixels": with_hot_pixels,
    "dust": with_dust,
    "few objects": with_few_objects,
    "another offset": with_offset,
    "8 ↔ 16 bit": with_other_bits,
    "no objects: found per plane": without_objects,
}


def _brightest(chosen: MicroscopySet) -> int:
    return int(np.iinfo(chosen.image.dtype).max)


def _covered(chosen: MicroscopySet, where: Image, value: int) -> MicroscopySet:
    truth = [_undecided_under(*both) for both in zip(chosen.truth, where, strict=True)]
    image = np.where(where, value, chosen.image).astype(chosen.image.dtype)
    return replace(chosen, image=image, truth=np.stack(truth))


def _undecided_under(truth: Image, hidden: Image) -> Image:
    """Return the truth of a plane without the objects of which something is hidden."""
    touched = np.unique(truth[hidden])
    return np.where(hidden | np.isin(truth, touched[touched > 0]), UNDECIDED, truth)


def _emptied(chosen: MicroscopySet, rng: np.random.Generator, *, left: int) -> MicroscopySet:
    """Replace the tested planes, but for some objects and what is near them, by background."""
    image, truth = chosen.image.copy(), chosen.truth.copy()
    for plane in chosen.tested:
        objects = np.unique(truth[plane][truth[plane] > 0])
        kept = rng.choice(objects, min(left, len(objects)), replace=False)
        keep = np.isin(truth[plane], kept)
        covered = ~ndimage.binary_dilation(keep, iterations=AROUND) if left else ~keep
        ground = _background(image[plane], truth[plane], rng)
        image[plane][covered] = ground[covered]
        truth[plane][covered] = 0
    painted, tested = image[: len(chosen.painted)], image[len(chosen.painted) :]
    return replace(chosen, image=np.concatenate([_like(tested, painted), tested]), truth=truth)


def _like(tested: Image, painted: Image) -> Image:
    """Return as many emptied planes as are painted: what is segmented is empty altogether."""
    return np.resize(tested, painted.shape)


def _background(plane: Image, truth: Image, rng: np.random.Generator) -> Image:
    """Return a plane made of its own blocks without objects."""
    near = ndimage.binary_dilation(truth != 0, iterations=AROUND)
    corners = (slice(BLOCK // 2, 1 - BLOCK // 2, 4),) * 2  # middles of blocks inside the plane
    is_free = ~ndimage.maximum_filter(near, BLOCK)[corners]
    spread = (ndimage.maximum_filter(plane, BLOCK) - ndimage.minimum_filter(plane, BLOCK))[corners]
    # The truth of some sets lacks objects: what varies most is no background.
    places = 4 * np.argwhere(is_free & (spread <= np.median(spread[is_free])))
    level = np.median(plane[~near])  # of all blocks, so that no seams are seen
    ground = np.empty_like(plane)
    for y in range(0, plane.shape[0], BLOCK):
        for x in range(0, plane.shape[1], BLOCK):
            rows, columns = min(BLOCK, plane.shape[0] - y), min(BLOCK, plane.shape[1] - x)
            top, left = places[rng.integers(len(places))]
            block = plane[top : top + rows, left : left + columns]
            ground[y : y + rows, x : x + columns] = (block - block.mean() + level).clip(0)
    return ground


def train(chosen: MicroscopySet, labels: Image, steps: int, seed: int) -> Model:
    start = load_model(find_model("light"))
    *_, done = fit(
        TrainingSet.of((chosen.planes, ArrayPlanes(labels))),
        TrainingPlan(
            start=start,
            scheme=LabelScheme(chosen.task, Unpainted.IGNORED),
            config=train_config(start, seconds=None, steps=steps, seed=seed),
            device=pick_device("cpu"),
        ),
    )
    assert isinstance(done, TrainDone)
    return done.model


def figure(model: Model, odd: MicroscopySet) -> float:
    """Return SEG, or how many objects are found per plane where there are none."""
    events = segment(
        SegmentationPlan.usual(model), odd.planes, device=pick_device("cpu"), numbers=odd.tested
    )
    found = [np.asarray(values) for _, values in whole_planes(events)]
    if not any((odd.truth[plane] > 0).any() for plane in odd.tested):
        return float(np.mean([len(np.unique(labels[labels > 0])) for labels in found]))
    return float(score(odd, found, odd.tested)["seg"])


def measure_set(name: str, steps: int, seed: int) -> dict[str, dict[str, float]]:
    """Return the figures of both tables for one set and seed."""
    chosen, paint = cached_set(name), paint_budget(name, BUDGET, seed).labels
    known = train(chosen, paint, steps, seed)
    all_along, afterwards = {}, {}
    for way, make in ODD_ALL_ALONG.items():
        odd = make(chosen, np.random.default_rng(seed))
        labels = np.zeros(odd.truth.shape, np.int32)
        labels[-len(paint) :] = paint
        # What is hidden was not painted either.
        labels[(odd.truth == UNDECIDED) & (labels > 1)] = 0
        model = known if way == "as it is" else train(odd, labels, steps, seed)
        all_along[way] = figure(model, odd)
    for way, make in ODD_AFTERWARDS.items():
        afterwards[way] = figure(known, make(chosen, np.random.default_rng(seed)))
    return {"all along": all_along, "afterwards": afterwards}


def figures(source: Path, wish: argparse.Namespace) -> dict[str, dict[str, dict[str, float]]]:
    """Return set → table → way → mean over the seeds, by the code in a folder."""
    path = os.pathsep.join([str(source), str(ROOT)])
    means: dict[str, dict[str, dict[str, float]]] = {}
    for name in wish.sets:
        runs = []
        for seed in range(wish.seeds):
            command = [sys.executable, "-m", "benchmarks.odd_stacks", "--once", name, str(seed)]
            done = subprocess.run(
                [*command, "--steps", str(wish.steps)],
                env={**os.environ, "PYTHONPATH": path},
                check=True,
                stdout=subprocess.PIPE,
            )
            runs.append(json.loads(done.stdout))
            print(name, seed, json.dumps(runs[-1]), file=sys.stderr, flush=True)
        means[name] = {
            table: {
                way: float(np.mean([run[table][way] for run in runs])) for way in runs[0][table]
            }
            for table in runs[0]
        }
    return means


def main() -> None:
    """Measure and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SET_NAMES))
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--before", metavar="COMMIT", help="set its code beside today's")
    parser.add_argument("--once", nargs=2, metavar=("SET", "SEED"), help=argparse.SUPPRESS)
    wish = parser.parse_args()
    if wish.once:
        print(json.dumps(measure_set(wish.once[0], wish.steps, int(wish.once[1]))))
        return
    found = {"now": figures(ROOT / "src", wish)}
    if wish.before:
        with sources_of(wish.before) as source:
            found = {"before": figures(source, wish), **found}
    for table, ways in (("all along", ODD_ALL_ALONG), ("afterwards", ODD_AFTERWARDS)):
        titles = [f"{cached_set(name).title}, {when}" for name in wish.sets for when in found]
        print(f"### Odd {table}\n\n| | {' | '.join(titles)} |\n{'|---' * (len(titles) + 1)}|")
        for way in ways:
            cells = [f"{found[w][name][table][way]:.2f}" for name in wish.sets for w in found]
            print(f"| {way} | {' | '.join(cells)} |")
        print()


if __name__ == "__main__":
    main()
