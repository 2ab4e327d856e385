from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from napari_unet.engine.random_state import RandomState


def test_whoever_has_it_draws_the_same_numbers() -> None:
    rng = np.random.default_rng(3)
    rng.integers(7, size=3, dtype=np.uint32)  # half of the last 64 bits is still to be used
    state = RandomState.of(rng)
    other = np.random.default_rng(4)
    state.give(other)
    assert state.has_half == 1
    np.testing.assert_array_equal(rng.integers(1000, size=9), other.integers(1000, size=9))


@pytest.mark.parametrize(
    "wrong",
    [
        {"state": -1},
        {"increment": 2**128},
        {"has_half": 2},
        {"has_half": 2**31},  # more than the generator's own int can hold
        {"half": 2**32},
    ],
)
def test_what_no_generator_can_stand_at_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="the random state is none"):
        RandomState(**{"state": 1, "increment": 1, **wrong})
