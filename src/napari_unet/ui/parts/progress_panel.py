"""Progress: a bar, one line, and Stop."""

from __future__ import annotations

from qtpy.QtCore import Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QHBoxLayout, QProgressBar, QPushButton, QVBoxLayout, QWidget
from superqt.utils import qthrottled

from napari_unet.ui.parts.action import set_ready
from napari_unet.ui.parts.text import Text
from napari_unet.ui.progress import Progress

_REFRESH_MS = 100
_PARTS = 1000  # of the bar


class ProgressPanel(QWidget):
    """Shows how far the job is, at most ten times a second, and how it ended."""

    stop_clicked = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.bar = QProgressBar()
        self.stop = QPushButton("Stop")
        self.status = Text()
        self._latest = Progress("")
        self._show_soon = qthrottled(self._show_latest, timeout=_REFRESH_MS)
        self._build()

    def show_progress(self, progress: Progress) -> None:
        """Show this, soon; what comes later replaces it."""
        self._latest = progress
        self._show_soon()

    def show_end(self) -> None:
        """Show the last line now, and an idle bar."""
        self._show_soon.cancel()
        self._show_latest()
        self.bar.setRange(0, _PARTS)
        if self._latest.fraction is None:
            self.bar.reset()

    def show_failure(self, sentence: str) -> None:
        """Show what went wrong in place of the progress."""
        self._latest = Progress(sentence)
        self.show_end()

    def show_readiness(self, reason: str | None) -> None:
        """Enable Stop, or say why there is nothing to stop."""
        tooltip = (
            "Ends after the current step or tile. The best weights and finished tiles are kept."
        )
        set_ready(self.stop, reason, tooltip)

    def release(self) -> None:
        """Show nothing more."""
        self._show_soon.cancel()

    def _build(self) -> None:
        self.bar.setTextVisible(False)
        self.bar.setRange(0, _PARTS)
        row = QHBoxLayout()
        row.addWidget(self.bar, stretch=1)
        row.addWidget(self.stop)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(3)
        column.addLayout(row)
        column.addWidget(self.status)
        self.stop.clicked.connect(self.stop_clicked)

    def _show_latest(self) -> None:
        self.status.setText(self._latest.text)
        if self._latest.fraction is None:
            self.bar.setRange(0, 0)  # moves without an end
        else:
            self.bar.setRange(0, _PARTS)
            self.bar.setValue(round(_PARTS * self._latest.fraction))
