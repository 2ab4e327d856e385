"""Tiles and planes come back from few bytes as they were; what says otherwise takes no memory."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from napari_unet.engine.events import Judged, PlaneDone
from napari_unet.engine.stack import RunLabels
from napari_unet.io.kept_arrays import (
    Packed,
    PackedPlane,
    PackedTile,
    described,
    pack,
    pack_plane,
    unpack,
    unpack_plane,
)
from napari_unet.io.plain import to_plain
from napari_unet.io.record_log import Entry


@pytest.mark.parametrize("dtype", [np.bool_, np.uint8, np.int32, np.uint64, np.float32])
def test_an_array_comes_back(dtype: Any) -> None:
    array = np.arange(24).reshape(2, 3, 4).astype(dtype)
    for part in (array, array[:, ::2], array[:0]):
        again = unpack(*pack(part))
        assert again.dtype == part.dtype
        np.testing.assert_array_equal(again, part)


def test_a_plane_comes_back_with_how_its_painted_objects_were_found() -> None:
    labels = np.repeat(np.arange(12).reshape(3, 4), 5, axis=1)
    judged = Judged(3, 5, ((slice(0, 2), slice(1, 4)),), split=1, merged=1)
    told, data = pack_plane(PlaneDone(7, RunLabels.of(labels), 11, judged=judged))
    ((again, _),) = described(PackedPlane, [Entry(to_plain(told), 0, len(data))])
    plane = unpack_plane(again, data)
    assert (plane.plane, plane.objects, plane.judged) == (7, 11, judged)
    assert plane.labels is not None
    np.testing.assert_array_equal(plane.labels.rows(slice(0, 3)), labels)


ARRAY, DATA = pack(np.arange(64, dtype=np.int32))
BAD = [
    (Packed((1 << 40,), "<i4"), DATA),
    (Packed((-64,), "<i4"), DATA),
    (Packed((63,), "<i4"), DATA),
    (Packed((1,) * 70 + (64,), "<i4"), DATA),
    (Packed((64,), "|O"), DATA),
    (Packed((64,), "[('a', '<i4')]"), DATA),
    (ARRAY, DATA[:-3]),
    (ARRAY, b""),
]


@pytest.mark.parametrize(("told", "data"), BAD)
def test_what_is_no_such_array_is_refused(told: Packed, data: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        unpack(told, data)


def test_labels_that_are_none_are_refused() -> None:
    told, data = pack_plane(PlaneDone(0, RunLabels.of(np.arange(12).reshape(3, 4)), 11))
    for other in (replace(told, shape=(2, 2)), replace(told, size=1), replace(told, size=10**9)):
        with pytest.raises(ValueError, match=r".+"):
            unpack_plane(other, data)


def test_a_record_that_tells_of_something_else_is_passed() -> None:
    right = to_plain(PackedTile((64,), "<i4", (0, 1, 0, 2)))
    wrong = [{}, right | {"at": [0, 1]}, right | {"shape": "x"}, right | {"at": [0, 1, 0, 1e999]}]
    entries = [Entry(about, 0, 1) for about in (*wrong, right)]
    assert [entry.about for _, entry in described(PackedTile, entries)] == [right]
