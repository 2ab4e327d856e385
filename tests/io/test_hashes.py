"""Hashes are the same for the same content, and for nothing else."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import tifffile
import zarr

from napari_unet.config import ObjectsConfig, TilingConfig
from napari_unet.engine.network import ObjectSizes
from napari_unet.engine.stack import ArrayPlanes, Normalization
from napari_unet.io import hashes
from napari_unet.io.checkpoints import load_model, save_model
from napari_unet.io.hashes import (
    PlaneHashes,
    file_stamp,
    join_hashes,
    model_hash,
    plane_hash,
    settings_hash,
    short_hash,
    stack_hash,
)
from napari_unet.io.images import open_image
from tests.engine.tiny import tiny_model


def test_an_image_has_one_hash_in_every_file_and_byte_order(
    grey: npt.NDArray[np.uint16], tmp_path: Path
) -> None:
    tifffile.imwrite(tmp_path / "big.tif", grey, byteorder=">", compression="zlib")
    tifffile.imwrite(tmp_path / "little.tif", grey, byteorder="<")
    zarr.create_array(str(tmp_path / "image.zarr"), data=grey)
    names = ("big.tif", "little.tif", "image.zarr")
    hashes = {stack_hash(open_image(tmp_path / name).planes()) for name in names}
    assert hashes == {stack_hash(ArrayPlanes(grey))}


def test_a_hash_does_not_depend_on_the_rows_read_at_once(
    grey: npt.NDArray[np.uint16], monkeypatch: pytest.MonkeyPatch
) -> None:
    planes = ArrayPlanes(grey, channel_axis=0)
    whole = plane_hash(planes, 0)
    monkeypatch.setattr(hashes, "_AT_ONCE", 6 * 52 * 7)
    assert plane_hash(planes, 0) == whole


def test_where_channels_are_stored_makes_no_difference(grey: npt.NDArray[np.uint16]) -> None:
    last = np.ascontiguousarray(np.moveaxis(grey, 0, -1))
    assert plane_hash(ArrayPlanes(last, channel_axis=-1), 0) == plane_hash(
        ArrayPlanes(grey, channel_axis=0), 0
    )


def test_any_other_pixel_type_shape_or_order_has_another_hash(
    grey: npt.NDArray[np.uint16],
) -> None:
    other = grey.copy()
    other[-1, -1, -1] += 1
    stacks = [grey, other, grey[::-1], grey[:5], grey.astype(np.int16), grey.reshape(6, 52, 40)]
    hashes = {stack_hash(ArrayPlanes(stack)) for stack in stacks}
    hashes |= {stack_hash(ArrayPlanes(grey, channel_axis=0)), stack_hash(ArrayPlanes(grey), (1, 2))}
    assert len(hashes) == len(stacks) + 2


def test_planes_that_do_not_count_may_change(grey: npt.NDArray[np.uint16]) -> None:
    other = grey.copy()
    other[0] = 0
    assert stack_hash(ArrayPlanes(other), (5, 2)) == stack_hash(ArrayPlanes(grey), (2, 5))


def test_hashes_of_planes_join_to_that_of_the_stack(grey: npt.NDArray[np.uint16]) -> None:
    planes = ArrayPlanes(grey)
    known = {plane: plane_hash(planes, plane) for plane in reversed(range(6))}
    assert join_hashes(planes, known) == stack_hash(planes)


def test_a_model_keeps_its_hash_when_it_is_saved_and_renamed(tmp_path: Path) -> None:
    model = tiny_model()
    trained = replace(model, record=replace(model.record, steps=7, started="yesterday"))
    path = save_model(trained, tmp_path / "other name.safetensors")
    assert model_hash(load_model(path)) == model_hash(model)


def test_a_model_that_answers_otherwise_has_another_hash() -> None:
    model = tiny_model()
    weights = {name: weight.clone() for name, weight in model.weights.items()}
    weights["head.bias"][0] += 1e-6
    record = replace(model.record, painted_objects=ObjectSizes(5, 9.0))
    others = [
        replace(model, weights=weights),
        replace(model, normalization=Normalization((0.0,), (254.0,))),
        replace(model, reduction=2),
        replace(model, record=record),
    ]
    assert len({model_hash(one) for one in (model, *others)}) == len(others) + 1


def test_settings_have_one_hash_as_long_as_they_are_equal() -> None:
    settings = ObjectsConfig(), TilingConfig()
    assert settings_hash(*settings) == settings_hash(*reversed(settings))
    assert settings_hash(*settings) != settings_hash(ObjectsConfig(neck=0.1), TilingConfig())


def test_a_hash_says_how_it_was_made() -> None:
    named = settings_hash(ObjectsConfig())
    algorithm, digits = named.split(":")
    assert (algorithm, len(digits), short_hash(named)) == ("blake2b", 32, digits[:8])


def test_the_stamp_of_a_file_changes_with_it(tmp_path: Path) -> None:
    path = tmp_path / "image.tif"
    assert file_stamp(path) is None
    path.write_bytes(b"12")
    before = file_stamp(path)
    os.utime(path, ns=(0, 10**9))
    after = file_stamp(path)
    assert before is not None
    assert after is not None
    assert before != after
    assert (after.size, after.modified) == (2, 10**9)
    assert file_stamp(tmp_path) is None


def test_a_plane_that_is_asked_for_twice_is_read_once(
    grey: npt.NDArray[np.uint16], monkeypatch: pytest.MonkeyPatch
) -> None:
    planes, read = ArrayPlanes(grey), list[int]()
    reads = ArrayPlanes.read

    def noted(self: ArrayPlanes, plane: int, y: slice, x: slice) -> npt.NDArray[np.uint16]:
        read.append(plane)
        return reads(self, plane, y, x)

    monkeypatch.setattr(ArrayPlanes, "read", noted)
    known = PlaneHashes(planes)
    assert known[2] == plane_hash(ArrayPlanes(grey), 2)
    read.clear()
    assert stack_hash(planes, (1, 2), known) == join_hashes(planes, {n: known[n] for n in (1, 2)})
    assert read == [1]
