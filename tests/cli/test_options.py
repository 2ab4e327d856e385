"""Plane selections mean what they mean in Python."""

from __future__ import annotations

import numpy as np
import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st

from napari_unet.cli.options import parse_planes, parse_reduction
from napari_unet.engine.errors import SettingsError

_bound = st.none() | st.integers(-12, 12)


@given(_bound, _bound, st.none() | st.integers(-3, 3).filter(bool), st.integers(1, 12))
def test_slices_choose_what_python_chooses(
    start: int | None, stop: int | None, step: int | None, count: int
) -> None:
    words = ["" if n is None else str(n) for n in (start, stop, step)]
    selection = parse_planes(":".join(words if step is not None else words[:2]))
    expected = tuple(sorted(np.arange(count)[slice(start, stop, step)].tolist()))
    if expected:
        assert selection.numbers(count) == expected
    else:
        with pytest.raises(SettingsError, match="leaves no plane"):
            selection.numbers(count)


def test_numbers_and_slices_are_joined_sorted_and_counted_once() -> None:
    assert parse_planes("67, 2,0:3,-1").numbers(84) == (0, 1, 2, 67, 83)


@pytest.mark.parametrize("text", ["84", "-85", "3,99"])
def test_a_plane_outside_the_stack_is_refused(text: str) -> None:
    with pytest.raises(SettingsError, match="planes 0 to 83"):
        parse_planes(text).numbers(84)


@pytest.mark.parametrize("text", ["", "a", "1;2", "1-3", "::0", "1:2:3:4", "1.5", ",", "0x1"])
def test_anything_else_is_wrong_usage(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="0:10"):
        parse_planes(text)


def test_a_reduction_is_a_number_or_automatic() -> None:
    assert parse_reduction("auto") is None
    assert parse_reduction("3") == 3
    for text in ("", "2.0", "-1", "automatic", "3x"):
        with pytest.raises(typer.BadParameter, match="auto"):
            parse_reduction(text)
