"""Which plane of a label stack belongs to which plane of its image, by their axes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from napari_unet.engine.errors import LabelsError
from napari_unet.io.stack import Layout

Index = tuple[int, ...]


def plane_order(labels: Layout, image: Layout) -> Callable[[int], Index] | None:
    """Return a function from the number of an image's plane to its index in the labels.

    Parameters
    ----------
    labels, image
        Axes and shape, without the image's channels.

    Returns
    -------
    callable or None
        None if the labels have not one plane for each of the image.

    Raises
    ------
    LabelsError
        If the axes come in another order, and all of the same lengths as in the image's order.

    Notes
    -----
    Axes of length 1 are no axes. The same axes in another order (ZTYX for TZYX) are matched by
    their names. Other names do not matter, as many files leave axes unnamed: planes then pair in
    order, where the lengths are the same, or where one of the two has all planes along one axis.
    """
    have, want = _long_axes(labels), _long_axes(image)
    in_order = [*have.values()] == [*want.values()] or (
        labels.count == image.count and min(len(have), len(want)) <= 1
    )
    if [*have] != [*want] and have == want:
        if in_order:
            raise LabelsError(
                f"The labels have the axes {labels.axes}, the image {image.axes}, and both are of "
                "one length, so that it is not certain which plane is which; save the labels with "
                "the axes of the image, in their order."
            )
        return lambda number: _by_name(number, labels, image)
    if not in_order:
        return None
    return lambda number: _unravel(number, labels.leading_shape)


def _long_axes(layout: Layout) -> dict[str, int]:
    """Return the lengths of the axes before YX, without those of length 1."""
    leading = zip(layout.axes[:-2], layout.leading_shape, strict=True)
    return {axis: length for axis, length in leading if length > 1}


def _by_name(number: int, labels: Layout, image: Layout) -> Index:
    at = dict(zip(image.axes, _unravel(number, image.leading_shape), strict=False))
    return tuple(at.get(axis, 0) for axis in labels.axes[:-2])


def _unravel(number: int, shape: Index) -> Index:
    return tuple(int(i) for i in np.unravel_index(number, shape)) if shape else ()
