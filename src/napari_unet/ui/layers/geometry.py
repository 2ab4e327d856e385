"""Where a layer's pixels lie: placement, pixel size, axes, and what the viewer looks at."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from napari.components import ViewerModel
from napari.layers import Layer
from napari.utils.transforms import CompositeAffine

from napari_unet.io.axes import axis_letter, name_axes
from napari_unet.io.stack import Layout

_METRES = "micrometer"
_SECONDS = "second"


def full_resolution(layer: Layer) -> Any:
    """Return the layer's array; of a multiscale layer the finest level."""
    return layer.data[0] if layer.multiscale else layer.data


def spatial_shape(layer: Layer) -> tuple[int, ...]:
    """Return the shape in pixels at full resolution; the colours of an RGB image are no axis."""
    shape = tuple(int(length) for length in full_resolution(layer).shape)
    return shape[:-1] if getattr(layer, "rgb", False) else shape


def placement(layer: Layer) -> dict[str, Any]:
    """Return the arguments that put another layer of as many axes exactly onto `layer`."""
    return {
        "scale": np.array(layer.scale),
        "translate": np.array(layer.translate),
        "rotate": np.array(layer.rotate),
        "shear": np.array(layer.shear),
        "affine": np.array(layer.affine.affine_matrix),
        "units": tuple(layer.units),
        "axis_labels": tuple(layer.axis_labels),
    }


def long_shape(layer: Layer) -> tuple[int, ...]:
    """Return the shape in pixels, without leading axes of length 1 before Y and X."""
    shape = spatial_shape(layer)
    first = next((i for i, n in enumerate(shape[:-2]) if n > 1), len(shape) - 2)
    return shape[first:]


def same_placement(one: Layer, other: Layer) -> bool:
    """Return True if pixel (0, 0, …), and with it every pixel, lies at the same place in both.

    Leading axes of length 1 that only one of them has are no axes, and the length of a step along
    an axis of length 1 does not matter.
    """
    ndim = min(one.ndim, other.ndim)
    shapes = [spatial_shape(layer) for layer in (one, other)]
    if any(length > 1 for shape in shapes for length in shape[:-ndim]):
        return False
    long = [axis for axis in range(-ndim, 0) if any(shape[axis] > 1 for shape in shapes)]
    corners = [np.zeros(ndim), *(np.eye(ndim)[axis] for axis in long)]
    return all(np.allclose(_in_world(one, corner), _in_world(other, corner)) for corner in corners)


def _in_world(layer: Layer, corner: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return where a pixel lies along the last axes; along the others it is at 0."""
    ndim = len(corner)
    return np.array(layer.data_to_world(np.pad(corner, (layer.ndim - ndim, 0))))[-ndim:]


def pixel_size(layer: Layer) -> tuple[float, float] | None:
    """Return (Y, X) in µm/px, None if the layer's units are no lengths."""
    y, x = (_in_unit(layer, axis, _METRES) for axis in (-2, -1))
    return None if y is None or x is None else (y, x)


def file_layout(layer: Layer) -> Layout:
    """Return shape, axes and spacing for a file of the layer."""
    axes = layer_axes(layer)
    spacing = {}
    for index, axis in enumerate(axes):
        distance = _in_unit(layer, index, _SECONDS if axis == "T" else _METRES)
        if distance is not None and axis in "TZYX":
            spacing[axis] = distance
    return Layout(spatial_shape(layer), axes, spacing)


def layer_axes(layer: Layer) -> str:
    """Return one letter per axis of the layer, "TZYX" for example.

    The last two axes are Y and X. Others are taken from their labels ("t", "z", "channel"), or
    from their unit (a time); what is left without a name, as in "-3", is Z, then T.
    """
    return name_axes(stated_axes(layer))


def stated_axes(layer: Layer) -> str:
    """Return one letter per axis, as `layer_axes`, but "?" for an axis that nobody has named."""
    return "".join(_axis_letter(layer, axis) for axis in range(layer.ndim))


def channel_axis(layer: Layer) -> int | None:
    """Return the axis that is labelled as that of several channels, None if there is none."""
    for axis, length in enumerate(spatial_shape(layer)):
        if length > 1 and axis_letter(str(layer.axis_labels[axis])) == "C":
            return axis
    return None


def has_other_order(one: Layer, other: Layer) -> bool:
    """Return True if both layers name the same axes, in another order."""
    mine, theirs = stated_axes(one), stated_axes(other)
    return mine != theirs and sorted(mine) == sorted(theirs) and "?" not in mine


def _axis_letter(layer: Layer, axis: int) -> str:
    if axis >= layer.ndim - 2:
        return "YX"[axis - layer.ndim]
    letter = axis_letter(str(layer.axis_labels[axis]))
    if letter not in "?YXS":
        return letter
    return "T" if _in_unit(layer, axis, _SECONDS) is not None else "?"


def _in_unit(layer: Layer, axis: int, unit: str) -> float | None:
    of_layer = layer.units[axis]
    if not of_layer.is_compatible_with(unit):
        return None
    return float((float(layer.scale[axis]) * of_layer).to(unit).magnitude)


def pixel_steps(layer: Layer) -> npt.NDArray[np.float64]:
    """Return how far a step of one pixel along Y, and one along X, leads in the world: (Y, X) each.

    The array is (2, 2).
    """
    origin = _in_world(layer, np.zeros(2))
    return np.stack([_in_world(layer, corner) - origin for corner in np.eye(2)])


def camera(viewer: ViewerModel) -> Any:
    """Return the viewer's camera; before napari 0.9 it has no scene."""
    return getattr(viewer, "scene", viewer).camera


def shows_planes(viewer: ViewerModel) -> bool:
    """Return whether planes are shown, not 3D nor a cut along other axes."""
    return set(viewer.dims.displayed) == {viewer.dims.ndim - 2, viewer.dims.ndim - 1}


def focus(viewer: ViewerModel, layer: Layer) -> tuple[int, ...]:
    """Return the index of the pixel in the middle of the view, inside the layer, one per axis."""
    point = list(viewer.dims.point)
    displayed = viewer.dims.displayed
    for axis, middle in zip(displayed, camera(viewer).center[-len(displayed) :], strict=True):
        point[axis] = middle
    index = np.round(layer.world_to_data(point)).astype(int)
    last = np.array(spatial_shape(layer)) - 1
    return tuple(int(i) for i in np.clip(index, 0, last))


def looked_at(viewer: ViewerModel, layer: Layer) -> tuple[int, int, int]:
    """Return the number of the shown plane, and the pixel (y, x) in the middle of the view."""
    *position, y, x = focus(viewer, layer)
    leading = spatial_shape(layer)[:-2]
    return (int(np.ravel_multi_index(tuple(position), leading)) if leading else 0), y, x


def in_sight(viewer: ViewerModel, layer: Layer, position: tuple[int, ...]) -> bool:
    """Return True if the plane at `position` (its indices along the leading axes) may be seen."""
    if not shows_planes(viewer):
        return True
    return focus(viewer, layer)[:-2] == position


def on_plane(layer: Layer, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return (y, x) values with as many axes as the layer; all but the last two are of length 1."""
    leading: tuple[int, ...] = (1,) * (layer.ndim - 2)
    return values.reshape(leading + values.shape)


def place(layer: Layer, plane: int, origin: tuple[int, int], step: int = 1) -> dict[str, Any]:
    """Return the arguments that put `on_plane` values exactly onto a region of a layer's plane.

    Parameters
    ----------
    layer
        The layer that they belong to, of any scale, rotation, shear or affine.
    plane
        Number of the plane.
    origin
        First pixel of the region (Y, X).
    step
        Pixels per side that a value stands for.

    Notes
    -----
    The values have the layer's axes, and length 1 along the leading ones. So napari itself shows
    them on their plane only, in slices along other axes and in 3D as well.
    """
    arguments = placement(layer)
    leading = spatial_shape(layer)[:-2]
    index = np.unravel_index(plane, leading) if leading else ()
    turned = CompositeAffine(
        scale=arguments["scale"],
        translate=np.zeros(layer.ndim),
        rotate=arguments["rotate"],
        shear=arguments["shear"],
    )
    middle = (step - 1) / 2  # of the first value
    first = np.array([*index, *(at + middle for at in origin)], dtype=float)
    offset = turned.linear_matrix @ first
    scale = np.concatenate([arguments["scale"][:-2], step * arguments["scale"][-2:]])
    return arguments | {"scale": scale, "translate": arguments["translate"] + offset}
