"""Tiles and planes of a segmentation as records of a `RecordLog`, and back."""

from __future__ import annotations

import math
from typing import Any

import imagecodecs
import numpy as np
import numpy.typing as npt

from napari_unet.engine.events import Judged, PlaneDone
from napari_unet.engine.stack import RunLabels


def pack(array: npt.NDArray[Any]) -> tuple[dict[str, Any], bytes]:
    """Return shape and type of an array, and its values in little room (LZ4, at 0.3 GB/s)."""
    steps = array
    if array.dtype.kind in "iu":  # each value less the one before it: small where they are smooth
        steps = np.diff(array, axis=-1, prepend=array.dtype.type(0))
    packed = bytes(imagecodecs.lz4_encode(np.ascontiguousarray(steps).tobytes()))
    return {"shape": list(array.shape), "dtype": array.dtype.str}, packed


def unpack(about: dict[str, Any], packed: bytes) -> npt.NDArray[Any]:
    """Return the array that was packed; it can be written to."""
    shape, dtype = tuple(about["shape"]), np.dtype(about["dtype"])
    size = math.prod(shape) * dtype.itemsize
    plain = imagecodecs.lz4_decode(packed, out=size) if size else b""
    steps = np.frombuffer(plain, dtype).reshape(shape)
    if dtype.kind in "iu":
        return np.cumsum(steps, axis=-1, dtype=dtype)
    return steps.copy()


def pack_plane(done: PlaneDone) -> tuple[dict[str, Any], bytes]:
    """Return a plane of objects: what is known of it, and its labels."""
    assert done.labels is not None
    starts, packed_starts = pack(done.labels.starts)
    values, packed_values = pack(done.labels.values)
    about = {
        "plane": done.plane,
        "objects": done.objects,
        "judged": None if done.judged is None else _plain(done.judged),
        "shape": list(done.labels.shape),
        "starts": starts,
        "values": values,
        "size": len(packed_starts),  # bytes
    }
    return about, packed_starts + packed_values


def unpack_plane(about: dict[str, Any], packed: bytes) -> PlaneDone:
    """Return the plane that was packed."""
    starts = unpack(about["starts"], packed[: about["size"]])
    values = unpack(about["values"], packed[about["size"] :])
    height, width = about["shape"]
    judged = None if about["judged"] is None else _judged(*about["judged"])
    labels = RunLabels((height, width), starts, values)
    return PlaneDone(about["plane"], labels, about["objects"], judged=judged)


def _plain(judged: Judged) -> list[Any]:
    boxes = [[y.start, y.stop, x.start, x.stop] for y, x in judged.missed]
    return [judged.right, judged.painted, boxes, judged.split, judged.merged]


def _judged(right: int, painted: int, boxes: list[list[int]], split: int, merged: int) -> Judged:
    missed = tuple((slice(top, bottom), slice(left, end)) for top, bottom, left, end in boxes)
    return Judged(right, painted, missed, split, merged)
