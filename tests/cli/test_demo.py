"""The demo's window shows what the demo made."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import napari
import numpy as np
import pytest

from napari_unet.cli.demo import open_viewer
from napari_unet.engine.errors import EngineError
from napari_unet.io.samples import Sample


def test_the_viewer_opens_with_all_layers_and_the_widget(
    folder: Path,
    sample: Sample,
    make_napari_viewer: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    viewer = make_napari_viewer()
    monkeypatch.setattr(napari, "Viewer", lambda **_: viewer)
    monkeypatch.setattr(napari, "run", lambda: None)
    names = {"image": "cells", "truth": "truth", "segmentation": "truth", "strokes": "strokes"}

    open_viewer({name: str(folder / f"{file}.tif") for name, file in names.items()})

    kinds = [type(layer).__name__ for layer in viewer.layers]
    assert kinds == ["Image", "Labels", "Labels", "Labels"]
    np.testing.assert_array_equal(np.asarray(viewer.layers[0].data), sample.image)
    assert [layer.visible for layer in viewer.layers] == [True, False, True, True]
    assert "U-Net Paint" in " ".join(viewer.window.dock_widgets)


def test_without_qt_the_doctor_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(**_: object) -> None:
        raise ImportError("No Qt bindings could be found")

    monkeypatch.setattr(napari, "Viewer", fail)
    with pytest.raises(EngineError, match="napari-unet doctor"):
        open_viewer({})
