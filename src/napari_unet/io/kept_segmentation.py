"""A segmentation on its way, kept on disk tile by tile, so that what ends the program ends no work.

Each has a folder among the user's data: `kept.json`, what it is a segmentation of and how it is
made; `planes`, the labels of finished planes; and `tiles-…`, what was predicted of a plane that is
not finished. It goes when the work is done.
"""

from __future__ import annotations

import json
import logging
import shutil
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, Self

import numpy.typing as npt

from napari_unet.engine.errors import FileError, UnetPaintError, reason_of
from napari_unet.engine.events import PlaneDone, SegmentStarted
from napari_unet.io.claims import Claim, claim
from napari_unet.io.kept_arrays import (
    PackedPlane,
    PackedTile,
    described,
    pack,
    pack_plane,
    unpack,
    unpack_plane,
)
from napari_unet.io.kept_record import KeptRecord
from napari_unet.io.plain import from_plain, to_plain
from napari_unet.io.record_log import Entry, RecordLog
from napari_unet.io.replacing import replacing

if TYPE_CHECKING:
    from napari_unet.engine.network import Model
    from napari_unet.engine.stack import Tile

RECORD = "kept.json"
"""The file that makes a folder one of these: it comes last."""

PLANES = "planes"
"""The file of the finished ones."""

MODEL = "model.safetensors"
"""A copy of the model."""

WHAT = "This segmentation"
"""What goes on where one is kept."""

AT_WORK = 120
"""Seconds without a tile after which another computer's is taken to have ended."""

_WAIT = 5.0  # seconds of work that are not worth a folder
_GATHER = 1.0  # seconds between two writings: of a plane that is soon finished, no tile is
_HELD = 32 << 20  # bytes of tiles that wait for it at most
_SYNC = 30.0  # seconds between two waits for the disk
_MOST = 8 << 30  # bytes of a folder
_SPARE = 1 << 30  # bytes that the disk has left at least

_log = logging.getLogger(__name__)

Describe = Callable[[SegmentStarted], KeptRecord]


@dataclass(frozen=True, slots=True, eq=False)
class _Waiting:
    """What is written soon."""

    write: Callable[[], None]
    size: int  # bytes
    plane: int | None = None  # whose tile it is


class KeptSegmentation:
    """The finished tiles and planes of one run, and of those that it goes on from.

    Any thread may call. Nothing is written in the first five seconds, so that a short run leaves
    the disk alone; what was finished by then is written after them, and then once a second, which
    spares the tiles of planes that are finished sooner. Where the disk is full, or more than 8 GB
    would be kept, no more is, and nothing fails for it.

    Parameters
    ----------
    folder
        Where it is kept; it is made when it is needed.
    describe
        Called then; None: the folder is there, of an earlier run, and this process's now.
    model
        What segments, if it may be in no file: a copy lies with the tiles.
    held
        The claim on a folder that is there.
    """

    def __init__(
        self,
        folder: Path,
        describe: Describe | None = None,
        model: Model | None = None,
        held: Claim | None = None,
    ) -> None:
        self.folder = folder
        self._describe = describe
        self._model = model
        self._held = held
        self._started: SegmentStarted | None = None
        self._began = 0.0  # monotonic seconds
        self._written = 0.0
        self._synced = 0.0
        self._made = describe is None
        self._ended = False
        self._failed = False
        self._size = 0  # bytes
        self._waiting: list[_Waiting] = []  # what is written when the next second is over
        self._waits = 0  # bytes of it
        self._in_files: set[int] = set()  # planes with tiles on disk
        self._unsynced: set[Path] = set()
        self._planes: dict[int, tuple[PackedPlane, Entry]] = {}
        self._tiles: dict[int, dict[tuple[int, ...], tuple[PackedTile, Entry]]] = {}  # as before
        self._lock = Lock()
        if describe is None:
            planes = described(PackedPlane, self._plane_log.entries())
            self._planes = {told.plane: (told, entry) for told, entry in planes}
            self._size = sum(file.stat().st_size for file in folder.iterdir())
            tiles = (file.name.partition("-") for file in folder.glob("tiles-*"))
            self._in_files = {int(number) for _, _, number in tiles if number.isdecimal()}

    @property
    def finished(self) -> frozenset[int]:
        """Planes whose objects are final."""
        return frozenset(self._planes)

    def begin(self, started: SegmentStarted) -> None:
        """Take note that the work begins or goes on; before this, nothing is kept."""
        self._started = started
        self._ended = self._failed
        self._began = self._written = self._synced = time.monotonic()

    def plane(self, number: int) -> PlaneDone:
        """Return a finished plane.

        Raises
        ------
        FileError
            If it cannot be read.
        """
        told, entry = self._planes[number]
        try:
            return unpack_plane(told, self._plane_log.read(entry))
        except (OSError, ValueError) as error:
            raise FileError(
                f"What was kept of plane {number} cannot be read ({reason_of(error)}); discard it "
                "and begin anew."
            ) from error

    def tile(self, plane: int, tile: Tile) -> npt.NDArray[Any] | None:
        """Return a tile that an earlier run has kept, None if none has."""
        if self._describe is not None:
            return None
        with self._lock:
            try:
                log = self._tile_log(plane)
                if plane not in self._tiles:
                    tiles = described(PackedTile, log.entries())
                    self._tiles = {plane: {told.at: (told, entry) for told, entry in tiles}}
                if _place(tile) not in self._tiles[plane]:
                    return None
                told, entry = self._tiles[plane][_place(tile)]
                return unpack(told, log.read(entry))
            except (OSError, ValueError):
                return None

    def keep_tile(self, plane: int, tile: Tile, settled: npt.NDArray[Any]) -> None:
        """Keep a tile as it was settled."""
        values = settled.copy()  # who takes the tile may change it

        def write() -> None:
            array, data = pack(values)
            told = PackedTile(array.shape, array.dtype, _place(tile))
            self._append(self._tile_log(plane), told, data)

        self._keep(_Waiting(write, values.nbytes, plane))

    def keep_plane(self, done: PlaneDone) -> None:
        """Keep a whole plane; of objects its tiles are not needed any more."""
        if done.labels is None:
            return
        told, data = pack_plane(done)

        def write() -> None:
            self._append(self._plane_log, told, data)
            if done.plane not in self._in_files:
                return
            tiles = self._tile_log(done.plane).path
            self._unsynced.discard(tiles)
            with suppress(FileNotFoundError):
                self._size -= tiles.stat().st_size
                tiles.unlink()

        self._keep(_Waiting(write, len(data)), instead=done.plane)

    def close(self, *, flush: bool = True) -> None:
        """Keep no more for now; what is kept stays, for a run that goes on from it.

        Parameters
        ----------
        flush
            Whether what a short run has finished is written, too.
        """
        with self._lock:
            if self._waiting and (flush or self._made):
                self._try(self._write)
            self._ended = True
            self._try(self._sync)

    def leave(self) -> None:
        """Keep no more for good; who looks for work to go on with finds it at once."""
        self.close()
        with self._lock:
            self._failed = True
            self._release()

    def __enter__(self) -> Self:
        """Keep; `leave` when the block ends, however it does."""
        return self

    def __exit__(self, *_: object) -> None:
        """Leave what is kept."""
        self.leave()

    def remove(self) -> None:
        """Keep no more, and remove what was kept: the work is done."""
        with self._lock:
            self._ended = self._failed = True
            self._waiting = []
            self._unsynced.clear()
            if self._made:
                shutil.rmtree(self.folder, ignore_errors=True)
            self._release()

    def _release(self) -> None:
        if self._held is not None:
            self._held.release()

    def _keep(self, waiting: _Waiting, *, instead: int | None = None) -> None:
        """Write this soon, and the tiles of a plane no more if it is written `instead`."""
        with self._lock:
            if self._started is None or self._ended:
                return
            if instead is not None:
                self._waiting = [other for other in self._waiting if other.plane != instead]
            self._waiting.append(waiting)
            self._waits += waiting.size
            now = time.monotonic()
            if self._made:
                is_time = now - self._written >= min(_WAIT, _GATHER) or self._waits > _HELD
            else:
                is_time = now - self._began >= _WAIT
            if is_time:
                self._try(self._write)
            if now - self._synced >= _SYNC:
                self._try(self._sync)

    def _try(self, write: Callable[[], None]) -> None:
        """Write; where that fails, keep no more, and leave what is there."""
        try:
            write()
        except (OSError, UnetPaintError) as error:
            self._ended = self._failed = True
            self._waiting = []
            _log.warning("Finished tiles are kept no more in %s (%s)", self.folder, error)

    def _write(self) -> None:
        """Write what waits, into a new folder if there is none."""
        if self._made:
            self._write_waiting()
            return
        assert self._describe is not None
        assert self._started is not None
        record = self._describe(self._started)
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        self._held = claim(self.folder, WHAT, quiet=AT_WORK)
        self.folder.mkdir()
        self._made = True
        try:
            if self._model is not None:
                from napari_unet.io.checkpoints import save_model  # noqa: PLC0415  # loads torch

                save_model(self._model, self.folder / MODEL)
            self._write_waiting()
            _write_record(self.folder, record)  # last, so that what has one is whole
        except (OSError, UnetPaintError):
            shutil.rmtree(self.folder, ignore_errors=True)
            self._release()
            raise

    def _write_waiting(self) -> None:
        waiting, self._waiting, self._waits = self._waiting, [], 0
        for one in waiting:
            one.write()
            if one.plane is not None:
                self._in_files.add(one.plane)
        self._written = time.monotonic()

    def _append(self, log: RecordLog, told: PackedTile | PackedPlane, data: bytes) -> None:
        if self._size + len(data) > _MOST:
            raise OSError(f"more than {_MOST} bytes")
        log.append(to_plain(told), data)
        self._size += len(data)
        self._unsynced.add(log.path)

    def _sync(self) -> None:
        """Wait until the disk has everything, in case the power fails."""
        while self._unsynced:
            with suppress(FileNotFoundError):
                RecordLog(self._unsynced.pop()).sync()
        self._synced = time.monotonic()
        if self.folder.exists() and shutil.disk_usage(self.folder).free < _SPARE:
            raise OSError("the disk is almost full")

    @property
    def _plane_log(self) -> RecordLog:
        return RecordLog(self.folder / PLANES)

    def _tile_log(self, plane: int) -> RecordLog:
        return RecordLog(self.folder / f"tiles-{plane:06}")


def read_record(folder: Path) -> KeptRecord:
    """Return the record in a folder.

    Raises
    ------
    OSError
        If there is none.
    ValueError, TypeError
        If it is none, or that of another version of this program.
    """
    return from_plain(KeptRecord, json.loads((folder / RECORD).read_text("utf-8")))


def _write_record(folder: Path, record: KeptRecord) -> None:
    """Write the record into a folder that is there.

    Raises
    ------
    FileError
        If it cannot be written.
    """
    with replacing(folder / RECORD) as temporary:
        temporary.write_text(json.dumps(to_plain(record)), "utf-8")


def _place(tile: Tile) -> tuple[int, int, int, int]:
    return tile.y.start, tile.y.stop, tile.x.start, tile.x.stop
