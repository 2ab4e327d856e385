"""The file dialogs: which file to write, which to read."""

from __future__ import annotations

from pathlib import Path

from napari.layers import Labels, Layer
from qtpy.QtWidgets import QFileDialog, QWidget

from napari_unet.io.names import file_stem

__all__ = ["ask_export_folder", "ask_export_path", "ask_model_to_open"]

_EXPORTS = "TIFF, for Fiji and napari (*.tif *.tiff);;OME-Zarr, for large stacks (*.zarr)"
_SUFFIXES = (".tif", ".tiff", ".zarr")
_MODEL = "U-Net Paint model (*.safetensors)"


def ask_export_path(parent: QWidget, layer: Layer, image: Layer | None) -> Path | None:
    """Return where to write `layer`, None if the user cancels.

    Proposes a name beside the image's file, so that image and labels stay together.
    """
    word = "labels" if isinstance(layer, Labels) else "probabilities"
    source = image.source.path if image is not None else None
    if source:
        proposal = Path(source).with_name(f"{file_stem(Path(source).stem, '')} {word}.tif")
    else:
        proposal = Path.home() / f"{file_stem(layer.name, word)}.tif"
    return _ask_save(parent, f"Export {word}", proposal, _EXPORTS, ".tif")


def ask_export_folder(parent: QWidget, image: Layer | None) -> Path | None:
    """Return the folder to write several results into, None if the user cancels."""
    source = image.source.path if image is not None else None
    start = Path(source).parent if source else Path.home()
    chosen = QFileDialog.getExistingDirectory(parent, "Export into this folder", str(start))
    return Path(chosen) if chosen else None


def ask_model_to_open(parent: QWidget) -> Path | None:
    """Return the model file to read, None if the user cancels."""
    chosen, _ = QFileDialog.getOpenFileName(parent, "Open model", str(Path.home()), _MODEL)
    return Path(chosen) if chosen else None


def _ask_save(parent: QWidget, title: str, proposal: Path, kind: str, suffix: str) -> Path | None:
    chosen, chosen_kind = QFileDialog.getSaveFileName(parent, title, str(proposal), kind)
    if not chosen:
        return None
    if chosen.lower().endswith(_SUFFIXES):
        return Path(chosen)
    return Path(chosen + (".zarr" if ".zarr" in chosen_kind else suffix))  # "HeLa 2.5" has none yet
