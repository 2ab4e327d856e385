"""Units come in many spellings."""

from __future__ import annotations

import pytest

from napari_unet.io.units import to_micrometres, to_seconds


@pytest.mark.parametrize(
    "unit",
    ["µm", "μm", "um", "UM", "micron", "Microns", "micrometer", "micrometre", r"\u00B5m", '"um"'],
)
def test_a_micrometre_by_any_name(unit: str) -> None:
    assert to_micrometres(2, unit) == 2


@pytest.mark.parametrize(
    ("value", "unit", "expected"),
    [(500, "nm", 0.5), (0.002, "mm", 2.0), (1, "inch", 25400.0), (3, "Å", 3e-4), ("4", "cm", 4e4)],
)
def test_lengths_become_micrometres(value: object, unit: str, expected: float) -> None:
    assert to_micrometres(value, unit) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("value", "unit", "expected"), [(250, "ms", 0.25), (10, "min", 600), (2, "hours", 7200)]
)
def test_times_become_seconds(value: object, unit: str, expected: float) -> None:
    assert to_seconds(value, unit) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("value", "unit"),
    [
        (1, "pixel"),
        (1, ""),
        (1, None),
        (0, "um"),
        (-1, "um"),
        ("nan", "um"),
        (None, "um"),
        (1, "s"),
    ],
)
def test_what_is_no_length_is_unknown(value: object, unit: object) -> None:
    assert to_micrometres(value, unit) is None
