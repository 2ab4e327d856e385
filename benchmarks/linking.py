"""How well objects keep their number from plane to plane, in z and in t.

    python -m benchmarks.linking

True label images are numbered anew on each plane, as a segmentation plane by plane would leave
them, and linked outward from the middle plane. The same is done on degraded planes. The data
folder is ``$NAPARI_UNET_DATA``, or ``../shared/data`` beside the project. Prints the tables of
docs/objects.md.
"""

from __future__ import annotations

import argparse
import os
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tifffile
from scipy import ndimage

from benchmarks.linking_rules import Links, Rule, link_by_rule
from napari_unet.engine.events import Resume
from napari_unet.engine.objects import PlaneLinker, count_overlaps
from napari_unet.engine.scores import average_precision, seg_score
from napari_unet.engine.stack import RunLabels

DATA = Path(os.environ.get("NAPARI_UNET_DATA", Path(__file__).parents[2] / "shared" / "data"))
SMALLEST_CUT = 20  # pixels of an object that a degraded plane may cut in two
BORDER = 0.7  # half of the width of that cut, pixels
NEAR = 3  # pixels between two objects that a degraded plane may merge

Labels = npt.NDArray[np.int32]

RULES = {
    "no plane bridged": Rule(bridge=False),
    "optimal assignment instead of largest first": Rule(optimal=True),
    "largest overlap over the smaller first": Rule(by_cover=True),
    "IoU ≥ 0.1 only": Rule(smallest_cover=2.0),
    "IoU ≥ 0.5 only": Rule(smallest_iou=0.5, smallest_cover=2.0),
    "new numbers for both parts at a split": Rule(split_is_new=True),
}


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """Planes with true numbers."""

    data: str  # name of the data set
    truth: Labels  # (planes, Y, X)
    kin: frozenset[tuple[int, int]] = frozenset()  # mother and daughter, both ways round

    def planes(self, share: float, seed: int) -> list[Labels]:
        """Return the planes, each numbered from 1, with a share of their objects degraded."""
        rng = np.random.default_rng(seed)
        planes = (degrade(plane, share, rng) if share else plane for plane in self.truth)
        return [np.unique(plane, return_inverse=True)[1].astype(np.int32) for plane in planes]


@dataclass(slots=True)
class Tally:
    """What was linked, added up over series."""

    links: int = 0  # of an object to itself on the next plane that has it
    missed: int = 0
    wrong: int = 0  # of an object to another, on planes where a number follows itself
    divided: int = 0  # of a mother to one of its daughters
    objects: int = 0  # on two planes or more
    right: int = 0  # one number on all planes, which no other object has but mother or daughter
    volumes: list[tuple[float, float]] = field(default_factory=list)  # SEG and AP in 3D


def load() -> Iterator[Series]:
    """Yield the stacks of BBBC050 (z) and two sequences of the Cell Tracking Challenge (t)."""
    for file in sorted((DATA / "bbbc050_mouse_embryo_3d" / "train" / "labels").glob("*.tif")):
        yield Series("BBBC050", tifffile.imread(file).astype(np.int32))
    for name, folder in (("DIC-HeLa", "ctc_dic_c2dh_hela"), ("PhC-U373", "ctc_phc_c2dh_u373")):
        masks = sorted((DATA / folder / "01_ST" / "SEG").glob("*.tif"))
        tracks = np.loadtxt(DATA / folder / "01_GT" / "TRA" / "man_track.txt", dtype=int)
        kin = {(int(track[0]), int(track[3])) for track in tracks if track[3]}
        kin |= {(mother, daughter) for daughter, mother in kin}
        truth = np.stack([tifffile.imread(mask) for mask in masks]).astype(np.int32)
        yield Series(name, truth, frozenset(kin))


def degrade(plane: Labels, share: float, rng: np.random.Generator) -> Labels:
    """Remove a share of the objects, cut a share in two, and merge a share with a neighbour."""
    plane = plane.copy()
    numbers = [int(number) for number in np.unique(plane) if number]
    missing, cut, merged = rng.random((3, len(numbers))) < share
    for number in np.compress(missing, numbers):
        plane[plane == number] = 0
    for index, number in enumerate(np.compress(cut, numbers)):
        cut_in_two(plane, number, int(plane.max()) + index + 1, rng)
    for number in np.compress(merged, numbers):
        near = ndimage.binary_dilation(plane == number, iterations=NEAR)
        beside = [other for other in np.unique(plane[near]) if other not in (0, number)]
        if beside:
            plane[plane == rng.choice(beside)] = number
    return plane


def cut_in_two(plane: Labels, number: int, other: int, rng: np.random.Generator) -> None:
    """Cut an object, in place, through its middle at a random angle."""
    pixels = np.argwhere(plane == number)
    if len(pixels) < SMALLEST_CUT:
        return
    angle = rng.uniform(0, np.pi)
    side = (pixels - pixels.mean(axis=0)) @ [np.sin(angle), np.cos(angle)]
    plane[tuple(pixels[np.abs(side) <= BORDER].T)] = 0
    plane[tuple(pixels[side > BORDER].T)] = other


def outward(count: int) -> list[int]:
    """Return the planes in the order in which they are segmented for a viewer in the middle."""
    return sorted(range(count), key=lambda plane: abs(plane - count // 2))


def link_by_package(planes: list[Labels]) -> Links:
    """Return the number of each object, as `segment` gives them."""
    order = outward(len(planes))
    linker = PlaneLinker(order, len(planes), Resume())
    numbers: Links = {}
    used = 0
    for plane in order:
        labels = planes[plane]
        numbered = RunLabels.of(np.where(labels, labels + used, 0))
        linked, new = linker.link(plane, numbered, used + 1)
        used += new
        table = np.zeros(int(labels.max()) + 1, dtype=np.int64)
        table[labels] = np.asarray(linked)
        numbers[plane] = table
    return numbers


def score(series: Series, planes: list[Labels], numbers: Links, tally: Tally) -> None:
    """Add up how one series was linked."""
    true = [majority(plane, truth) for plane, truth in zip(planes, series.truth, strict=True)]
    reached: dict[int, list[int]] = defaultdict(list)  # true number → number on each plane
    used: dict[int, list[int]] = defaultdict(list)  # number → true number on each plane
    for plane, labels in enumerate(planes):
        largest_last = np.argsort(np.bincount(labels.ravel())[1:], kind="stable") + 1
        here = {int(true[plane][n]): int(numbers[plane][n]) for n in largest_last}
        for own, number in here.items():
            reached[own].append(number)
        for n in range(1, len(true[plane])):
            used[int(numbers[plane][n])].append(int(true[plane][n]))
    reached.pop(0, None)  # cut off where there is no true object
    for given in reached.values():
        tally.links += len(given) - 1
        tally.missed += sum(a != b for a, b in pairwise(given))
    for owners in used.values():
        changes = [pair for pair in pairwise(owners) if pair[0] != pair[1]]
        tally.divided += sum(pair in series.kin for pair in changes)
        tally.wrong += sum(pair not in series.kin for pair in changes)
    for own, given in reached.items():
        if len(given) > 1:
            tally.objects += 1
            others = {other for number in set(given) for other in used[number]} - {own}
            tally.right += len(set(given)) == 1 and all((own, o) in series.kin for o in others)
    if not series.kin:
        volume = np.stack([numbers[plane][labels] for plane, labels in enumerate(planes)])
        scores = seg_score(volume, series.truth), average_precision(volume, series.truth)
        tally.volumes.append(scores)


def majority(labels: Labels, truth: Labels) -> npt.NDArray[np.int64]:
    """Return the true number below most of each object's pixels."""
    overlaps = count_overlaps(labels, truth, labels > 0)
    order = np.argsort(overlaps.pixels, kind="stable")
    table = np.zeros(int(labels.max()) + 1, dtype=np.int64)
    table[overlaps.prediction_ids[overlaps.prediction[order]]] = overlaps.truth_ids[
        overlaps.truth[order]
    ]
    return table


def measure(share: float) -> dict[str, dict[str, Tally]]:
    """Link every series by every rule; return the tallies by rule and data set."""
    found: dict[str, dict[str, Tally]] = defaultdict(lambda: defaultdict(Tally))
    for seed, series in enumerate(load()):
        planes = series.planes(share, seed)
        linked = {"**as built**": link_by_package(planes)}
        pairs: dict[Any, Any] = {}  # overlaps are the same for all rules
        for name, rule in RULES.items():
            linked[name] = link_by_rule(planes, outward(len(planes)), rule, pairs)
        for name, numbers in linked.items():
            score(series, planes, numbers, found[name][series.data])
    return found


def table(found: dict[str, dict[str, Tally]]) -> str:
    """Return the tallies as a table."""
    sets = list(next(iter(found.values())))
    titles = [f"{name}: missed, wrong, right" for name in sets]
    lines = [
        " | ".join(["| rule", *titles, "BBBC050: SEG, AP in 3D |"]),
        "|---" * (len(sets) + 2) + "|",
    ]
    for rule, tallies in found.items():
        cells = [
            f"{one.missed} of {one.links}, {one.wrong}, {one.right} of {one.objects}"
            for one in tallies.values()
        ]
        seg, ap = np.mean([v for one in tallies.values() for v in one.volumes], axis=0)
        lines.append(" | ".join([f"| {rule}", *cells, f"{seg:.3f}, {ap:.3f} |"]))
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shares", type=float, nargs="+", default=[0.0, 0.05])
    for share in parser.parse_args().shares:
        print(f"\n{share:.0%} of the objects of each plane missing, as many cut, as many merged:\n")
        found = measure(share)
        print(table(found))
        divided = {name: one.divided for name, one in found["**as built**"].items()}
        print(f"\nA mother's number went on in a daughter: {divided}", flush=True)


if __name__ == "__main__":
    main()
