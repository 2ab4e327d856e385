"""What an ended program has left is looked for in the background, and offered in one line."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, ClassVar

from qtpy.QtCore import QObject, Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from napari_unet.engine.errors import FileError, UnetPaintError, printable
from napari_unet.ui.parts.action import set_ready
from napari_unet.ui.parts.text import Text
from napari_unet.ui.workbench import Workbench
from napari_unet.ui.worker import begin_short


class Offers(QObject):
    """Knows what can be brought back or gone on with, and does it at a press of a button.

    Subclasses say what is offered, in which words, and what the two buttons do.
    """

    ACCEPT: ClassVar[str]
    """Text of the button that takes what is offered."""

    REFUSE: ClassVar[str]
    """Text of the button that lets it go."""

    changed = Signal()  # what is offered

    def __init__(self, workbench: Workbench, follow: Callable[[], None] | None = None) -> None:
        super().__init__()
        self._workbench = workbench
        self._follow: Any = follow or self.changed  # when something else is chosen
        self._worker: Any = None
        self._then: Callable[[Any], None] | None = None  # what the worker has returned
        workbench.changed.connect(self._follow)

    @property
    def line(self) -> str:
        """What can be had, or which image to open for it; empty: nothing."""
        raise NotImplementedError

    @property
    def is_offered(self) -> bool:
        """Whether the buttons do something."""
        raise NotImplementedError

    @property
    def is_looking(self) -> bool:
        """Whether something is read in the background."""
        return self._worker is not None

    def tooltips(self) -> tuple[str, str]:
        """Return what each button does, in words."""
        raise NotImplementedError

    def why_not(self) -> str | None:
        """Return why it cannot be taken now, None if it can."""
        return None

    def accept(self) -> None:
        """Take what is offered."""
        raise NotImplementedError

    def refuse(self) -> None:
        """Let it go."""
        raise NotImplementedError

    def release(self) -> None:
        """Let go of the workbench."""
        self._workbench.changed.disconnect(self._follow)
        self._let_go()

    def _look(self, work: Callable[..., Any], *arguments: Any, then: Callable[[Any], None]) -> None:
        """Read something in the background, one at a time."""
        self._then = then
        heard: dict[str, Any] = {"returned": self._on_returned, "errored": self._on_errored}
        self._worker = begin_short(work, *arguments, connect=heard)

    def _on_returned(self, found: Any) -> None:
        then = self._then
        self._let_go()
        assert then is not None
        then(found)

    def _on_errored(self, error: Exception) -> None:
        self._let_go()
        self._workbench.fail(
            error if isinstance(error, UnetPaintError) else FileError(f"{error}; try it again.")
        )

    def _let_go(self) -> None:
        if self._worker is not None:
            self._worker.returned.disconnect(self._on_returned)
            self._worker.errored.disconnect(self._on_errored)
        self._worker = self._then = None


class OfferLine(QWidget):
    """One line above two buttons; hidden while there is nothing to tell."""

    def __init__(self, offers: Offers) -> None:
        super().__init__()
        self._offers = offers
        self.text = Text()
        self.pictures = QHBoxLayout()
        self.accept = QPushButton(offers.ACCEPT)
        self.refuse = QPushButton(offers.REFUSE)
        row = QHBoxLayout()
        row.addWidget(self.accept)
        row.addWidget(self.refuse)
        row.addStretch(1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.text)
        column.addLayout(self.pictures)
        column.addLayout(row)
        self.accept.clicked.connect(offers.accept)
        self.refuse.clicked.connect(offers.refuse)
        offers.changed.connect(self.refresh)
        self.refresh()

    def refresh(self) -> None:
        """Show what is offered."""
        line, is_offered = self._offers.line, self._offers.is_offered
        self.setVisible(bool(line))
        self.text.setText(line)
        accept, refuse = self._offers.tooltips()
        set_ready(self.accept, self._offers.why_not(), accept)
        self.refuse.setToolTip(printable(refuse))
        for button in (self.accept, self.refuse):
            button.setVisible(is_offered)


def day_and_time(seconds: float) -> str:
    """Return when something was saved, seconds since the epoch, in words: "1 Dec, 09:30"."""
    return time.strftime("%d %b, %H:%M", time.localtime(seconds)).lstrip("0")
