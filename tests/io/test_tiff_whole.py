"""A TIFF that announces more than it holds is refused before memory is asked for."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from napari_unet.engine.errors import FileError
from napari_unet.io.read_tiff import open_tiff

DEFLATE, HUGE = 8, 2**32 - 1

TILES: dict[str, Any] = {"tile": (256, 256), "photometric": "minisblack"}


def tiny(path: Path, width: int, height: int, *, count: int = 10, **tags: int) -> Path:
    """Write a TIFF of 234 bytes with one strip, whatever it announces."""
    told = {
        "width": width,
        "height": height,
        "bits": 8,
        "compression": DEFLATE,
        "photometric": 1,
        "offset": 200,
        "samples": 1,
        "rows": height,
        "count": count,
        "format": 1,
        **tags,
    }
    numbers = (256, 257, 258, 259, 262, 273, 277, 278, 279, 339)
    kinds = (4, 4, 3, 3, 3, 4, 3, 4, 4, 3)
    data = b"II*\0" + struct.pack("<IH", 8, len(numbers))
    for number, kind, value in zip(numbers, kinds, told.values(), strict=True):
        data += struct.pack("<HHII", number, kind, 1, value)
    path.write_bytes((data + bytes(4)).ljust(200, b"\0") + bytes(34))
    return path


@pytest.mark.parametrize(
    ("width", "height", "tags", "sentence"),
    [
        (HUGE, HUGE, {}, r"packed in pieces of 4294967295×4294967295, .*; save it in tiles"),
        (HUGE, HUGE, {"compression": 1}, "is truncated"),
        (64, 2**22, {"rows": 2**22}, r"announces an image of 4194304×64, more than any can have"),
        (60_000, 60_000, {}, r"pieces of 60000×60000, each of which takes 3.6 GB of memory"),
        (30_000, 30_000, {}, r"announces planes of 30000×30000 pixels, more than it stores"),
        (30_000, 30_000, {"count": 0}, r"announces planes of 30000×30000 pixels, more than it"),
        (4096, 4096, {"rows": 1}, r"announces planes of 4096×4096 pixels, more than it stores"),
        (0, 5, {}, r"holds no pixels \(5×0\); export it"),
        (5, 0, {}, "is no TIFF file, or a damaged one"),
        (5, 5, {"bits": 0}, "holds values of a kind that is no number; save it as a grey-value"),
        (5, 5, {"bits": 129}, "holds values of a kind that is no number"),
        (5, 5, {"format": 6, "compression": 1}, "holds values of a kind that is no number"),
        (5, 5, {"format": 99, "compression": 1}, "holds values of a kind that is no number"),
    ],
)
def test_what_a_small_file_announces_is_not_believed(
    width: int, height: int, tags: dict[str, int], sentence: str, tmp_path: Path
) -> None:
    with pytest.raises(FileError, match=sentence):
        open_tiff(tiny(tmp_path / "a.tif", width, height, **tags))


def test_blank_planes_and_planes_that_were_never_written_open(tmp_path: Path) -> None:
    blank = np.zeros((3, 2048, 2048), np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", blank, compression="zlib", photometric="minisblack")
    assert not open_tiff(tmp_path / "a.tif").array[1, :9, :9].any()
    tifffile.imwrite(tmp_path / "b.tif", blank, compression="zstd", **TILES)
    assert not open_tiff(tmp_path / "b.tif").array[2, :9, :9].any()
    path = tiny(tmp_path / "c.tif", 64, 64, count=0)
    assert not open_tiff(path).array[:9, :9].any()
