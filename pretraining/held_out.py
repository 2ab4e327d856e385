"""Images of DSB2018 and BBBC039 that pretraining never sees: benchmarks measure on them.

An image is chosen by a checksum of its name, so the choice is the same everywhere and for good.
Some fields are in both sets; where one of a pair is held out, the other is too.
"""

from __future__ import annotations

import csv
import os
from functools import lru_cache
from pathlib import Path
from zlib import crc32

__all__ = ["DATA", "is_held_out_bbbc039", "is_held_out_dsb"]

DATA = Path(os.environ.get("NAPARI_UNET_DATA", Path(__file__).parents[2] / "shared" / "data"))
"""Folder with the sets; see the README of this folder."""

_ONE_IN_DSB = 10
_ONE_IN_BBBC039 = 5


def is_held_out_dsb(name: str) -> bool:
    """Return whether an image of DSB2018 stage 1 is held out; `name` without ending."""
    twin = _twins().get(name)
    return crc32(name.encode()) % _ONE_IN_DSB == 0 or (twin is not None and _chosen(twin))


def is_held_out_bbbc039(name: str) -> bool:
    """Return whether a field of BBBC039 is held out; `name` without ending."""
    twins = [dsb for dsb, field in _twins().items() if field == name]
    return _chosen(name) or any(crc32(dsb.encode()) % _ONE_IN_DSB == 0 for dsb in twins)


def _chosen(field: str) -> bool:
    return crc32(field.encode()) % _ONE_IN_BBBC039 == 0


@lru_cache(maxsize=1)
def _twins() -> dict[str, str]:
    """Return the field of BBBC039 that each of these images of DSB2018 shows as well."""
    with (DATA / "dsb2018" / "overlap_with_bbbc039.csv").open(newline="") as table:
        return {
            row["dsb2018_name"]: Path(row["bbbc039_file"]).stem for row in csv.DictReader(table)
        }
