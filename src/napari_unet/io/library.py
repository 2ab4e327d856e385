"""The folder of one's own models: one safetensors file each, found by its name."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

import platformdirs

from napari_unet.engine.errors import FileError, SettingsError
from napari_unet.io.failures import cannot_write
from napari_unet.io.replacing import replacing

__all__ = [
    "FOLDER_VARIABLE",
    "add_model",
    "copy_file",
    "find_model",
    "list_models",
    "model_path",
    "models_folder",
]

FOLDER_VARIABLE = "NAPARI_UNET_MODELS"
"""Environment variable that names another folder, for example one that a group shares."""

_SUFFIX = ".safetensors"
_NAME = re.compile(r"\w[\w .+-]*")


def models_folder() -> Path:
    """Return the folder of the models; it may not exist yet."""
    wished = os.environ.get(FOLDER_VARIABLE)
    return Path(wished) if wished else platformdirs.user_data_path("napari-unet-paint") / "models"


def list_models() -> list[Path]:
    """Return the files of the models, by name."""
    return sorted(models_folder().glob(f"*{_SUFFIX}"))


def model_path(name: str) -> Path:
    """Return where the model of this name is kept, whether it exists or not.

    Raises
    ------
    SettingsError
        If the name could not be a file name on every system.
    """
    if not _NAME.fullmatch(name):
        raise SettingsError(
            f"'{name}' cannot name a model; use letters, digits, spaces and . + - _ only."
        )
    return models_folder() / f"{name.removesuffix(_SUFFIX)}{_SUFFIX}"


def find_model(wish: str) -> Path:
    """Return the file of a model that is named by its file, or by its name in the folder.

    Raises
    ------
    FileError
        If there is neither.
    """
    if Path(wish).is_file():
        return Path(wish)
    if _NAME.fullmatch(wish) and model_path(wish).is_file():
        return model_path(wish)
    known = ", ".join(path.stem for path in list_models()) or "none yet"
    raise FileError(
        f"'{wish}' is neither a file nor one of your models ({known}); check the spelling, or "
        "train one with 'napari-unet train'."
    )


def add_model(source: Path, name: str | None = None) -> Path:
    """Copy a model's file into the folder, under its own name or another.

    Raises
    ------
    SettingsError, FileError
        If the name is unusable or taken, or the folder cannot be written.
    """
    target = model_path(name or source.stem)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_write(target, error) from error
    return copy_file(source, target)


def copy_file(source: Path, target: Path) -> Path:
    """Copy a file in whole or not at all; nothing is overwritten.

    Raises
    ------
    FileError
        If the target exists already, or cannot be written.
    """
    if target.exists():
        raise FileError(f"'{target}' exists already; choose another name or remove it first.")
    with replacing(target) as partial:
        shutil.copyfile(source, partial)
    return target
