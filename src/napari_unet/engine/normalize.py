"""Grey values → float32, with statistics measured once per stack.

Statistics of a tile or of one plane would make tiles and planes disagree, so they are measured
over the whole stack and stored with the model.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_unet.engine.errors import ImageError
from napari_unet.engine.planes import Planes

__all__ = ["Normalization", "measure"]

_PLANES = 32  # planes looked at, evenly spaced through the stack
_PIXELS = 1 << 18  # pixels looked at per plane and channel
_BANDS = 8  # of rows that they come in: each one may cost the reading of a whole plane
_PERCENTILES = (0.5, 99.5)


@dataclass(frozen=True, slots=True)
class Normalization:
    """Linear map of grey values, per channel: `low` → -1, `high` → 1."""

    low: tuple[float, ...]
    high: tuple[float, ...]

    def apply(self, region: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        """Return (C, Y, X) grey values as normalised float32.

        Raises
        ------
        ImageError
            If the region holds NaN or infinite values.
        """
        if region.dtype.kind == "f" and not np.isfinite(region).all():
            raise ImageError(
                "The image holds NaN or infinite values; replace them (for example with "
                "numpy.nan_to_num) and open it again."
            )
        low = np.array(self.low, dtype=np.float64)[:, np.newaxis, np.newaxis]
        span = np.array(self.high, dtype=np.float64)[:, np.newaxis, np.newaxis] - low
        return ((region - low) * (2 / span) - 1).astype(np.float32)


def measure(planes: Planes, *, name: str = "image") -> Normalization:
    """Measure the grey value range of a stack (0.5 and 99.5 percentiles per channel).

    Up to 32 planes, evenly spaced, and about 2^18 pixels of each are looked at, always the
    same ones, so that the same stack always gives the same numbers.

    Raises
    ------
    ImageError
        If a channel is constant, or holds NaN or infinite values.
    """
    numbers = np.unique(np.linspace(0, planes.count - 1, min(planes.count, _PLANES)).astype(int))
    height, width = planes.shape
    rows = _bands(height, width)
    samples = []
    for plane in numbers:
        bands = [planes.read(int(plane), band, slice(0, width)) for band in rows]
        values = np.concatenate([band.reshape(planes.channels, -1) for band in bands], axis=1)
        if values.dtype.kind == "f" and not np.isfinite(values).all():
            raise ImageError(
                f"Plane {plane} of '{name}' holds NaN or infinite values; replace them (for "
                "example with numpy.nan_to_num) and open it again."
            )
        half_precision = values.dtype == np.float16  # percentiles would overflow
        samples.append(values.astype(np.float32) if half_precision else values)
    stacked = np.concatenate(samples, axis=1)  # (C, samples)
    low, high = np.percentile(stacked, _PERCENTILES, axis=1)
    # A few bright pixels on an even background are a picture too, but lie beyond the percentiles.
    flat = high <= low
    low, high = np.where(flat, stacked.min(axis=1), low), np.where(flat, stacked.max(axis=1), high)
    if (high <= low).any():
        raise ImageError(
            f"'{name}' is constant: every pixel looked at has the same grey value. "
            "Check that the right file and channel are open."
        )
    return Normalization(tuple(map(float, low)), tuple(map(float, high)))


def _bands(height: int, width: int) -> list[slice]:
    """Return bands of rows, spread over the plane, that hold about `_PIXELS` pixels in all."""
    rows = math.ceil(_PIXELS / width / _BANDS)
    if rows * _BANDS >= height:
        return [slice(0, height)]
    starts = np.linspace(0, height - rows, _BANDS).astype(int)
    return [slice(int(start), int(start) + rows) for start in starts]
