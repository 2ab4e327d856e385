"""What people chose for this plugin in napari's preferences."""

from __future__ import annotations

import os
from typing import Any

from napari_unet.io.library import FOLDER_VARIABLE
from napari_unet.io.model_formats import Credits

_PLUGIN = "napari-unet-paint"


def preferences(part: str) -> Any | None:
    """Return what was chosen in a part of the preferences.

    None before napari 0.9, which has no preferences of plugins.
    """
    try:
        from napari.settings import get_plugin_settings  # noqa: PLC0415

        return getattr(get_plugin_settings(_PLUGIN), part)
    except (AttributeError, ImportError, KeyError):  # a dock without its manifest, or an older one
        return None


def wished_device() -> str:
    """Return the device that is to be looked for first, "auto" for the fastest."""
    chosen = preferences("computing")
    return "auto" if chosen is None else str(chosen.device)


def training_seconds(usual: float | None) -> float | None:
    """Return how long a training may take at first; `usual` is the recipe's."""
    chosen = preferences("computing")
    return usual if chosen is None or not chosen.seconds else float(chosen.seconds)


def use_models_folder() -> None:
    """Let models be kept where people want them; the environment's variable overrides it."""
    chosen = preferences("models")
    folder = "" if chosen is None else chosen.folder.strip()
    if folder:
        os.environ.setdefault(FOLDER_VARIABLE, os.path.expanduser(folder))  # noqa: PTH111


def package_credits() -> Credits:
    """Return whom a package of a model names as its authors, and its licence."""
    chosen = preferences("models")
    if chosen is None:
        return Credits()
    authors = tuple(name.strip() for name in chosen.authors.split(",") if name.strip())
    return Credits(authors=authors, license=chosen.license.strip() or Credits().license)
