"""Codecs of a zarr that unpack no more than a chunk has pixels for.

A few hundred bytes may unpack to gigabytes, in a chunk of its own or inside a shard; a codec on
its own believes them.
"""

from __future__ import annotations

import asyncio
import bz2
import lzma
import math
import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Self

import imagecodecs
import numcodecs.abc
import zarr
from zarr.abc.codec import BytesBytesCodec
from zarr.codecs import ShardingCodec

_OVERHEAD = 4096  # bytes that a codec may add to what it cannot pack
_WIDER = 8  # times that filters of format 2 may widen a number
_LARGEST_WINDOW = 2**28  # bytes that lzma may need to look back

_STREAMS: dict[str, Callable[[], Any]] = {
    "gzip": lambda: zlib.decompressobj(wbits=31),
    "zlib": zlib.decompressobj,
    "bz2": bz2.BZ2Decompressor,
    "lzma": lambda: lzma.LZMADecompressor(memlimit=_LARGEST_WINDOW),
}
_CUT = "the end of a chunk is missing"
_ZSTD = 0xFD2FB528  # the number that a frame begins with


def bound_codecs(array: Any) -> Any:
    """Return a `zarr.Array` of the same pixels; chunks that unpack to more raise `ValueError`."""
    metadata = array.metadata
    if metadata.zarr_format == 2:
        raw = math.prod(metadata.chunks) * array.dtype.itemsize
        most = most_bytes(raw * (_WIDER if metadata.filters else 1))
        packed = metadata.compressor and _BoundedNumcodec(metadata.compressor, most)
        filters = [_BoundedNumcodec(f, most) for f in metadata.filters or ()] or None
        bounded = replace(metadata, compressor=packed, filters=filters)
    else:
        bounded = replace(metadata, codecs=tuple(map(_bound, metadata.codecs)))
    return zarr.Array(zarr.AsyncArray(bounded, store_path=array.store_path))


def most_bytes(raw: int) -> int:
    """Return the most bytes that a codec makes of so many, where they cannot be packed."""
    return raw + raw // 8 + _OVERHEAD


def unpack(name: str, data: memoryview, most: int) -> bytes | None:
    """Return what a codec has packed, None if the codec itself may unpack it: it is small enough.

    Raises
    ------
    ValueError
        If there would be more than `most` bytes.
    EOFError
        If the end is missing.
    """
    name = name.removeprefix("numcodecs.")
    if name in _STREAMS:
        return _unpack_stream(_STREAMS[name], bytes(data), most)
    size: int | None = len(data)  # numbers to numbers
    if name == "zstd":
        size = _zstd_size(data)
    elif name == "lz4":
        size = int.from_bytes(data[:4], "little")
    elif name == "blosc":
        size = int.from_bytes(data[4:8], "little")
        if int.from_bytes(data[12:16], "little") > len(data):  # numcodecs would read beyond it
            raise EOFError(_CUT)
    if size is None:
        return bytes(imagecodecs.zstd_decode(bytes(data), out=most))
    _check(size, most)
    return None


def _unpack_stream(make: Callable[[], Any], data: bytes, most: int) -> bytes:
    """Unpack one stream, or several one behind the other as gzip allows."""
    unpacked: list[bytes] = []
    left = most
    while data:
        stream = make()
        piece = stream.decompress(data, left + 1)
        _check(len(piece), left)
        if not stream.eof:
            raise EOFError(_CUT)
        unpacked.append(piece)
        left -= len(piece)
        data = stream.unused_data.lstrip(b"\0")
    return b"".join(unpacked)


def _zstd_size(data: memoryview) -> int | None:
    """Return the bytes that a frame of zstd announces, None if it announces none (RFC 8878)."""
    if len(data) < 6 or int.from_bytes(data[:4], "little") != _ZSTD:
        return 0  # the codec will say what it is
    told = data[4]
    has_window = not told & 32
    length = (0 if has_window else 1, 2, 4, 8)[told >> 6]
    if not length:
        return None
    start = 5 + has_window + (0, 1, 2, 4)[told & 3]
    return int.from_bytes(data[start : start + length], "little") + (256 if length == 2 else 0)


def _check(size: int, most: int) -> None:
    if size > most:
        raise ValueError(f"a chunk unpacks to more than the {most:,} bytes that it can have")


def _bound(codec: Any) -> Any:
    """Return a codec of format 3 that keeps to its bounds; in shards, the inner ones do."""
    if isinstance(codec, ShardingCodec):
        return replace(codec, codecs=tuple(map(_bound, codec.codecs)))
    return _BoundedCodec(codec) if isinstance(codec, BytesBytesCodec) else codec


def _itemsize(dtype: Any) -> int:
    """Return the bytes of a number; `dtype` is numpy's, or zarr's from 3.1 on."""
    to_native = getattr(dtype, "to_native_dtype", lambda: dtype)
    return int(to_native().itemsize)


@dataclass(frozen=True)
class _BoundedCodec(BytesBytesCodec):
    """A codec of format 3 that knows how many bytes its chunk can have."""

    inner: BytesBytesCodec

    @property
    def is_fixed_size(self) -> bool:  # type: ignore[override]
        return bool(self.inner.is_fixed_size)

    def to_dict(self) -> Any:
        return self.inner.to_dict()

    def evolve_from_array_spec(self, array_spec: Any) -> Self:
        return replace(self, inner=self.inner.evolve_from_array_spec(array_spec))

    def compute_encoded_size(self, input_byte_length: int, chunk_spec: Any) -> int:
        return int(self.inner.compute_encoded_size(input_byte_length, chunk_spec))

    async def _decode_single(self, chunk_data: Any, chunk_spec: Any) -> Any:
        name = str(self.inner.to_dict()["name"])
        most = most_bytes(math.prod(chunk_spec.shape) * _itemsize(chunk_spec.dtype))
        data = memoryview(chunk_data.as_numpy_array())
        unpacked = await asyncio.to_thread(unpack, name, data, most)
        if unpacked is not None:
            return chunk_spec.prototype.buffer.from_bytes(unpacked)
        return next(iter(await self.inner.decode([(chunk_data, chunk_spec)])))

    async def _encode_single(self, chunk_data: Any, chunk_spec: Any) -> Any:
        return next(iter(await self.inner.encode([(chunk_data, chunk_spec)])))


class _BoundedNumcodec(numcodecs.abc.Codec):  # type: ignore[misc]
    """A codec of format 2 that knows how many bytes its chunk can have."""

    codec_id = "bounded"

    def __init__(self, inner: Any, most: int) -> None:
        self.inner = inner
        self._most = most

    def encode(self, buf: Any) -> Any:
        return self.inner.encode(buf)

    def decode(self, buf: Any, out: Any = None) -> Any:
        unpacked = unpack(self.inner.codec_id, memoryview(buf).cast("B"), self._most)
        return self.inner.decode(buf, out) if unpacked is None else unpacked

    def get_config(self) -> Any:
        return self.inner.get_config()
