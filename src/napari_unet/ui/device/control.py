"""Where it is computed: found in the background, or insisted on."""

from __future__ import annotations

from qtpy.QtCore import QObject, Signal  # type: ignore[attr-defined]

from napari_unet.ui.device import job
from napari_unet.ui.progress import Progress
from napari_unet.ui.readiness import Readiness
from napari_unet.ui.workbench import Workbench

AUTO = "auto"
"""The wish for the fastest device."""


class Devices(QObject):
    """Finds the device and puts it on the workbench."""

    changed = Signal()  # device, wish, or what is known of them

    def __init__(self, workbench: Workbench) -> None:
        super().__init__()
        self.workbench = workbench
        self.wish = AUTO
        self.available: tuple[str, ...] = ()  # devices that can be insisted on
        self.missing: job.TorchMissing | None = None
        workbench.changed.connect(self.changed)

    def find(self, wish: str | None = None) -> None:
        """Load PyTorch, if that is still to be done, and find the device.

        Parameters
        ----------
        wish
            What is insisted on; None: what the preferences say, if it is there.
        """
        loaded = self.workbench.device is not None
        name = "Looking for the device" if loaded else "Loading PyTorch"
        self.workbench.run(name, job.find_device(wish), self._on_event)

    def why_not_find(self) -> str | None:
        """Return why the device cannot be changed now."""
        return Readiness.of(self.workbench).why_not_start()

    def release(self) -> None:
        """Let go of the workbench."""
        self.workbench.changed.disconnect(self.changed)

    def _on_event(self, event: job.DeviceFound | job.TorchMissing) -> None:
        match event:
            case job.DeviceFound(device, wish, available):
                self.wish, self.available, self.missing = wish, available, None
                self.workbench.use_device(device)
                self.workbench.progressed.emit(Progress("Ready.", 1))
            case job.TorchMissing():
                self.missing = event
                self.workbench.progressed.emit(Progress("PyTorch could not be loaded.", 1))
                self.changed.emit()
