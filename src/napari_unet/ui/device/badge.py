"""The badge that says where it is computed, why, and what would make it faster."""

from __future__ import annotations

from enum import Enum

from qtpy.QtCore import QRectF, QSignalBlocker, QSize, Qt
from qtpy.QtGui import QColor, QGuiApplication, QPainter, QPaintEvent, QPalette
from qtpy.QtWidgets import (
    QHBoxLayout,
    QPushButton,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from napari_unet.engine.errors import printable
from napari_unet.ui.device.control import AUTO, Devices
from napari_unet.ui.parts.pickers import Picker
from napari_unet.ui.parts.text import PlainLabel

_NAMES = {AUTO: "Fastest", "cuda": "NVIDIA GPU", "mps": "Apple GPU", "cpu": "CPU"}
_DIM = 128  # lightness, of 255, below which a background is dark
_WHERE = "Where to compute. Fastest: a GPU before the CPU."


class Light(Enum):
    """What a dot says, as a hue in degrees; None: the colour of the text."""

    WAITING = None
    FAST = 145  # green
    PLAIN = 210  # blue
    SLOW = 38  # amber: something can be mended
    BROKEN = 4  # red


class Dot(QWidget):
    """A coloured dot as high as a letter, on light and dark backgrounds alike."""

    def __init__(self) -> None:
        super().__init__()
        self.light = Light.WAITING

    def show_light(self, light: Light) -> None:
        """Shine in this colour."""
        self.light = light
        self.update()

    def sizeHint(self) -> QSize:  # noqa: N802 Qt
        """Return a square of the letters' height."""
        side = self.fontMetrics().ascent()
        return QSize(side, side)

    def paintEvent(self, _event: QPaintEvent | None) -> None:  # noqa: N802 Qt
        """Draw the dot."""
        side = self.sizeHint().height() * 0.7
        box = QRectF((self.width() - side) / 2, (self.height() - side) / 2, side, side)
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(self._colour())
        painter.drawEllipse(box)
        painter.end()

    def _colour(self) -> QColor:
        text = self.palette().color(QPalette.ColorRole.WindowText)
        if self.light.value is None:
            text.setAlphaF(0.4)
            return text
        on_dark = text.lightness() > _DIM
        return QColor.fromHsl(self.light.value, 170, 150 if on_dark else 95)


class DeviceBadge(QWidget):
    """One line: dot, device, and a choice of devices if there are several.

    If something can be mended, a button opens a second line: what is wrong, and the command, to
    be copied. Without PyTorch that line is open.
    """

    def __init__(self, devices: Devices) -> None:
        super().__init__()
        self.dot = Dot()
        self.name = PlainLabel()
        self.picker = Picker("Where to compute.")
        self.cure = PlainLabel()
        self.mend = QToolButton()
        self.copy = QPushButton("Copy")
        self._help = QWidget()
        self._command = ""
        self._devices = devices
        self._build()
        self.picker.picked.connect(self._on_picked)
        self.copy.clicked.connect(self._on_copy_clicked)
        devices.changed.connect(self.refresh)
        self.refresh()

    def refresh(self) -> None:
        """Show what is known of the device."""
        before = self._command
        light, name, why, self._command = self._facts()
        self.dot.show_light(light)
        self.name.setText(name)
        self.name.setToolTip(printable(why))
        self.dot.setToolTip(printable(why))
        self.cure.setText(
            f"{why} Run this in a terminal, then start napari again:\n{self._command}"
        )
        self.mend.setVisible(bool(self._command))
        if self._command != before:
            self.mend.setChecked(light is Light.BROKEN)
        self._help.setVisible(bool(self._command) and self.mend.isChecked())
        self._offer_devices()

    def release(self) -> None:
        """Let go of the devices."""
        self._devices.changed.disconnect(self.refresh)

    def _facts(self) -> tuple[Light, str, str, str]:
        """Return light, name, why it is this device, and the command that mends something."""
        missing, device = self._devices.missing, self._devices.workbench.device
        if missing is not None:
            why = f"PyTorch could not be loaded ({missing.reason})."
            return Light.BROKEN, "PyTorch could not be loaded", why, missing.cure
        if device is None:
            return Light.WAITING, "Looking for the device…", "PyTorch is being loaded.", ""
        why = f"{device.reason[:1].upper()}{device.reason[1:]}."
        if device.cure:
            return Light.SLOW, device.name, why, device.cure
        light = Light.PLAIN if device.device == "cpu" else Light.FAST
        return light, device.name, why, ""

    def _offer_devices(self) -> None:
        available = self._devices.available
        offered = (AUTO, *available)
        with QSignalBlocker(self.picker):
            self.picker.offer({_NAMES.get(device, device): device for device in offered})
            self.picker.value = self._devices.wish
        reason = self._devices.why_not_find()
        self.picker.setEnabled(reason is None)
        self.picker.setToolTip(printable(reason or _WHERE))
        self.picker.setVisible(len(available) > 1)

    def _on_picked(self) -> None:
        if self.picker.value != self._devices.wish:
            self._devices.find(self.picker.value)

    def _on_copy_clicked(self) -> None:
        clipboard = QGuiApplication.clipboard()
        if clipboard is not None:
            clipboard.setText(self._command)

    def _build(self) -> None:
        self.name.setWordWrap(True)
        self.picker.setAccessibleName("Device")
        self.picker.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Fixed)
        self.mend.setText("Faster…")
        self.mend.setCheckable(True)
        self.mend.setToolTip("Show what keeps this machine from computing faster.")
        self.mend.toggled.connect(self._help.setVisible)
        self.cure.setWordWrap(True)
        self.cure.setTextInteractionFlags(
            Qt.TextInteractionFlag.TextSelectableByMouse
            | Qt.TextInteractionFlag.TextSelectableByKeyboard
        )
        self.copy.setToolTip("Copy the command, to paste it into a terminal.")
        line = QHBoxLayout()
        line.addWidget(self.dot)
        line.addWidget(self.name, stretch=1)
        line.addWidget(self.mend)
        line.addWidget(self.picker)
        row = QHBoxLayout(self._help)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.cure, stretch=1)
        row.addWidget(self.copy, alignment=Qt.AlignmentFlag.AlignTop)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2)
        column.addLayout(line)
        column.addWidget(self._help)
