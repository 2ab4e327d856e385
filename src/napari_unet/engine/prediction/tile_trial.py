"""Which side of tiles is fastest on this machine: tried before long work, and remembered."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Generator, MutableMapping

from napari_unet.engine.events import SideTried

__all__ = ["KnownSides", "fastest_side", "sides_to_try"]

KnownSides = MutableMapping[str, int]
"""The fastest side of tiles, pixels of the network's image, for each way to compute."""

_FACTORS = (1.0, 0.7, 1.4)
_ROUNDS = 3  # that count, after one in which memory is touched for the first time
_CLEARLY = 0.9  # of the time with the usual side; less than that is no gain
_WORTH = 40  # times as many pixels as are computed to find out


def sides_to_try(usual: int, fitting: int, step: int, pixels: int) -> tuple[int, ...]:
    """Return the sides that are worth a trial, the usual one first; none for short work.

    Parameters
    ----------
    usual, fitting
        Side that is taken without a trial, and the largest one that fits into memory, pixels.
    step
        Sides are multiples of it: the network's stride.
    pixels
        Of the work.
    """
    wanted = (max(step, round(factor * usual / step) * step) for factor in _FACTORS)
    sides = tuple(dict.fromkeys(side for side in wanted if side <= max(usual, fitting)))
    tried = (1 + _ROUNDS) * sum(side**2 for side in sides)
    return sides if len(sides) > 1 and pixels >= _WORTH * tried else ()


def fastest_side(
    predict: Callable[[int], object], sides: tuple[int, ...]
) -> Generator[SideTried, None, int]:
    """Predict tiles of some sides in turns, and return the side that is fastest.

    Parameters
    ----------
    predict
        Predicts a tile of a side.
    sides
        The first one is returned unless another is clearly faster: by the median, over the
        rounds, of its time per pixel beside that of the first in the same round. The speed of a
        machine that others use as well changes from one second to the next.
    """
    total = (1 + _ROUNDS) * len(sides)
    rounds: list[list[float]] = []
    for number in range(1 + _ROUNDS):
        seconds: list[float] = []  # per pixel
        for done, side in enumerate(sides, start=number * len(sides)):
            yield SideTried(side, done, total)
            begin = time.perf_counter()
            predict(side)
            seconds.append((time.perf_counter() - begin) / side**2)
        rounds.append([each / seconds[0] for each in seconds])
    ratios = [statistics.median(column) for column in zip(*rounds[1:], strict=True)]
    fastest = min(range(len(sides)), key=ratios.__getitem__)
    return sides[fastest] if ratios[fastest] < _CLEARLY else sides[0]
