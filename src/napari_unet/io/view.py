"""A part of an image, as people have chosen it: other names of axes, some of the channels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from napari_unet.engine.counts import count
from napari_unet.engine.errors import SettingsError
from napari_unet.io.axes import in_reading_order
from napari_unet.io.positions import find_name
from napari_unet.io.stack import Channel, ImageStack, View, fitting_channels

_COLOURS = ("red", "green", "blue", "alpha")


def as_seen(stack: ImageStack, view: View) -> ImageStack:
    """Return the image with the axes and channels that are wanted; nothing is read.

    Raises
    ------
    SettingsError
        If it has other axes or channels.
    """
    if view.axes is not None:
        stack = _with_axes(stack, view.axes)
    if view.channels:
        stack = _with_channels(stack, view.channels)
    return replace(stack, view=replace(view, position=stack.view.position))


def _with_axes(stack: ImageStack, axes: str) -> ImageStack:
    if len(axes) != len(stack.axes):
        raise SettingsError(
            f"'{stack.name}' has {count(len(stack.axes), 'axis')}, read as {stack.axes}; write one "
            "letter for each after --axes, in their order."
        )
    colours = stack.array.shape[axes.index("S")] if "S" in axes else len(_COLOURS)
    if colours not in (3, 4):
        raise SettingsError(
            f"'{stack.name}' has {colours} where --axes {axes} says S, which means red, green and "
            "blue; write C for channels."
        )
    channels = stack.array.shape[axes.index("C")] if "C" in axes else 1
    array, axes = in_reading_order(stack.array, axes)
    return replace(
        stack, array=array, axes=axes, channels=fitting_channels(stack.channels, channels)
    )


def _with_channels(stack: ImageStack, wanted: Sequence[str]) -> ImageStack:
    axis = next((axis for axis in "CS" if axis in stack.axes), None)
    if axis is None:
        if all(find_name(word, ("C0",)) is not None for word in wanted):
            return stack
        raise SettingsError(
            f"'{stack.name}' has one channel and the axes {stack.axes}; leave out --channels, or "
            "say with --axes which axis holds its channels (CYX, for example)."
        )
    at = stack.axes.index(axis)
    known = _channels(stack, axis, int(stack.array.shape[at]))
    numbers = list(dict.fromkeys(_number(word, known, stack.name) for word in wanted))
    array, axes = in_reading_order(stack.array.pick(numbers, at), stack.axes.replace(axis, "C"))
    return replace(stack, array=array, axes=axes, channels=tuple(known[n] for n in numbers))


def _channels(stack: ImageStack, axis: str, length: int) -> list[Channel]:
    """Return all channels, each with a name."""
    if axis == "S":
        return [Channel(name) for name in _COLOURS[:length]]
    told = stack.channels if len(stack.channels) == length else (Channel(),) * length
    return [replace(each, name=each.name or f"C{number}") for number, each in enumerate(told)]


def _number(word: str, channels: Sequence[Channel], name: str) -> int:
    names = [channel.name for channel in channels]
    found = find_name(word, names)
    if found is None:
        found = find_name(word, [f"C{number}" for number in range(len(names))])
    if found is None:
        raise SettingsError(
            f"'{name}' has no channel '{word}'; it has {', '.join(names)} (or by number, from 0)."
        )
    return found
