"""Chunks unpack to their pixels, and never to more, however they are packed."""

from __future__ import annotations

import bz2
import gzip
import lzma
import warnings
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numcodecs
import numpy as np
import pytest
import zarr
from zarr.codecs import BloscCodec, GzipCodec, ZstdCodec
from zarr.codecs import numcodecs as of_numcodecs

from napari_unet.engine.errors import FileError
from napari_unet.io.images import open_image
from tests.io.test_zarr_checks import format_2, format_3

PIXELS = (32, 32)


def zstd_frame(size: int, *, announced: bool) -> bytes:
    """Return a frame of zstd of so many zeros, as runs (RFC 8878)."""
    head = b"\xe0" + size.to_bytes(8, "little") if announced else b"\x00\x70"
    blocks = [min(2**17, size - start) for start in range(0, size, 2**17)]
    runs = [
        (n << 3 | 2 | (i == len(blocks) - 1)).to_bytes(3, "little") + b"\0"
        for i, n in enumerate(blocks)
    ]
    return b"\x28\xb5\x2f\xfd" + head + b"".join(runs)


PACKED: dict[str, Callable[[int], bytes]] = {
    "gzip": lambda size: gzip.compress(bytes(size), 1),
    "zlib": lambda size: zlib.compress(bytes(size), 1),
    "bz2": lambda size: bz2.compress(bytes(size)),
    "lzma": lambda size: lzma.compress(bytes(size), preset=0),
    "zstd": lambda size: zstd_frame(size, announced=True),
    "zstd without its size": lambda size: zstd_frame(size, announced=False),
    "blosc": lambda size: numcodecs.Blosc().encode(bytes(size)),
    "lz4": lambda size: numcodecs.LZ4().encode(bytes(size)),
}


def id_of(kind: str) -> str:
    return kind.partition(" ")[0]


def shard_of(chunk: bytes) -> bytes:
    """Return a shard of one chunk, with its index behind it."""
    index = np.array([0, len(chunk)], "<u8").tobytes()
    return chunk + index


def sharded(folder: Path, codec: dict[str, Any], **changes: Any) -> Path:
    inner = [{"name": "bytes", "configuration": {"endian": "little"}}, codec]
    index = [{"name": "bytes", "configuration": {"endian": "little"}}]
    told = {"chunk_shape": PIXELS, "codecs": inner, "index_codecs": index, **changes}
    outer = [{"name": "sharding_indexed", "configuration": told}]
    return format_3(folder, (32, 32), shape=PIXELS, codecs=outer)


def put(path: Path, place: str, data: bytes) -> None:
    (path / place).parent.mkdir(parents=True, exist_ok=True)
    (path / place).write_bytes(data)


@pytest.fixture(params=PACKED)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.mark.parametrize("place", ["chunk", "shard"])
def test_a_bomb_is_not_unpacked(place: str, kind: str, tmp_path: Path) -> None:
    packed = PACKED[kind](4_000_000)
    name = id_of(kind)
    if place == "chunk":
        path = format_2(tmp_path, shape=PIXELS, chunks=PIXELS, compressor={"id": name})
        put(path, "0.0", packed)
    else:
        known = name if name in ("gzip", "zstd", "blosc") else f"numcodecs.{name}"
        settings = {"level": 1} if name == "gzip" else {}
        path = sharded(tmp_path, {"name": known, "configuration": settings})
        put(path, "c/0/0", shard_of(packed))
    stack = open_image(path)
    with pytest.raises(FileError, match=r"\((a chunk unpacks to more|'c?/?0|.* too small)"):
        stack.array[:8, :8]


def test_a_bomb_in_a_bomb_is_not_unpacked(tmp_path: Path) -> None:
    gzips = [{"id": "gzip", "level": 1}] * 2
    path = format_2(tmp_path, shape=PIXELS, chunks=PIXELS, filters=gzips)
    put(path, "0.0", gzip.compress(gzip.compress(bytes(100_000_000))))
    with pytest.raises(FileError, match="a chunk unpacks to more than"):
        open_image(path).array[:8, :8]


@pytest.mark.parametrize("kind", [kind for kind in PACKED if kind != "lz4"])
def test_what_its_end_is_missing_of_is_said_to_be_damaged(kind: str, tmp_path: Path) -> None:
    path = format_2(tmp_path, shape=PIXELS, chunks=PIXELS, compressor={"id": id_of(kind)})
    put(path, "0.0", PACKED[kind](2048)[:-3])
    with pytest.raises(FileError, match=r"a.zarr' cannot be read"):
        open_image(path).array[:8, :8]


CODECS: dict[str, Callable[[], Any]] = {
    "gzip": GzipCodec,
    "zstd": ZstdCodec,
    "blosc": BloscCodec,
    "lz4 in blosc": lambda: BloscCodec(cname="lz4", shuffle="bitshuffle"),
    "numcodecs.bz2": of_numcodecs.BZ2,
    "numcodecs.lz4": of_numcodecs.LZ4,
    "numcodecs.lzma": of_numcodecs.LZMA,
    "numcodecs.zlib": of_numcodecs.Zlib,
    "numcodecs.zstd": of_numcodecs.Zstd,
}


@pytest.mark.parametrize("shards", [None, (32, 32)])
@pytest.mark.parametrize("codec", CODECS)
def test_pixels_come_back_as_they_were(
    codec: str, shards: Any, tmp_path: Path, rng: np.random.Generator
) -> None:
    data = rng.integers(0, 2**16, (40, 50), dtype=np.uint16)
    path = tmp_path / "a.zarr"
    with warnings.catch_warnings(action="ignore"):  # zarr's, of codecs that few others have
        packed = [CODECS[codec]()]
        zarr.create_array(str(path), data=data, chunks=(16, 16), shards=shards, compressors=packed)
    np.testing.assert_array_equal(np.asarray(open_image(path).array), data)


def test_gzip_may_be_written_piece_by_piece(tmp_path: Path) -> None:
    data = np.arange(1024, dtype="<u2").reshape(PIXELS)
    path = format_2(tmp_path, shape=PIXELS, chunks=PIXELS, compressor={"id": "gzip"})
    raw = data.tobytes()
    put(path, "0.0", gzip.compress(raw[:100]) + gzip.compress(raw[100:]) + bytes(9))
    np.testing.assert_array_equal(np.asarray(open_image(path).array), data)


@pytest.mark.parametrize(
    "filters",
    [
        [{"id": "packbits"}],
        [{"id": "fixedscaleoffset", "offset": 0, "scale": 1, "dtype": "<f8", "astype": "|u1"}],
        [{"id": "shuffle", "elementsize": 8}, {"id": "delta", "dtype": "|u1"}],
    ],
)
def test_filters_may_make_numbers_wider(filters: list[dict[str, Any]], tmp_path: Path) -> None:
    dtype = "|b1" if filters[0]["id"] == "packbits" else "<f8"
    path = format_2(
        tmp_path,
        shape=[8, 8],
        chunks=[8, 8],
        dtype=dtype,
        filters=filters,
        compressor={"id": "lz4"},
    )
    data = (np.arange(64).reshape(8, 8) % 2).astype(dtype)
    zarr.open_array(str(path), mode="r+")[:] = data
    np.testing.assert_array_equal(np.asarray(open_image(path).array), data)


def test_a_shard_that_tells_of_bytes_behind_its_end_takes_no_memory_for_them(
    tmp_path: Path,
) -> None:
    path = sharded(tmp_path, {"name": "zstd", "configuration": {}}, chunk_shape=[16, 32])
    put(path, "c/0/0", bytes(50) + np.array([0, 2**40, 0, 2**40], "<u8").tobytes())
    with pytest.raises(FileError, match=r"'c/0/0' tells of bytes behind its end"):
        open_image(path).array[:8, :8]


def test_shards_cut_into_countless_chunks_are_refused(tmp_path: Path) -> None:
    path = sharded(tmp_path, {"name": "zstd", "configuration": {}}, chunk_shape=[1, 1024])
    told = (path / "zarr.json").read_text()
    big = told.replace("[32, 32]", "[1048576, 1048576]")
    (path / "zarr.json").write_text(big)
    with pytest.raises(FileError, match="cuts each shard into 1,073,741,824 chunks of 1×1024"):
        open_image(path)


def test_the_index_of_a_shard_may_not_be_packed(tmp_path: Path) -> None:
    packed = [
        {"name": "bytes", "configuration": {"endian": "little"}},
        {"name": "zstd", "configuration": {}},
    ]
    path = sharded(tmp_path, {"name": "zstd", "configuration": {}}, index_codecs=packed)
    told = "is packed with 'sharding_indexed', which is not opened|`index_codecs` must"  # zarr 3.4
    with pytest.raises(FileError, match=told):
        open_image(path)
