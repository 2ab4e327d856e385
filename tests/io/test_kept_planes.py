"""What is kept of a plane comes back as it was, from a file that has a bound and goes."""

from __future__ import annotations

import gc
import tempfile
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from napari_unet.io import kept_planes
from napari_unet.io.kept_planes import KeptPlanes


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    values: npt.NDArray[Any]


@dataclass(frozen=True, slots=True, eq=False)
class Plane:
    parts: tuple[Part, int]
    pairs: npt.NDArray[Any]
    name: str


def plane(seed: int) -> Plane:
    rng = np.random.default_rng(seed)
    starts = np.cumsum(rng.integers(1, 300, 500)).astype(np.uint32)
    pairs = rng.integers(-(2**60), 2**60, (seed, 2))
    return Plane((Part(starts), seed), pairs, f"plane {seed}")


def assert_same(one: Plane, other: Plane) -> None:
    assert (one.parts[1], one.name) == (other.parts[1], other.name)
    for mine, theirs in ((one.parts[0].values, other.parts[0].values), (one.pairs, other.pairs)):
        assert mine.dtype == theirs.dtype
        np.testing.assert_array_equal(mine, theirs)


def test_planes_come_back_as_they_were() -> None:
    kept: KeptPlanes[Plane] = KeptPlanes()
    for number in (7, 0, 3, 7):  # 7 again, in its own place
        kept.keep(number, plane(number))
    for number in (0, 3, 7):
        assert_same(kept.read(number), plane(number))
    assert 1 not in kept


def test_what_does_not_fit_is_not_kept_and_the_rest_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_planes, "_MOST", 5000)
    kept: KeptPlanes[Plane] = KeptPlanes()
    for number in range(40):
        kept.keep(number, plane(number))
    assert 0 in kept
    assert 39 not in kept
    assert_same(kept.read(0), plane(0))


def test_a_disk_that_is_full_does_no_harm(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(**_: Any) -> Any:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tempfile, "TemporaryFile", fail)
    kept: KeptPlanes[Plane] = KeptPlanes()
    kept.keep(0, plane(0))
    assert 0 not in kept


def test_the_file_is_closed_when_nobody_needs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[Any] = []
    make = tempfile.TemporaryFile

    def remember(**options: Any) -> Any:
        opened.append(make(**options))
        return opened[-1]

    monkeypatch.setattr(tempfile, "TemporaryFile", remember)
    kept: KeptPlanes[Plane] = KeptPlanes()
    kept.keep(0, plane(0))
    del kept
    gc.collect()
    assert [file.closed for file in opened] == [True]
