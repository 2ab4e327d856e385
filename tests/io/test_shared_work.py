"""What many processes write into one folder is whole, or is not there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from napari_unet.engine.errors import FileError
from napari_unet.engine.events import PlaneDone
from napari_unet.engine.stack import RunLabels
from napari_unet.io.shared_work import PlaneReport, SharedWork
from tests.engine.tiny import tiny_model

LABELS = np.array([[1, 1, 0, 2], [0, 0, 3, 2]], np.int32)


@pytest.fixture
def work(tmp_path: Path) -> SharedWork:
    found = SharedWork(tmp_path / "out.tif")
    found.prepare(tiny_model())
    return found


def test_a_tile_that_was_cut_short_is_not_there(work: SharedWork) -> None:
    tile = np.arange(12, dtype=np.uint8).reshape(1, 3, 4)
    work.keep_tile(2, 7, tile)
    found = work.tile(2, 7)
    assert found is not None
    np.testing.assert_array_equal(found, tile)

    (file,) = (path for path in (work.folder / "tiles").rglob("*") if path.is_file())
    file.write_bytes(file.read_bytes()[:-1])

    assert work.tile(2, 7) is None
    assert work.tile(2, 8) is None


def test_a_plane_is_numbered_above_those_before_it_or_as_it_was_linked(work: SharedWork) -> None:
    done = PlaneDone(4, RunLabels.of(LABELS), 3)
    assert work.keep_plane(done, "hash") == work.report(4) == PlaneReport(4, 3, "hash")

    np.testing.assert_array_equal(
        np.asarray(work.numbered(4, 10).labels), [[11, 11, 0, 12], [0, 0, 13, 12]]
    )

    linked = np.array([[9, 9, 0, 5], [0, 0, 20, 5]], np.int32)
    assert work.new_objects(4) is None
    work.keep_numbers(PlaneDone(4, RunLabels.of(linked), 1))
    assert work.new_objects(4) == 1
    np.testing.assert_array_equal(np.asarray(work.numbered(4).labels), linked)


def test_a_plane_that_is_gone_is_said(work: SharedWork) -> None:
    with pytest.raises(FileError, match=r"finished of plane 4 is not in '.*out.tif.shared' any"):
        work.plane(4)


def test_a_folder_of_something_else_stays(tmp_path: Path) -> None:
    strange = tmp_path / "out.tif.shared" / "thesis.txt"
    strange.parent.mkdir()
    strange.write_text("years of work")

    with pytest.raises(FileError, match="is a folder with other files in it; move it away"):
        SharedWork(tmp_path / "out.tif").prepare(tiny_model())

    assert [*strange.parent.iterdir()] == [strange]
