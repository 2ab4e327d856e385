"""What a killed process leaves beside a file is cleared up, and the older file comes back."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil  # type: ignore[import-untyped]
import pytest

from napari_unet.io import replacing as replacing_module
from napari_unet.io.images import open_image
from napari_unet.io.labels import write_labels
from napari_unet.io.process import Process
from napari_unet.io.replacing import replacing
from tests.io.ended import ELSEWHERE

two_processes = pytest.mark.skipif(sys.platform == "win32", reason="open files cannot be replaced")

PLANE = np.full((8, 8), 3, np.uint8)

KILLED = """
import os, signal, sys
from pathlib import Path
import numpy as np
from napari_unet.io import replacing
from napari_unet.io.labels import write_labels

replacing.swap = lambda *_: False  # as on a system without it
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
        own = Process()
        follower = replace(own, started=own.started - 3600)  # whose number is ours by now
        begun = int(psutil.Process(living.pid).create_time())
        runs = Process(number=living.pid, started=begun)
        processes = (replace(own, number=dead.pid), runs, own, follower)
        names = [temporary.name.replace(own.mark, process.mark) for process in processes]
        foreign = temporary.name.replace(own.mark, ELSEWHERE.mark)
        for name in (*names, foreign, ".a.tif.part", ".a.tif.mine.old"):
            (tmp_path / name).write_text("begun")
        with replacing(path) as temporary:
            temporary.write_text("newer")
        living.communicate(b"\n")
    left = {file.name for file in tmp_path.iterdir()}
    kept = {names[1], names[2], foreign, ".a.tif.part", ".a.tif.mine.old"}
    assert left == {"a.tif"} | kept
    assert path.read_text() == "newer"


def test_what_another_file_of_the_folder_was_to_be_is_cleared_up_too(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as dead:
        pass
    with replacing(tmp_path / "other.zarr") as temporary:
        temporary.mkdir()
        left = tmp_path / temporary.name.replace(f"-{os.getpid()}-", f"-{dead.pid}-")
    (tmp_path / "other.zarr").rename(left)
    aside, foreign = (tmp_path / left.name.replace(*pair) for pair in FOREIGN)
    for path in (aside, foreign):
        path.write_text("begun")
    days = 15 * 24 * 3600
    old = foreign.with_name(foreign.name.replace("other", "older"))
    old.write_text("begun")
    os.utime(old, (time.time() - days,) * 2)

    with replacing(tmp_path / "a.tif") as temporary:
        temporary.write_text("new")

    # What was put aside is the only copy of something; another computer may still write.
    assert {file.name for file in tmp_path.iterdir()} == {"a.tif", aside.name, foreign.name}


FOREIGN = ((".part", ".old"), (f".{Process().host}-", f".{ELSEWHERE.host}-"))


WRITES = """
import sys
import time
from pathlib import Path
import numpy as np
from napari_unet.io.labels import write_labels

value = int(sys.argv[2])
print("begun", flush=True)
sys.stdin.readline()
for _ in range(int(sys.argv[3])):
    write_labels(sys.argv[1], [np.full((8, 8), value, np.uint8)] * 3, shape=(3, 8, 8), axes="ZYX",
                 spacing={})
"""


@two_processes
@pytest.mark.parametrize("name", ["cells.zarr", "cells.tif"])
def test_two_processes_that_write_one_place_do_not_mix(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    write_labels(path, [PLANE] * 3, shape=(3, 8, 8), axes="ZYX", spacing={})
    programs = [
        subprocess.Popen(
            [sys.executable, "-c", WRITES, str(path), str(value), "12"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for value in (1, 2)
    ]
    for program in programs:
        assert program.stdout is not None
        assert program.stdin is not None
        program.stdout.readline()
    for program in programs:
        program.stdin.write("\n")  # type: ignore[union-attr]
        program.stdin.flush()  # type: ignore[union-attr]
    missing = 0
    while any(program.poll() is None for program in programs):
        missing += not path.exists()
    assert [program.wait() for program in programs] == [0, 0]
    for program in programs:
        program.communicate()
    if sys.platform == "linux":
        assert missing == 0  # replaced in one step
    found = np.unique(np.asarray(open_image(path).array))
    assert len(found) == 1
    assert found[0] in (1, 2)
    assert [left.name for left in tmp_path.iterdir()] == [name]


def test_without_a_swap_a_folder_that_others_replace_is_replaced_in_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replacing_module, "swap", lambda *_: False)
    path = tmp_path / "cells.zarr"
    write(path, PLANE)
    rename = Path.rename
    others = 3

    def rename_late(self: Path, target: Path) -> Path:
        nonlocal others
        if target == path and self.suffix == ".part" and others:
            others -= 1
            path.mkdir()
            (path / "of another process").touch()
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", rename_late)
    write(path, PLANE + 1)
    np.testing.assert_array_equal(np.asarray(open_image(path).array), PLANE + 1)
    assert others == 0
    assert [left.name for left in tmp_path.iterdir()] == ["cells.zarr"]


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="asks Linux which file it is")
@pytest.mark.parametrize("name", ["cells.zarr", "cells.tif"])
def test_a_file_has_its_name_once_it_is_on_the_disk(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / name
    synced: list[Path] = []

    def noted(opened: int) -> None:
        synced.append(Path(f"/proc/self/fd/{opened}").readlink())
        assert path.exists() == (synced[-1] == tmp_path)

    monkeypatch.setattr(os, "fsync", noted)
    write(path, PLANE)

    assert synced[-1] == tmp_path  # which knows the new name
    # Their names began with the temporary one.
    within = {Path(*p.relative_to(tmp_path).parts[1:]) for p in synced[:-1]}
    everything = {p.relative_to(path) for p in (path, *path.rglob("*"))}
    assert within == everything
