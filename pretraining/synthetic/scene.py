"""A synthetic micrograph and its truth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = [
    "CYTOPLASM",
    "KINDS",
    "MEMBRANE",
    "NUCLEUS",
    "ORGANELLE",
    "OUTSIDE",
    "UNKNOWN",
    "Float",
    "Scene",
    "kinds_of_cells",
]

Float = npt.NDArray[np.floating[Any]]

OUTSIDE, CYTOPLASM, MEMBRANE, ORGANELLE, NUCLEUS = range(5)
"""What a pixel shows, `Scene.kinds`."""

KINDS = 5

UNKNOWN = 255
"""Of a real pixel: nobody says what it shows."""


@dataclass(frozen=True, slots=True)
class Scene:
    """One image of size (Y, X) with what its pixels show."""

    image: npt.NDArray[np.float32]  # grey values of any range
    objects: npt.NDArray[np.int32]  # one number per object, 0 between them
    kinds: npt.NDArray[np.uint8]  # OUTSIDE, CYTOPLASM, …, UNKNOWN
    knows_objects: bool = True  # False: above 0 is foreground, of nobody knows how many objects


def kinds_of_cells(
    labels: npt.NDArray[np.int32], nuclei: npt.NDArray[np.bool_]
) -> npt.NDArray[np.uint8]:
    """Return what each pixel of cells shows: cytoplasm, nucleus, or what is outside."""
    kinds = np.where(labels > 0, CYTOPLASM, OUTSIDE)
    kinds[nuclei & (labels > 0)] = NUCLEUS
    return kinds.astype(np.uint8)
