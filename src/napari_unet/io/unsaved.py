"""Painted labels that no file holds yet: kept on disk while one paints, and found after a crash.

Each layer has a folder of its own among the user's data: an OME-Zarr of its planes, which napari
opens as well, with a record of what they were painted on, and in which process.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import numpy.typing as npt
import platformdirs
import zarr

from napari_unet.engine.errors import FileError
from napari_unet.io.axes import name_axes
from napari_unet.io.claims import Claim, claim, claimed, is_claimed
from napari_unet.io.failures import cannot_read
from napari_unet.io.plain import from_plain, to_plain
from napari_unet.io.replacing import replacing
from napari_unet.io.stack import Layout
from napari_unet.io.write_zarr import create_planes
from napari_unet.io.zarr_checks import DAMAGED, check_array, check_size

DAYS_KEPT = 30
"""Days for which strokes wait to be brought back."""

_MOST = 20  # folders that wait; older ones go
_RECORD = "unsaved.json"
_NAME = re.compile(r"[\d-]+ [\d-]+ [0-9a-f]{8}\.zarr")  # nobody else's folder is touched
_DAY = 24 * 3600  # seconds
_WHAT = "Painting on these labels"  # what goes on where they are kept


@dataclass(frozen=True, slots=True)
class UnsavedRecord:
    """What is known of painted labels beside their pixels."""

    name: str  # of the layer
    image: str = ""  # name of the image that they lie on; empty: of none
    fingerprint: int | None = None  # of that image
    unfinished: tuple[int, ...] = ()  # planes of a result that are not segmented to their end
    dismissed: bool = False  # they are not offered any more


class UnsavedLabels:
    """The labels of one layer in a folder, which is not there until `begin`.

    Any thread may call. After `remove` nothing is written, whoever still tries to.
    """

    def __init__(
        self,
        layout: Layout,
        dtype: npt.DTypeLike,
        path: Path,
        array: zarr.Array[Any] | None = None,
        held: Claim | None = None,
    ) -> None:
        self.layout = layout
        self.dtype = np.dtype(dtype)
        self.path = path
        self._array: Any = array  # of zarr, None: not there yet
        self._held = held  # on the folder, None: not there yet
        self._lock = Lock()
        self._removed = False

    @property
    def has_begun(self) -> bool:
        """Whether the folder was made."""
        return self._array is not None

    def begin(self, record: UnsavedRecord) -> None:
        """Make the folder; the record comes last, so what has one is whole.

        Raises
        ------
        OSError, FileError
            If it cannot be written.
        """
        with self._lock:
            if self._removed or self._array is not None:
                return
            try:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                self._held = claim(self.path, _WHAT, quiet=_DAY)
                array = create_planes(self.path, self.layout.shape, self.dtype, self.layout)
                _write_record(self.path, record)
                self._array = array
            finally:
                if self._array is None:
                    self._clear()

    def write(self, plane: int, row: int, rows: npt.NDArray[Any]) -> None:
        """Write rows (y, X) of a plane, from `row` on.

        Raises
        ------
        OSError
            If the disk is full, or the folder has gone.
        """
        leading = self.layout.leading_shape
        at = tuple(int(i) for i in np.unravel_index(plane, leading)) if leading else ()
        with self._lock:
            if self._array is not None and not self._removed:
                self._array[(*at, slice(row, row + len(rows)))] = rows

    def note_time(self) -> None:
        """Note that everything painted until now is on disk.

        Raises
        ------
        OSError
            If the folder has vanished; it is then to be begun anew.
        """
        with self._lock:
            if self._array is None or self._removed:
                return
            try:
                os.utime(self.path / _RECORD)
            except OSError:  # what zarr has made again meanwhile is not whole
                self._array = None
                self._clear()
                raise

    def remove(self) -> None:
        """Remove the folder: the labels are in a file, or people have closed them."""
        with self._lock:
            self._removed = True
            self._clear()

    def _clear(self) -> None:
        shutil.rmtree(self.path, ignore_errors=True)
        if self._held is not None:
            self._held.release()

    def read(self) -> npt.NDArray[Any]:
        """Return all planes; one that cannot be read is empty.

        Raises
        ------
        FileError
            If none can be read.
        """
        try:
            labels = np.zeros(self.layout.shape, self.dtype)
        except MemoryError as error:
            raise cannot_read(self.path, error) from error
        failure: Exception | None = None
        read = 0
        for at in _stored_planes(self.path, self.layout.leading_shape):
            try:
                labels[at] = self._array[at]
                read += 1
            except DAMAGED as error:
                failure = error
        if failure is not None and not read:
            raise cannot_read(self.path, failure)
        return labels


@dataclass(frozen=True, slots=True)
class Leftover:
    """Labels of a program that has ended without a word."""

    path: Path
    record: UnsavedRecord
    shape: tuple[int, ...]
    saved: float  # seconds since the epoch

    def take(self) -> UnsavedLabels:
        """Take the folder over: it is this process's from now on, and goes as its own do.

        Raises
        ------
        FileError
            If it is no longer there, another window was quicker, or it cannot be read.
        """
        held = claim(self.path, _WHAT, quiet=_DAY)
        try:
            array = _open_array(self.path, mode="r+")
        except DAMAGED as error:
            held.release()
            raise cannot_read(self.path, error) from error
        layout = Layout(tuple(array.shape), name_axes("?" * (array.ndim - 2) + "YX"))
        return UnsavedLabels(layout, array.dtype, self.path, array, held)

    def first_plane(self) -> tuple[int, npt.NDArray[Any]] | None:
        """Return the first plane that is painted on, (Y, X), and its number; None: none can be."""
        with suppress(OSError, RuntimeError, ValueError, KeyError):  # as zarr's codecs raise
            array: Any = _open_array(self.path, mode="r")
            leading = self.shape[:-2]
            for at in _stored_planes(self.path, leading):
                plane = np.asarray(array[at])
                if plane.any():
                    return int(np.ravel_multi_index(at, leading)) if leading else 0, plane
        return None

    def dismiss(self) -> None:
        """Offer it no more; the folder stays for its 30 days.

        Raises
        ------
        FileError
            If another window has brought it back, or it cannot be written.
        """
        with claimed(self.path, _WHAT, quiet=_DAY):
            _write_record(self.path, replace(self.record, dismissed=True))


def usual_folder() -> Path:
    """Return where strokes are kept if nobody has chosen another folder."""
    return platformdirs.user_data_path("napari-unet-paint") / "unsaved"


def new_path(folder: Path) -> Path:
    """Return a path in which strokes can be kept; nothing is there yet."""
    return folder / f"{time.strftime('%Y-%m-%d %H-%M-%S')} {secrets.token_hex(4)}.zarr"


def find_leftovers(folder: Path) -> list[Leftover]:
    """Return what crashed programs have left, the newest first; what is too old is removed."""
    try:
        paths = [path for path in folder.iterdir() if _NAME.fullmatch(path.name)]
    except OSError:  # not there, or not any more
        return []
    found = [left for path in paths if (left := _look_into(path)) is not None]
    found.sort(key=lambda left: left.saved, reverse=True)
    oldest = time.time() - DAYS_KEPT * _DAY
    kept = [left for left in found[:_MOST] if left.saved > oldest]
    for left in found[len(kept) :]:
        shutil.rmtree(left.path, ignore_errors=True)
    return [left for left in kept if not left.record.dismissed]


def _look_into(path: Path) -> Leftover | None:
    """Return what is in a folder, None if it is nobody's, or of a program that still runs."""
    try:
        saved = (path / _RECORD).stat().st_mtime
        record = from_plain(UnsavedRecord, json.loads((path / _RECORD).read_text("utf-8")))
        if is_claimed(path, quiet=_DAY):
            return None
        return Leftover(path, record, tuple(_open_array(path, mode="r").shape), saved)
    except (*DAMAGED, FileError):
        _sweep_begun(path)
        return None


def _sweep_begun(path: Path) -> None:
    """Remove a folder without a record: its program has ended while it was made."""
    record = path / _RECORD
    with suppress(OSError):
        if not record.exists() and time.time() - path.stat().st_mtime > _DAY:
            shutil.rmtree(path, ignore_errors=True)


def _open_array(path: Path, *, mode: Any) -> zarr.Array[Any]:
    array = zarr.open_array(str(path / "0"), mode=mode)
    if array.ndim < 2 or array.dtype.kind not in "bui" or set(array.chunks[:-2]) - {1}:
        raise ValueError("no labels")
    check_array(array, path)
    check_size(array, "?" * (array.ndim - 2) + "YX", path)
    return array


def _stored_planes(path: Path, leading: tuple[int, ...]) -> list[tuple[int, ...]]:
    """Return where along the leading axes something is stored; all other planes are empty.

    Few planes of a large stack are painted, and damaged words can tell of millions: to ask for each
    would take seconds, or hours.
    """
    chunks = path / "0" / "c"  # a folder for each index along an axis
    pattern = "/".join("*" for _ in leading)
    found = (
        [folder.relative_to(chunks).parts for folder in chunks.glob(pattern)] if leading else [()]
    )
    planes = [tuple(map(int, parts)) for parts in found if all(map(str.isdecimal, parts))]
    return sorted(at for at in planes if all(i < n for i, n in zip(at, leading, strict=True)))


def _write_record(path: Path, record: UnsavedRecord) -> None:
    with replacing(path / _RECORD) as temporary:
        temporary.write_text(json.dumps(to_plain(record)), "utf-8")
