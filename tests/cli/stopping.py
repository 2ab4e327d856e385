"""Stops that come in the middle of a segmentation."""

from __future__ import annotations

import signal

from napari_unet.cli.console import Interruption


class StopAfter(Interruption):
    """Asks to stop after so many tiles."""

    def __init__(self, tiles: int) -> None:
        super().__init__()
        self._left = tiles

    def __call__(self) -> bool:
        self._left -= 1
        if self._left <= 0:
            self.request(signal.SIGINT)
        return super().__call__()
