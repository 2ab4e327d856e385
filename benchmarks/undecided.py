"""Truth that does not say everything: pixels of which nobody knows what they show.

The Cell Tracking Challenge's annotators mark all cells inside a *field of interest*; of those that
lie in the rim around it, some are marked and some are not. Such pixels are neither painted
nor scored: in a true label image they are `UNDECIDED`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tifffile

__all__ = ["UNDECIDED", "leave_undecided", "read_sequence"]

UNDECIDED = -1

_RIM = 50  # pixels around the field of interest: the challenge's E of DIC-HeLa and PhC-U373

Labels = npt.NDArray[np.int32]


def read_sequence(
    root: Path, painted: Sequence[int], tested: Sequence[int]
) -> tuple[npt.NDArray[Any], Labels]:
    """Return frames of a sequence of the Cell Tracking Challenge and their truth, (frames, Y, X).

    The painted frames come first. Their truth is the silver one, which every frame has; that of
    the tested frames is the gold one, which only some have.
    """
    image = [tifffile.imread(root / f"01/t{frame:03}.tif") for frame in (*painted, *tested)]
    files = [f"01_ST/SEG/man_seg{frame:03}.tif" for frame in painted]
    files += [f"01_GT/SEG/man_seg{frame:03}.tif" for frame in tested]
    truth = np.stack([tifffile.imread(root / file) for file in files]).astype(np.int32)
    rim = np.ones(truth.shape[1:], dtype=bool)
    rim[_RIM:-_RIM, _RIM:-_RIM] = False
    truth[rim & (truth == 0)] = UNDECIDED
    return np.stack(image), truth


def leave_undecided(found: npt.NDArray[Any], truth: npt.NDArray[Any]) -> tuple[Labels, Labels]:
    """Return found and true objects (Y, X) without what cannot be judged.

    What is found on undecided pixels is left out. So is the remainder of an object of which they
    are more than half, unless most of the remainder is in true objects.
    """
    undecided = truth == UNDECIDED
    sizes = np.bincount(found.ravel())
    hidden = np.bincount(found[undecided], minlength=len(sizes))
    hits = np.bincount(found[truth > 0], minlength=len(sizes))
    unjudged = (hidden > sizes / 2) & (hits < (sizes - hidden) / 2)
    judged = np.where(undecided | unjudged[found], 0, found)
    return judged.astype(np.int32), np.where(undecided, 0, truth).astype(np.int32)
