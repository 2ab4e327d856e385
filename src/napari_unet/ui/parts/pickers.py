"""Choices that fit into a narrow dock: a layer, or one of a few named things."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from napari.components import ViewerModel
from napari.layers import Layer
from qtpy.QtCore import QEvent, QSignalBlocker, Qt, Signal  # type: ignore[attr-defined]
from qtpy.QtGui import QPaintEvent
from qtpy.QtWidgets import (
    QComboBox,
    QStyle,
    QStyleOptionComboBox,
    QStylePainter,
    QWidget,
)

from napari_unet.ui.parts.text import rich_tooltip, show_above

_PADDING = 4  # pixels that a style may put beside the text


class NarrowBox(QComboBox):
    """A box whose names may be long: they do not widen the dock.

    They are cut in their middle, since names of layers often differ at their ends only; the
    tooltips have them whole.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setMinimumContentsLength(8)
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        view = self.view()
        assert view is not None
        view.setTextElideMode(Qt.TextElideMode.ElideMiddle)

    @property
    def shown_text(self) -> str:
        """The name in the box, cut if it is too long."""
        return str(self._option().currentText)

    def event(self, event: QEvent | None) -> bool:
        """Tell the whole name in the tooltip if it is cut."""
        name = self.currentText()
        whole = name if name != self.shown_text else ""
        return show_above(whole, self, event) or super().event(event)

    def paintEvent(self, event: QPaintEvent | None) -> None:  # noqa: ARG002, N802 Qt
        """Draw the box and the name."""
        painter, option = QStylePainter(self), self._option()
        painter.drawComplexControl(QStyle.ComplexControl.CC_ComboBox, option)
        painter.drawControl(QStyle.ControlElement.CE_ComboBoxLabel, option)
        painter.end()

    def _option(self) -> QStyleOptionComboBox:
        option, style = QStyleOptionComboBox(), self.style()
        assert style is not None
        self.initStyleOption(option)
        field = style.subControlRect(
            QStyle.ComplexControl.CC_ComboBox,
            option,
            QStyle.SubControl.SC_ComboBoxEditField,
            self,
        )
        option.currentText = self.fontMetrics().elidedText(
            option.currentText, Qt.TextElideMode.ElideMiddle, field.width() - _PADDING
        )
        return option


class Picker(NarrowBox):
    """One of a few things, each under a name."""

    picked = Signal()

    def __init__(self, tooltip: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setToolTip(tooltip)
        self._things: list[Any] = []
        self.currentIndexChanged.connect(self._on_index_changed)

    @property
    def value(self) -> Any:
        """The thing that is picked, None if there is none."""
        index = self.currentIndex()
        return self._things[index] if 0 <= index < len(self._things) else None

    @value.setter
    def value(self, thing: Any) -> None:
        if thing in self._things:
            self.setCurrentIndex(self._things.index(thing))

    def offer(self, things: Mapping[str, Any]) -> None:
        """Replace the things to choose from; what is picked stays picked if it is among them."""
        before = self.value
        with QSignalBlocker(self):
            self.clear()
            self._things = list(things.values())
            for name in things:
                self.addItem(name)
                self.setItemData(self.count() - 1, rich_tooltip(name), Qt.ItemDataRole.ToolTipRole)
            if before in self._things:
                self.setCurrentIndex(self._things.index(before))
        if self.value != before:
            self.picked.emit()

    def _on_index_changed(self) -> None:
        self.picked.emit()


class LayerPicker(Picker):
    """One of the viewer's layers of a kind; follows added, removed and renamed layers.

    Parameters
    ----------
    offers
        Returns True for the layers of that kind that are offered; None: all are.
    """

    def __init__(
        self,
        viewer: ViewerModel,
        kind: type[Layer],
        tooltip: str,
        offers: Callable[[Layer], bool] | None = None,
    ) -> None:
        super().__init__(tooltip)
        self._layers = viewer.layers
        self._kind = kind
        self._offers = offers or (lambda _layer: True)
        self._followed: list[Layer] = []  # layers to choose from
        for event in self._list_events():
            event.connect(self._on_layers_changed)
        self._on_layers_changed()

    def offer_again(self) -> None:
        """Ask again which layers are offered."""
        self._on_layers_changed()

    def release(self) -> None:
        """Let go of the viewer."""
        for event in self._list_events():
            event.disconnect(self._on_layers_changed)
        self._follow_names([])

    def _list_events(self) -> list[Any]:
        events = self._layers.events
        return [events.inserted, events.removed, events.reordered]

    def _on_layers_changed(self) -> None:
        # The topmost layer first, as in napari's layer list.
        of_kind = [layer for layer in reversed(self._layers) if isinstance(layer, self._kind)]
        layers = [layer for layer in of_kind if self._offers(layer)]
        self._follow_names(layers)
        self._on_layer_renamed()

    def _follow_names(self, layers: list[Layer]) -> None:
        for layer in self._followed:
            layer.events.name.disconnect(self._on_layer_renamed)
        self._followed = layers
        for layer in layers:
            layer.events.name.connect(self._on_layer_renamed)

    def _on_layer_renamed(self) -> None:
        self.offer({layer.name: layer for layer in self._followed})
