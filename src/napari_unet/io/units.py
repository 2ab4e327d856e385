"""Lengths in micrometres and times in seconds, whatever a file calls its units."""

from __future__ import annotations

import math
from typing import Any

MICROMETRE = "\u00b5m"  # MICRO SIGN, as OME and ImageJ write it

_LENGTHS = {  # µm
    "pm": 1e-6,
    "picometer": 1e-6,
    "Å": 1e-4,  # ångström, composed
    "\u212b": 1e-4,  # the sign of its own, as OME-XML writes it
    "angstrom": 1e-4,
    "nm": 1e-3,
    "nanometer": 1e-3,
    "um": 1.0,
    "micron": 1.0,
    "micrometer": 1.0,
    "mm": 1e3,
    "millimeter": 1e3,
    "cm": 1e4,
    "centimeter": 1e4,
    "m": 1e6,
    "meter": 1e6,
    "in": 25400.0,
    "inch": 25400.0,
}
_TIMES = {  # s
    "ns": 1e-9,
    "nanosecond": 1e-9,
    "us": 1e-6,
    "microsecond": 1e-6,
    "ms": 1e-3,
    "msec": 1e-3,
    "millisecond": 1e-3,
    "s": 1.0,
    "sec": 1.0,
    "second": 1.0,
    "min": 60.0,
    "minute": 60.0,
    "h": 3600.0,
    "hr": 3600.0,
    "hour": 3600.0,
    "d": 86400.0,
    "day": 86400.0,
}
_PRINTED = (72, 75, 90, 96, 100, 120, 150, 180, 200, 240, 300, 360, 400, 600, 720, 1200)
"""Dots per inch of screens and printers, which programs write where no pixel size is known."""


def to_micrometres(value: object, unit: object) -> float | None:
    """Return the length in µm; None if it is no positive number or the unit is not known."""
    return _convert(value, unit, _LENGTHS)


def to_seconds(value: object, unit: object) -> float | None:
    """Return the time in s; None if it is no positive number or the unit is not known."""
    return _convert(value, unit, _TIMES)


def finite(value: Any) -> float | None:
    """Return the value as a float; None if it is no finite number."""
    try:
        number = float(value)
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    return number if math.isfinite(number) else None


def positive(value: Any) -> float | None:
    """Return the value as a float; None if it is no finite number above zero."""
    number = finite(value)
    return number if number is not None and number > 0 else None


def is_printed(size: float | None) -> bool:
    """Return whether a pixel of this many µm is a usual number of dots per inch."""
    inch = _LENGTHS["inch"]
    return size is not None and any(math.isclose(inch / size, n, rel_tol=1e-3) for n in _PRINTED)


def _convert(value: object, unit: object, table: dict[str, float]) -> float | None:
    number, factor = positive(value), _factor(str(unit), table)
    return None if number is None or factor is None else number * factor


def _factor(unit: str, table: dict[str, float]) -> float | None:
    r"""Look a unit up in any of its spellings: "µm", "\u00B5m", "Micrometers", "microns"."""
    name = unit.strip().strip('"').replace("\\u00B5", "u").replace("\\u00b5", "u")
    name = name.replace("\u00b5", "u").replace("\u03bc", "u")  # MICRO SIGN, Greek mu
    for spelling in (name, name.lower(), name.lower().replace("metre", "meter")):
        for form in (spelling, spelling.removesuffix("s"), spelling.removesuffix("es")):
            if form in table:
                return table[form]
    return None
