"""Hashes that tell whether an image, a model or settings are still the same.

They are of what is in a file, not of the file: an image has the same hash as TIFF and as zarr, and
a model before and after it is saved or renamed. They read all of it, and stand in
records for years; to tell in a moment which of a few images is open, `engine.stack.fingerprint`
looks at its middle.
"""

from __future__ import annotations

import hashlib
import json
import stat
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_unet.engine.stack import Planes, bands
from napari_unet.io.plain import to_plain

if TYPE_CHECKING:
    from napari_unet.engine.network import Model

_ALGORITHM = "blake2b"  # of the strong ones the fastest everywhere: about 1 GB/s on one core
_SIZE = 16  # bytes of a hash
_SHORT = 8  # hexadecimal digits: enough to tell one's own models apart
_AT_ONCE = 1 << 22  # values that are read at once


def plane_hash(planes: Planes, plane: int) -> str:
    """Return the hash of one plane: its type, channels and shape, and its pixels.

    It is read in bands of rows, each about 2^22 values large. The byte order, and whether channels
    are stored one after the other or pixel by pixel, make no difference.

    Raises
    ------
    FileError
        If the plane cannot be read.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_unet.engine.stack import ArrayPlanes
    >>> plane_hash(ArrayPlanes(np.zeros((2, 2), np.uint8)), 0)
    'blake2b:db251c06f6b71949e2c816dab84b258b'
    """
    return _hash_plane(planes, plane, planes.dtype)


def paint_hash(labels: Planes, plane: int) -> str | None:
    """Return the hash of what is painted on a plane, whatever the type of the numbers.

    None: nothing is.

    Raises
    ------
    FileError
        If the plane cannot be read.
    """
    columns = slice(0, labels.shape[1])
    if not any(labels.read(plane, rows, columns).any() for rows in bands(labels.shape)):
        return None
    return _hash_plane(labels, plane, np.dtype(np.uint32))


def _hash_plane(planes: Planes, plane: int, dtype: np.dtype[Any]) -> str:
    digest = _begin("plane", dtype=dtype.name, channels=planes.channels, shape=planes.shape)
    stored = dtype.newbyteorder("<")
    columns = slice(0, planes.shape[1])
    for rows in bands(planes.shape, max(1, _AT_ONCE // planes.channels)):
        region = planes.read(plane, rows, columns).astype(stored, copy=False)  # (C, y, X)
        digest.update(np.ascontiguousarray(np.moveaxis(region, 0, -1)).data)  # (y, X, C)
    return _name(digest)


class PlaneHashes:
    """The hashes of an image's planes, each read once: for images that do not change meanwhile."""

    def __init__(self, planes: Planes) -> None:
        self._planes = planes
        self._known: dict[int, str] = {}

    def __getitem__(self, plane: int) -> str:
        """Return the `plane_hash` of a plane.

        Raises
        ------
        FileError
            If the plane cannot be read.
        """
        if plane not in self._known:
            self._known[plane] = plane_hash(self._planes, plane)
        return self._known[plane]


def stack_hash(
    planes: Planes, numbers: Iterable[int] | None = None, hashes: PlaneHashes | None = None
) -> str:
    """Return the hash of a stack, or of some of its planes; one plane is read at a time.

    Parameters
    ----------
    planes
        The stack.
    numbers
        Of the planes that count, in any order; None: all.
    hashes
        Of this stack's planes, where some are known already or are asked for later.

    Raises
    ------
    FileError
        If a plane cannot be read.
    """
    chosen = range(planes.count) if numbers is None else numbers
    hashes = hashes or PlaneHashes(planes)
    return join_hashes(planes, {plane: hashes[plane] for plane in chosen})


def join_hashes(planes: Planes, hashes: Mapping[int, str]) -> str:
    """Return the `stack_hash` of planes whose hashes are known; nothing is read.

    Parameters
    ----------
    hashes
        Number of each plane that counts, and its `plane_hash`.
    """
    digest = _begin("stack", planes=planes.count)
    for plane in sorted(hashes):
        digest.update(f"{plane} {hashes[plane]}\n".encode())
    return _name(digest)


def model_hash(model: Model) -> str:
    """Return the hash of all that the model's answer depends on, whatever file it is in.

    That is its weights, and what turns grey values into numbers for them and their answer into
    labels; not its name, nor when or on what it was trained.
    """
    record = model.record
    # Images of other pixels are scaled by it; without it the hash is as it has always been.
    scale = {} if model.pixel_size is None else {"pixel_size": model.pixel_size}
    digest = _begin(
        "model",
        **scale,
        levels=model.network.levels,
        shape_field=model.network.shape_field,
        normalization=model.normalization,
        task=model.task,
        values=model.values,
        reduction=model.reduction,
        enlargement=model.enlargement,
        painted_objects=record.painted_objects,  # smaller objects are dropped
        smallest_hole=record.smallest_hole,
    )
    for name in sorted(model.weights):
        weights = np.asarray(model.weights[name].numpy(), dtype="<f4")
        digest.update(f"{name} {weights.shape}\n".encode())
        digest.update(np.ascontiguousarray(weights).data)
    return _name(digest)


def settings_hash(*settings: Any) -> str:
    """Return the hash of frozen settings, such as an `ObjectsConfig` and a `TilingConfig`."""
    named = {type(part).__name__: part for part in settings}
    return _name(_begin("settings", **named))


def short_hash(named: str) -> str:
    """Return the first digits of a hash, as they stand behind a model's name.

    Examples
    --------
    >>> short_hash("blake2b:db251c06f6b71949e2c816dab84b258b")
    'db251c06'
    """
    return named.removeprefix(f"{_ALGORITHM}:")[:_SHORT]


@dataclass(frozen=True, slots=True)
class FileStamp:
    """Size and time of a file: while both are the same, it need not be read to be known."""

    size: int  # bytes
    modified: int  # nanoseconds since the epoch


def file_stamp(path: str | Path) -> FileStamp | None:
    """Return the stamp of a file; None for what has none: a folder, or nothing at all."""
    try:
        found = Path(path).stat()
    except (OSError, ValueError):
        return None
    return FileStamp(found.st_size, found.st_mtime_ns) if stat.S_ISREG(found.st_mode) else None


def _begin(kind: str, **described: Any) -> hashlib.blake2b:
    """Return a hash that has taken the kind and a description, always written alike."""
    text = json.dumps(to_plain(described), sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.blake2b(f"{kind} {text}\n".encode(), digest_size=_SIZE)


def _name(digest: hashlib.blake2b) -> str:
    return f"{_ALGORITHM}:{digest.hexdigest()}"
