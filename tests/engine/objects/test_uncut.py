"""A plane that was cut once can be cut again at another neck, as if it had been at first."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_unet.config import ObjectsConfig
from napari_unet.engine.objects.decoder import as_bytes, cut_objects
from napari_unet.engine.objects.uncut import UncutPlane
from tests.engine.objects.test_decoder import shaped

NECKS = st.floats(0, 0.95)


@given(
    st.integers(0, 10**6),
    st.tuples(st.integers(3, 60), st.integers(3, 60)),
    NECKS,
    st.lists(NECKS, min_size=1, max_size=3),
    st.integers(0, 30),
    st.booleans(),
    st.booleans(),
)
def test_cut_again_it_is_as_if_cut_so_at_first(
    seed: int,
    shape: tuple[int, int],
    first: float,
    necks: list[float],
    smallest: int,
    has_field: bool,
    fill_holes: bool,
) -> None:
    answers = shaped(shape, seed)
    foreground, field = answers[0] >= 0.5, as_bytes(answers[1]) if has_field else None
    config = ObjectsConfig(min_size=smallest, neck=first, fill_holes=fill_holes)
    rows = None if field is None else field.__getitem__
    plane = UncutPlane.of([foreground], shape, config, rows)

    for neck in necks:
        labels, count = plane.cut(neck=neck).finish()
        expected, number = cut_objects(
            foreground, ObjectsConfig(min_size=smallest, neck=neck, fill_holes=fill_holes), field
        )
        assert count == number
        np.testing.assert_array_equal(np.asarray(labels), expected)


@pytest.mark.parametrize("has_field", [False, True])
def test_the_same_setting_changes_nothing(*, has_field: bool) -> None:
    answers = shaped((40, 50), 3)
    rows = as_bytes(answers[1]).__getitem__ if has_field else None
    plane = UncutPlane.of([answers[0] >= 0.5], (40, 50), ObjectsConfig(min_size=4), rows)

    once, again = plane.cut().finish(), plane.cut().finish()

    assert once[1] == again[1] > 1
    np.testing.assert_array_equal(np.asarray(once[0]), np.asarray(again[0]))
