"""Tiles and planes of a segmentation as records of a `RecordLog`, and back."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar

import imagecodecs
import numpy as np
import numpy.typing as npt

from napari_unet.engine.events import Judged, PlaneDone
from napari_unet.engine.stack import RunLabels
from napari_unet.io.plain import from_plain
from napari_unet.io.record_log import Entry

_DTYPE = re.compile(r"[<>|][buif][1248]")
_LZ4_GAIN = 255  # bytes that one packed byte can hold at most
_MOST = 1 << 31  # objects

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Packed:
    """An array in little room."""

    shape: tuple[int, ...]
    dtype: str


@dataclass(frozen=True, slots=True)
class PackedTile(Packed):
    """A tile, and where it lies on its plane."""

    at: tuple[int, int, int, int]  # rows and columns: first, and the one after the last; pixels


@dataclass(frozen=True, slots=True)
class PackedPlane:
    """A plane of objects."""

    plane: int
    objects: int
    shape: tuple[int, int]  # pixels
    starts: Packed
    values: Packed
    size: int  # bytes of the packed starts
    judged: tuple[int, int, tuple[tuple[int, int, int, int], ...], int, int] | None = None

    def __post_init__(self) -> None:
        if min(self.plane, self.size, *self.shape) < 0 or not 0 <= self.objects < _MOST:
            raise ValueError(f"plane {self.plane}, {self.objects} objects")


def described(kind: type[T], entries: Iterable[Entry]) -> Iterator[tuple[T, Entry]]:
    """Yield the records with what they say of themselves; one that says nothing of it is passed."""
    for entry in entries:
        with suppress(ArithmeticError, TypeError, ValueError):
            yield from_plain(kind, entry.about), entry


def pack(array: npt.NDArray[Any]) -> tuple[Packed, bytes]:
    """Return shape and type of an array, and its values in little room (LZ4, at 0.3 GB/s)."""
    steps = array
    if array.dtype.kind in "iu":  # each value less the one before it: small where they are smooth
        steps = np.diff(array, axis=-1, prepend=array.dtype.type(0))
    packed = bytes(imagecodecs.lz4_encode(np.ascontiguousarray(steps).tobytes()))
    return Packed(array.shape, array.dtype.str), packed


def unpack(told: Packed, packed: bytes) -> npt.NDArray[Any]:
    """Return the array that was packed; it can be written to.

    Raises
    ------
    ValueError
        If it is not as it says, before it takes any memory.
    """
    if not _DTYPE.fullmatch(told.dtype):
        raise ValueError(f"numbers of the type {told.dtype!r:.40}")
    dtype = np.dtype(told.dtype)
    size = math.prod(told.shape) * dtype.itemsize
    if min(told.shape, default=0) < 0 or size > _LZ4_GAIN * len(packed):
        raise ValueError(f"{told.shape!r:.60} in {len(packed)} bytes")
    try:
        plain = imagecodecs.lz4_decode(packed, out=size) if size else b""
    except imagecodecs.Lz4Error as error:
        raise ValueError(str(error)) from error
    steps = np.frombuffer(plain, dtype).reshape(told.shape)
    if dtype.kind in "iu":
        return np.cumsum(steps, axis=-1, dtype=dtype)
    return steps.copy()


def pack_plane(done: PlaneDone) -> tuple[PackedPlane, bytes]:
    """Return a plane of objects: what is known of it, and its labels."""
    assert done.labels is not None
    starts, packed_starts = pack(done.labels.starts)
    values, packed_values = pack(done.labels.values)
    told = PackedPlane(
        done.plane,
        done.objects,
        done.labels.shape,
        starts,
        values,
        size=len(packed_starts),
        judged=None if done.judged is None else _plain(done.judged),
    )
    return told, packed_starts + packed_values


def unpack_plane(told: PackedPlane, packed: bytes) -> PlaneDone:
    """Return the plane that was packed.

    Raises
    ------
    ValueError
        If it holds no labels of such a plane.
    """
    starts = unpack(told.starts, packed[: told.size])
    values = unpack(told.values, packed[told.size :])
    pixels = math.prod(told.shape)
    is_right = (
        starts.dtype.kind == "u"
        and values.dtype == np.int32
        and starts.shape == values.shape == (len(starts),)
        and len(starts) > 0
        and starts[0] == 0
        and bool((starts[1:] > starts[:-1]).all())
        and starts[-1] < pixels
        and values.min() >= 0
    )
    if not is_right:
        raise ValueError("no labels")
    labels = RunLabels(told.shape, starts, values)
    judged = None if told.judged is None else _judged(*told.judged)
    return PlaneDone(told.plane, labels, told.objects, judged=judged)


def _plain(judged: Judged) -> tuple[int, int, tuple[tuple[int, int, int, int], ...], int, int]:
    boxes = tuple((y.start, y.stop, x.start, x.stop) for y, x in judged.missed)
    return judged.right, judged.painted, boxes, judged.split, judged.merged


def _judged(
    right: int, painted: int, boxes: tuple[tuple[int, int, int, int], ...], split: int, merged: int
) -> Judged:
    missed = tuple((slice(top, bottom), slice(left, end)) for top, bottom, left, end in boxes)
    return Judged(right, painted, missed, split, merged)
