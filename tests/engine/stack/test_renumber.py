"""Labels that are kept are numbered in their order; the background stays the background."""

from __future__ import annotations

import numpy as np
import pytest

from napari_unet.engine.stack.renumber import renumber


@pytest.mark.parametrize("background", [False, True])
def test_kept_labels_are_numbered_from_one(background: bool) -> None:
    kept = np.array([background, True, False, True, True])

    numbers = renumber(kept)

    np.testing.assert_array_equal(numbers, [0, 1, 0, 2, 3])
    assert numbers.dtype == np.int32


def test_without_any_label_there_is_only_background() -> None:
    np.testing.assert_array_equal(renumber(np.array([True])), [0])
