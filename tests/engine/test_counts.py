"""One thing is one thing, and several are several."""

from __future__ import annotations

import pytest

from napari_unet.engine.counts import count, shape_text


@pytest.mark.parametrize(
    ("number", "thing", "text"),
    [
        (1, "block", "1 block"),
        (0, "block", "0 blocks"),
        (1204, "held-out block", "1,204 held-out blocks"),
        (1, "class", "1 class"),
        (2, "class", "2 classes"),
        (3, "miss", "3 misses"),
        (1, "axis", "1 axis"),
        (3, "axis", "3 axes"),
    ],
)
def test_numbers_of_things_are_right(number: int, thing: str, text: str) -> None:
    assert count(number, thing) == text


def test_a_shape_is_told_with_times_signs() -> None:
    assert [shape_text(shape) for shape in ((3, 512, 696), [7])] == ["3×512×696", "7"]
