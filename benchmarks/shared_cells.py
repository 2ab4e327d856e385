"""Two strokes in one found object: does each get its cell?

    python -m benchmarks.shared_cells

Pairs of touching cells of real microscopy are joined to one object, and a short stroke is drawn in
each of the two, anywhere. The object is shared out between the strokes in three ways. Prints the
mean IoU with the true cells, and the share of pairs in which it is below 0.5, as a table in
Markdown.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from itertools import islice

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from skimage.segmentation import watershed

from benchmarks.stroke_budgets import cached_set
from napari_unet.engine.objects.nearest_stroke import nearest_stroke

_SETS = "dic_hela", "usiigaci", "bbbc039", "bbbc030", "dsb_fluorescence"
_SMALLEST = 100  # pixels of a cell
_LENGTH = 0.7  # of a cell's diameter that a stroke has at most
_GAP = 2  # pixels between two cells that a joined object bridges

Labels = npt.NDArray[np.int32]
Mask = npt.NDArray[np.bool_]
Pair = tuple[Labels, Mask, Labels]
"""The two cells as 1 and 2, the object that they were found as, and a stroke in each of them."""


def pairs(name: str, seed: int) -> Iterator[Pair]:
    """Yield pairs of touching cells of a set."""
    rng = np.random.default_rng(seed)
    for plane in np.maximum(cached_set(name).truth, 0):  # negative: undecided
        sizes = np.bincount(plane.ravel())
        for first in rng.permutation(np.flatnonzero(sizes[1:] >= _SMALLEST) + 1):
            near = ndimage.binary_dilation(plane == first, iterations=_GAP)
            others = [n for n in np.unique(plane[near]) if n not in (0, first)]
            if not others or sizes[others[0]] < _SMALLEST:
                continue
            cells = np.where(plane == first, 1, np.where(plane == others[0], 2, 0))
            box = ndimage.find_objects((cells > 0).astype(np.int8))[0]
            cells = np.pad(cells[box], _GAP + 1).astype(np.int32)
            joined = np.asarray(ndimage.binary_closing(cells > 0, iterations=_GAP))
            if ndimage.label(joined)[1] == 1:
                yield cells, joined, _stroke(cells == 1, rng) + 2 * _stroke(cells == 2, rng)


def _stroke(cell: Mask, rng: np.random.Generator) -> Labels:
    """Draw a straight stroke, three pixels wide, from one place in a cell to another."""
    depth = ndimage.distance_transform_edt(cell)
    places = np.argwhere(depth > max(1.0, 0.3 * depth.max()))
    start = rng.choice(places)
    reach = _LENGTH * np.sqrt(cell.sum() / np.pi) * 2
    end = rng.choice(places[np.linalg.norm(places - start, axis=1) <= reach])
    share = np.linspace(0, 1, int(np.abs(end - start).max()) + 1)[:, np.newaxis]
    drawn = np.zeros(cell.shape, bool)
    drawn[*np.round(start + share * (end - start)).astype(int).T] = True
    return (ndimage.binary_dilation(drawn) & cell).astype(np.int32)


def by_watershed(joined: Mask, strokes: Labels) -> Labels:
    """Let each stroke flood the hills of the distance to the background."""
    return np.asarray(watershed(-ndimage.distance_transform_edt(joined), strokes, mask=joined))


def half_way(joined: Mask, strokes: Labels) -> Labels:
    """Give each pixel to the stroke with the shortest way inside the object."""
    return nearest_stroke(np.ones(joined.shape), strokes, joined)


def least_cost(joined: Mask, strokes: Labels) -> Labels:
    """Give each pixel to the stroke with the cheapest way, dear where the object is narrow."""
    return nearest_stroke(ndimage.distance_transform_edt(joined), strokes, joined)


WAYS: dict[str, Callable[[Mask, Labels], Labels]] = {
    "watershed": by_watershed,
    "shortest way": half_way,
    "cheapest way": least_cost,
}


def iou_of(found: Labels, cells: Labels) -> float:
    """Return the mean IoU of the two cells."""
    both = [
        ((found == n) & (cells == n)).sum() / ((found == n) | (cells == n)).sum() for n in (1, 2)
    ]
    return float(np.mean(both))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sets", nargs="+", default=list(_SETS))
    parser.add_argument("--pairs", type=int, default=60, help="of each set, at most")
    parser.add_argument("--seed", type=int, default=0)
    wish = parser.parse_args()
    print("| set | pairs | " + " | ".join(WAYS) + " |")
    print("|---" * (2 + len(WAYS)) + "|")
    for name in wish.sets:
        found = list(islice(pairs(name, wish.seed), wish.pairs))
        cells = []
        for share in WAYS.values():
            scores = np.array(
                [iou_of(share(joined, strokes), truth) for truth, joined, strokes in found]
            )
            cells.append(f"{scores.mean():.3f}, {(scores < 0.5).mean():.0%}")
        print(
            f"| {cached_set(name).title} | {len(found)} | " + " | ".join(cells) + " |", flush=True
        )


if __name__ == "__main__":
    main()
