"""OME-Zarr: what its metadata say, and copies of labels in smaller sizes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt
import zarr

from napari_unet.io.stack import Layout

ORDER = "TCZYX"
"""Of the axes, as OME-Zarr prescribes it."""

AXES: dict[str, dict[str, str]] = {
    "T": {"name": "t", "type": "time"},
    "C": {"name": "c", "type": "channel"},
    "Z": {"name": "z", "type": "space"},
    "Y": {"name": "y", "type": "space"},
    "X": {"name": "x", "type": "space"},
}
"""How its metadata describe them."""

_SMALL = 512  # pixels per side of the smallest copy of labels, at most


@dataclass(frozen=True, slots=True)
class Pyramid:
    """What the copies of an image in smaller sizes are like, the full size first.

    Parameters
    ----------
    axes
        One letter per axis.
    shapes
        Length of each axis, for each level.
    transformations
        For each level its `coordinateTransformations`.
    version
        Of OME-Zarr: "0.5", or "0.4" on zarr format 2.
    source
        Where the image is whose labels these are, seen from them; None: not told.
    """

    axes: str
    shapes: tuple[tuple[int, ...], ...]
    transformations: tuple[list[dict[str, Any]], ...]
    version: str = "0.5"
    source: str | None = None

    @classmethod
    def halved(cls, layout: Layout) -> Pyramid:
        """Return the full size of labels, and halves of it, until they are small."""
        axes = "".join(axis for axis in ORDER if axis in layout.axes)
        length = dict(zip(layout.axes, layout.shape, strict=True))
        shapes = [tuple(length[axis] for axis in axes)]
        while max(shapes[-1][-2:]) > _SMALL and min(shapes[-1][-2:]) > 1:
            shapes.append((*shapes[-1][:-2], *(side // 2 for side in shapes[-1][-2:])))
        steps = [layout.spacing.get(axis, 1.0) for axis in axes]
        factors = ([n / m for n, m in zip(shapes[0], shape, strict=True)] for shape in shapes)
        return cls(axes, tuple(shapes), tuple(_transformations(steps, f) for f in factors))

    @classmethod
    def full_size(cls, layout: Layout) -> Pyramid:
        """Return the full size alone, with the axes in their order."""
        steps = [layout.spacing.get(axis, 1.0) for axis in layout.axes]
        return cls(layout.axes, (layout.shape,), (_transformations(steps, [1.0] * len(steps)),))

    def sources(self, level: int) -> list[npt.NDArray[np.int64]]:
        """Return, along each axis, which pixel of the full size each of a level shows."""
        pairs = zip(self.shapes[0], self.shapes[level], strict=True)
        return [(2 * np.arange(small) + 1) * full // (2 * small) for full, small in pairs]


def _transformations(steps: Sequence[float], factors: Sequence[float]) -> list[dict[str, Any]]:
    """Return how a level lies in space: its pixels are larger, and so are their middles apart."""
    pairs = list(zip(steps, factors, strict=True))
    scale = {"type": "scale", "scale": [float(step * factor) for step, factor in pairs]}
    if all(factor == 1 for factor in factors):
        return [scale]
    shift = [float(step * (factor - 1) / 2) for step, factor in pairs]
    return [scale, {"type": "translation", "translation": shift}]


class LevelPlane:
    """What one level of labels shows of a plane of the full size."""

    def __init__(
        self,
        array: zarr.Array[Any],
        axes: str,
        sources: Sequence[npt.NDArray[np.int64]],
        place: Mapping[str, int],
    ) -> None:
        self._array = array
        self._source = dict(zip(axes, sources, strict=True))
        shown = {axis: np.flatnonzero(self._source[axis] == i) for axis, i in place.items()}
        self._planes = [  # that show the one: none where planes are left out
            dict(zip(shown, (int(i) for i in at), strict=True)) for at in product(*shown.values())
        ]
        self._axes = axes

    def take(self, read: npt.NDArray[Any], rows: slice, columns: slice) -> None:
        """Write what a level shows of this part (y, x) of the full size."""
        (y, own_y), (x, own_x) = self._shown("Y", rows), self._shown("X", columns)
        picked = read[np.ix_(own_y, own_x)]
        for plane in self._planes if picked.size else ():
            position: dict[str, int | slice] = {**plane, "Y": y, "X": x}
            self._array[tuple(position.get(axis, slice(None)) for axis in self._axes)] = picked

    def _shown(self, axis: str, part: slice) -> tuple[slice, npt.NDArray[np.int64]]:
        """Return which pixels of the level show this part, and which of its pixels they show."""
        source = self._source[axis]
        first, stop = np.searchsorted(source, (part.start, part.stop)).tolist()
        return slice(first, stop), source[first:stop] - part.start


def ome_metadata(layout: Layout, pyramid: Pyramid, name: str, *, is_labels: bool) -> dict[str, Any]:
    """Return the attributes of a group whose arrays "0", "1", … are the levels of a pyramid.

    Parameters
    ----------
    layout
        Of the full size; its spacing is in µm for Z, Y and X, in s for T.
    is_labels
        False: the full size is all that there is.
    """
    described = [dict(AXES[axis]) for axis in pyramid.axes]
    for axis, description in zip(pyramid.axes, described, strict=True):
        if axis in layout.spacing:
            description["unit"] = "second" if axis == "T" else "micrometer"
    steps = pyramid.transformations if is_labels else pyramid.transformations[:1]
    multiscale: dict[str, Any] = {
        "name": name,
        "axes": described,
        "datasets": [
            {"path": str(i), "coordinateTransformations": step} for i, step in enumerate(steps)
        ],
    }
    source = {} if pyramid.source is None else {"source": {"image": pyramid.source}}
    labels: dict[str, Any] = {"image-label": source} if is_labels else {}
    if pyramid.version == "0.5":
        return {"ome": {"version": "0.5", "multiscales": [multiscale], **labels}}
    labels = {key: {"version": pyramid.version, **told} for key, told in labels.items()}
    return {"multiscales": [{"version": pyramid.version, **multiscale}], **labels}
