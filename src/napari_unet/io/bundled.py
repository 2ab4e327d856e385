"""The models that come with the package: safetensors files in its folder `weights`."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

__all__ = ["bundled_models"]


def bundled_models() -> list[Path]:
    """Return the files of the models in the package, by name; there may be none."""
    folder = files("napari_unet") / "weights"
    return sorted(folder.glob("*.safetensors")) if isinstance(folder, Path) else []
