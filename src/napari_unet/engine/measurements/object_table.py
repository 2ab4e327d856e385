"""What is measured, under which names and in which units: one row per object."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isclose, prod
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from napari_unet.engine.measurements.object_sums import Floats, ObjectSums

_ALIKE = 1e-3  # by which height and width of a square pixel may differ
_GREY = ("mean", "median", "max", "std", "sum")
_ROOM = "ZYX"

Column = npt.NDArray[Any]


class Grid(Protocol):
    """Shape, axes and spacing of a label image, as those of `napari_unet.io.stack.Layout`."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Length of each axis."""
        ...

    @property
    def axes(self) -> str:
        """One letter per axis, ending in "YX"."""
        ...

    @property
    def spacing(self) -> Mapping[str, float]:
        """Distance between neighbours along an axis, where known: µm, for T s."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class ObjectTable:
    """One row per object; columns of one length, each under a name with its unit."""

    columns: Mapping[str, Column]

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))

    def __getitem__(self, name: str) -> Column:
        return self.columns[name]

    @staticmethod
    def joined(parts: Sequence[ObjectTable]) -> ObjectTable:
        """Return the rows of all parts, of which there is one at least."""
        names = parts[0].columns
        return ObjectTable({n: np.concatenate([part[n] for part in parts]) for n in names})


@dataclass(frozen=True, slots=True, eq=False)
class OnPlane:
    """What does not add up over planes, of each object of one plane."""

    perimeter: Floats  # (k,) pixels
    convex: Floats  # (k,) pixels of its convex hull

    @classmethod
    def nothing(cls, objects: int) -> OnPlane:
        """Return what is not known of so many."""
        unknown = np.full(objects, np.nan)
        return cls(unknown, unknown)


@dataclass(frozen=True, slots=True)
class Measures:
    """What is measured.

    Parameters
    ----------
    grid
        Of the labels. Lengths are in µm where the size of a pixel is known, else in pixels.
    channels
        Names of the channels of the image that is measured with them; empty: none is. They may be
        empty, too.
    volumes
        False: each object on each plane is a row. True: all planes along Z that have the same
        number are one object, at each time and position.
    """

    grid: Grid
    channels: tuple[str, ...] = ()
    volumes: bool = False

    def __post_init__(self) -> None:
        if self.volumes and "Z" not in self.leading:
            raise ValueError(f"volumes need an axis Z, got {self.grid.axes}")

    @property
    def leading(self) -> str:
        """Axes before Y and X."""
        return self.grid.axes[:-2]

    @property
    def space(self) -> str:
        """Axes of an object."""
        return _ROOM if self.volumes else _ROOM[1:]

    @property
    def unit(self) -> str:
        """Of lengths: "um" where the spacing along all axes of an object is known, else "px"."""
        return "um" if all(axis in self.grid.spacing for axis in self.space) else "px"

    @property
    def steps(self) -> Floats:
        """Length of a pixel along each axis of an object, in that unit."""
        known = self.unit == "um"
        return np.array([self.grid.spacing[axis] if known else 1.0 for axis in self.space])

    def names(self) -> tuple[str, ...]:
        """Return the names of all columns, in order."""
        return tuple(self.table(ObjectSums.nothing(len(self.channels)), 0).columns)

    def table(
        self,
        sums: ObjectSums,
        plane: int,
        median: Floats | None = None,
        on_plane: OnPlane | None = None,
    ) -> ObjectTable:
        """Return the rows of a plane, or of a volume one of whose planes this is.

        Parameters
        ----------
        sums
            Of its objects, (k,).
        plane
            Its number.
        median
            Grey value of each channel, (k, C).
        on_plane
            What else is measured on planes; it is no part of the rows of volumes.
        """
        count = len(sums.labels)
        extra = on_plane or OnPlane.nothing(count)
        if median is None:
            median = np.full((count, len(self.channels)), np.nan)
        columns: dict[str, Column] = {"label": sums.labels}
        columns |= self._place(plane, count) | self._size(sums)
        if not self.volumes:
            columns[f"perimeter_{self.unit}"] = extra.perimeter * self._square_side()
        columns |= self._shape(sums)
        if not self.volumes:
            columns["solidity"] = sums.pixels / extra.convex
        columns["touches_border"] = self._touches_border(sums)
        return ObjectTable(columns | self._grey(sums, median))

    def _place(self, plane: int, count: int) -> dict[str, Column]:
        """Return the plane, and the place along each axis before those of the object."""
        found: dict[str, Column] = {}
        if not self.volumes:
            found["plane"] = np.full(count, plane)
        at = np.unravel_index(plane, self.grid.shape[:-2]) if self.leading else ()
        indices = {
            axis: int(index)
            for axis, index in zip(self.leading, at, strict=True)
            if axis not in self.space
        }
        found |= {axis.lower(): np.full(count, index) for axis, index in indices.items()}
        for axis, unit in (("T", "s"), ("Z", "um")):
            if axis in indices and axis in self.grid.spacing:
                name = "time_s" if axis == "T" else f"z_{unit}"
                found[name] = np.full(count, indices[axis] * self.grid.spacing[axis])
        return found

    def _size(self, sums: ObjectSums) -> dict[str, Column]:
        size, power = ("volume", 3) if self.volumes else ("area", 2)
        unit = f"um{power}" if self.unit == "um" else "px"
        found: dict[str, Column] = {f"{size}_{unit}": sums.pixels * prod(self.steps.tolist())}
        own = slice(-len(self.space), None)
        centre = sums.centre[:, own] * self.steps
        low, high = sums.low[:, own].astype(np.int64), sums.high[:, own].astype(np.int64)
        for i, axis in enumerate(self.space.lower()):
            found[f"centroid_{axis}_{self.unit}"] = centre[:, i]
        for i, axis in enumerate(self.space.lower()):
            found[f"bbox_{axis}_px"] = low[:, i]
        for i, name in enumerate(("depth", "height", "width")[own]):
            found[f"bbox_{name}_px"] = high[:, i] - low[:, i]
        return found

    def _shape(self, sums: ObjectSums) -> dict[str, Column]:
        """Return the axes of the ellipse, or ellipsoid, that is spread like the object."""
        own = slice(-len(self.space), None)
        scaled = sums.spread[:, own, own] / sums.pixels[:, np.newaxis, np.newaxis]
        spread = scaled * self.steps[:, np.newaxis] * self.steps
        along = np.linalg.eigvalsh(spread).clip(0, None)  # ascending
        factor = 20 if self.volumes else 16  # of a solid ellipsoid, an ellipse: variance of an axis
        found: dict[str, Column] = {
            f"axis_major_length_{self.unit}": np.sqrt(factor * along[:, -1]),
            f"axis_minor_length_{self.unit}": np.sqrt(factor * along[:, 0]),
        }
        if not self.volumes:
            twice, more = 2 * spread[:, 0, 1], spread[:, 0, 0] - spread[:, 1, 1]
            found["orientation_deg"] = np.degrees(np.arctan2(twice, more)) / 2
            share = np.divide(
                along[:, 0], along[:, 1], out=np.ones(len(along)), where=along[:, 1] > 0
            )
            found["eccentricity"] = np.sqrt(1 - share)
        return found

    def _touches_border(self, sums: ObjectSums) -> Column:
        lengths = dict(zip(self.grid.axes, self.grid.shape, strict=True))
        own = slice(-len(self.space), None)
        ends = np.array([lengths[axis] for axis in self.space])
        is_cut = (sums.low[:, own] <= 0) | (sums.high[:, own] >= ends)
        found: Column = np.any(is_cut, axis=1)
        return found

    def _grey(self, sums: ObjectSums, median: Floats) -> dict[str, Column]:
        pixels = sums.pixels[:, np.newaxis]
        values = {
            "mean": sums.grey,
            "median": np.where(np.isnan(sums.grey), np.nan, median),
            "max": sums.highest,
            "std": np.sqrt(sums.grey_spread / pixels),
            "sum": sums.grey * pixels,
        }
        return {
            f"intensity_{name}{ending}": values[name][:, i]
            for i, ending in enumerate(_endings(self.channels))
            for name in _GREY
        }

    def _square_side(self) -> float:
        """Return the side of a pixel; nan if it is no square, as then no diagonal step is √2."""
        high, wide = self.steps[-2:].tolist()
        return (high + wide) / 2 if isclose(high, wide, rel_tol=_ALIKE) else float("nan")


def _endings(channels: Sequence[str]) -> list[str]:
    """Return what the names of a channel's columns end in; nothing if there is one only."""
    if len(channels) < 2:
        return [""] * len(channels)
    words = ["_".join(re.findall(r"\w+", name)) for name in channels]
    return [
        f"_{word}" if word and words.count(word) == 1 else f"_{number}"
        for number, word in enumerate(words, start=1)
    ]
