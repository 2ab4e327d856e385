"""Models go to other people and programs, and come from them."""

from __future__ import annotations

from pathlib import Path

from napari_unet.engine.network import Model
from napari_unet.io.checkpoints import load_model, save_model
from napari_unet.io.library import add_model, copy_file, new_model_path
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


def import_model(source: Path, name: str | None = None) -> tuple[Path, Model]:
    """Take a model's file, or a package of bioimage.io, among one's own models.

    Parameters
    ----------
    source
        A file of napari-unet, or a package (.zip) with a U-Net as here.
    name
        Of the new model; None: as the file's.

    Returns
    -------
    path, model
        Where it is now, and what it is.

    Raises
    ------
    CheckpointError
        If it is neither, or does not fit.
    SettingsError, FileError
        If the name is unusable or taken, a library is missing, or the folder cannot be written.
    """
    if format_of(source) is not SharedFormat.BIOIMAGEIO:
        model = load_model(source)
        return add_model(source, name), model
    from napari_unet.io.bioimageio_import import load_package  # noqa: PLC0415 seldom needed

    model = load_package(source)
    path = new_model_path(name or source.stem)
    return save_model(model, path, overwrite=False), model
