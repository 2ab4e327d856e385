"""Where records of segmentations lie: beside a result, and in its TIFF or OME-Zarr."""

from __future__ import annotations

import html
import json
import re
from dataclasses import replace
from pathlib import Path

import tifffile

from napari_unet.engine.errors import FileError
from napari_unet.io.failures import cannot_read
from napari_unet.io.paths import check_readable, is_file, is_folder
from napari_unet.io.provenance import FORMAT, Provenance, from_text, to_text
from napari_unet.io.replacing import replacing
from napari_unet.io.tiff_directories import check_directories
from napari_unet.io.tiff_pages import reading_tiff
from napari_unet.io.tiff_text import PROVENANCE

_SUFFIX = ".json"
_LARGEST = 1 << 24  # bytes; that of a million planes has half of it
_INFO = 50839  # IJMetadata
_ANNOTATION = re.compile(rf'Namespace="{PROVENANCE}"><Value>([^<]*)</Value>')


def path_beside(result: Path) -> Path:
    """Return where the record of a result lies.

    Examples
    --------
    >>> path_beside(Path("cells.tif")).name
    'cells.tif.json'
    """
    return result.with_name(f"{result.name}{_SUFFIX}")


def has_record(path: Path) -> bool:
    """Return whether the record of a segmentation lies beside a file, which so is a result."""
    if not path_beside(path).is_file():
        return False
    try:
        _read(path_beside(path))
    except FileError:
        return False
    return True


def write_beside(result: Path, provenance: Provenance) -> Path | None:
    """Write the record of a result beside it; an earlier record is replaced, no other file is.

    Returns
    -------
    Path or None
        The file; None: another file has its name, or the result lies inside an OME-Zarr.

    Raises
    ------
    FileError
        If it cannot be written.
    """
    path = path_beside(result)
    if path.exists() and not has_record(result):
        return None
    _write(path, to_text(provenance, path.parent, indent=1))
    return path


def mend_beside(result: Path) -> None:
    """Let the record beside a result be the one in it, unless another file has that name.

    Raises
    ------
    FileError
        If it cannot be written.
    """
    path = path_beside(result)
    try:
        own = _read(result)
        if path.exists() and _without_paths(own) == _without_paths(_read(path)):
            return
    except FileError:
        return
    _write(path, to_text(own, None, indent=1))


def _write(path: Path, text: str) -> None:
    with replacing(path) as temporary:
        temporary.write_text(f"{text}\n", "ascii")


def find_provenance(result: Path) -> Provenance | None:
    """Return the record of a result, beside it or in it, with whole paths; None: it has none."""
    folder = result.absolute().parent
    for place in (path_beside(result), result):
        try:
            found = read_provenance(place)
        except FileError:
            continue
        return found.with_paths(lambda path: str((folder / path).resolve()))
    return None


def read_provenance(path: Path) -> Provenance:
    """Return the record of a result, given the result or the file beside it.

    Where they differ in more than paths, what the result itself says counts: the two are replaced
    one after the other, and a kill between leaves the record of the run before beside it. Where the
    result says nothing, as after it was saved by another program, the file beside it counts.

    Raises
    ------
    FileError
        If the file cannot be read, or there is no such record.
    """
    is_beside = path.suffix.lower() == _SUFFIX
    result = path.with_suffix("") if is_beside else path
    if is_beside and not (is_file(result) or is_folder(result)):
        return _read(path)
    if not is_beside and not has_record(path):
        return _read(path)
    try:
        own = _read(result)
    except FileError:
        return _read(path_beside(result))
    if not has_record(result):
        return own
    beside = _read(path_beside(result))
    return beside if _without_paths(beside) == _without_paths(own) else own


def _without_paths(made: Provenance) -> Provenance:
    painted = None if made.painted is None else replace(made.painted, path=None)
    image, model = replace(made.image, path=None), replace(made.model, path=None)
    return replace(made, image=image, model=model, painted=painted)


def _read(path: Path) -> Provenance:
    """Return the record in this very file."""
    check_readable(path)
    try:
        if path.is_dir():
            text = _in_zarr(path)
        elif path.suffix.lower() == _SUFFIX:
            text = _in_json(path)
        else:
            text = _in_tiff(path)
    except OSError as error:
        raise cannot_read(path, error) from error
    if not text:
        raise FileError(
            f"'{path}' does not say what made it; give the .json file that was written beside a "
            "result, or a result of this version."
        )
    return from_text(text, str(path))


def _in_json(path: Path) -> str:
    with path.open("rb") as file:
        found = file.read(_LARGEST + 1)
    if len(found) > _LARGEST:
        raise FileError(f"'{path}' is too large for the record of a segmentation.")
    return found.decode("utf-8", "replace")


def _in_zarr(path: Path) -> str:
    return _part(_in_json(path / "zarr.json"), "attributes", FORMAT)


def _in_tiff(path: Path) -> str:
    with reading_tiff(path):
        check_directories(path)
    with reading_tiff(path), tifffile.TiffFile(path) as tif:
        page = tif.pages.first
        for code in (_INFO, "ImageDescription"):
            tag = page.tags.get(code)
            if tag is not None and tag.count > _LARGEST:
                raise FileError(f"The texts in '{path}' are too large to be read.")
        info = (tif.imagej_metadata or {}).get("Info")
        if isinstance(info, str):
            return info.partition("\n")[2]
        return _described(str(page.description))


def _described(text: str) -> str:
    """Return the record in OME-XML or in tifffile's JSON."""
    found = _ANNOTATION.search(text)
    return _part(text, "provenance") if found is None else html.unescape(found[1])


def _part(text: str, *keys: str) -> str:
    """Return a part of some JSON as JSON; empty if it is none, or has no such part."""
    try:
        told = json.loads(text)
        for key in keys:
            told = told[key]
    except (LookupError, TypeError, ValueError, RecursionError):
        return ""
    return json.dumps(told)
