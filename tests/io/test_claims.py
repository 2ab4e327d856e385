"""Of several windows and commands one works on what is kept; none that has ended holds it up."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from napari_unet.engine.errors import FileError
from napari_unet.io.claims import claim, claimed, is_claimed
from napari_unet.io.process import Process
from tests.io.ended import ELSEWHERE, GONE, end

MANY = """
import sys
from pathlib import Path
from napari_unet.engine.errors import FileError
from napari_unet.io.claims import claim

print("begun", flush=True)
sys.stdin.readline()
try:
    held = claim(Path(sys.argv[1]), "It", quiet=60)
except FileError:
    print("refused", flush=True)
else:
    print("held", flush=True)
sys.stdin.readline()
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "cells.unfinished"


def test_the_second_gets_a_sentence_until_the_first_lets_go(path: Path) -> None:
    held = claim(path, "This training", quiet=60)
    match = f"This training is still going on in another .* .process {os.getpid()}.; let it end"
    with pytest.raises(FileError, match=match):
        claim(path, "This training", quiet=60)
    with claimed(path.with_name("other.unfinished"), "It", quiet=60):
        pass
    held.release()
    held.release()
    assert list(path.parent.iterdir()) == []
    claim(path, "This training", quiet=60)


def test_what_is_forgotten_is_let_go(path: Path) -> None:
    held = claim(path, "It", quiet=60)
    assert is_claimed(path, quiet=60)
    del held
    gc.collect()
    assert not is_claimed(path, quiet=60)


def test_long_names_that_begin_alike_are_told_apart(tmp_path: Path) -> None:
    long = "µ" * 120
    with (
        claimed(tmp_path / f"{long}1", "It", quiet=60),
        claimed(tmp_path / f"{long}2", "It", quiet=60),
    ):
        assert is_claimed(tmp_path / f"{long}1", quiet=60)
    assert not is_claimed(tmp_path / f"{long}1", quiet=60)


@pytest.mark.parametrize("also", ["killed", "number taken by another"])
def test_a_process_that_has_ended_holds_nothing(also: str, path: Path) -> None:
    held = claim(path, "It", quiet=60)
    end(path.parent, GONE if also == "killed" else Process(started=Process().started - 3600))
    assert not is_claimed(path, quiet=60)
    again = claim(path, "It", quiet=60)
    assert len(list(path.parent.iterdir())) == 1  # what was left of the claim has gone
    held.release()
    assert is_claimed(path, quiet=60)
    again.release()


def test_another_computer_holds_what_it_still_changes(path: Path) -> None:
    claim_of_theirs = claim(path, "It", quiet=60)
    end(path.parent, ELSEWHERE)
    (theirs,) = path.parent.iterdir()
    os.utime(theirs, (time.time() - 90,) * 2)
    path.touch()
    with pytest.raises(FileError, match="still going on"):
        claim(path, "It", quiet=60)
    os.utime(path, (time.time() - 90,) * 2)
    claim(path, "It", quiet=60)
    claim_of_theirs.release()


def test_of_many_that_come_at_once_at_most_one_gets_it(path: Path) -> None:
    command = [sys.executable, "-c", MANY, str(path)]
    pipe = subprocess.PIPE
    runs = [subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) for _ in range(3)]
    assert [_hear(run) for run in runs] == 3 * ["begun"]
    for run in runs:
        _press(run)
    told = [_hear(run) for run in runs]
    for run in runs:
        run.communicate("\n")
    assert told.count("held") <= 1
    assert set(told) <= {"held", "refused"}


def _hear(run: subprocess.Popen[str]) -> str:
    assert run.stdout is not None
    return run.stdout.readline().strip()


def _press(run: subprocess.Popen[str]) -> None:
    assert run.stdin is not None
    run.stdin.write("\n")
    run.stdin.flush()
