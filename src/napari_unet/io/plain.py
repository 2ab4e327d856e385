"""Frozen settings to plain JSON values and back, checked field by field."""

from __future__ import annotations

import math
import sys
import types
import typing
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from enum import Enum
from typing import Any, TypeVar

import numpy as np

T = TypeVar("T")
_TOO_LARGE = 10**100  # for a whole number; JSON knows no limit


def to_plain(value: Any) -> Any:
    """Return dataclasses, enums, tuples and numpy scalars as what JSON knows.

    Numbers that JSON cannot hold (NaN, infinity) become None.
    """
    if is_dataclass(value) and not isinstance(value, type):
        return {f.name: to_plain(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): to_plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [to_plain(item) for item in value]
    if isinstance(value, Enum | np.generic):
        return to_plain(value.value if isinstance(value, Enum) else value.item())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, str | int) else str(value)


def from_plain(kind: type[T], value: Any, *, ignore_unknown: bool = False) -> T:
    """Build a dataclass from plain values; every field is checked against its annotation.

    Parameters
    ----------
    kind
        The dataclass.
    value
        A mapping with its fields; those that have a default may be missing.
    ignore_unknown
        Pass over keys that the dataclass, or one inside it, does not have.

    Raises
    ------
    TypeError, ValueError
        If a field is missing, unknown, of another type, or outside its limits.
    """
    if not isinstance(value, Mapping):
        raise TypeError(f"{kind.__name__} is {value!r:.40}")
    hints = typing.get_type_hints(kind)
    names = {f.name: f for f in fields(typing.cast("Any", kind))}
    unknown = value.keys() - names.keys()
    if unknown and not ignore_unknown:
        raise ValueError(f"{kind.__name__} has no field {min(unknown)!r}")
    given = {
        name: _convert(hints[name], value[name], name, ignore_unknown)
        for name in names
        if name in value
    }
    for name, f in names.items():
        if name not in given and f.default is MISSING and f.default_factory is MISSING:
            raise ValueError(f"{kind.__name__} lacks {name!r}")
    return kind(**given)


def _convert(hint: Any, value: Any, name: str, ignore_unknown: bool) -> Any:  # noqa: FBT001
    """Return the value as its annotation wants it."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (types.UnionType, typing.Union):
        if value is None and type(None) in arguments:
            return None
        given = next(a for a in arguments if a is not type(None))
        return _convert(given, value, name, ignore_unknown)
    if origin is tuple and isinstance(value, list):
        inner = [arguments[0]] * len(value) if arguments[-1] is Ellipsis else list(arguments)
        if len(inner) == len(value):
            pairs = zip(inner, value, strict=True)
            return tuple(_convert(h, v, name, ignore_unknown) for h, v in pairs)
    elif isinstance(hint, type) and is_dataclass(hint):
        return from_plain(hint, value, ignore_unknown=ignore_unknown)
    elif isinstance(hint, type) and issubclass(hint, Enum):
        return hint(value)
    elif _fits(hint, value):
        return float(value) if hint is float else value
    raise ValueError(f"{name} is {value!r:.40}")


def _fits(hint: Any, value: Any) -> bool:
    if hint is bool or isinstance(value, bool):
        return hint is bool and isinstance(value, bool)
    if hint is float:
        return isinstance(value, int | float) and abs(value) <= sys.float_info.max
    if hint is int:
        return isinstance(value, int) and abs(value) < _TOO_LARGE
    if hint is str:
        return isinstance(value, str)
    return typing.get_origin(hint) in (Mapping, dict) and isinstance(value, dict)
