"""Tables are whole or not there, and read the same in any program."""

from __future__ import annotations

import csv
import errno
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_unet.engine.errors import FileError
from napari_unet.io.tables import begin_table, check_unlocked, open_table_writer

ROWS = {
    "label": np.array([1, 2_000_000_000]),
    "area_um2": np.array([0.1 + 0.2, 1 / 3]),
    "perimeter_um": np.array([np.nan, 12.0]),
    "touches_border": np.array([True, False]),
}


def test_rows_come_under_their_names_and_what_is_no_number_is_empty(tmp_path: Path) -> None:
    path = tmp_path / "cells.csv"

    with open_table_writer(path, list(ROWS)) as write:
        write(ROWS)
        write({name: column[:1] for name, column in ROWS.items()})

    first, *rows = csv.reader(io.StringIO(path.read_text("utf-8")))
    assert first == list(ROWS)
    assert rows[0] == ["1", "0.3", "", "True"]
    assert rows[1] == ["2000000000", "0.3333333333", "12", "False"]
    assert rows[2] == rows[0]
    assert b"\r" not in path.read_bytes()


def test_a_table_that_fails_leaves_the_older_one(tmp_path: Path) -> None:
    path = tmp_path / "cells.csv"
    path.write_text("older")

    def fail() -> None:
        with open_table_writer(path, list(ROWS)) as write:
            write(ROWS)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [
        ("cells.csv", "older")
    ]


def test_a_table_that_excel_has_open_is_told_before_the_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "cells.csv"
    check_unlocked(path)  # there is none
    path.write_text("older")
    check_unlocked(path)

    def locked(*_args: Any, **_kwargs: Any) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "open", locked)
    with pytest.raises(FileError, match=r"open in another program; .* close the file there"):
        check_unlocked(path)


def test_a_table_can_go_to_standard_output() -> None:
    file = io.StringIO()
    begin_table(file, ["label"])({"label": np.array([3])})
    assert file.getvalue() == "label\n3\n"
