"""Sizes in a TIFF that are no numbers are refused before anything is multiplied by them."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from napari_unet.engine.errors import FileError
from napari_unet.io.read_tiff import open_tiff

_BYTE, _SHORT, _LONG = 1, 3, 4
Entries = dict[int, tuple[int, int, bytes]]


def tiff_of(*directories: Entries) -> bytes:
    """Return a TIFF with these directories: type, count and value of each tag."""
    body = b"II*\0" + struct.pack("<I", 8)
    for number, entries in enumerate(directories, 1):
        body += struct.pack("<H", len(entries)) + b"".join(
            struct.pack("<HHI", code, kind, count) + told.ljust(4, b"\0")
            for code, (kind, count, told) in sorted(entries.items())
        )
        body += struct.pack("<I", len(body) + 4 if number < len(directories) else 0)
    return body


WIDE = (_LONG, 1, struct.pack("<I", 2**31))
GOOD: Entries = {256: (_LONG, 1, b"\4"), 257: (_LONG, 1, b"\4"), 258: (_SHORT, 1, b"\x08")}
EVIL: dict[str, Entries] = {
    "bytes": {256: WIDE, 257: (_BYTE, 4, b"\1\1\1\1"), 258: (_SHORT, 1, b"\x08")},
    "a byte": {256: WIDE, 257: WIDE, 322: WIDE, 323: (_BYTE, 1, b"\1")},
    "a pair": {256: WIDE, 257: (_SHORT, 2, b"\1\0\1\0"), 258: (_SHORT, 1, b"\x08")},
}


@pytest.mark.parametrize("before", [0, 1])
@pytest.mark.parametrize("kind", EVIL)
def test_a_size_that_is_no_number_is_not_multiplied(kind: str, before: int, tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    path.write_bytes(tiff_of(*[GOOD] * before, EVIL[kind]))
    with pytest.raises(FileError, match=r"is a damaged TIFF \(its tag (257|323) is no number\)"):
        open_tiff(path)


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("bigtiff", [False, True])
def test_usual_files_pass(order: str, bigtiff: bool, tmp_path: Path) -> None:
    data = np.arange(3 * 20 * 24, dtype=np.uint16).reshape(3, 20, 24)
    path = tmp_path / "a.tif"
    how: dict[str, Any] = {"byteorder": order, "bigtiff": bigtiff, "photometric": "minisblack"}
    tifffile.imwrite(path, data, compression="zlib", **how)
    np.testing.assert_array_equal(np.asarray(open_tiff(path).array), data)


@pytest.mark.parametrize("count", [1, 2, 300])
def test_planes_that_lead_in_a_circle_are_not_followed(count: int, tmp_path: Path) -> None:
    data = tiff_of(*[GOOD] * count)
    (tmp_path / "a.tif").write_bytes(data[:-4] + struct.pack("<I", 8))
    with pytest.raises(FileError, match=r"is a damaged TIFF \(its planes lead in a circle\)"):
        open_tiff(tmp_path / "a.tif")
