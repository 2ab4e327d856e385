"""Choices that fit into a narrow dock: a layer, or one of a few named things."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from napari.components import ViewerModel
from napari.layers import Layer
from qtpy.QtCore import QSignalBlocker, Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QComboBox, QWidget

__all__ = ["LayerPicker", "Picker"]


class Picker(QComboBox):
    """One of a few things, each under a name.

    Long names do not widen the dock: they are cut off in the box and whole in the list.
    """

    picked = Signal()

    def __init__(self, tooltip: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setToolTip(tooltip)
        self.setMinimumContentsLength(8)
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
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
            self.addItems(list(things))
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
