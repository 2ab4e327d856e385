"""New numbers for the labels that are kept."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def renumber(kept: npt.NDArray[np.bool_]) -> npt.NDArray[np.int32]:
    """Return the new number of each label: 1, 2, 3, … in their order, 0 where it is not kept.

    Parameters
    ----------
    kept
        Whether each label is kept, (labels,); the first is the background, which always stays 0.
    """
    numbers: npt.NDArray[np.int32] = np.cumsum(kept, dtype=np.int32) - np.int32(kept[0])
    numbers[~kept] = 0
    return numbers
