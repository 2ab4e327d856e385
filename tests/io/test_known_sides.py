"""The fastest sides of tiles are kept on disk; a broken file costs a trial and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from napari_unet.io.known_sides import KeptSides

WAY = "desk: CPU, 2 threads, PyTorch; 16 channels, 4 levels"


@pytest.fixture
def file(user_data: Path) -> Path:
    return user_data / "cache" / "napari-unet-paint" / "tiles.json"


def test_a_side_is_known_in_the_next_run() -> None:
    assert dict(KeptSides()) == {}
    KeptSides()[WAY] = 352
    assert dict(KeptSides()) == {WAY: 352}


def test_what_another_program_has_found_meanwhile_stays() -> None:
    mine, other = KeptSides(), KeptSides()
    other["GPU"] = 1440
    mine[WAY] = 352
    assert dict(KeptSides()) == {"GPU": 1440, WAY: 352}


@pytest.mark.parametrize("content", [b"", b"[1]", b"{", b"\xff", b'{"%s": "wide"}' % WAY.encode()])
def test_a_broken_file_counts_as_empty_and_is_mended(content: bytes, file: Path) -> None:
    file.parent.mkdir(parents=True)
    file.write_bytes(content)

    sides = KeptSides()
    assert dict(sides) == {}
    sides[WAY] = 512
    assert dict(KeptSides()) == {WAY: 512}


def test_where_nothing_can_be_written_it_is_kept_in_memory(file: Path) -> None:
    file.parent.parent.mkdir(parents=True)
    file.parent.write_text("in the way")

    sides = KeptSides()
    sides[WAY] = 512

    assert sides[WAY] == 512
    assert dict(KeptSides()) == {}
