"""Settings survive as plain values, and nothing else passes for them."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_unet.config import NETWORKS, RECIPES, NetworkConfig, TrainConfig, Unpainted
from napari_unet.io.plain import from_plain, to_plain


@dataclass(frozen=True)
class Inner:
    n: int


@dataclass(frozen=True)
class Outer:
    name: str
    flag: bool
    share: float
    kind: Unpainted
    pair: tuple[int, float]
    many: tuple[Inner, ...] = ()
    maybe: float | None = None


def through_json(value: Any) -> Any:
    return json.loads(json.dumps(to_plain(value), allow_nan=False))


@settings(max_examples=40)
@given(
    st.builds(
        Outer,
        st.text(),
        st.booleans(),
        st.floats(allow_nan=False, allow_infinity=False),
        st.sampled_from(Unpainted),
        st.tuples(st.integers(), st.floats(-1e9, 1e9)),
        st.lists(st.builds(Inner, st.integers())).map(tuple),
        st.none() | st.floats(0, 1),
    )
)
def test_what_goes_out_comes_back(value: Outer) -> None:
    assert from_plain(Outer, through_json(value)) == value


@pytest.mark.parametrize("value", [*NETWORKS.values(), *RECIPES.values()])
def test_the_settings_come_back(value: NetworkConfig | TrainConfig) -> None:
    assert from_plain(type(value), through_json(value)) == value


def test_numpy_numbers_are_plain_numbers() -> None:
    assert through_json({"a": (np.int64(3), np.float32(0.5), np.bool_(True))}) == {
        "a": [3, 0.5, True]
    }


WHOLE = Outer("a", True, 0.5, Unpainted.IGNORED, (1, 2.0), (Inner(1),), 0.25)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", 3),
        ("flag", 1),
        ("share", "0.5"),
        ("share", float("inf")),
        ("share", True),
        ("kind", "white"),
        ("pair", [1]),
        ("pair", [1.5, 2]),
        ("pair", {"0": 1}),
        ("many", [{"n": 1, "m": 2}]),
        ("many", [{}]),
        ("many", 3),
        ("maybe", "none"),
    ],
)
def test_other_values_are_refused(field: str, value: object) -> None:
    plain = {**through_json(WHOLE), field: value}
    with pytest.raises((TypeError, ValueError)):
        from_plain(Outer, plain)


def test_missing_fields_take_their_defaults_only() -> None:
    plain = through_json(WHOLE)
    del plain["many"], plain["maybe"]
    assert from_plain(Outer, plain) == replace(WHOLE, many=(), maybe=None)
    del plain["name"]
    with pytest.raises(ValueError, match="Outer lacks 'name'"):
        from_plain(Outer, plain)


def test_unknown_fields_are_refused_unless_they_are_expected() -> None:
    plain = {**through_json(WHOLE), "new": 1}
    with pytest.raises(ValueError, match="no field 'new'"):
        from_plain(Outer, plain)
    assert from_plain(Outer, plain, ignore_unknown=True) == WHOLE
