"""Images that pretraining never sees: kept for the benchmark of stroke budgets.

Animals, fields and sections of one volume look alike, so whole ones are held out.

Of DSB2018 one image in eleven, of BBBC039 one field in five (57 and 10 of those at hand), by a
hash of the name, so that the choice does not depend on what else is in the folder. 43 images of
DSB2018 show the same field as one of BBBC039: both of a pair are held out if one of them is.
"""

from __future__ import annotations

import hashlib
from pathlib import PurePath

__all__ = [
    "HELD_OUT_SECTIONS",
    "SECTIONS",
    "is_held_out_animal",
    "is_held_out_bbbc039",
    "is_held_out_dsb",
    "is_held_out_field",
]

SECTIONS = range(100)
"""Sections of the FIB-SEM volume that may train; 20 before the held-out ones are not used."""
HELD_OUT_SECTIONS = range(120, 180)

_ANIMALS = {"sub-371", "sub-375", "sub-rat4", "sub-rat6"}  # two of seven mice, two of five rats
_FIELD_ONE_IN = 4

_SALT = "146:"  # with it, every kind of DSB2018 is held out in its share, and 10 of 50 fields
_DSB_ONE_IN, _BBBC039_ONE_IN = 11, 5
_NAME_STARTS = 10  # characters of a DSB2018 name that tell it from all others

# DSB2018 name : BBBC039 well and site, of the same field
_PAIRS = """
10ba6cbee4:I11_s6 175dbb364b:I15_s5 1b518cd2ea:J17_s1 1c8b905c95:J20_s1 1f6b7cead1:J02_s5
2abc40c118:O10_s8 2cfa61bef6:B21_s7 3ebd2ab34b:J16_s8 3f9fc8e63f:G16_s6 4596961c78:L03_s6
49edc2f771:L21_s5 4d2cff9a0c:N08_s2 53ad09e434:E19_s4 5f9d29d638:K05_s7 61dc249314:B21_s4
62057502c3:A18_s1 6b6d4e6ff5:F08_s7 6b72b61b80:F08_s1 6fe2df6de1:K12_s7 700afb1cd8:P10_s7
76faaed50e:C23_s2 876423522b:O18_s7 958114e5f3:N07_s5 98a463483f:G10_s3 a02ec007ae:L01_s3
a486f6ed4b:M20_s3 a65bbfc567:J15_s9 a7a581e676:F22_s6 a891bbc891:M04_s3 aaa52100fa:N12_s9
b1f23c4d27:G16_s3 b76ff33ae9:P13_s6 bb8ebf465c:H08_s8 bbfc4aab56:P23_s7 bde3727f3a:J02_s8
c44ed955eb:I04_s9 cc88627344:K18_s8 d52958107d:O16_s3 dd54adb803:D10_s2 e52960d31f:H17_s1
e5a6c5e01e:N21_s1 e7a3a7c994:D06_s5 ecb36c90cd:K06_s9
"""
_FIELD_OF_DSB = dict(pair.split(":") for pair in _PAIRS.split())
_DSB_OF_FIELD = {field: name for name, field in _FIELD_OF_DSB.items()}


def is_held_out_dsb(name: str) -> bool:
    """Tell whether a DSB2018 image is kept from pretraining.

    Parameters
    ----------
    name
        Its id, the file name without suffix.
    """
    start = name[:_NAME_STARTS]
    field = _FIELD_OF_DSB.get(start)
    return _drawn(start, _DSB_ONE_IN) or (field is not None and _drawn(field, _BBBC039_ONE_IN))


def is_held_out_bbbc039(stem: str) -> bool:
    """Tell whether a BBBC039 field is kept from pretraining.

    Parameters
    ----------
    stem
        Its file name with or without suffix: ``IXMtest_<well>_<site>_<id>``.
    """
    field = "_".join(PurePath(stem).name.split("_")[1:3])
    twin = _DSB_OF_FIELD.get(field)
    return _drawn(field, _BBBC039_ONE_IN) or (twin is not None and _drawn(twin, _DSB_ONE_IN))


def is_held_out_animal(stem: str) -> bool:
    """Tell whether an electron micrograph of axons is kept from pretraining.

    Parameters
    ----------
    stem
        Its file name: ``sub-<animal>_sample-…``.
    """
    return stem.partition("_")[0] in _ANIMALS


def is_held_out_field(stem: str) -> bool:
    """Tell whether a field of Usiigaci, BBBC030 or the NIST colonies is kept from pretraining.

    Parameters
    ----------
    stem
        Its file name without suffix.
    """
    return _drawn(stem, _FIELD_ONE_IN)


def _drawn(name: str, one_in: int) -> bool:
    digest = hashlib.sha256((_SALT + name).encode()).digest()
    return int.from_bytes(digest[:8]) % one_in == 0
