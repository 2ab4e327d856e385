"""Files and words of strangers are opened, or refused with a sentence: the short form of `fuzz`."""

from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path

import pytest

from benchmarks.fuzz import FAULTS, campaign, report
from benchmarks.fuzz_readers import READERS, Reader, Refusal, make_input
from benchmarks.fuzz_worker import read_input
from napari_unet.engine.errors import FileError

_EACH = {"words": 6, "folder": 12, "strokes": 12, "training": 10, "segmentation": 20}  # else 60


@pytest.mark.parametrize("name", READERS)
def test_nothing_but_opened_and_refused(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    read = [
        read_input(name, make_input(name, 7, number), tmp_path / str(number), number)
        for number in range(_EACH.get(name, 60))
    ]
    assert [(o.number, o.kind, o.where) for o in read if o.kind in FAULTS] == []
    assert {o.kind for o in read} <= {"opened", "refused"}


def test_an_input_is_the_same_each_time() -> None:
    for name in READERS:
        assert make_input(name, 3, 11) == make_input(name, 3, 11) != make_input(name, 3, 12)


def misbehave(folder: Path) -> None:
    """Do with a file what no reader may do, or may."""
    kind = json.loads((folder / "a").read_bytes())
    if kind == "crash":
        os.abort()
    elif kind == "traceback":
        raise KeyError(kind)
    elif kind == "sentence":
        raise FileError("what\nis it")
    elif kind == "reach":
        Path("/etc/hostname").read_bytes()
    elif kind == "memory":
        raise FileError("It needs more memory.") from MemoryError()
    elif kind == "refused":
        raise Refusal("It is no image.")


KINDS = ["crash", "traceback", "sentence", "reach", "memory", "refused", "opened"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the campaign forks its processes")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_campaign_finds_every_fault_and_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    inputs = [{"a": json.dumps(kind).encode()} for kind in KINDS]
    reader = Reader(1, lambda: inputs, lambda files, _: files, misbehave)
    monkeypatch.setitem(READERS, "tiff", reader)
    monkeypatch.setattr("benchmarks.fuzz.BATCH", 20)
    output = tmp_path / "fuzz.jsonl"
    campaign(["tiff"], 40, 0, output)
    before = output.read_text()
    campaign(["tiff"], 40, 0, output)
    assert output.read_text() == before  # all of it was done
    found = [json.loads(line) for line in before.splitlines()]
    counted = sum((Counter(told["outcomes"]) for told in found), Counter[str]())
    assert counted.total() == 40
    assert set(counted) == set(KINDS)
    assert report(output, ["tiff"], 0) == 40 - counted["refused"] - counted["opened"]
    assert "traceback: KeyError at test_fuzz.py" in capsys.readouterr().out
