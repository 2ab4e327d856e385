"""Values are read as they were written, in rectangles of any size."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_unet.engine.stack.byte_plane import BytePlane


@given(
    st.integers(0, 10**6),
    st.integers(1, 150),
    st.integers(1, 60),
    st.integers(1, 80),
    st.sampled_from([0, 2000]),
)
def test_rows_are_as_they_were_written(
    seed: int, height: int, width: int, side: int, small: int
) -> None:
    rng = np.random.default_rng(seed)
    values = rng.integers(0, 256, (height, width), dtype=np.uint8)
    plane = BytePlane((height, width), small=small)
    for top in range(0, height, side):
        for left in range(0, width, side):
            y = slice(top, min(top + side, height))
            x = slice(left, min(left + side, width))
            plane.write(y, x, values[y, x])
    first = int(rng.integers(0, height))
    wanted = slice(first, int(rng.integers(first, height)) + 1)

    np.testing.assert_array_equal(plane.rows(wanted), values[wanted])


@pytest.mark.parametrize("small", [0, 1000])
def test_what_was_not_written_is_zero(small: int) -> None:
    plane = BytePlane((70, 8), small=small)
    plane.write(slice(60, 66), slice(2, 4), np.full((6, 2), 7, dtype=np.uint8))

    rows = plane.rows(slice(0, 70))

    assert rows.sum() == 7 * 12
    assert (rows[60:66, 2:4] == 7).all()


def test_smooth_values_take_a_quarter_of_the_memory_or_less() -> None:
    ramp = np.add.outer(np.arange(512), np.arange(512)) / 5 % 256
    plane = BytePlane((512, 512), small=0)
    plane.write(slice(0, 512), slice(0, 512), ramp.astype(np.uint8))

    assert sum(len(p) for pieces in plane._pieces.values() for *_, p in pieces) < 512 * 512 / 4
