"""An image or label file as it lies open: lazy array, axes and spacing."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from napari_unet.engine.counts import shape_text
from napari_unet.engine.stack import ArrayPlanes, ColourPlanes
from napari_unet.io.axes import name_axes
from napari_unet.io.units import finite

SOFTWARE = "napari-unet-paint"
"""Begin of the Software tag of files written here; those of whole numbers are label images."""

BLACK = "#000000"
"""Colour of a channel whose low values are white and whose high values are black."""


@dataclass(frozen=True, slots=True)
class Channel:
    """A channel as the file describes it; what it does not tell is empty.

    Parameters
    ----------
    name
        For example "DAPI".
    colour
        In which its brightest pixels are shown, "#rrggbb"; white, the usual, is not told.
    limits
        Grey values shown as black and as the full colour.
    """

    name: str = ""
    colour: str | None = None
    limits: tuple[float, float] | None = None


def fitting_channels(found: Iterable[Channel], count: int) -> tuple[Channel, ...]:
    """Return what a file tells of its channels; nothing, unless it tells of as many as it has."""
    channels = tuple(found)
    return channels if len(channels) == count and set(channels) != {Channel()} else ()


def hex_colour(samples: Sequence[int]) -> str | None:
    """Return red, green, blue (0 to 255) as "#rrggbb"; None for white, and for black."""
    text = "#" + "".join(f"{int(value):02x}" for value in samples)
    return None if text in ("#ffffff", BLACK) else text


def limits_of(low: Any, high: Any) -> tuple[float, float] | None:
    """Return the two grey values, None unless they are finite numbers in order."""
    darkest, brightest = finite(low), finite(high)
    if darkest is None or brightest is None or darkest >= brightest:
        return None
    return darkest, brightest


@dataclass(frozen=True, slots=True)
class View:
    """Which part of a file is meant, and how it is read.

    Parameters
    ----------
    position
        Name, or number from 0, of an image in a file of several; None: its only one.
    axes
        A letter per axis, in the order in which they are read; None: as the file says.
    channels
        Names, or numbers from 0; empty: all.
    """

    position: str | None = None
    axes: str | None = None
    channels: tuple[str, ...] = ()


AS_IT_IS = View()
"""All of a file that holds one image."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Shape, axes and spacing of a file that is to be written.

    Parameters
    ----------
    shape
        Length of each axis.
    axes
        One letter per axis, ending in "YX".
    spacing
        Distance between neighbours along an axis, where known: µm for Z, Y and X, s for T.
    """

    shape: tuple[int, ...]
    axes: str
    spacing: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if len(self.shape) != len(self.axes) or len(set(self.axes)) != len(self.axes):
            raise ValueError(f"axes {self.axes!r} do not name the axes of {self.shape}")
        if not self.axes.endswith("YX"):
            raise ValueError(f"axes must end in YX, got {self.axes!r}")
        if min(self.shape) < 1:
            raise ValueError(f"shape must hold no zero, got {self.shape}")

    @property
    def leading_shape(self) -> tuple[int, ...]:
        """Lengths of the axes before YX."""
        return self.shape[:-2]

    @property
    def plane_shape(self) -> tuple[int, int]:
        """Height and width of a plane, pixels."""
        return self.shape[-2], self.shape[-1]

    @property
    def count(self) -> int:
        """Number of planes; where there are channels, each is counted."""
        return math.prod(self.leading_shape)

    @property
    def pixel_size(self) -> tuple[float, float] | None:
        """Height and width of a pixel in µm, None if unknown."""
        if "Y" in self.spacing and "X" in self.spacing:
            return self.spacing["Y"], self.spacing["X"]
        return None


@dataclass(frozen=True, slots=True)
class ImageStack:
    """An open image; pixels are read when the array is sliced.

    Parameters
    ----------
    array
        Slices like numpy's; nothing else of it is read.
    axes
        One letter per axis, "TZCYX" or a part of it, ending in "YX"; colour pictures in "YXS".
        Leading axes that the file leaves unnamed are called Z, then T.
    spacing
        Distance between neighbours along an axis, where known: µm for Z, Y and X, s for T.
    name
        File or folder name without its suffix.
    plane_names
        File name of each plane without its suffix, where planes are files of a folder.
    channels
        What the file tells of each channel, in order; empty: nothing.
    is_labels
        True if the file says that it is a label image, as those written here do.
    levels
        Resolutions that the file has; the array is the finest of them.
    view
        What of the file it is.
    """

    array: Any
    axes: str
    spacing: Mapping[str, float]
    name: str
    plane_names: tuple[str, ...] | None = None
    channels: tuple[Channel, ...] = ()
    is_labels: bool = False
    levels: int = 1
    view: View = AS_IT_IS

    @property
    def pixel_size(self) -> tuple[float, float] | None:
        """Height and width of a pixel in µm, None if unknown."""
        if "Y" in self.spacing and "X" in self.spacing:
            return self.spacing["Y"], self.spacing["X"]
        return None

    @property
    def level_note(self) -> str:
        """Which resolution of several it is, in a sentence; empty: there is one."""
        if self.levels == 1:
            return ""
        size = shape_text(self.layout().plane_shape)
        return f"'{self.name}' has {self.levels} resolutions; the finest, {size} px, is used."

    @property
    def is_rgb(self) -> bool:
        """True for a colour picture: its last axis holds the samples red, green, blue."""
        return "S" in self.axes

    def planes(self) -> ArrayPlanes:
        """Return the numbered planes for the engine.

        The axis C becomes their channels; colour pictures have three.

        Raises
        ------
        ImageError
            If the values have no grey scale.
        """
        if self.is_rgb:
            axes = self.axes.removesuffix("S")
            return ColourPlanes(
                self.array,
                name=self.name,
                followed=followed_axes(axes),
                pixel_size=self.pixel_size,
            )
        channel_axis = self.axes.index("C") if "C" in self.axes else None
        return ArrayPlanes(
            self.array,
            channel_axis=channel_axis,
            name=self.name,
            followed=followed_axes(self.axes.replace("C", "")),
            pixel_size=self.pixel_size,
        )

    def channels_as_planes(self) -> ImageStack:
        """Return the stack with what it calls channels as planes; many programs call them so."""
        return replace(self, axes=name_axes(self.axes.replace("C", "?")), channels=())

    def channel_names(self) -> tuple[str, ...]:
        """Return a name for each channel, which may be empty."""
        count = self.planes().channels
        if self.is_rgb:
            return ("red", "green", "blue")
        if len(self.channels) == count:
            return tuple(channel.name for channel in self.channels)
        return ("",) * count

    def layout(self, *, channels: int | None = None) -> Layout:
        """Return the layout of a result of this image: its axes without C and S.

        Parameters
        ----------
        channels
            Length of an axis C put before YX, as probabilities have; None: no such axis.
        """
        kept = [i for i, axis in enumerate(self.axes) if axis not in "CS"]
        shape = [int(self.array.shape[i]) for i in kept]
        axes = [self.axes[i] for i in kept]
        if channels is not None:
            shape[-2:-2], axes[-2:-2] = [channels], ["C"]
        spacing = {axis: self.spacing[axis] for axis in axes if axis in self.spacing}
        return Layout(tuple(shape), "".join(axes), spacing)


def followed_axes(axes: str) -> str:
    """Return the axes right before YX that are z or t.

    Examples
    --------
    >>> followed_axes("TZYX"), followed_axes("PZYX"), followed_axes("ZPYX")
    ('TZ', 'Z', '')
    """
    leading = axes.removesuffix("YX")
    return leading[len(leading.rstrip("TZ")) :]
