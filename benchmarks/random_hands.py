"""Hands that do anything: actions on layers, sliders and buttons in random order, from a seed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from napari.layers import Labels, Layer
from qtpy.QtWidgets import QPushButton

from benchmarks.live_window import Window, live
from napari_unet.config import RECIPES, NetworkConfig
from napari_unet.io.samples import paint_strokes, synthetic_cells
from napari_unet.ui.correct.step import CorrectStep
from napari_unet.ui.dock import UNetPaint
from napari_unet.ui.image.step import ImageStep
from napari_unet.ui.inspect.step import InspectStep
from napari_unet.ui.labels.step import LabelsStep
from napari_unet.ui.segment.step import SegmentStep

__all__ = ["TINY", "TINY_TRAINING", "RandomHands"]

TINY = NetworkConfig(levels=2, base_channels=4)
TINY_TRAINING = replace(RECIPES["light"], seconds=3600, patience=0, patch=48, batch=2)

_ACTIONS = 80
_LONGEST_PAUSE = 0.4  # seconds between two of them
_SHAPE = (3, 96, 128)
_SEVERAL = 2  # as many windows as there are


class RandomHands:
    """Plays on one window, and on a second one that it opens and closes.

    Parameters
    ----------
    window
        With the dock.
    seed
        The same actions come in the same order; what runs in the background goes its own way.
    """

    def __init__(self, window: Window, seed: int) -> None:
        self._windows = [window]
        self._rng = np.random.default_rng(seed)
        self._often: dict[Callable[[Window], object], int] = {
            self._add_image: 2,
            self._add_labels: 2,
            self._delete: 4,
            self._delete_chosen: 1,
            self._delete_all: 1,
            self._hide_or_show: 4,
            self._hide_others: 2,
            self._select: 3,
            self._move: 2,
            self._step: 4,
            self._zoom: 2,
            self._turn: 1,
            self._paint: 3,
            self._undo: 1,
            self._replace: 1,
            self._rescale: 1,
            self._watch: 2,
            self._choose: 2,
            self._grid: 1,
            self._train: 4,
            self._segment: 6,
            self._press: 6,
            self._stop: 3,
            self._reopen: 1,
            self._open_second: 1,
            self._close_second: 1,
        }

    def play(self) -> None:
        """Do some dozens of things, and say each before it is done."""
        self._open_sample(self._windows[0])
        actions, weights = list(self._often), np.array(list(self._often.values()), float)
        for _ in range(_ACTIONS):
            action = actions[self._rng.choice(len(actions), p=weights / weights.sum())]
            number = int(self._rng.integers(len(self._windows)))
            print(f"window {number}: {action.__name__}", flush=True)
            action(self._windows[number])
            if self._rng.random() < 0.7:
                live(self._rng.random() * _LONGEST_PAUSE)
        self._close_second(self._windows[0])

    # Layers

    def _open_sample(self, window: Window) -> None:
        sample = synthetic_cells(planes=_SHAPE[0], shape=_SHAPE[1:])
        image = window.viewer.add_image(sample.image)
        labels = window.viewer.add_labels(paint_strokes(sample.truth))
        window.set_training(TINY_TRAINING)
        window.dock.workbench.choose(images=(image,), labels=labels, start=TINY)

    def _add_image(self, window: Window) -> None:
        shape = _SHAPE if self._rng.random() < 0.7 else _SHAPE[1:]
        window.viewer.add_image(self._rng.integers(0, 4000, shape, np.uint16))

    def _add_labels(self, window: Window) -> None:
        truth = synthetic_cells(planes=_SHAPE[0], shape=_SHAPE[1:]).truth
        window.viewer.add_labels(paint_strokes(truth))

    def _delete(self, window: Window) -> None:
        layer = self._any(window)
        if layer is not None:
            window.viewer.layers.remove(layer)

    def _delete_chosen(self, window: Window) -> None:
        choices = window.dock.workbench.choices
        for layer in (choices.labels, *choices.images):
            if layer in window.viewer.layers and self._rng.random() < 0.7:
                window.viewer.layers.remove(layer)

    def _delete_all(self, window: Window) -> None:
        if self._rng.random() < 0.5:
            window.viewer.layers.clear()
            self._open_sample(window)
        else:
            window.viewer.layers.selection = set(window.viewer.layers[1:])
            window.viewer.layers.remove_selected()

    def _hide_or_show(self, window: Window) -> None:
        layer = self._any(window)
        if layer is not None:
            layer.visible = not layer.visible

    def _hide_others(self, window: Window) -> None:
        kept = self._any(window)
        for layer in window.viewer.layers:
            layer.visible = layer is kept

    def _select(self, window: Window) -> None:
        layers = window.viewer.layers
        layers.selection = {layer for layer in layers if self._rng.random() < 0.4}

    def _move(self, window: Window) -> None:
        count = len(window.viewer.layers)
        if count > 1:
            window.viewer.layers.move(*(int(self._rng.integers(count)) for _ in range(2)))

    def _paint(self, window: Window) -> None:
        layer = self._any(window, Labels)
        if layer is not None and layer.visible and layer.editable and not layer.multiscale:
            at = [self._rng.integers(0, max(1, length - 8)) for length in layer.data.shape]
            where = np.indices((1,) * (layer.ndim - 2) + (8, 8)).reshape(layer.ndim, -1)
            index = tuple(axis + start for axis, start in zip(where, at, strict=True))
            if all(i.max() < n for i, n in zip(index, layer.data.shape, strict=True)):
                layer.data_setitem(index, int(self._rng.integers(0, 5)))

    def _undo(self, window: Window) -> None:
        layer = self._any(window, Labels)
        if layer is not None:
            layer.undo()

    def _replace(self, window: Window) -> None:
        """Give a layer new data, of another size or number of axes."""
        layer = self._any(window)
        if layer is not None and not layer.multiscale and layer.editable:
            shape = (_SHAPE, _SHAPE[1:], (5, 40, 30))[self._rng.integers(3)]
            layer.data = np.zeros(shape, layer.data.dtype)

    def _rescale(self, window: Window) -> None:
        layer = self._any(window)
        if layer is not None:
            layer.scale = [float(self._rng.choice([0.5, 1, 3]))] * layer.ndim

    # The view

    def _step(self, window: Window) -> None:
        dims = window.viewer.dims
        for axis in range(dims.ndim):
            dims.set_current_step(axis, int(self._rng.integers(_SHAPE[0])))

    def _zoom(self, window: Window) -> None:
        window.viewer.reset_view()
        if self._rng.random() < 0.5:
            window.viewer.scene.camera.zoom *= float(self._rng.choice([0.2, 3, 20]))

    def _turn(self, window: Window) -> None:
        dims = window.viewer.dims
        if self._rng.random() < 0.5:
            dims.ndisplay = 5 - dims.ndisplay
        else:
            dims.roll()

    def _grid(self, window: Window) -> None:
        window.viewer.canvas.grid.enabled = not window.viewer.canvas.grid.enabled

    # The dock

    def _watch(self, window: Window) -> None:
        window.train.preview.toggle()

    def _choose(self, window: Window) -> None:
        for kind in (ImageStep, LabelsStep):
            picker = _step(window.dock, kind).picker
            if picker.count():
                picker.setCurrentIndex(int(self._rng.integers(picker.count())))

    def _train(self, window: Window) -> None:
        """Stop what runs, and train on strokes that fit their image; they are opened anew often."""
        self._stop_and_wait(window)
        if not window.train.action.button.isEnabled() or self._rng.random() < 0.5:
            self._open_sample(window)
        self._click(window.train.action.button)

    def _segment(self, window: Window) -> None:
        self._stop_and_wait(window)
        self._click(window.segment.start)

    def _stop_and_wait(self, window: Window) -> None:
        self._stop(window)
        live(5, window.is_idle)

    def _press(self, window: Window) -> None:
        """Press one of the buttons that can be pressed."""
        ready = [b for b in _buttons(window.dock) if b.isEnabled() and b.isVisible()]
        if ready:
            self._click(ready[self._rng.integers(len(ready))])

    def _click(self, button: QPushButton) -> None:
        if button.isEnabled():
            print(f"  {button.text()}", flush=True)
            button.click()

    def _stop(self, window: Window) -> None:
        if window.dock.progress.stop.isEnabled():
            window.dock.progress.stop.click()

    # Windows

    def _reopen(self, window: Window) -> None:
        """Close the dock in the middle of what it does, and open it anew."""
        window.viewer.window.remove_dock_widget(window.dock)
        live(0.1)
        window.open_dock()
        window.set_training(TINY_TRAINING)
        window.dock.workbench.choose(start=TINY)

    def _open_second(self, _window: Window) -> None:
        if len(self._windows) < _SEVERAL:
            self._windows.append(Window())
            self._open_sample(self._windows[-1])

    def _close_second(self, _window: Window) -> None:
        if len(self._windows) > 1:
            self._windows.pop().viewer.close()

    def _any(self, window: Window, kind: type[Layer] = Layer) -> Any:
        layers = [layer for layer in window.viewer.layers if isinstance(layer, kind)]
        return layers[self._rng.integers(len(layers))] if layers else None


def _step(dock: UNetPaint, kind: type) -> Any:
    return next(step for step in dock.steps if isinstance(step, kind))


def _buttons(dock: UNetPaint) -> list[QPushButton]:
    """Return the buttons that open no dialog."""
    segment, correct = _step(dock, SegmentStep), _step(dock, CorrectStep)
    return [
        _step(dock, LabelsStep).new,
        _step(dock, InspectStep).show_button,
        segment.pause,
        segment.anew,
        correct.take,
        correct.suggest,
    ]
