"""The layout of the Cell Tracking Challenge: a folder of masks, one per frame, and their tracks.

Its rules (celltrackingchallenge.net, "Naming and file content conventions"): maskTTT.tif with
16-bit numbers, and in res_track.txt a line "L B E P" for each track: its number, its first and last
frame, and the number of its parent, 0 for none. A track is on every frame from the first to the
last: an object that is away for a while goes on as a new track, whose parent is the one before.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tifffile

from napari_unet.engine.errors import FileError
from napari_unet.io.replacing import replacing
from napari_unet.io.stack import Layout
from napari_unet.io.write_tiff import LabelTiff, strips

_MOST = int(np.iinfo(np.uint16).max)
_TRACKS = "res_track.txt"
_FILES = re.compile(rf"mask\d{{3,}}\.tif|{re.escape(_TRACKS)}")

Numbers = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Tracks:
    """Stretches of frames without a gap, one row each."""

    label: Numbers  # (n,) of the object
    begin: Numbers  # (n,) first frame
    end: Numbers  # (n,) last frame
    number: Numbers  # (n,) of the track
    parent: Numbers  # (n,) number of the track before, 0: none

    def lines(self) -> Iterator[str]:
        """Yield the lines of the file, in the order of the tracks' numbers."""
        rows = np.stack([self.number, self.begin, self.end, self.parent], axis=1)
        for row in rows[np.argsort(self.number)].tolist():
            yield " ".join(map(str, row)) + "\n"

    def changed(self, frame: int) -> tuple[Numbers, Numbers]:
        """Return labels of objects on a frame, ascending, and the numbers that they get instead."""
        here = (self.begin <= frame) & (frame <= self.end) & (self.number != self.label)
        order = np.argsort(self.label[here])
        return self.label[here][order], self.number[here][order]


class TrackBook:
    """Notes on which frames each object is; they come in order."""

    def __init__(self) -> None:
        nothing = np.zeros(0, np.int64)
        self._known, self._begin, self._last = nothing, nothing, nothing
        self._ended: list[tuple[Numbers, Numbers, Numbers]] = []

    @property
    def count(self) -> int:
        """Number of objects so far."""
        return len(self._known)

    def add(self, frame: int, present: Numbers) -> None:
        """Note the objects of a frame, ascending."""
        new = np.setdiff1d(present, self._known, assume_unique=True)
        at = np.searchsorted(self._known, new)
        self._known = np.insert(self._known, at, new)
        self._begin = np.insert(self._begin, at, frame)
        self._last = np.insert(self._last, at, frame - 1)
        here = np.searchsorted(self._known, present)
        back = here[self._last[here] < frame - 1]
        if len(back):
            self._ended.append((self._known[back], self._begin[back], self._last[back]))
            self._begin[back] = frame
        self._last[here] = frame

    def tracks(self) -> Tracks:
        """Return the tracks of all objects, which keep their numbers as far as there is room."""
        parts = zip(*self._ended, (self._known, self._begin, self._last), strict=True)
        label, begin, end = (np.concatenate(part) for part in parts)
        order = np.lexsort((begin, label))
        label, begin, end = label[order], begin[order], end[order]
        goes_on = np.zeros(len(label), bool)
        goes_on[1:] = label[1:] == label[:-1]
        number = _numbers(label, goes_on)
        parent = np.where(goes_on, np.append(0, number[:-1])[: len(number)], 0)
        return Tracks(label, begin, end, number, parent)


def _numbers(label: Numbers, goes_on: npt.NDArray[np.bool_]) -> Numbers:
    """Return the number of each track: the object's own, a new one where it comes back."""
    keeps = ~goes_on & (label <= _MOST)
    largest = int(label[keeps].max(initial=0))
    free = np.setdiff1d(np.arange(1, _MOST + 1), label[keeps])
    free = np.roll(free, -int(np.searchsorted(free, largest)))  # those above the largest first
    found = label.copy()
    found[~keeps] = free[: int((~keeps).sum())]
    return found


class TrackedFrames:
    """Frames that are being written, one TIFF each.

    Parameters
    ----------
    folder
        New, and empty.
    layout
        Its axes are T, then perhaps Z, Y and X.
    """

    def __init__(self, folder: Path, layout: Layout, name: str) -> None:
        folder.mkdir()
        self._folder = folder
        self._name = name
        self._frames = layout.shape[0]
        self._layout = Layout(layout.shape[1:], layout.axes[1:], layout.spacing)
        self._book = TrackBook()
        self._frame = 0
        self._tiff: LabelTiff | None = None  # of the frame that is being written
        self._planes = 0  # of it
        self._rows = 0  # of its next plane
        self._present: list[Numbers] = []  # objects on its planes
        self._begun: list[Numbers] = []  # objects on the plane that is not complete

    def write(self, rows: npt.NDArray[Any]) -> None:
        """Write the next rows (y, X) of whole numbers, up to the end of a plane at most.

        Raises
        ------
        FileError
            If there are more objects than 16 bits can number.
        LabelsError
            If the numbers are negative, fractions, or need more than 32 bits.
        """
        if self._tiff is None:
            self._tiff = LabelTiff(self._path(self._frame), self._layout, largest=None, ome=False)
        self._tiff.write(rows)
        self._begun.append(_objects(rows))
        self._rows += len(rows)
        if self._rows == self._layout.plane_shape[0]:
            self._end_plane()

    def drop_rows(self) -> None:
        """Forget the rows of a plane that is not complete."""
        if self._tiff is not None:
            self._tiff.drop_rows()
        self._rows, self._begun = 0, []

    def note_unfinished(self, planes: Iterable[int]) -> None:
        """Leave it to the record beside the folder: its files hold numbers only."""

    def note_provenance(self, text: str) -> None:
        """Leave it to the record beside the folder."""

    def finish(self) -> None:
        """Give tracks their numbers, in the files as well, and write what they are."""
        if self._frame != self._frames:
            raise ValueError(f"{self._frame} of {self._frames} frames were written")
        tracks = self._book.tracks()
        self._check_count(len(tracks.number))
        for frame in range(self._frames):
            labels, numbers = tracks.changed(frame)
            if len(labels):
                self._renumber(self._path(frame), labels, numbers)
        with (self._folder / _TRACKS).open("w", encoding="ascii", newline="\n") as file:
            file.writelines(tracks.lines())

    def close(self) -> None:
        """Close the file that is open."""
        if self._tiff is not None:
            self._tiff.close()

    def _end_plane(self) -> None:
        self._present.append(np.unique(np.concatenate(self._begun)))
        self._planes += 1
        self._rows, self._begun = 0, []
        if self._planes == self._layout.count:
            self._end_frame()

    def _end_frame(self) -> None:
        assert self._tiff is not None
        self._tiff.finish()
        self._tiff = None
        self._book.add(self._frame, np.unique(np.concatenate(self._present)))
        self._check_count(self._book.count)
        self._frame += 1
        self._planes, self._present = 0, []

    def _path(self, frame: int) -> Path:
        digits = max(3, len(str(self._frames - 1)))
        return self._folder / f"mask{frame:0{digits}}.tif"

    def _check_count(self, count: int) -> None:
        if count > _MOST:
            raise FileError(
                f"'{self._name}' would have more than {_MOST:,} tracks, which the 16-bit masks of "
                "the Cell Tracking Challenge cannot number; save fewer frames or a part of the "
                "image, or save as .tif or .zarr. Objects that are not linked through time are a "
                "new track in each frame: segment with --link."
            )

    def _renumber(self, path: Path, labels: Numbers, numbers: Numbers) -> None:
        """Write a frame once more, with other numbers for some of its objects."""
        old = path.rename(path.with_suffix(".old"))
        with (
            tifffile.TiffFile(old) as tif,
            closing(LabelTiff(path, self._layout, largest=_MOST, ome=False)) as new,
        ):
            for page in tif.pages:
                for rows in strips(page):
                    at = np.searchsorted(labels, rows).clip(max=len(labels) - 1)
                    new.write(np.where(labels[at] == rows, numbers[at], rows))
            new.finish()
        old.unlink()


def _objects(rows: npt.NDArray[Any]) -> Numbers:
    """Return the numbers of all objects in some rows, ascending."""
    flat = rows.ravel()
    begins = np.append(0, np.flatnonzero(flat[1:] != flat[:-1]) + 1)  # of runs: there are few
    found = np.unique(flat[begins])
    objects: Numbers = found[found != 0].astype(np.int64)
    return objects


def check_no_other_files(path: Path) -> None:
    """Raise `FileError` if there is a file of this name, or a folder with other files in it."""
    if path.is_dir():
        others = [entry.name for entry in path.iterdir() if not _FILES.fullmatch(entry.name)]
        if others:
            raise FileError(
                f"The folder '{path}' is not empty (it holds '{min(others)}'); choose a new one."
            )
    elif path.exists():
        raise FileError(f"'{path}' is a file; choose the name of a new folder.")


@contextmanager
def tracked_frames(path: Path, layout: Layout) -> Iterator[TrackedFrames]:
    """Open a folder of masks and tracks for writing; it appears when the block ends.

    Raises
    ------
    FileError
        If there is no axis of time, or other files are in the folder.
    """
    if layout.axes not in ("TYX", "TZYX"):
        raise FileError(
            f"The Cell Tracking Challenge wants frames: the axes TYX or TZYX, and '{path.name}' "
            f"would have {layout.axes}; name the axes (--axes TYX, or in napari the layer's axis "
            "labels), or choose another format."
        )
    check_no_other_files(path)
    with (
        replacing(path) as temporary,
        closing(TrackedFrames(temporary, layout, path.name)) as writer,
    ):
        yield writer
        writer.finish()
