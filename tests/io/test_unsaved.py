"""What a crashed program had painted is found, once, and nothing of a running one is."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from napari_unet.engine.errors import FileError
from napari_unet.io.process import Process
from napari_unet.io.stack import Layout
from napari_unet.io.unsaved import (
    DAYS_KEPT,
    UnsavedLabels,
    UnsavedRecord,
    find_leftovers,
    new_path,
    usual_folder,
)

LAYOUT = Layout((3, 40, 30), "ZYX")
STROKE = np.full((4, 30), 7, np.uint16)


@pytest.fixture(scope="module")
def dead() -> Process:
    """A process that has ended."""
    with subprocess.Popen(
        [sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE
    ) as process:
        return replace(Process(), number=process.pid)


def keep(process: Process, name: str = "strokes", *, days: float = 0) -> UnsavedLabels:
    kept = UnsavedLabels(LAYOUT, np.uint16, new_path(usual_folder()))
    kept.begin(UnsavedRecord(name, "cells", process=process))
    kept.write(1, 8, STROKE)
    when = time.time() - days * 24 * 3600
    os.utime(kept.path / "unsaved.json", (when, when))
    return kept


def test_what_a_dead_process_left_comes_back_whole(dead: Process) -> None:
    keep(dead)
    (left,) = find_leftovers(usual_folder())
    assert (left.record.name, left.record.image, left.shape) == ("strokes", "cells", (3, 40, 30))
    labels = left.take().read()
    assert labels.dtype == np.uint16
    assert (labels[1, 8:12] == 7).all()
    assert labels.sum() == STROKE.sum()


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("unsaved.json", "[" * 100_000),
        ("0/zarr.json", "[" * 100_000),
        ("0/zarr.json", '{"zarr_format": 3, "node_type": "array", "fill_value": 1e999}'),
        ("0/zarr.json", None),
    ],
)
def test_what_is_damaged_is_not_offered(file: str, text: str | None, dead: Process) -> None:
    kept = keep(dead)
    assert kept.path is not None
    told = (kept.path / file).read_text()
    (kept.path / file).write_text(told.replace("40", "4000000000") if text is None else text)
    assert find_leftovers(usual_folder()) == []


def test_what_a_running_process_keeps_is_not_offered(dead: Process) -> None:
    kept = keep(Process())
    keep(replace(dead, host="another"))  # perhaps it runs
    keep(replace(dead, host="another"), "old", days=2)
    assert [left.record.name for left in find_leftovers(usual_folder())] == ["old"]
    assert kept.path.exists()


def test_only_one_of_two_windows_takes_it(dead: Process) -> None:
    keep(dead)
    (left,) = find_leftovers(usual_folder())
    taken = left.take()
    with pytest.raises(FileError, match="does not exist"):
        left.take()
    assert find_leftovers(usual_folder()) == []  # it is this process's now
    taken.remove()
    assert not taken.path.exists()


def test_a_removed_folder_is_not_made_again_by_a_late_writer() -> None:
    kept = keep(Process())
    kept.remove()
    kept.write(0, 0, STROKE)
    kept.note_time()
    kept.begin(UnsavedRecord("strokes"))
    assert list(kept.path.parent.iterdir()) == []


def test_a_dismissed_one_is_not_offered_but_stays(dead: Process) -> None:
    kept = keep(dead)
    find_leftovers(usual_folder())[0].dismiss()
    assert find_leftovers(usual_folder()) == []
    assert kept.path.exists()


def test_leftovers_do_not_pile_up(dead: Process) -> None:
    old = keep(dead, days=DAYS_KEPT + 1)
    for number in range(22):
        keep(dead, str(number), days=number / 100)
    assert [left.record.name for left in find_leftovers(usual_folder())] == [
        str(n) for n in range(20)
    ]
    assert len(list(old.path.parent.iterdir())) == 20


def test_a_damaged_plane_takes_no_other_with_it(dead: Process) -> None:
    kept = keep(dead)
    kept.write(2, 0, STROKE)
    (kept.path / "0" / "c" / "2" / "0" / "0").write_bytes(b"cut")
    labels = find_leftovers(usual_folder())[0].take().read()
    assert (labels[1, 8:12] == 7).all()
    assert not labels[2].any()


@pytest.mark.parametrize("text", ["", "{}", "[]", json.dumps({"name": 3}), "\0"])
def test_a_damaged_record_is_passed_over(text: str, dead: Process) -> None:
    kept = keep(dead)
    (kept.path / "unsaved.json").write_text(text)
    assert find_leftovers(usual_folder()) == []


def test_a_folder_that_was_only_begun_goes(dead: Process, tmp_path: Path) -> None:
    kept = keep(dead)
    (kept.path / "unsaved.json").unlink()
    assert find_leftovers(usual_folder()) == []
    assert kept.path.exists()  # it may be in the making
    os.utime(kept.path, (0, 0))
    assert find_leftovers(usual_folder()) == []
    assert not kept.path.exists()


def test_zarrs_of_other_people_in_the_folder_are_left_alone(tmp_path: Path) -> None:
    own = tmp_path / "cells.zarr"
    own.mkdir()
    os.utime(own, (0, 0))
    assert find_leftovers(tmp_path) == []
    assert own.exists()


def test_the_first_painted_plane_is_shown_while_the_folder_stays(dead: Process) -> None:
    kept = keep(dead)
    (left,) = find_leftovers(usual_folder())
    found = left.first_plane()
    assert found is not None
    assert found[0] == 1
    assert (found[1][8:12] == 7).all()
    assert kept.path.exists()


def test_a_folder_that_vanishes_is_made_anew(dead: Process) -> None:
    kept = keep(dead)
    shutil.rmtree(kept.path)
    kept.write(0, 0, STROKE)
    with pytest.raises(FileNotFoundError):
        kept.note_time()
    assert not kept.has_begun
    assert not kept.path.exists()
    kept.begin(UnsavedRecord("strokes", "cells", process=dead))
    kept.write(1, 8, STROKE)
    (left,) = find_leftovers(usual_folder())
    assert left.take().read().sum() == STROKE.sum()


def test_only_stored_planes_are_read_of_however_many(dead: Process) -> None:
    """A million planes, of which one is painted, are there at once."""
    layout = Layout((1000, 1000, 8, 8), "TZYX")
    kept = UnsavedLabels(layout, np.uint8, new_path(usual_folder()))
    kept.begin(UnsavedRecord("strokes", "cells", process=dead))
    kept.write(998_007, 0, np.full((1, 8), 5, np.uint8))

    (left,) = find_leftovers(usual_folder())
    begin = time.process_time()
    first = left.first_plane()
    labels = left.take().read()

    assert time.process_time() - begin < 5
    assert first is not None
    assert first[0] == 998_007
    assert labels[998, 7, 0, 0] == 5
    assert labels.sum() == 8 * 5


def test_a_single_plane_comes_back(dead: Process) -> None:
    kept = UnsavedLabels(Layout((8, 8), "YX"), np.uint8, new_path(usual_folder()))
    kept.begin(UnsavedRecord("strokes", process=dead))
    kept.write(0, 2, np.full((1, 8), 5, np.uint8))
    (left,) = find_leftovers(usual_folder())
    assert left.first_plane() is not None
    assert left.take().read().sum() == 8 * 5
