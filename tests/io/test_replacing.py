"""What a killed process leaves beside a file is cleared up, and the older file comes back."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from napari_unet.io.images import open_image
from napari_unet.io.labels import write_labels
from napari_unet.io.replacing import replacing

PLANE = np.full((8, 8), 3, np.uint8)

KILLED = """
import os, signal, sys
from pathlib import Path
import numpy as np
from napari_unet.io.labels import write_labels

rename = Path.rename
count = int(sys.argv[2])

def rename_and_die(self, target):
    global count
    count -= 1
    if count == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return rename(self, target)

Path.rename = rename_and_die
write_labels(sys.argv[1], [np.ones((8, 8), np.uint8)], shape=(8, 8), axes="YX", spacing={})
"""


def write(path: Path, plane: np.ndarray) -> None:
    write_labels(path, [plane], shape=plane.shape, axes="YX", spacing={})


@pytest.mark.skipif(sys.platform == "win32", reason="kills as POSIX does")
@pytest.mark.parametrize("renames", [1, 2])
def test_a_kill_while_a_zarr_is_replaced_loses_no_result(renames: int, tmp_path: Path) -> None:
    path = tmp_path / "cells.zarr"
    write(path, PLANE)
    command = [sys.executable, "-c", KILLED, str(path), str(renames)]
    assert subprocess.run(command, check=False).returncode != 0
    assert path.exists() == (renames == 1)
    np.testing.assert_array_equal(np.asarray(open_image(path).array), PLANE)
    write(path, PLANE + 1)
    np.testing.assert_array_equal(np.asarray(open_image(path).array), PLANE + 1)
    assert [left.name for left in tmp_path.iterdir()] == ["cells.zarr"]


def test_leftovers_of_dead_processes_go_and_those_of_living_ones_stay(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    with replacing(path) as temporary:
        temporary.write_text("new")
    with subprocess.Popen([sys.executable, "-c", ""]) as dead:
        pass
    with subprocess.Popen(
        [sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE
    ) as living:
        names = {
            number: temporary.name.replace(f"-{os.getpid()}-", f"-{number}-")
            for number in (dead.pid, living.pid, os.getpid())
        }
        foreign = f".a.tif.00000000-{dead.pid}-0123abcd.part"  # of another computer
        for name in (*names.values(), foreign, ".a.tif.part", ".a.tif.mine.old"):
            (tmp_path / name).write_text("begun")
        with replacing(path) as temporary:
            temporary.write_text("newer")
        living.communicate(b"\n")
    left = {file.name for file in tmp_path.iterdir()}
    kept = {names[living.pid], names[os.getpid()], foreign, ".a.tif.part", ".a.tif.mine.old"}
    assert left == {"a.tif"} | kept
    assert path.read_text() == "newer"
