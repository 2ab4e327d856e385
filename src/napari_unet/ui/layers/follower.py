"""Follow some layers' events, and let go of them again."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from napari.layers import Layer


class Follower:
    """Calls a function without arguments whenever one of the layers that it follows changes.

    Parameters
    ----------
    callback
        A method; napari holds it weakly.
    events
        Names of the layers' events. Those that a layer, or this napari, does not have are left
        out.
    """

    def __init__(self, callback: Callable[[], Any], *events: str) -> None:
        self._callback = callback
        self._events = events
        self._layers: tuple[Layer, ...] = ()

    def follow(self, layers: Iterable[Layer]) -> None:
        """Follow these layers from now on, and no others."""
        layers = tuple(layers)
        if layers == self._layers:
            return
        self.release()
        self._layers = layers
        for event in self._emitters():
            event.connect(self._callback)

    def release(self) -> None:
        """Follow no layer."""
        for event in self._emitters():
            event.disconnect(self._callback)
        self._layers = ()

    def _emitters(self) -> list[Any]:
        return [
            getattr(layer.events, name)
            for layer in self._layers
            for name in self._events
            if hasattr(layer.events, name)
        ]
