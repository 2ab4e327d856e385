"""Grey values → float32, by one range per stack.

A range of each tile or plane would make tiles and planes disagree, so it is measured over the
whole stack, and stored with the model: what it was trained on tells how dark an empty field is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_unet.engine.errors import ImageError
from napari_unet.engine.stack.grey_range import GreyRange, measure_ranges
from napari_unet.engine.stack.planes import DerivedPlanes, Planes

_LIMIT = 2.0  # of what the network sees

# Shares of the range that a model was trained with.
_ALIKE = 0.2  # by which either end may differ
_EMPTY = 0.5  # that noise alone may cover
_VISIBLE = 0.4  # that the 5 or 95 percentile must reach, to tell that the rest is as it was


@dataclass(frozen=True, slots=True)
class Normalization:
    """Map of grey values, per channel: `low` → -1, `high` → 1, linear up to -2 and 2.

    What lies further out is cut off there: a hot pixel or a bar says no more by being a hundred
    times as bright as all else, but would drown everything that the network sees with it.
    """

    low: tuple[float, ...]
    high: tuple[float, ...]

    def apply(self, region: npt.NDArray[Any], what: str = "The image") -> npt.NDArray[np.float32]:
        """Return (C, Y, X) grey values as normalised float32.

        Parameters
        ----------
        region
            Of a plane.
        what
            The region, as errors call it: "Plane 3 of 'cells'".

        Raises
        ------
        ImageError
            If the region holds NaN or infinite values.
        """
        if region.dtype.kind == "f" and not np.isfinite(region).all():
            raise ImageError(
                f"{what} holds NaN or infinite values; replace them (for example with "
                "numpy.nan_to_num) and open it again."
            )
        low = np.array(self.low, dtype=np.float64)[:, np.newaxis, np.newaxis]
        span = np.array(self.high, dtype=np.float64)[:, np.newaxis, np.newaxis] - low
        values = (region - low) * (2 / span) - 1
        return values.clip(-_LIMIT, _LIMIT, out=values).astype(np.float32)


class NormalizedPlanes(DerivedPlanes):
    """A stack in normalised grey values.

    Parameters
    ----------
    planes
        The stack.
    normalization
        Gives the map of its grey values; asked when the first region is read.
    """

    def __init__(self, planes: Planes, normalization: Callable[[], Normalization]) -> None:
        super().__init__(planes, dtype=np.dtype(np.float32))
        self._planes = planes
        self._normalization = cache(normalization)

    def read(self, plane: int, y: slice, x: slice) -> npt.NDArray[np.float32]:
        """Return the region as (C, y, x) normalised float32; see `Normalization.apply`."""
        what = f"Plane {plane} of '{self.name}'"
        return self._normalization().apply(self._planes.read(plane, y, x), what)


def measure(planes: Planes, *, trained: Normalization | None = None) -> Normalization:
    """Measure the grey value range of a stack, per channel; see `measure_ranges`.

    Parameters
    ----------
    planes
        The stack.
    trained
        That of the stack on which a model was trained; it is taken again for a channel that looks
        like it, that holds nothing but noise, or that differs by a few odd pixels only.

    Raises
    ------
    ImageError
        If the stack is constant, or holds NaN or infinite values.
    """
    ranges = measure_ranges(planes)
    if all(found.width <= 0 for found in ranges):
        raise ImageError(
            f"'{planes.name}' is constant: every pixel looked at has the same grey value. "
            "Check that the right file and channel are open."
        )
    if trained is None or len(trained.low) != len(ranges):
        ends = [_own_ends(found) for found in ranges]
    else:
        known = zip(trained.low, trained.high, strict=True)
        ends = [
            known_ends if _is_seen_alike(found, *known_ends) else _own_ends(found)
            for found, known_ends in zip(ranges, known, strict=True)
        ]
    low, high = zip(*ends, strict=True)
    return Normalization(low, high)


def _own_ends(found: GreyRange) -> tuple[float, float]:
    """Return the ends of the range; those of an empty channel make its one value dark."""
    return found.low, found.high if found.width > 0 else found.low + 1


def _is_seen_alike(found: GreyRange, low: float, high: float) -> bool:
    """Return whether the range that a model was trained with fits a channel.

    Dim images are not empty ones: with another exposure, or fewer bits, the own range is the right
    one, however far inside the other it lies.
    """
    width = high - low
    if found.width <= 0 or found.is_empty:
        inside = low - _ALIKE * width <= found.low and found.high <= high + _ALIKE * width
        return inside and found.width < _EMPTY * width
    is_low_alike = abs(found.low - low) <= _ALIKE * width
    is_high_alike = abs(found.high - high) <= _ALIKE * width
    if is_low_alike and is_high_alike:
        return True
    # Something odd shines or is dark, and the rest lies where it lay in training.
    if is_low_alike and found.high > high:
        return _VISIBLE * width <= found.inner_high - low <= (1 + _ALIKE) * width
    if is_high_alike and found.low < low:
        return _VISIBLE * width <= high - found.inner_low <= (1 + _ALIKE) * width
    return False
