"""Models go to other people and programs, and come from them."""

from __future__ import annotations

from pathlib import Path

from napari_unet.io.checkpoints import load_model
from napari_unet.io.library import copy_file
from napari_unet.io.model_formats import Credits, SharedFormat, format_of


def export_model(
    source: Path,
    target: Path,
    *,
    form: SharedFormat | None = None,
    named: Credits = Credits(),  # noqa: B008 frozen
    overwrite: bool = False,
) -> Path:
    """Copy a model's file, once it has proved to be one, or write it for other programs.

    Parameters
    ----------
    source
        The model's file.
    target
        The new one.
    form
        What it becomes; None: what its name ends in, and a copy if that is no other format.
    named
        What a package says of it.
    overwrite
        Replace an existing file.

    Raises
    ------
    CheckpointError
        If the source is no model.
    SettingsError
        If the name's ending does not fit the format, or a library is missing.
    FileError
        If the target is there already, or cannot be written.
    """
    model = load_model(source)
    form = form or format_of(target)
    if form is None:
        return copy_file(source, target, overwrite=overwrite)
    from napari_unet.io.shared_models import share_model  # noqa: PLC0415 seldom needed

    return share_model(model, target, form, named=named, overwrite=overwrite)
