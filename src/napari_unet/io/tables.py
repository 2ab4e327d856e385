"""Tables out: CSV, row by row."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TextIO

import numpy as np
import numpy.typing as npt

from napari_unet.io.failures import cannot_write
from napari_unet.io.replacing import replacing

Columns = Mapping[str, npt.NDArray[Any]]
"""Columns of one length, by name."""

_NUMBER = "%.10g"  # that is not whole


Rows = Callable[[Columns], None]
"""Takes the next rows of a table."""


def check_unlocked(path: Path) -> None:
    """Learn now, not after the work, that another program has locked a file: Excel on Windows.

    Raises
    ------
    FileError
        If it may not be written.
    """
    try:
        with suppress(FileNotFoundError), path.open("r+b"):
            pass
    except OSError as error:
        raise cannot_write(path, error) from error


def begin_table(file: TextIO, names: Sequence[str]) -> Rows:
    """Write the first line of a CSV table, the names of its columns; return what takes its rows."""
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(names)
    return lambda rows: writer.writerows(zip(*(_texts(rows[n]) for n in names), strict=True))


@contextmanager
def open_table_writer(path: str | Path, names: Sequence[str]) -> Iterator[Rows]:
    """Open a CSV file for writing.

    The file appears under its name when the block ends well; otherwise nothing is left behind, and
    a file of that name stays as it was.

    Parameters
    ----------
    path
        Of the file.
    names
        Of the columns, its first line.

    Raises
    ------
    FileError
        If the folder is missing or read-only, the file is locked, or the disk is full.
    """
    with replacing(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        yield begin_table(file, names)


def _texts(column: npt.NDArray[Any]) -> list[str]:
    """Return the values as they are written; what is no number is left empty."""
    if column.dtype.kind != "f":
        return list(map(str, column.tolist()))
    texts = list(map(_NUMBER.__mod__, column.tolist()))
    for row in np.flatnonzero(np.isnan(column)):
        texts[row] = ""
    return texts
