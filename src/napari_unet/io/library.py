"""The library: models that come with the package, and the folder of one's own.

Each is a safetensors file, found by its name. A deleted model of one's own waits in the
folder "deleted" beside, for 30 days.
"""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Collection
from pathlib import Path

import platformdirs

from napari_unet.engine.errors import FileError, SettingsError
from napari_unet.io.failures import cannot_write, exists_already
from napari_unet.io.paths import is_file
from napari_unet.io.replacing import move_beside, replacing

DEFAULT = "light"
"""Name of the bundled model that training starts from if nobody chooses another."""

FOLDER_VARIABLE = "NAPARI_UNET_MODELS"
"""Environment variable that names another folder, for example one that a group shares."""

DAYS_KEPT = 30
"""Days for which a deleted model can be brought back."""

_WEIGHTS = Path(__file__).parents[1] / "weights"  # of the package
_SUFFIX = ".safetensors"
_NAME = re.compile(r"\w[\w .+-]*")
_NOT_IN_NAMES = re.compile(r"[^\w .+-]+")
_DEVICES = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)  # of Windows
_LONGEST = 255  # bytes of a file's name
_PROPOSED = 60  # letters at most, of up to four bytes each


def bundled_models() -> list[Path]:
    """Return the files of the models in the package, the default one first; there may be none."""
    paths = _WEIGHTS.glob("*.safetensors")
    return sorted(paths, key=lambda path: (path.stem != DEFAULT, path.stem))


def find_bundled(name: str) -> Path | None:
    """Return the file of the bundled model of this name, None if there is none."""
    return next((path for path in bundled_models() if name in (path.stem, path.name)), None)


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
    stem = name.removesuffix(_SUFFIX)
    if _DEVICES.fullmatch(stem) or stem.endswith((".", " ")):
        raise SettingsError(
            f"'{name}' cannot name a model, for Windows has no files of such a name; choose one "
            "that is no device (con, nul, com1) and ends in a letter or digit."
        )
    file = f"{stem}{_SUFFIX}"
    if len(file.encode()) > _LONGEST:
        raise SettingsError(f"'{name}' cannot name a model, it is too long; use a shorter name.")
    return models_folder() / file


def new_model_path(name: str) -> Path:
    """Return where a new model of this name is to be kept; its folder exists then.

    Raises
    ------
    SettingsError, FileError
        If the name is unusable or taken, or the folder cannot be made.
    """
    path = model_path(name)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_write(path, error) from error
    _refuse_taken(path)
    return path


def free_name(wish: str, taken: Collection[str]) -> str:
    """Return a usable name that nobody has taken, as much like `wish` as possible.

    Examples
    --------
    >>> free_name("cells (1)", ["Cells 1"])
    'cells 1 2'
    """
    name = " ".join(_NOT_IN_NAMES.sub(" ", wish).split()).lstrip(" .+-")
    name = name[:_PROPOSED].strip() or "model"
    used = {other.casefold() for other in taken}  # some file systems see no difference
    number, free = 2, name
    while free.casefold() in used:
        number, free = number + 1, f"{name} {number}"
    return free


def look_up_model(wish: str) -> Path | None:
    """Return the file of a model named by its file, or by its name: one's own, or a bundled one.

    None if there is none; see also `find_model`.
    """
    if is_file(Path(wish)):
        return Path(wish)
    if _NAME.fullmatch(wish):
        own = models_folder() / f"{wish.removesuffix(_SUFFIX)}{_SUFFIX}"
        if is_file(own):
            return own
    return find_bundled(wish)


def find_model(wish: str) -> Path:
    """Return the file of a model as `look_up_model` does.

    Raises
    ------
    FileError
        If there is none.
    """
    path = look_up_model(wish)
    if path is not None:
        return path
    known = ", ".join(path.stem for path in (*list_models(), *bundled_models())) or "none yet"
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
    return copy_file(source, new_model_path(name or source.stem))


def copy_file(source: Path, target: Path, *, overwrite: bool = False) -> Path:
    """Copy a file in whole or not at all; nothing is overwritten unasked.

    Raises
    ------
    FileError
        If the target exists already, or cannot be written.
    """
    if target.exists() and not overwrite:
        raise exists_already(target)
    with replacing(target, overwrite=overwrite) as partial:
        shutil.copyfile(source, partial)
    return target


def rename_model(path: Path, name: str) -> Path:
    """Give a model of the folder another name.

    Raises
    ------
    SettingsError, FileError
        If the name is unusable or taken, the model is a bundled one, or the file is gone or
        cannot be moved.
    """
    _refuse_bundled(path)
    target = model_path(name)
    _refuse_taken(target, but=path)
    return _move(path, target)


def delete_model(path: Path) -> Path:
    """Put a model of the folder aside; `restore_model` brings it back for 30 days.

    Returns
    -------
    Path
        Where it is now.

    Raises
    ------
    FileError
        If the model is a bundled one, or the file is gone or cannot be moved.
    """
    _refuse_bundled(path)
    folder = _deleted_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_write(folder, error) from error
    name = free_name(path.stem, [other.stem for other in folder.iterdir()])
    aside = _move(path, folder / f"{name}{_SUFFIX}")
    aside.touch()  # the days are counted from now
    return aside


def restore_model(aside: Path, path: Path) -> Path:
    """Bring a deleted model back to where it was.

    Raises
    ------
    FileError
        If another model has taken its name, or the file is gone or cannot be moved.
    """
    return _move(aside, path)


def empty_deleted(*, now: float | None = None) -> None:
    """Remove for good what was deleted more than 30 days ago.

    Parameters
    ----------
    now
        Seconds since the epoch; None: now.
    """
    oldest = (time.time() if now is None else now) - DAYS_KEPT * 24 * 3600
    for path in _deleted_folder().glob(f"*{_SUFFIX}"):
        try:
            if path.stat().st_mtime < oldest:
                path.unlink(missing_ok=True)
        except OSError:  # another's, or open elsewhere: it stays
            continue


def _deleted_folder() -> Path:
    return models_folder() / "deleted"


def _refuse_bundled(path: Path) -> None:
    if path in bundled_models():
        raise FileError(
            f"'{path.stem}' comes with U-Net Paint and can be neither renamed nor deleted; export "
            "it if you want a copy under another name."
        )


def _move(source: Path, target: Path) -> Path:
    """Rename a file on one disk; nothing is overwritten."""
    try:
        if target.exists() and target.samefile(source):  # "cells" may become "Cells"
            source.rename(target)
        else:
            move_beside(source, target)
    except FileExistsError as error:
        raise exists_already(target) from error
    except FileNotFoundError as error:
        raise FileError(
            f"The model '{source.stem}' is no longer there; another window may have moved it."
        ) from error
    except OSError as error:
        raise cannot_write(target, error) from error
    return target


def _refuse_taken(path: Path, *, but: Path | None = None) -> None:
    """Raise `FileError` if a model has this name, even one that only some systems tell apart."""
    for other in (path, *list_models()):
        is_same = other.name.casefold() == path.name.casefold()
        if is_same and other != but and os.path.lexists(other):
            raise exists_already(other)
