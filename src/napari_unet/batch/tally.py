"""How far many files are, of which some are skipped and several under way at once."""

from __future__ import annotations

from collections.abc import Sequence

from napari_unet.batch.events import FilesProgress
from napari_unet.io.hashes import file_stamp
from napari_unet.io.input_files import InputFile


class Tally:
    """Files are as much work as their size says; what is skipped is none."""

    def __init__(self, files: Sequence[InputFile]) -> None:
        stamps = [file_stamp(file.path) for file in files]
        sizes = [None if stamp is None else max(1, stamp.size) for stamp in stamps]  # bytes
        largest = max(filter(None, sizes), default=1)
        self._sizes = [size or largest for size in sizes]  # of a folder it is not known
        self._every = sum(self._sizes)
        self._ended = self._gone = self._worked = 0  # files; bytes of all of them, and of worked on
        self._shares: dict[int, float] = {}  # of the files that are under way

    def move(self, index: int, share: float, state: str = "") -> FilesProgress:
        """Take note of how far one file is."""
        self._shares[index] = share
        return self._progress(state)

    def end(self, index: int, *, worked: bool) -> FilesProgress:
        """Take note that a file has ended."""
        self._shares.pop(index, None)
        self._ended += 1
        self._gone += self._sizes[index]
        self._worked += self._sizes[index] if worked else 0
        return self._progress("")

    def _progress(self, state: str) -> FilesProgress:
        under_way = sum(share * self._sizes[index] for index, share in self._shares.items())
        return FilesProgress(
            ended=self._ended,
            files=len(self._sizes),
            share=(self._gone + under_way) / self._every,
            worked=(self._worked + under_way) / self._every,
            state=state,
        )
