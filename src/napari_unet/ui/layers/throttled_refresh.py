"""Repainting that leaves the event loop to the user."""

from __future__ import annotations

import time
from collections.abc import Callable

from qtpy.QtCore import QObject, QTimer

_SHORTEST_MS = 100  # between two repaints
_LONGEST_MS = 2500


class ThrottledRefresh(QObject):
    """Calls `refresh` when asked, at once or after a while that suits what it costs.

    The cost is the time from the call until the event loop has nothing more to do: napari only
    marks the canvas, which is drawn afterwards. After t ms it rests for t² ms, at least for 10 t:
    nobody feels 10 ms ten times a second, but everybody 50 ms. On a graphics card a repaint costs
    5 to 10 ms; with software OpenGL, while the cores are busy, 40 to 60 ms however little changes.
    """

    def __init__(self, refresh: Callable[[], None]) -> None:
        super().__init__()
        self._refresh = refresh
        self._wanted = False
        self._started = 0.0
        self._pause = QTimer(self)
        self._pause.setSingleShot(True)
        self._pause.timeout.connect(self._on_pause_over)
        self._drawn = QTimer(self)
        self._drawn.setSingleShot(True)
        self._drawn.timeout.connect(self._on_drawn)

    def soon(self) -> None:
        """Refresh at the next opportunity, which may be now."""
        self._wanted = True
        if not self._pause.isActive():
            self._on_pause_over()

    def cancel(self) -> None:
        """Forget what was asked for."""
        self._wanted = False
        self._pause.stop()
        self._drawn.stop()

    def _on_pause_over(self) -> None:
        if not self._wanted:
            return
        self._wanted = False
        self._started = time.perf_counter()
        self._pause.start(_LONGEST_MS)  # until it is known what this one costs
        self._drawn.start(0)
        self._refresh()  # may ask for the next one

    def _on_drawn(self) -> None:
        took = 1000 * (time.perf_counter() - self._started)
        self._pause.start(round(min(max(_SHORTEST_MS, 10 * took, took**2), _LONGEST_MS)))
