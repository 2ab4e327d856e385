"""TIFF files, written plane by plane.

Every page is packed with Deflate (compression 8) in strips, without predictor and without tiles:
the one lossless way that ImageJ's own reader, Bio-Formats, napari and tifffile all understand.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tifffile

from napari_unet import __version__
from napari_unet.io.checks import check_labels, check_plane
from napari_unet.io.replacing import replacing
from napari_unet.io.stack import SOFTWARE, Layout
from napari_unet.io.tiff_text import TiffText, choose_text

__all__ = ["LabelTiff", "ProbabilityTiff", "label_tiff", "probability_tiff"]

_OME_SUFFIXES = (".ome.tif", ".ome.tiff")
_UINT16 = np.dtype(np.uint16)
_UINT32 = np.dtype(np.uint32)


class _Pages:
    """An open TIFF that grows by one page at a time."""

    def __init__(self, path: Path, text: TiffText, *, highest: float) -> None:
        self.path = path
        self.text = text
        self.count = 0
        self._highest = highest
        self._file = path.open("xb")
        self._tiff = tifffile.TiffWriter(self._file, bigtiff=text.is_big, ome=False, shaped=False)

    def append(self, page: npt.NDArray[Any]) -> None:
        """Write one (Y, X) page."""
        first: dict[str, Any] = {"software": False}
        if self.count == 0:
            first = {
                "software": f"{SOFTWARE} {__version__}",
                "description": self.text.describe(highest=self._highest),
            }
        self._tiff.write(
            np.ascontiguousarray(page, self.text.dtype),
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


class LabelTiff:
    """A label image that is being written; uint16, or uint32 once a number needs it."""

    def __init__(self, path: Path, layout: Layout, *, largest: int | None, ome: bool) -> None:
        self._path = path
        self._layout = layout
        self._ome = ome
        self._largest = 0
        fits = largest is None or largest <= np.iinfo(_UINT16).max
        self._pages = self._start(_UINT16 if fits else _UINT32)

    def write(self, plane: npt.NDArray[Any]) -> None:
        """Write the next (Y, X) plane of whole numbers.

        Raises
        ------
        LabelsError
            If the numbers are negative, fractions, or need more than 32 bits.
        """
        check_plane(plane, self._layout.plane_shape)
        self._largest = max(self._largest, check_labels(plane))
        if self._largest > np.iinfo(self._pages.text.dtype).max:
            self._widen()
        self._pages.append(plane)

    def finish(self) -> None:
        """Close the file and tell ImageJ the largest label, so that every plane looks alike."""
        self._pages.check_complete()
        self.close()
        if self._pages.text.is_imagej:
            text = self._pages.text.describe(highest=max(1, self._largest))
            tifffile.tiffcomment(self._path, text)

    def close(self) -> None:
        """Close the file as it is."""
        self._pages.close()

    def _start(self, dtype: np.dtype[Any]) -> _Pages:
        text = choose_text(self._layout, dtype, ome=self._ome)
        return _Pages(self._path, text, highest=np.iinfo(_UINT16).max)

    def _widen(self) -> None:
        """Write the pages so far once more, as uint32."""
        written = self._pages.count
        self.close()
        narrow = self._path.with_suffix(".narrow")
        self._path.rename(narrow)
        try:
            self._pages = self._start(_UINT32)
            if written:
                with tifffile.TiffFile(narrow) as tif:
                    for page in tif.pages:
                        self._pages.append(page.asarray())
        finally:
            narrow.unlink()


class ProbabilityTiff:
    """Class probabilities that are being written: float32, one page per class."""

    def __init__(self, path: Path, layout: Layout, *, ome: bool) -> None:
        self._shape = layout.shape[-3:]
        text = choose_text(layout, np.dtype(np.float32), ome=ome)
        self._pages = _Pages(path, text, highest=1.0)

    def write(self, plane: npt.NDArray[Any]) -> None:
        """Write the next (C, Y, X) plane."""
        check_plane(plane, self._shape)
        for page in plane:
            self._pages.append(page)

    def finish(self) -> None:
        """Close the file."""
        self._pages.check_complete()
        self.close()

    def close(self) -> None:
        """Close the file as it is."""
        self._pages.close()


@contextmanager
def label_tiff(path: Path, layout: Layout, *, largest: int | None) -> Iterator[LabelTiff]:
    """Open a label TIFF for writing; it appears under its name when the block ends."""
    with (
        replacing(path) as temporary,
        closing(LabelTiff(temporary, layout, largest=largest, ome=_is_ome(path))) as writer,
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
