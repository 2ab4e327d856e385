"""What a crashed program had painted is found, once, and nothing of a running one is."""

from __future__ import annotations

import json
import os
import shutil
import time
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
from tests.io.ended import ELSEWHERE, GONE, end

LAYOUT = Layout((3, 40, 30), "ZYX")
STROKE = np.full((4, 30), 7, np.uint16)


def keep(name: str = "strokes", *, days: float = 0, by: Process | None = GONE) -> UnsavedLabels:
    kept = UnsavedLabels(LAYOUT, np.uint16, new_path(usual_folder()))
    kept.begin(UnsavedRecord(name, "cells"))
    if by is not None:
        end(usual_folder(), by)
    kept.write(1, 8, STROKE)
    when = time.time() - days * 24 * 3600
    for file in (*kept.path.parent.glob(f".{kept.path.name}.*"), kept.path, *kept.path.iterdir()):
        os.utime(file, (when, when))
    return kept


def test_what_a_dead_process_left_comes_back_whole() -> None:
    keep()
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
def test_what_is_damaged_is_not_offered(file: str, text: str | None) -> None:
    kept = keep()
    assert kept.path is not None
    told = (kept.path / file).read_text()
    (kept.path / file).write_text(told.replace("40", "4000000000") if text is None else text)
    assert find_leftovers(usual_folder()) == []


def test_what_a_running_process_keeps_is_not_offered() -> None:
    kept = keep(by=None)
    keep(by=ELSEWHERE)  # perhaps it runs
    keep("old", by=ELSEWHERE, days=2)
    assert [left.record.name for left in find_leftovers(usual_folder())] == ["old"]
    assert kept.path.exists()


def test_only_one_of_two_windows_takes_it() -> None:
    keep()
    (left,) = find_leftovers(usual_folder())
    taken = left.take()
    for again in (left.take, left.dismiss):
        with pytest.raises(FileError, match="still going on in another window"):
            again()
    assert find_leftovers(usual_folder()) == []  # it is this process's now
    taken.remove()
    assert not taken.path.exists()
    with pytest.raises(FileError, match="does not exist"):
        left.take()


def test_a_removed_folder_is_not_made_again_by_a_late_writer() -> None:
    kept = keep(by=None)
    kept.remove()
    kept.write(0, 0, STROKE)
    kept.note_time()
    kept.begin(UnsavedRecord("strokes"))
    assert list(kept.path.parent.iterdir()) == []


def test_a_dismissed_one_is_not_offered_but_stays() -> None:
    kept = keep()
    find_leftovers(usual_folder())[0].dismiss()
    assert find_leftovers(usual_folder()) == []
    assert kept.path.exists()


def test_leftovers_do_not_pile_up() -> None:
    old = keep(days=DAYS_KEPT + 1)
    for number in range(22):
        keep(str(number), days=number / 100)
    assert [left.record.name for left in find_leftovers(usual_folder())] == [
        str(n) for n in range(20)
    ]
    assert len(list(old.path.parent.iterdir())) == 20


def test_a_damaged_plane_takes_no_other_with_it() -> None:
    kept = keep()
    kept.write(2, 0, STROKE)
    (kept.path / "0" / "c" / "2" / "0" / "0").write_bytes(b"cut")
    labels = find_leftovers(usual_folder())[0].take().read()
    assert (labels[1, 8:12] == 7).all()
    assert not labels[2].any()


@pytest.mark.parametrize("text", ["", "{}", "[]", json.dumps({"name": 3}), "\0"])
def test_a_damaged_record_is_passed_over(text: str) -> None:
    kept = keep()
    (kept.path / "unsaved.json").write_text(text)
    assert find_leftovers(usual_folder()) == []


def test_a_folder_that_was_only_begun_goes(tmp_path: Path) -> None:
    kept = keep()
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


def test_the_first_painted_plane_is_shown_while_the_folder_stays() -> None:
    kept = keep()
    (left,) = find_leftovers(usual_folder())
    found = left.first_plane()
    assert found is not None
    assert found[0] == 1
    assert (found[1][8:12] == 7).all()
    assert kept.path.exists()


def test_a_folder_that_vanishes_is_made_anew() -> None:
    kept = keep()
    shutil.rmtree(kept.path)
    kept.write(0, 0, STROKE)
    with pytest.raises(FileNotFoundError):
        kept.note_time()
    assert not kept.has_begun
    assert not kept.path.exists()
    kept.begin(UnsavedRecord("strokes", "cells"))
    kept.write(1, 8, STROKE)
    end(usual_folder())
    (left,) = find_leftovers(usual_folder())
    assert left.take().read().sum() == STROKE.sum()


def test_only_stored_planes_are_read_of_however_many() -> None:
    """A million planes, of which one is painted, are there at once."""
    layout = Layout((1000, 1000, 8, 8), "TZYX")
    kept = UnsavedLabels(layout, np.uint8, new_path(usual_folder()))
    kept.begin(UnsavedRecord("strokes", "cells"))
    kept.write(998_007, 0, np.full((1, 8), 5, np.uint8))
    end(usual_folder())

    (left,) = find_leftovers(usual_folder())
    begin = time.process_time()
    first = left.first_plane()
    labels = left.take().read()

    assert time.process_time() - begin < 5
    assert first is not None
    assert first[0] == 998_007
    assert labels[998, 7, 0, 0] == 5
    assert labels.sum() == 8 * 5


def test_a_single_plane_comes_back() -> None:
    kept = UnsavedLabels(Layout((8, 8), "YX"), np.uint8, new_path(usual_folder()))
    kept.begin(UnsavedRecord("strokes"))
    kept.write(0, 2, np.full((1, 8), 5, np.uint8))
    end(usual_folder())
    (left,) = find_leftovers(usual_folder())
    assert left.first_plane() is not None
    assert left.take().read().sum() == 8 * 5
