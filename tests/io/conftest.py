"""Images that several tests of this room read."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import settings

settings.register_profile("calm", deadline=None)  # a busy machine is no failure
settings.load_profile("calm")


@pytest.fixture
def grey(rng: np.random.Generator) -> npt.NDArray[np.uint16]:
    """Six planes of 12-bit grey values, 40 × 52."""
    return rng.integers(0, 4096, (6, 40, 52), dtype=np.uint16)
