"""How far many files are, and how long the rest of them will take."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from napari_unet.cli.console import Update, progress_bar
from napari_unet.io.hashes import file_stamp
from napari_unet.io.input_files import InputFile

_SHORT = 90  # seconds, or minutes, that are told as such


class FilesProgress:
    """Files are as much work as their size says; what is skipped is none.

    Parameters
    ----------
    files
        All of them.
    show
        Takes how far they are.
    """

    def __init__(self, files: list[InputFile], show: Update) -> None:
        stamps = [file_stamp(file.path) for file in files]
        sizes = [1 if stamp is None else max(1, stamp.size) for stamp in stamps]
        largest = max(sizes, default=1)
        self._sizes = [s if t else largest for s, t in zip(sizes, stamps, strict=True)]  # bytes
        self._show = show
        self._before = 0  # bytes of the files before, skipped ones included
        self._worked = 0  # bytes
        self._began = time.monotonic()

    def of(self, index: int) -> Update:
        """Return what takes how far one file is."""

        def update(share: float, state: str) -> None:
            size, every = self._sizes[index], sum(self._sizes)
            here = self._before + share * size
            worked = self._worked + share * size
            seconds = time.monotonic() - self._began
            left = f", {_duration(seconds / worked * (every - here))} left" if worked else ""
            self._show(here / every, f"file {index + 1} of {len(self._sizes)}, {state}{left}")

        return update

    def finish(self, index: int, *, worked: bool) -> None:
        """Take note that a file has ended."""
        self._before += self._sizes[index]
        self._worked += self._sizes[index] if worked else 0
        self._show(self._before / sum(self._sizes), f"file {index + 1} of {len(self._sizes)}")


@contextmanager
def progress_of(files: list[InputFile]) -> Iterator[FilesProgress]:
    """Show how far the files are, and the time left, on standard error."""
    with progress_bar("Segmenting") as show:
        yield FilesProgress(files, show)


def _duration(seconds: float) -> str:
    """Return a time as people tell it."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < _SHORT else f"{minutes / 60:.1f} h"
