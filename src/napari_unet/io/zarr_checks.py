"""What a zarr may be before a chunk of it is read: numbers, in known codecs, of a size that can be.

A zarr from a stranger names the codecs that decode it, and some of numcodecs' (pickle, and those of
objects) can run code; its metadata may also announce any size.
"""

from __future__ import annotations

import lzma
import math
import stat
import zlib
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from zarr.abc.store import Store
from zarr.storage import LocalStore

from napari_unet.engine.counts import shape_text
from napari_unet.engine.errors import FileError
from napari_unet.io.announced import check_piece, check_planes
from napari_unet.io.bounded_codecs import most_bytes

DAMAGED = (
    *(ArithmeticError, AssertionError, AttributeError, LookupError, MemoryError, OSError),
    *(EOFError, RuntimeError, TypeError, ValueError, lzma.LZMAError, zlib.error),
)
"""What zarr and its codecs raise on metadata and chunks that are damaged."""

_NUMBERS = "buif"  # kinds of dtypes
_PLAIN_CODECS = {
    *("adler32", "bitround", "blosc", "bz2", "crc32", "crc32c", "delta", "fixedscaleoffset"),
    *("fletcher32", "gzip", "jenkins_lookup3", "lz4", "lzma", "packbits", "quantize", "shuffle"),
    *("zlib", "zstd"),
}
_FORMAT_3_CODECS = {
    *("bytes", "endian", "transpose", "sharding_indexed", "gzip", "zstd", "blosc", "crc32c"),
}
_INDEX_CODECS = {"bytes", "endian", "crc32c"}
_DTYPES = ("dtype", "astype")  # settings of codecs that name a kind of number
_MOST_AXES = 12
_SMALL_CHUNK = 256  # pixels of a plane
_MOST_SMALL_CHUNKS = 10_000  # in a plane: some seconds
_METADATA = ("zarr.json", ".zarray", ".zattrs", ".zgroup", ".zmetadata")
_LARGEST_METADATA = 64 * 2**20  # bytes; those of a whole plate have a few million
_MOST_IN_SHARD = 2**24  # chunks of a shard, each of which takes 16 bytes of its index


class CheckedStore(Store):
    """The files of a zarr; reads none that is larger than what it stands for, or no plain file.

    A chunk that is stored in more bytes than it has pixels for is a bomb or damaged. Whatever zarr
    asks for comes through `get`: a store of zarr's own would answer other calls past it, and has
    more of them with each version.
    """

    supports_writes = False
    supports_deletes = False
    supports_listing = True

    def __init__(self, path: Path) -> None:
        super().__init__(read_only=True)
        self.largest_chunk = 0  # bytes; told once the array is known
        self._files = LocalStore(path, read_only=True)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, CheckedStore) and self._files == other._files

    __hash__ = None  # type: ignore[assignment]

    def __str__(self) -> str:
        return str(self._files)  # as zarr's warnings call it

    async def get(self, key: str, prototype: Any, byte_range: Any = None) -> Any:
        """Return the bytes of a file, or some of them; None if there is none."""
        size = self._size(key)
        if size is None:
            return None
        if getattr(byte_range, "end", 0) > size:  # all of them would get memory at once
            raise OSError(f"'{key}' tells of bytes behind its end")
        return await self._files.get(key, prototype, byte_range)

    async def get_partial_values(
        self, prototype: Any, key_ranges: Iterable[tuple[str, Any]]
    ) -> list[Any]:
        """Return some bytes of several files."""
        return [await self.get(key, prototype, wanted) for key, wanted in key_ranges]

    async def exists(self, key: str) -> bool:
        """Return True if there is such a file."""
        return await self._files.exists(key)

    async def set(self, key: str, value: Any) -> None:  # noqa: ARG002
        """Raise `ValueError`: nothing is written."""
        self._check_writable()

    async def delete(self, key: str) -> None:  # noqa: ARG002
        """Raise `ValueError`: nothing is deleted."""
        self._check_writable()

    def list(self) -> AsyncIterator[str]:
        """Yield the names of all files."""
        return self._files.list()

    def list_prefix(self, prefix: str) -> AsyncIterator[str]:
        """Yield the names of all files that begin so."""
        return self._files.list_prefix(prefix)

    def list_dir(self, prefix: str) -> AsyncIterator[str]:
        """Yield the names in a folder."""
        return self._files.list_dir(prefix)

    def _size(self, key: str) -> int | None:
        """Return the bytes of a file, None if there is none; `OSError`: it is not one to read."""
        try:
            found = (self._files.root / key).stat()
        except PermissionError:
            raise
        except OSError:  # none of this name, a link to itself, a name that is too long
            return None
        if stat.S_ISDIR(found.st_mode):
            return None
        is_metadata = key.rpartition("/")[2] in _METADATA
        largest = _LARGEST_METADATA if is_metadata else self.largest_chunk
        if not stat.S_ISREG(found.st_mode):
            raise OSError(f"'{key}' is no plain file")
        if found.st_size > largest:
            raise OSError(f"'{key}' has {found.st_size:,} bytes, {largest:,} at most are expected")
        return found.st_size


def check_array(array: Any, path: Path) -> None:
    """Raise `FileError` unless an array holds numbers in known codecs, and its size can be.

    Parameters
    ----------
    array
        An open `zarr.Array`; nothing but its metadata is looked at.
    path
        How the error calls it.
    """
    if array.dtype.kind not in _NUMBERS:
        raise FileError(
            f"'{path}' holds values of the kind '{array.dtype}', not numbers; save the image as "
            "whole numbers or floats."
        )
    for name, settings in _codecs(array.metadata.to_dict()):
        if not _is_known(name, settings):
            raise FileError(
                f"'{path}' is packed with '{name:.40}', which is not opened for safety's sake; "
                "save it with zstd, blosc or gzip."
            )


def check_size(array: Any, axes: str, path: Path) -> None:
    """Raise `FileError` if an array announces a size, or pieces, that no image has."""
    check_planes(array.shape, axes, path)
    check_piece(array.chunks, array.dtype.itemsize, path)
    _check_shards(array, path)
    plane = [axes.index(axis) for axis in "YX" if axis in axes]
    chunk = tuple(array.chunks[i] for i in plane)
    count = math.prod(-(-array.shape[i] // array.chunks[i]) for i in plane)
    if math.prod(chunk) < _SMALL_CHUNK and count > _MOST_SMALL_CHUNKS:
        raise FileError(
            f"'{path}' stores each plane in {count:,} chunks of {shape_text(chunk)} pixels, which "
            "takes far too long to read; save it in chunks of 512×512 pixels."
        )


def _check_shards(array: Any, path: Path) -> None:
    """Raise `FileError` if shards are cut into more chunks than their index can tell of."""
    shards = getattr(array, "shards", None) or array.chunks
    inside = math.prod(-(-s // c) for s, c in zip(shards, array.chunks, strict=True))
    if inside > _MOST_IN_SHARD:
        raise FileError(
            f"'{path}' cuts each shard into {inside:,} chunks of {shape_text(array.chunks)}, which "
            "takes far too much memory; save it in chunks of 512×512 pixels."
        )


def check_axes(array: Any, path: Path) -> None:
    """Raise `FileError` if an array has more axes than can be told apart."""
    if array.ndim > _MOST_AXES:
        raise FileError(
            f"'{path}' has {array.ndim} axes, {_MOST_AXES} at most can be opened; save a part of "
            "it."
        )


def largest_chunk(array: Any) -> int:
    """Return the most bytes that a file of an array's pixels can have."""
    shape = getattr(array, "shards", None) or array.chunks
    raw = math.prod(shape) * array.dtype.itemsize
    chunks = math.prod(-(-s // c) for s, c in zip(shape, array.chunks, strict=True))
    return int(most_bytes(raw) + chunks * 16)  # 16 bytes in the index of a shard


def _codecs(metadata: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the name and settings of all codecs of an array, of those inside shards as well."""
    if "codecs" not in metadata:
        for told in (*(metadata.get("filters") or ()), metadata.get("compressor")):
            if told is not None:
                settings = told if isinstance(told, Mapping) else told.get_config()
                yield str(settings["id"]), settings
        return
    for told in metadata["codecs"]:
        settings = told.get("configuration") or {}
        yield str(told["name"]), settings
        yield from _codecs({"codecs": settings.get("codecs", ())})


def _is_known(name: str, settings: Mapping[str, Any]) -> bool:
    """Return whether a codec is one of numbers; those of the index of a shard pack nothing."""
    index = settings.get("index_codecs", ())
    if any(told["name"] not in _INDEX_CODECS for told in index):
        return False
    is_known = name in _FORMAT_3_CODECS or name.removeprefix("numcodecs.") in _PLAIN_CODECS
    told = [settings[key] for key in _DTYPES if settings.get(key) is not None]
    return is_known and all(np.dtype(dtype).kind in _NUMBERS for dtype in told)
