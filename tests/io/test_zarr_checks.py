"""A zarr from a stranger can only hold numbers: nothing of it runs, and no size is believed."""

from __future__ import annotations

import asyncio
import gzip
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from zarr.core.buffer import default_buffer_prototype

from napari_unet.engine.errors import FileError
from napari_unet.io.images import open_image
from napari_unet.io.napari_hooks import read_layers
from napari_unet.io.zarr_checks import CheckedStore


def format_2(folder: Path, **changes: Any) -> Path:
    """Write the metadata of an array of zarr format 2, and no chunk."""
    told = {
        "zarr_format": 2,
        "shape": [64, 64],
        "chunks": [64, 64],
        "dtype": "<u2",
        "order": "C",
        "fill_value": 0,
        "filters": None,
        "compressor": None,
    }
    path = folder / "a.zarr"
    path.mkdir()
    (path / ".zarray").write_text(json.dumps({**told, **changes}))
    return path


def format_3(folder: Path, chunk: tuple[int, ...] = (64, 64), **changes: Any) -> Path:
    """Write the metadata of an array of zarr format 3, and no chunk."""
    told = {
        "zarr_format": 3,
        "node_type": "array",
        "shape": [64, 64],
        "data_type": "uint16",
        "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": chunk}},
        "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
        "fill_value": 0,
        "codecs": [{"name": "bytes", "configuration": {"endian": "little"}}],
        "attributes": {},
    }
    path = folder / "a.zarr"
    path.mkdir()
    (path / "zarr.json").write_text(json.dumps({**told, **changes}))
    return path


STRINGS = [{"name": "vlen-utf8", "configuration": {}}]
SHARD = {
    "chunk_shape": [32, 32],
    "codecs": [{"name": "numcodecs.astype", "configuration": {}}],
    "index_codecs": [{"name": "bytes", "configuration": {"endian": "little"}}],
}
FOREIGN: dict[str, Callable[[Path], Path]] = {
    "objects": lambda f: format_2(f, dtype="|O", fill_value="", filters=[{"id": "vlen-utf8"}]),
    "pickles of objects": lambda f: format_2(f, dtype="|O", filters=[{"id": "pickle"}]),
    "pickles of numbers": lambda f: format_2(f, filters=[{"id": "pickle", "protocol": 5}]),
    "strings of numbers": lambda f: format_2(f, filters=[{"id": "vlen-utf8"}]),
    "packed as strings": lambda f: format_2(f, compressor={"id": "vlen-utf8"}),
    "a filter to another kind": lambda f: format_2(
        f, filters=[{"id": "delta", "dtype": "<M8[s]", "astype": "<M8[s]"}]
    ),
    "an unknown codec": lambda f: format_2(f, compressor={"id": "something"}),
    "text": lambda f: format_2(f, dtype="<U8", fill_value=""),
    "dates": lambda f: format_2(f, dtype="<M8[s]"),
    "complex numbers": lambda f: format_2(f, dtype="<c16", fill_value=0.0),
    "records": lambda f: format_2(f, dtype=[["a", "<u2"]], fill_value=None),
    "strings of format 3": lambda f: format_3(f, data_type="string", fill_value="", codecs=STRINGS),
    "an unknown codec of format 3": lambda f: format_3(f, codecs=[{"name": "numcodecs.pickle"}]),
    "a codec inside shards": lambda f: format_3(
        f, codecs=[{"name": "sharding_indexed", "configuration": SHARD}]
    ),
}


@pytest.mark.filterwarnings("ignore")  # zarr's, of codecs and kinds that are new to it
@pytest.mark.parametrize("kind", FOREIGN)
def test_what_is_not_numbers_in_known_codecs_is_refused_before_a_chunk_is_read(
    kind: str, tmp_path: Path
) -> None:
    path = FOREIGN[kind](tmp_path)
    with pytest.raises(FileError) as raised:
        open_image(path)
    assert str(raised.value).endswith(".")
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    "packed",
    [
        {"compressor": {"id": "zlib", "level": 1}},
        {"compressor": {"id": "blosc", "cname": "lz4", "clevel": 5, "shuffle": 1}},
        {"compressor": {"id": "zstd", "level": 1}},
        {"filters": [{"id": "delta", "dtype": "<u2"}], "compressor": {"id": "bz2", "level": 1}},
        {"filters": [{"id": "shuffle", "elementsize": 2}], "compressor": {"id": "lz4"}},
    ],
)
def test_usual_codecs_are_read(packed: dict[str, Any], tmp_path: Path) -> None:
    path = format_2(tmp_path, **packed)
    data = np.arange(64 * 64, dtype=np.uint16).reshape(64, 64)
    zarr.open_array(str(path), mode="r+")[:] = data
    np.testing.assert_array_equal(np.asarray(open_image(path).array), data)


def test_noise_that_no_codec_can_pack_is_read_from_shards(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    data = rng.integers(0, 2**16, (512, 512), dtype=np.uint16)
    zarr.create_array(str(tmp_path / "a.zarr"), data=data, chunks=(4, 128), shards=(512, 512))
    np.testing.assert_array_equal(np.asarray(open_image(tmp_path / "a.zarr").array), data)


SIZES: dict[str, tuple[Callable[[Path], Path], str]] = {
    "planes": (
        lambda f: format_2(f, shape=[10**9, 64, 64], chunks=[1, 64, 64]),
        r"announces an image of .*, more than any can have; it is damaged, copy",
    ),
    "pixels": (lambda f: format_2(f, shape=[10**9, 10**9]), "more than any can have"),
    "channels": (
        lambda f: format_3(
            f, (1, 8, 8), shape=[2**20, 8, 8], dimension_names=["channel", "y", "x"]
        ),
        "more than any can have",
    ),
    "format 3": (lambda f: format_3(f, shape=[10**9, 10**9]), "more than any can have"),
    "tiny chunks": (
        lambda f: format_2(f, shape=[4096, 4096], chunks=[1, 1]),
        r"stores each plane in 16,777,216 chunks of 1×1 pixels, .*; save it in chunks of 512×512",
    ),
    "a huge chunk": (
        lambda f: format_2(f, shape=[60_000, 60_000], chunks=[60_000, 60_000]),
        r"packed in pieces of 60000×60000, each of which takes 7.2 GB of memory; save it in tiles",
    ),
    "no pixels": (lambda f: format_2(f, shape=[0, 64]), r"holds no pixels \(0×64\); export it"),
    "many axes": (
        lambda f: format_2(f, shape=[1] * 30, chunks=[1] * 30),
        r"has 30 axes, 12 at most can be opened; save a part of it",
    ),
    "no chunk size": (  # from 3.4 on zarr takes it for 1
        lambda f: format_2(f, shape=[4096, 4096], chunks=[0, 0]),
        r"a.zarr' cannot be read|in 16,777,216 chunks of 1×1 pixels",
    ),
    "negative": (lambda f: format_2(f, shape=[-5, 64]), "a.zarr'"),
}


@pytest.mark.parametrize("kind", SIZES)
def test_a_size_that_no_image_has_is_refused_before_memory_is_asked_for(
    kind: str, tmp_path: Path
) -> None:
    make, sentence = SIZES[kind]
    with pytest.raises(FileError, match=sentence):
        open_image(make(tmp_path))


def test_a_chunk_that_unpacks_to_far_more_than_its_pixels_is_not_unpacked(tmp_path: Path) -> None:
    path = format_2(tmp_path, compressor={"id": "gzip", "level": 1})
    (path / "0.0").write_bytes(gzip.compress(bytes(40_000_000), 1))
    with pytest.raises(FileError, match=r"cannot be read \('0.0' has .* bytes, .* at most are"):
        open_image(path).array[:8, :8]


def test_no_call_of_zarr_goes_past_the_checks(tmp_path: Path) -> None:
    path = format_2(tmp_path)
    (path / "0.0").write_bytes(bytes(2**20))
    store = CheckedStore(path)
    store.largest_chunk = 2**10
    assert str(store).endswith(path.as_posix())
    prototype = default_buffer_prototype()
    for call in (store.get("0.0", prototype), store.get_partial_values(prototype, [("0.0", None)])):
        with pytest.raises(OSError, match=r"'0.0' has 1,048,576 bytes, 1,024 at most"):
            asyncio.run(call)
    with pytest.raises(ValueError, match="read-only"):
        asyncio.run(store.delete("0.0"))
    assert not hasattr(store, "get_sync")  # newer versions' own stores read with it, past `get`


def test_metadata_that_is_far_too_long_is_not_read(tmp_path: Path) -> None:
    path = format_2(tmp_path)
    with (path / ".zattrs").open("wb") as file:
        file.truncate(2**30)
    with pytest.raises(FileError, match=r"'.zattrs' has 1,073,741,824 bytes"):
        open_image(path)


@pytest.mark.skipif(sys.platform == "win32", reason="has no named pipes among files")
@pytest.mark.parametrize("name", [".zattrs", "0.0"])
def test_a_pipe_in_place_of_a_file_keeps_nobody_waiting(name: str, tmp_path: Path) -> None:
    path = format_2(tmp_path)
    os.mkfifo(path / name)
    with pytest.raises(FileError, match=f"'{name}' is no plain file"):
        open_image(path).array[:8, :8]


@pytest.mark.parametrize(
    "attributes",
    [
        {"ome": [1]},
        {"ome": "text"},
        {"multiscales": {"a": 1}},
        {"multiscales": [None]},
        {"multiscales": [{"axes": 5, "datasets": [{"path": "0"}]}]},
        {"multiscales": [{"axes": ["y", "x"], "datasets": [{"path": "../b.zarr"}]}]},
        {"multiscales": [{"axes": [{"name": 5}, {"name": []}], "datasets": [{"path": "0"}]}]},
        {
            "multiscales": [{"axes": ["y", "x"], "datasets": [{"path": "0"}]}],
            "omero": {"channels": [5]},
        },
        {
            "multiscales": [{"axes": ["y", "x"], "datasets": [{"path": "0"}]}],
            "omero": {"channels": 7},
        },
        {
            "multiscales": [
                {
                    "axes": ["y", "x"],
                    "datasets": [{"path": "0", "coordinateTransformations": ["scale"]}],
                }
            ]
        },
    ],
)
def test_metadata_of_another_form_get_one_sentence(
    attributes: dict[str, Any], tmp_path: Path
) -> None:
    for name in ("a.zarr", "b.zarr"):
        group = zarr.open_group(str(tmp_path / name), mode="w", zarr_format=2)
        group.create_array("0", data=np.zeros((8, 8), np.uint8))
        group.attrs.update(attributes)
    with pytest.raises(FileError, match=r"a.zarr' .*\.$"):
        open_image(tmp_path / "a.zarr")


def test_groups_that_lie_in_themselves_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.zarr"
    zarr.open_group(str(path), mode="w", zarr_format=2)
    for name in ("b", "c"):
        (path / name).symlink_to(path, target_is_directory=True)
    with pytest.raises(FileError, match=r"a.zarr' holds no OME-Zarr image"):
        open_image(path)


def test_labels_are_checked_as_images_are(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="not numbers; save the image as whole numbers or floats"):
        read_layers(str(FOREIGN["objects"](tmp_path)))
