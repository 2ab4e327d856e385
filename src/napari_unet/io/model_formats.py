"""The formats in which other programs take models, known without loading PyTorch."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

OWN_SUFFIX = ".safetensors"
LICENSE = "BSD-3-Clause"
"""Of the bundled weights, as SPDX calls it."""


class SharedFormat(StrEnum):
    """What a model is written as for other programs."""

    BIOIMAGEIO = "bioimageio"
    ONNX = "onnx"
    TORCHSCRIPT = "torchscript"


SUFFIXES = {
    SharedFormat.BIOIMAGEIO: ".zip",
    SharedFormat.ONNX: ".onnx",
    SharedFormat.TORCHSCRIPT: ".pt",
}


@dataclass(frozen=True, slots=True)
class Credits:
    """What a package says of a model."""

    name: str = ""  # empty: as its file
    authors: tuple[str, ...] = ()  # empty: nobody by name
    license: str = LICENSE


def format_of(path: Path) -> SharedFormat | None:
    """Return the format that a file's name ends in; None: any other, as that of one's own models.

    Examples
    --------
    >>> format_of(Path("cells.zip"))
    <SharedFormat.BIOIMAGEIO: 'bioimageio'>
    """
    suffix = path.suffix.lower()
    return next((form for form, known in SUFFIXES.items() if known == suffix), None)
