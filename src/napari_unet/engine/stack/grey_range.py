"""The range of grey values in a stack, whatever odd pixels and odd planes it holds.

A few saturated frames, hot pixels, a burnt-in bar, or a field that is nearly empty must not
decide how all the rest is seen. So each plane is measured by itself, without what stands out
alone, and the stack by its typical plane; where there is nothing but noise, that is said.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_unet.engine.errors import ImageError
from napari_unet.engine.stack.planes import Planes
from napari_unet.engine.stack.tiles import bands

_PLANES = 32  # planes looked at, evenly spaced through the stack
_SAMPLES = 1 << 21  # of the stack and each channel, shared out among its planes
_MOST_SAMPLES = 1 << 18  # of one plane
_READ = 1 << 26  # pixels read of the stack: what is sparse is only found where one looks
_FEWEST_READ = 1 << 18  # pixels read of a plane, however many there are
_BANDS = 8  # of rows, where a plane is not read whole: each one may cost the reading of a tile row

_TAIL = 0.5  # per cent that lie beyond either end of the range
_INNER = 5.0  # per cent that lie beyond either end of the inner range
_PERCENTILES = (_TAIL, _INNER, 25, 75, 100 - _INNER, 100 - _TAIL)
_MOST_FLAT = 0.05  # share of a plane that a burnt-in bar may cover
_STANDS_OUT = 0.25  # of the range: what is flat and further away is no part of the image

# Noise: like a normal distribution, whose percentiles above lie 1.9 interquartile ranges from the
# middle, and as different from a pixel four columns away as from one sixteen columns away.
_NOISE_TAIL = 2.6  # interquartile ranges
_NEAR, _FAR = 4, 16  # columns
_NOISE_LIKENESS = 0.75
_FEW_VALUES = 4  # whole numbers that differ by less are noise, too
_SPARSE_TAIL = 5.0  # interquartile ranges beyond the quartiles: 7.4 standard deviations
_FEWEST_SPARSE = 12  # samples: specks do not decide

_Array = npt.NDArray[np.float64]
_Stored = npt.NDArray[Any]  # in the type of the image: whole numbers are sorted in half the time
_Mask = npt.NDArray[np.bool_]

_TYPICAL = 0.6  # quantile of the planes; each counts by the square root of its range


@dataclass(frozen=True, slots=True)
class GreyRange:
    """Grey values of one channel, in a typical plane that holds something.

    Parameters
    ----------
    low, high
        0.5 and 99.5 percentiles; equal if all pixels are.
    inner_low, inner_high
        5 and 95 percentiles.
    is_empty
        True if no plane holds anything but noise.
    """

    low: float
    high: float
    inner_low: float
    inner_high: float
    is_empty: bool = False

    @property
    def width(self) -> float:
        """Distance of both ends."""
        return self.high - self.low


def measure_ranges(planes: Planes) -> tuple[GreyRange, ...]:
    """Measure the range of grey values of each channel.

    Up to 32 planes, evenly spaced, are looked at, always at the same pixels, so that the same
    stack always gives the same numbers. Left out are single pixels that stand out of their
    neighbourhood (hot pixels), and flat areas at the brightest or darkest value that are apart
    from all others (bars, text). Where few objects lie on a background of noise, the range reaches
    up to them, however few they are.

    Raises
    ------
    ImageError
        If a plane that is looked at holds NaN or infinite values.
    """
    numbers = np.unique(np.linspace(0, planes.count - 1, min(planes.count, _PLANES)).astype(int))
    of_planes = [_measure_plane(planes, int(n), len(numbers)) for n in numbers]
    return tuple(_typical(channel) for channel in zip(*of_planes, strict=True))


@dataclass(frozen=True, slots=True, eq=False)
class _Samples:
    """Pixels of one channel of a plane, with their neighbourhood, each (n,)."""

    values: _Stored
    middles: _Stored  # median of the pixel and its four neighbours
    is_flat: _Mask  # the five are equal
    near: _Stored  # values some columns away
    far: _Stored
    is_inside: _Mask  # these columns are on the plane

    def __getitem__(self, kept: _Mask) -> _Samples:
        if kept.all():
            return self
        return _Samples(*(getattr(self, field.name)[kept] for field in fields(self)))


def _measure_plane(planes: Planes, plane: int, looked_at: int) -> list[GreyRange]:
    """Measure the channels of a plane, of which as much is looked at as of the others."""
    step = max(1, math.isqrt(math.prod(planes.shape) // min(_MOST_SAMPLES, _SAMPLES // looked_at)))
    parts, extremes = [], []
    for rows in _spread(planes.shape, max(_FEWEST_READ, _READ // looked_at)):
        read = planes.read(plane, rows, slice(0, planes.shape[1]))
        if read.dtype.kind == "f" and not np.isfinite(read).all():
            raise ImageError(
                f"Plane {plane} of '{planes.name}' holds NaN or infinite values; replace them (for "
                "example with numpy.nan_to_num) and open it again."
            )
        parts.append(_sample(read, step))
        extremes.append((read.min(axis=(1, 2)), read.max(axis=(1, 2))))
    found = []
    for channel in range(planes.channels):
        joined = [
            np.concatenate([values[channel] for values in arrays])
            for arrays in zip(*parts, strict=True)
        ]
        centre, *around, near, far, inside = joined
        flat = np.logical_and.reduce([centre == other for other in around])
        middles = _median_of_five(centre, *around)
        samples = _Samples(centre, middles, flat, near, far, inside)
        least = float(min(low[channel] for low, _ in extremes))
        most = float(max(high[channel] for _, high in extremes))
        found.append(_measure(samples, least, most, planes.dtype.kind))
    return found


def _spread(shape: tuple[int, int], wanted: int) -> Iterator[slice]:
    """Yield bands of rows: the whole plane, or as many pixels as wanted, spread over it."""
    height, width = shape
    rows = math.ceil(wanted / width / _BANDS)
    starts = [0] if rows * _BANDS >= height else np.linspace(0, height - rows, _BANDS).astype(int)
    rows = height if rows * _BANDS >= height else rows
    for start in map(int, starts):
        yield from bands((rows, width), first=start)


def _sample(read: npt.NDArray[Any], step: int) -> tuple[_Stored, ...]:
    """Return every step-th pixel of a band along both axes, and some around it, each (C, n).

    The last one is whether the columns beside it are on the plane.
    """
    channels, height, width = read.shape
    first = tuple(min(step // 2, n - 1) for n in (height, width))
    is_short = read.dtype.kind == "u" and read.dtype.itemsize <= 4  # others: numpy's own overflow
    native = read.astype(read.dtype.newbyteorder("=") if is_short else np.float64, copy=False)
    wide = np.pad(native, ((0, 0), (1, 1), (1, _FAR)), mode="edge")

    def at(dy: int, dx: int) -> _Stored:
        top, left = first[0] + 1 + dy, first[1] + 1 + dx
        picked = wide[
            :, top : top + height - first[0] : step, left : left + width - first[1] : step
        ]
        return picked.reshape(channels, -1)

    is_inside = np.arange(first[1], width, step) + _FAR < width
    rows = len(range(first[0], height, step))
    inside = np.broadcast_to(is_inside, (channels, rows, len(is_inside))).reshape(channels, -1)
    around = [at(*shift) for shift in ((-1, 0), (1, 0), (0, -1), (0, 1))]
    return at(0, 0), *around, at(0, _NEAR), at(0, _FAR), inside


def _median_of_five(a: _Stored, b: _Stored, c: _Stored, d: _Stored, e: _Stored) -> _Stored:
    """Return the median of each five values, much faster than by sorting them."""
    low = np.maximum(np.minimum(a, b), np.minimum(c, d))
    high = np.minimum(np.maximum(a, b), np.maximum(c, d))
    median: _Stored = np.maximum(np.minimum(low, high), np.minimum(np.maximum(low, high), e))
    return median


def _percentiles(values: _Stored, shares: Sequence[float]) -> list[float]:
    """Return what `numpy.percentile` does; numbers of 16 bits are counted, which is faster."""
    if values.dtype.kind != "u" or values.dtype.itemsize > 2 or not values.size:
        found: list[float] = np.percentile(values, shares).tolist()
        return found
    place = (values.size - 1) * (np.array(shares) / 100)
    low = np.floor(place)
    reached = np.cumsum(np.bincount(values))
    below, above = np.searchsorted(reached, np.minimum([low, low + 1], values.size - 1), "right")
    share, width = place - low, above - below
    between = np.where(share < 0.5, below + width * share, above - width * (1 - share))
    return [float(value) for value in between]


def _measure(samples: _Samples, least: float, most: float, kind: str) -> GreyRange:
    """Return the range of one channel of one plane, whose extremes lie at `least` and `most`."""
    kept = _without_bars(_without_single_pixels(samples))
    low, inner_low, first, third, inner_high, high = _percentiles(kept.values, _PERCENTILES)
    is_integer = kind in "ui"
    quartiles = max(third - first, 1.0 if is_integer else 0.0)
    reach = _SPARSE_TAIL * quartiles
    below, above = kept.middles < first - reach, kept.middles > third + reach
    background = kept[~(below | above)]
    if _is_noise(background, quartiles, least_width=_FEW_VALUES if is_integer else 0):
        few_below, few_above = (kept.middles[side] for side in (below, above))
        if max(few_below.size, few_above.size) < _FEWEST_SPARSE:
            low, high = _percentiles(background.values, (_TAIL, 100 - _TAIL))
            return GreyRange(low, high, inner_low, inner_high, is_empty=True)
        # Of few objects, most of what the percentiles leave out may be the objects.
        if few_below.size >= _FEWEST_SPARSE:
            low = min(low, _percentiles(few_below, (25,))[0])
        if few_above.size >= _FEWEST_SPARSE:
            high = max(high, _percentiles(few_above, (75,))[0])
    if high <= low:  # a few bright pixels on an even background are a picture, too
        low, high = least, most
    return GreyRange(low, high, inner_low, inner_high)


def _without_single_pixels(samples: _Samples) -> _Samples:
    """Leave out pixels that stand out of their neighbourhood by more than the whole range."""
    low, high = _percentiles(samples.middles, (_TAIL, 100 - _TAIL))
    if high <= low:
        return samples
    apart = np.abs(np.subtract(samples.values, samples.middles, dtype=np.float64))
    return samples[apart <= high - low]


def _without_bars(samples: _Samples) -> _Samples:
    """Leave out what is flat at either end of the values, and far from all others."""
    for extreme, end in ((np.max, 1), (np.min, 0)):
        value = float(extreme(samples.values))
        is_extreme = samples.values == value
        inside_bar = (samples.is_flat & is_extreme).sum() >= is_extreme.sum() / 2
        if not inside_bar or is_extreme.mean() > _MOST_FLAT:
            continue
        rest = samples[~is_extreme]
        ends = _percentiles(rest.values, (_TAIL, 100 - _TAIL))
        width = ends[1] - ends[0]
        if width > 0 and abs(value - ends[end]) > _STANDS_OUT * width:
            samples = rest
    return samples


def _is_noise(samples: _Samples, quartiles: float, *, least_width: float) -> bool:
    """Return whether there is nothing but noise, and light that is uneven at most."""
    low, middle, high = _percentiles(samples.values, (_TAIL, 50, 100 - _TAIL))
    if 0 < high - low < least_width:
        return True
    if max(high - middle, middle - low) > _NOISE_TAIL * quartiles:
        return False
    inside = samples.is_inside
    values = np.clip(samples.values[inside], low, high)
    near, far = (
        float(np.mean((np.clip(side[inside], low, high) - values) ** 2)) if inside.any() else 0.0
        for side in (samples.near, samples.far)
    )
    return far > 0 and near >= _NOISE_LIKENESS * far


def _typical(planes: Sequence[GreyRange]) -> GreyRange:
    """Return the range of the typical plane that holds something."""
    differing = [p for p in planes if p.width > 0]
    if not differing:
        low, high = min(p.low for p in planes), max(p.high for p in planes)
        return GreyRange(low, high, low, high)
    with_content = [p for p in differing if not p.is_empty]
    counted = with_content or differing
    weights = np.sqrt([p.width for p in counted])
    return GreyRange(
        low=-_weighted_quantile([-p.low for p in counted], weights),
        high=_weighted_quantile([p.high for p in counted], weights),
        inner_low=-_weighted_quantile([-p.inner_low for p in counted], weights),
        inner_high=_weighted_quantile([p.inner_high for p in counted], weights),
        is_empty=not with_content,
    )


def _weighted_quantile(values: Sequence[float], weights: _Array) -> float:
    """Return the first of the values in order up to which there is the typical share of weights."""
    order = np.argsort(values)
    reached = np.cumsum(weights[order])
    return float(values[order[np.searchsorted(reached, _TYPICAL * reached[-1])]])
