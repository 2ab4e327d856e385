"""TIFF files, written in bands of rows.

Every page is packed with Deflate (compression 8) in strips, without predictor and without tiles:
the one lossless way that ImageJ's own reader, Bio-Formats, napari and tifffile all understand.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import Any

import imagecodecs
import numpy as np
import numpy.typing as npt
import tifffile

from napari_unet import __version__
from napari_unet.io.checks import check_labels, check_rows
from napari_unet.io.replacing import replacing
from napari_unet.io.stack import SOFTWARE, Layout
from napari_unet.io.tiff_text import TiffText, choose_text

_OME_SUFFIXES = (".ome.tif", ".ome.tiff")
_UINT16 = np.dtype(np.uint16)
_UINT32 = np.dtype(np.uint32)
_STRIP = 1 << 17  # pixels at most, unless a row has more
_SPOOL = 1 << 26  # bytes of a packed page that are held in memory


class _Page:
    """A page on its way: its rows packed strip by strip, on disk once there are many.

    Parameters
    ----------
    shape
        Of the page, pixels (Y, X).
    dtype
        In which the rows are packed.
    folder
        Where there is room.
    """

    def __init__(self, shape: tuple[int, int], dtype: np.dtype[Any], folder: Path) -> None:
        self.shape = shape
        self.dtype = dtype
        self.strip_rows = max(1, min(shape[0], _STRIP // shape[1]))
        self.count = 0  # rows taken
        self._loose = np.zeros((0, shape[1]), dtype)  # less than a strip
        self._packed = SpooledTemporaryFile(_SPOOL, dir=str(folder))  # noqa: SIM115 see close
        self._sizes: list[int] = []  # bytes of each strip

    @property
    def complete(self) -> bool:
        """Whether every row was taken."""
        return self.count == self.shape[0]

    def add(self, rows: npt.NDArray[Any]) -> None:
        """Take the next rows, (y, X)."""
        self.count += len(rows)
        loose = np.concatenate([self._loose, rows.astype(self.dtype)])
        end = len(loose) if self.complete else len(loose) // self.strip_rows * self.strip_rows
        for top in range(0, end, self.strip_rows):
            strip = loose[top : min(top + self.strip_rows, end)]
            packed = imagecodecs.deflate_encode(strip.tobytes())
            self._sizes.append(self._packed.write(packed))
        self._loose = loose[end:].copy()

    def strips(self) -> Iterator[bytes]:
        """Yield the packed strips."""
        self._packed.seek(0)
        for size in self._sizes:
            yield self._packed.read(size)

    def rows(self) -> Iterator[npt.NDArray[Any]]:
        """Yield what was taken, strip by strip."""
        for strip in self.strips():
            flat = np.frombuffer(imagecodecs.deflate_decode(strip), self.dtype)
            yield flat.reshape(-1, self.shape[1])
        yield self._loose

    def close(self) -> None:
        """Let go of the strips."""
        self._packed.close()


class _Pages:
    """An open TIFF that grows by one page at a time."""

    def __init__(self, path: Path, text: TiffText, *, highest: float) -> None:
        self.path = path
        self.text = text
        self.count = 0
        self._highest = highest
        self._file = path.open("xb")
        self._tiff = tifffile.TiffWriter(self._file, bigtiff=text.is_big, ome=False, shaped=False)

    def new_page(self) -> _Page:
        """Return an empty page for this file."""
        return _Page(self.text.layout.plane_shape, self.text.dtype, self.path.parent)

    def append(self, page: _Page) -> None:
        """Write a page that is complete."""
        first: dict[str, Any] = {"software": False}
        if self.count == 0:
            first = {
                "software": f"{SOFTWARE} {__version__}",
                "description": self.text.describe(highest=self._highest),
                "extratags": self.text.info(),
            }
        self._tiff.write(
            page.strips(),
            shape=page.shape,
            dtype=page.dtype,
            rowsperstrip=page.strip_rows,
            photometric="minisblack",
            compression="zlib",
            contiguous=False,
            metadata=None,
            **first,
            **self.text.resolution(),
        )
        self.count += 1

    def check_complete(self) -> None:
        """Raise unless every page was written."""
        if self.count != self.text.layout.count:
            raise ValueError(f"{self.count} of {self.text.layout.count} pages were written")

    def close(self) -> None:
        """Close the file; errors of the disk surface here at the latest."""
        self._file.close()

    def describe_anew(self, text: TiffText, *, highest: float) -> None:
        """Write the description of the closed file once more, with what is known at the end."""
        with tifffile.TiffFile(self.path, mode="r+") as tif:
            tags = tif.pages.first.tags
            tags["ImageDescription"].overwrite(text.describe(highest=highest))
            for code, kind, _, value, _ in text.info():
                tags[code].overwrite(value, dtype=kind)


@dataclass(slots=True)
class _Notes:
    """What a file is to say that is known only when its planes are there."""

    unfinished: tuple[int, ...] = ()  # planes that are not segmented to their end
    provenance: str = ""

    def __bool__(self) -> bool:
        return bool(self.unfinished or self.provenance)

    def added_to(self, text: TiffText) -> TiffText:
        """Return a text that says it."""
        return replace(text, unfinished=self.unfinished, provenance=self.provenance)


class LabelTiff:
    """A label image that is being written; uint16, or uint32 once a number needs it."""

    def __init__(self, path: Path, layout: Layout, *, largest: int | None, ome: bool) -> None:
        self._path = path
        self._layout = layout
        self._ome = ome
        self._largest = 0
        self._notes = _Notes()
        fits = largest is None or largest <= np.iinfo(_UINT16).max
        self._pages = self._start(_UINT16 if fits else _UINT32)
        self._page = self._pages.new_page()

    def write(self, rows: npt.NDArray[Any]) -> None:
        """Write the next rows (y, X) of whole numbers, up to the end of a plane at most.

        Raises
        ------
        LabelsError
            If the numbers are negative, fractions, or need more than 32 bits.
        """
        check_rows(rows, self._layout.plane_shape, self._page.count)
        self._largest = max(self._largest, check_labels(rows))
        if self._largest > np.iinfo(self._pages.text.dtype).max:
            self._widen()
        self._page.add(rows)
        if self._page.complete:
            self._pages.append(self._page)
            self.drop_rows()

    def drop_rows(self) -> None:
        """Forget the rows of a plane that is not complete."""
        self._page.close()
        self._page = self._pages.new_page()

    def note_unfinished(self, planes: Iterable[int]) -> None:
        """Let the file say which planes are not segmented to their end."""
        self._notes.unfinished = tuple(sorted(planes))

    def note_provenance(self, text: str) -> None:
        """Let the file say what made it, in a line of JSON."""
        self._notes.provenance = text

    def finish(self) -> None:
        """Close the file and tell ImageJ the largest label, so that every plane looks alike."""
        self._pages.check_complete()
        self.close()
        if self._pages.text.is_imagej or self._notes:
            text = self._notes.added_to(self._pages.text)
            self._pages.describe_anew(text, highest=max(1, self._largest))

    def close(self) -> None:
        """Close the file as it is."""
        self._page.close()
        self._pages.close()

    def _start(self, dtype: np.dtype[Any]) -> _Pages:
        text = choose_text(self._layout, dtype, ome=self._ome)
        return _Pages(self._path, text, highest=np.iinfo(_UINT16).max)

    def _widen(self) -> None:
        """Write what there is once more, as uint32."""
        written = self._pages.count
        self._pages.close()
        narrow = self._path.with_suffix(".narrow")
        self._path.rename(narrow)
        try:
            self._pages = self._start(_UINT32)
            if written:
                with tifffile.TiffFile(narrow) as tif:
                    for page in tif.pages:
                        self._append(strips(page))
        finally:
            narrow.unlink()
        with closing(self._page) as begun:
            self._page = self._copied(begun.rows())

    def _append(self, rows: Iterable[npt.NDArray[Any]]) -> None:
        with closing(self._copied(rows)) as page:
            self._pages.append(page)

    def _copied(self, rows: Iterable[npt.NDArray[Any]]) -> _Page:
        page = self._pages.new_page()
        for part in rows:
            page.add(part)
        return page


class ProbabilityTiff:
    """Class probabilities that are being written: float32, one page per class."""

    def __init__(self, path: Path, layout: Layout, *, ome: bool) -> None:
        self._channels = layout.shape[-3]
        self._notes = _Notes()
        text = choose_text(layout, np.dtype(np.float32), ome=ome)
        self._pages = _Pages(path, text, highest=1.0)
        self._begun = [self._pages.new_page() for _ in range(self._channels)]

    def write(self, rows: npt.NDArray[Any]) -> None:
        """Write the next rows (C, y, X), up to the end of a plane at most."""
        shape = (self._channels, *self._begun[0].shape)
        check_rows(rows, shape, self._begun[0].count)
        for page, own in zip(self._begun, rows, strict=True):
            page.add(own)
        if self._begun[0].complete:
            for page in self._begun:
                self._pages.append(page)
            self.drop_rows()

    def drop_rows(self) -> None:
        """Forget the rows of a plane that is not complete."""
        for page in self._begun:
            page.close()
        self._begun = [self._pages.new_page() for _ in self._begun]

    def note_unfinished(self, planes: Iterable[int]) -> None:
        """Let the file say which planes are not segmented to their end."""
        self._notes.unfinished = tuple(sorted(planes))

    def note_provenance(self, text: str) -> None:
        """Let the file say what made it, in a line of JSON."""
        self._notes.provenance = text

    def finish(self) -> None:
        """Close the file."""
        self._pages.check_complete()
        self.close()
        if self._notes:
            self._pages.describe_anew(self._notes.added_to(self._pages.text), highest=1.0)

    def close(self) -> None:
        """Close the file as it is."""
        for page in self._begun:
            page.close()
        self._pages.close()


def strips(page: Any) -> Iterator[npt.NDArray[Any]]:
    """Yield the rows (y, X) of a page of a file, as they are packed."""
    for strip, *_ in page.segments():
        yield strip[0, ..., 0]


@contextmanager
def label_tiff(
    path: Path, layout: Layout, *, largest: int | None, ome: bool = False
) -> Iterator[LabelTiff]:
    """Open a label TIFF for writing; it appears under its name when the block ends.

    Parameters
    ----------
    ome
        Whether it is an OME-TIFF whatever its name is.
    """
    is_ome = ome or _is_ome(path)
    with (
        replacing(path) as temporary,
        closing(LabelTiff(temporary, layout, largest=largest, ome=is_ome)) as writer,
    ):
        yield writer
        writer.finish()


@contextmanager
def probability_tiff(path: Path, layout: Layout) -> Iterator[ProbabilityTiff]:
    """Open a TIFF of probabilities for writing; it appears when the block ends."""
    with (
        replacing(path) as temporary,
        closing(ProbabilityTiff(temporary, layout, ome=_is_ome(path))) as writer,
    ):
        yield writer
        writer.finish()


def _is_ome(path: Path) -> bool:
    return path.name.lower().endswith(_OME_SUFFIXES)
