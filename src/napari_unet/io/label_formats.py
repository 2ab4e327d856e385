"""In which format labels are written: as the name ends, or as is asked for."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path

from napari_unet.engine.errors import FileError
from napari_unet.io.image_labels import lies_in_image


class LabelFormat(StrEnum):
    """What label images can be written as."""

    TIFF = "tiff"
    OME_TIFF = "ome-tiff"
    OME_ZARR = "ome-zarr"
    IMAGEJ = "imagej"
    GEOJSON = "geojson"
    TRACKING = "ctc"


ENDINGS: dict[LabelFormat, tuple[str, ...]] = {
    LabelFormat.TIFF: (".tif", ".tiff"),
    LabelFormat.OME_TIFF: (".ome.tif", ".ome.tiff", ".tif", ".tiff"),
    LabelFormat.OME_ZARR: (".zarr",),
    LabelFormat.IMAGEJ: (".zip",),
    LabelFormat.GEOJSON: (".geojson", ".json"),
    LabelFormat.TRACKING: ("_RES",),
}
"""How names of each format end; the first is the usual one."""

_BY_ENDING = (
    (".tif", LabelFormat.TIFF),
    (".tiff", LabelFormat.TIFF),
    (".zarr", LabelFormat.OME_ZARR),
    (".zip", LabelFormat.IMAGEJ),
    (".geojson", LabelFormat.GEOJSON),
    ("_res", LabelFormat.TRACKING),
)
_OME = (".ome.tif", ".ome.tiff")


def label_format(path: Path, wish: LabelFormat | None = None) -> LabelFormat:
    """Return the format in which labels are written under a name.

    Parameters
    ----------
    wish
        What was asked for; None: the name says it.

    Raises
    ------
    FileError
        If the name says nothing, or something else.

    Examples
    --------
    >>> str(label_format(Path("cells.zip"))), str(label_format(Path("01_RES")))
    ('imagej', 'ctc')
    """
    found = _named(path)
    if wish is None and found is None:
        raise FileError(
            f"'{path.name}' has no known ending; end the name in .tif (for Fiji and napari), .zarr "
            "(OME-Zarr, for images larger than memory), .zip (ImageJ ROIs), .geojson (QuPath) or "
            "_RES (folder of the Cell Tracking Challenge, as 01_RES)."
        )
    if wish is None:
        assert found is not None
        return found
    if not _fits(path, wish, found):
        raise FileError(
            f"'{path.name}' is no name for the format '{wish}'; end it in {ENDINGS[wish][0]}."
        )
    return wish


def _named(path: Path) -> LabelFormat | None:
    name = path.name.lower()
    if lies_in_image(path):
        return LabelFormat.OME_ZARR
    if name.endswith(_OME):
        return LabelFormat.OME_TIFF
    return next((kind for ending, kind in _BY_ENDING if name.endswith(ending)), None)


def _fits(path: Path, wish: LabelFormat, found: LabelFormat | None) -> bool:
    """Return whether a name can be one of this format: of folders any is that is no other's."""
    if wish is LabelFormat.TRACKING:
        return found in (None, wish)
    return found is wish or path.name.lower().endswith(ENDINGS[wish])
