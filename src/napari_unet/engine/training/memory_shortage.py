"""What is given up when a device runs out of memory: size first, then the device itself."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import TypeVar

from napari_unet.engine.errors import OutOfMemoryError
from napari_unet.engine.events import MemoryShort
from napari_unet.engine.network.device import (
    DeviceChoice,
    engine_errors,
    fallback,
    free_cached_memory,
)

_SMALLEST_PATCH = 32  # pixels

_T = TypeVar("_T")


@dataclass(slots=True)
class Means:
    """What a training step may take."""

    patch: int  # pixels
    device: DeviceChoice
    _wanted: int = field(init=False)

    def __post_init__(self) -> None:
        self._wanted = self.patch

    def reduce(self) -> bool:
        """Halve the patch, or at last go on on the CPU; False if nothing smaller is left.

        The CPU begins with the patch that was wanted at first.
        """
        if self.patch > _SMALLEST_PATCH:
            self.patch = max(_SMALLEST_PATCH, self.patch // 2)
            return True
        if self.device.device != "cpu":
            self.device, self.patch = fallback(self.device), self._wanted
            return True
        return False


def within_means(
    work: Callable[[], _T], means: Means, adapt: Callable[[], None] = lambda: None
) -> Generator[MemoryShort, None, _T]:
    """Do work on the device; if memory is short, adapt to smaller means and do it again.

    Parameters
    ----------
    work
        Is done again from its beginning.
    means
        Reduced as often as needed, before `adapt` is called.

    Raises
    ------
    EngineError
        If the device fails otherwise, or the smallest means are too much.
    """
    is_adapted = True
    while True:
        try:
            with engine_errors(means.device):
                if not is_adapted:
                    adapt()
                return work()
        except OutOfMemoryError:
            if not means.reduce():
                raise
        free_cached_memory()  # only now, since the error held what had been computed
        is_adapted = False
        yield MemoryShort(str(means.device), means.patch)
