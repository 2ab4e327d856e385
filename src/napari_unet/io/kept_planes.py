"""Arrays of many planes, kept in a temporary file that goes when they are needed no more."""

from __future__ import annotations

import tempfile
import weakref
import zlib
from collections.abc import Callable
from dataclasses import dataclass, fields, is_dataclass, replace
from threading import Lock
from typing import Any, Generic, TypeVar

import numpy as np
import numpy.typing as npt

from napari_unet.engine.errors import FileError

_MOST = 1 << 31  # bytes of a file
_FAST = 1  # level of zlib

_Kept = TypeVar("_Kept")


class KeptPlanes(Generic[_Kept]):
    """Something of each plane, whose arrays are in a file: a frozen dataclass, nested or not.

    A file takes at most 2 GB, and what does not fit is not kept: nothing fails for want of room.
    Any thread may ask.
    """

    def __init__(self) -> None:
        self._planes: dict[int, _Kept] = {}  # with `_Stored` in the place of arrays
        self._file: Any = None
        self._size = 0  # bytes
        self._lock = Lock()

    def __contains__(self, plane: object) -> bool:
        return plane in self._planes

    def keep(self, plane: int, kept: _Kept) -> None:
        """Keep this of a plane, in place of what was kept of it, if there is room."""
        with self._lock:
            self._planes.pop(plane, None)
            try:
                self._planes[plane] = _with_arrays(kept, np.ndarray, self._write)
            except OSError:  # no room: the planes before are still kept
                self._size = _MOST

    def read(self, plane: int) -> _Kept:
        """Return what was kept of a plane.

        Raises
        ------
        FileError
            If the file cannot be read.
        """
        with self._lock:
            try:
                kept: _Kept = _with_arrays(self._planes[plane], _Stored, self._read)
            except OSError as error:
                raise FileError(
                    f"What was kept of plane {plane} cannot be read ({error.strerror}); segment "
                    "it again."
                ) from error
        return kept

    def _write(self, array: npt.NDArray[Any]) -> _Stored:
        """Write an array behind those that are there; a replaced one stays in the file."""
        steps = np.diff(array, axis=0, prepend=array.dtype.type(0))  # small in ascending numbers
        packed = zlib.compress(steps.tobytes(), _FAST)
        if self._size + len(packed) > _MOST:
            raise OSError("full")
        if self._file is None:
            self._file = tempfile.TemporaryFile(prefix="napari-unet-paint-")  # noqa: SIM115
            weakref.finalize(self, self._file.close)
        self._file.seek(self._size)
        self._file.write(packed)
        stored = _Stored(self._size, len(packed), array.shape, array.dtype)
        self._size += len(packed)
        return stored

    def _read(self, stored: _Stored) -> npt.NDArray[Any]:
        self._file.seek(stored.start)
        steps = np.frombuffer(zlib.decompress(self._file.read(stored.size)), stored.dtype)
        values: npt.NDArray[Any] = np.cumsum(
            steps.reshape(stored.shape), axis=0, dtype=stored.dtype
        )
        return values


@dataclass(frozen=True, slots=True)
class _Stored:
    """Where an array is in the file."""

    start: int  # bytes
    size: int
    shape: tuple[int, ...]
    dtype: np.dtype[Any]


def _with_arrays(value: Any, kind: type, change: Callable[[Any], Any]) -> Any:
    """Return a dataclass with what is of a kind changed, in it and in what it is made of."""
    if isinstance(value, kind):
        return change(value)
    if isinstance(value, tuple):
        return tuple(_with_arrays(part, kind, change) for part in value)
    if is_dataclass(value) and not isinstance(value, type):
        parts = {field.name: getattr(value, field.name) for field in fields(value) if field.init}
        changed = {name: _with_arrays(part, kind, change) for name, part in parts.items()}
        return replace(value, **changed)
    return value
