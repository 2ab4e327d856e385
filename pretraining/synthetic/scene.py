"""A synthetic micrograph and its truth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["CYTOPLASM", "KINDS", "MEMBRANE", "NUCLEUS", "ORGANELLE", "OUTSIDE", "Float", "Scene"]

Float = npt.NDArray[np.floating[Any]]

OUTSIDE, CYTOPLASM, MEMBRANE, ORGANELLE, NUCLEUS = range(5)
"""What a pixel shows, `Scene.kinds`."""

KINDS = 5


@dataclass(frozen=True, slots=True)
class Scene:
    """One image of size (Y, X) with what its pixels show."""

    image: npt.NDArray[np.float32]  # grey values of any range
    objects: npt.NDArray[np.int32]  # one number per object, 0 between them
    kinds: npt.NDArray[np.uint8]  # OUTSIDE, CYTOPLASM, …
