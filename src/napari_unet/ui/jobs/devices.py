"""Loading torch and looking for the device."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_unet.engine.errors import LIBRARY_FAILURES
from napari_unet.engine.events import Stop
from napari_unet.engine.network import first_line, torch_cure
from napari_unet.ui.jobs.runner import Job
from napari_unet.ui.jobs.warming import warm_up

if TYPE_CHECKING:
    from napari_unet.engine.network import DeviceChoice

__all__ = ["DeviceFound", "TorchMissing", "find_device"]


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


def find_device(wish: str = "auto") -> Job:
    """Load the engine and find the device: the fastest, or the one that is wished for."""

    def run(_stop: Stop) -> Iterator[DeviceFound | TorchMissing]:
        try:
            # On Windows torch's libraries load only if Qt's have not been loaded before them
            # (some versions). napari starts Qt, so all that can be done is to say what helps.
            from napari_unet.engine.network import available_devices, pick_device  # noqa: PLC0415
        except LIBRARY_FAILURES as error:
            yield TorchMissing(first_line(error), torch_cure(error))
            return
        warm_up()
        yield DeviceFound(pick_device(wish), wish, available_devices())

    return run
