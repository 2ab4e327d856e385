"""How far a proposed segmentation is from the truth when moved borders are forgiven.

The truth is warped towards the proposal one pixel at a time, and only where that changes no
object: it neither splits, merges, adds nor removes cells or holes. What still differs in the end
is an error of topology (Jain et al. 2010, *Boundary Learning by Optimization with Topological
Constraints*, CVPR, 2488-2495).

Cells are 4-connected, membranes 8-connected; beyond the image there is membrane.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from napari_unet.engine.objects import require_comparable

__all__ = ["TopologyErrors", "classify_errors", "near_borders", "warp", "warping_error"]

Mask = npt.NDArray[np.bool_]
Pixels = npt.NDArray[np.intp]

_AROUND = ((-1, -1), (-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1))  # clockwise (y, x)
_BESIDE = (1, 3, 5, 7)  # of them, the four that share an edge with the middle


def warp(
    truth: Mask,
    proposal: Mask,
    *,
    certainty: npt.NDArray[np.floating] | None = None,
    allowed: Mask | None = None,
) -> Mask:
    """Return the truth, bent towards the proposal without a change of topology.

    Parameters
    ----------
    truth, proposal
        (Y, X), True in cells and False on membranes.
    certainty
        (Y, X), how sure the proposal is of a pixel; surer pixels are taken over first. Without
        it, in reading order.
    allowed
        (Y, X), where the truth may be changed: the geometric constraint. Without it, everywhere.

    Returns
    -------
    (Y, X)
        The warped truth.

    Raises
    ------
    LabelsError
        If the shapes differ.

    Notes
    -----
    A pixel may change if it is simple: 4-connected cells and 8-connected membranes around it stay
    as connected as they are. Passes over the differing pixels are made until one changes nothing.
    To find the very nearest warp is hard; this descent, the authors', ends in a local minimum.
    """
    require_comparable(proposal, truth, allowed)
    differ = truth != proposal
    if allowed is not None:
        differ &= allowed
    pixels = np.flatnonzero(np.pad(differ, 1))
    if certainty is not None:
        pixels = pixels[np.argsort(-certainty[differ], kind="stable")]
    stuck = np.zeros((truth.shape[0] + 2, truth.shape[1] + 2), dtype=bool)
    stuck.ravel()[_flip_simple(np.pad(truth, 1), pixels)] = True
    return np.where(differ & ~stuck[1:-1, 1:-1], proposal, truth)


def warping_error(truth: Mask, proposal: Mask, *, allowed: Mask | None = None) -> float:
    """Return the share of pixels that no warp of the truth explains (Jain et al. 2010).

    See `warp` for the parameters. 0 if both have the same topology and every border can be moved
    where the proposal has it; nan without pixels.

    Raises
    ------
    LabelsError
        If the shapes differ.
    """
    if not truth.size:
        require_comparable(proposal, truth, allowed)
        return float("nan")
    return float((warp(truth, proposal, allowed=allowed) != proposal).mean())


def near_borders(truth: Mask, reach: float) -> Mask:
    """Return where a border of the truth is at most `reach` pixels away, (Y, X).

    A geometric constraint for `warp`: without one, a cell may shrink to a single pixel.
    """
    if truth.all() or not truth.any():
        return np.zeros(truth.shape, dtype=bool)
    inside, outside = (ndimage.distance_transform_edt(part) for part in (truth, ~truth))
    return np.asarray(np.maximum(inside, outside) <= reach)


@dataclass(frozen=True, slots=True)
class TopologyErrors:
    """Pixels, after warping, at which the proposal has another topology."""

    splits: int  # membrane in the proposal that parts a cell of the truth
    mergers: int  # cell in the proposal that joins cells of the truth
    others: int  # cells and holes added or removed


def classify_errors(warped: Mask, proposal: Mask, *, radius: int = 20) -> TopologyErrors:
    """Sort the pixels at which the warped truth and the proposal differ by their kind of error.

    Parameters
    ----------
    warped, proposal
        (Y, X), True in cells; `warped` is what `warp` gave.
    radius
        Pixels. A cell counts as parted if it falls apart within this distance; parts may still
        hang together by a longer way round. The challenge used 20.

    Raises
    ------
    LabelsError
        If the shapes differ.

    Notes
    -----
    As the challenge did: two cells among the eight neighbours make a merger or, if the pixel
    itself is in a cell, a split; beside one cell, only losing the pixel can split.
    """
    require_comparable(proposal, warped)
    cells = np.pad(warped, radius + 1)  # windows fit in
    objects, _ = ndimage.label(cells)
    rows, columns = np.nonzero(np.pad(warped != proposal, radius + 1))
    steps = np.array(_AROUND)
    around = objects[rows[:, None] + steps[:, 0], columns[:, None] + steps[:, 1]]  # (n, 8)
    highest = around.max(axis=1, initial=0)
    lowest = np.where(around > 0, around, highest[:, None]).min(axis=1, initial=len(cells) ** 2)
    several = highest > lowest
    inside = cells[rows, columns]
    bridges = np.flatnonzero(inside & ~several & (highest > 0) & (around == 0).any(axis=1))
    parted = sum(_parts(cells, rows[i], columns[i], radius) > 1 for i in bridges)
    splits = int((several & inside).sum()) + parted
    mergers = int((several & ~inside).sum())
    return TopologyErrors(splits, mergers, len(rows) - splits - mergers)


def _flip_simple(cells: Mask, pixels: Pixels) -> list[int]:
    """Flip the pixels, flat indices in this order, while they are simple; return the others.

    Only the neighbourhoods are kept up to date, as one bit per neighbour: whether a pixel is
    simple does not depend on the pixel itself.
    """
    simple = _simple_neighbourhoods()
    around = bytearray(_neighbourhoods(cells).tobytes())
    # From the neighbour in one direction, the pixel lies in the opposite one.
    seen_from = [
        (dy * cells.shape[1] + dx, 1 << (bit + 4) % 8) for bit, (dy, dx) in enumerate(_AROUND)
    ]
    waiting: list[int] = pixels.tolist()
    while True:
        stuck = []
        for pixel in waiting:
            if simple[around[pixel]]:
                for step, bit in seen_from:
                    around[pixel + step] ^= bit
            else:
                stuck.append(pixel)
        if len(stuck) == len(waiting):
            return stuck
        waiting = stuck


def _neighbourhoods(cells: Mask) -> npt.NDArray[np.uint8]:
    """Return one bit for each neighbour that is in a cell; 0 on the rim."""
    height, width = cells.shape
    around = np.zeros(cells.shape, dtype=np.uint8)
    for bit, (dy, dx) in enumerate(_AROUND):
        shifted = cells[1 + dy : height - 1 + dy, 1 + dx : width - 1 + dx]
        around[1:-1, 1:-1] |= shifted.astype(np.uint8) << bit
    return around


def _simple_neighbourhoods() -> list[bool]:
    """Return which of the 256 neighbourhoods make their middle a simple pixel.

    Yokoi's connectivity number for 4-connected foreground (Yokoi et al. 1975, Backend Graphics
    and Image Processing 4:63) is 1: one piece of cell and one piece of membrane meet there.
    """
    bits = (np.arange(256)[:, None] >> np.arange(8)) & 1  # (256, 8)
    number = np.zeros(256, dtype=np.intp)
    for k in _BESIDE:
        number += bits[:, k] * (1 - bits[:, (k + 1) % 8] * bits[:, (k + 2) % 8])
    return [bool(one) for one in number == 1]


def _parts(cells: Mask, row: int, column: int, radius: int) -> int:
    """Return how many pieces of cell surround a pixel once it is membrane."""
    window = cells[row - radius : row + radius + 1, column - radius : column + radius + 1].copy()
    window[radius, radius] = False
    pieces, _ = ndimage.label(window)
    around = pieces[radius - 1 : radius + 2, radius - 1 : radius + 2]
    return len(np.unique(around[around > 0]))
