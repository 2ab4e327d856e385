"""The file dialogs: which file to write, which to read."""

from __future__ import annotations

from pathlib import Path

from napari.layers import Layer
from qtpy.QtWidgets import QFileDialog, QWidget

__all__ = ["ask_export_path", "ask_model_to_open", "ask_model_to_save"]

_TIFF = "Label TIFF (*.tif *.tiff)"
_MODEL = "U-Net Paint model (*.safetensors)"


def ask_export_path(parent: QWidget, layer: Layer, image: Layer | None) -> Path | None:
    """Return where to write `layer`, None if the user cancels.

    Proposes a name beside the image's file, so that image and labels stay together.
    """
    source = image.source.path if image is not None else None
    folder, stem = (Path(source).parent, Path(source).stem) if source else (Path.home(), layer.name)
    name = f"{stem} labels.tif" if source else f"{stem}.tif"
    return _ask_save(parent, "Export label TIFF", folder / name, _TIFF, ".tif")


def ask_model_to_save(parent: QWidget) -> Path | None:
    """Return where to write a model, None if the user cancels."""
    proposal = Path.home() / "model.safetensors"
    return _ask_save(parent, "Save model", proposal, _MODEL, ".safetensors")


def ask_model_to_open(parent: QWidget) -> Path | None:
    """Return the model file to read, None if the user cancels."""
    chosen, _ = QFileDialog.getOpenFileName(parent, "Open model", str(Path.home()), _MODEL)
    return Path(chosen) if chosen else None


def _ask_save(parent: QWidget, title: str, proposal: Path, kind: str, suffix: str) -> Path | None:
    chosen, _ = QFileDialog.getSaveFileName(parent, title, str(proposal), kind)
    if not chosen:
        return None
    path = Path(chosen)
    return path if path.suffix else path.with_suffix(suffix)
