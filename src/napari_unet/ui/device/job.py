"""Looks for the device, and loads beforehand what napari and PyTorch load when they first need it.

Otherwise the window would stand still for a second when the first layer of labels is made, and the
first training would begin a second and a half later, with stalls while modules are loaded.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from napari_unet.engine.errors import LIBRARY_FAILURES, first_line, torch_cure
from napari_unet.engine.events import Stop
from napari_unet.ui.preferences import wished_device
from napari_unet.ui.worker import Job

if TYPE_CHECKING:
    from napari_unet.engine.network import DeviceChoice


_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class DeviceFound:
    """The engine is loaded and knows where it will compute."""

    device: DeviceChoice
    wish: str  # what was asked for
    available: tuple[str, ...]  # devices that can be insisted on


@dataclass(frozen=True, slots=True)
class TorchMissing:
    """PyTorch cannot be loaded, so nothing can be computed; all else works."""

    reason: str
    cure: str  # command


def find_device(wish: str | None = None) -> Job:
    """Load the engine and find the device.

    Parameters
    ----------
    wish
        What is insisted on, "auto" is the fastest; None: what the preferences say, or the fastest
        if that is not there.
    """
    preferred = wished_device()

    def run(_stop: Stop) -> Iterator[DeviceFound | TorchMissing]:
        try:
            # On Windows torch's libraries load only if Qt's have not been loaded before them
            # (some versions). napari starts Qt, so all that can be done is to say what helps.
            from napari_unet.engine.network import available_devices, pick_device  # noqa: PLC0415
        except LIBRARY_FAILURES as error:
            yield TorchMissing(first_line(error), torch_cure(error))
            return
        preload()
        available = available_devices()
        found = wish or (preferred if preferred in available else "auto")
        yield DeviceFound(pick_device(found), found, available)

    return run


@cache
def preload() -> None:
    """Load it, once; takes about two seconds, in any thread.

    Notes
    -----
    Measured on two cores: 1.4 s for what PyTorch's optimisers load, and for labels 0.4 s for
    numba's compiler, 0.2 s for pandas and 0.1 s for the dash patterns of lines. None of it is
    needed by name, so what is not installed, or has moved, is left out. A library that is broken
    harms nothing yet: it is noted in the log, and whatever needs it will say so.
    """
    for load in (_load_training, _load_tables, _load_compiler, _load_lines):
        try:
            load()
        except ModuleNotFoundError:
            continue
        except LIBRARY_FAILURES as error:
            _log.warning("A library cannot be loaded beforehand (%s)", error, exc_info=error)


def _load_training() -> None:
    import torch  # noqa: PLC0415

    import napari_unet.engine.prediction.segmentation  # noqa: PLC0415
    import napari_unet.engine.training.fine_tuning  # noqa: F401, PLC0415

    weight = torch.nn.Parameter(torch.zeros(1))
    optimiser = torch.optim.Adam([weight])
    weight.grad = torch.zeros(1)
    optimiser.step()


def _load_tables() -> None:
    import pandas  # type: ignore[import-untyped]  # noqa: F401, ICN001, PLC0415


def _load_compiler() -> None:
    import numba  # noqa: PLC0415

    # Not napari's own function: it is parallel, and may not be safe beside the main thread.
    numba.njit()(_same)(1)


def _load_lines() -> None:
    from vispy.visuals.line.dash_atlas import DashAtlas  # noqa: PLC0415

    DashAtlas()  # its patterns are kept for all lines


def _same(value: int) -> int:
    return value
