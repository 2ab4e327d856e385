"""List, show, import, export, rename and delete models."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from napari_unet.cli.console import say, show, show_table
from napari_unet.engine.errors import CheckpointError, FileError
from napari_unet.io.checkpoints import read_header
from napari_unet.io.exchange import export_model, import_model
from napari_unet.io.library import (
    DAYS_KEPT,
    bundled_models,
    delete_model,
    empty_deleted,
    find_bundled,
    find_model,
    list_models,
    model_path,
    models_folder,
    rename_model,
)
from napari_unet.io.model_formats import SUFFIXES, Credits, SharedFormat


def list_all(*, as_json: bool) -> None:
    """Print a line for each model; files that are no models are named on standard error."""
    empty_deleted()
    rows = []
    bundled = bundled_models()
    for path in (*bundled, *list_models()):
        try:
            header = read_header(path)
        except CheckpointError as error:
            say(str(error))
            continue
        rows.append(
            {
                "name": path.stem,
                "date": header.record.started[:10],
                "task": header.task.value,
                "classes": len(header.values),
                "network": header.network.name,
                "validation_iou": header.record.validation_iou,
                "bundled": path in bundled,
            }
        )
    if as_json:
        show({"folder": str(models_folder()), "models": rows}, as_json=True)
        return
    show_table(rows)
    if not rows:
        say(f"There are no models in '{models_folder()}'; add one: napari-unet models import FILE")


def show_one(wish: str, *, as_json: bool) -> None:
    """Print what is known about a model."""
    path = find_model(wish)
    show({"file": str(path), **asdict(read_header(path))}, as_json=as_json)


def import_file(source: Path, *, name: str | None) -> None:
    """Copy a model into the folder, once it has proved to be one."""
    path, _ = import_model(source, name)
    say(f"Imported as '{path.stem}'.")


def export_file(wish: str, target: Path, *, form: SharedFormat | None, named: Credits) -> None:
    """Write a model's file into a folder, or under a new name; for other programs if asked to."""
    source = find_model(wish)
    if target.is_dir():
        target /= source.with_suffix(SUFFIXES[form]).name if form else source.name
    say(f"Exported to '{export_model(source, target, form=form, named=named)}'.")


def rename_file(name: str, new_name: str) -> None:
    """Give one of one's own models another name."""
    say(f"Renamed to '{rename_model(_own(name), new_name).stem}'.")


def delete_file(name: str) -> None:
    """Put one of one's own models aside, and say how it comes back."""
    path = _own(name)
    aside = delete_model(path)
    say(
        f"Deleted '{path.stem}'. For {DAYS_KEPT} days it comes back with: "
        f'napari-unet models import "{aside}" --name "{path.stem}"'
    )


def _own(name: str) -> Path:
    """Return the file of one's own model; of a bundled one, which the library refuses, too."""
    own = model_path(name)
    path = own if own.is_file() else find_bundled(name)
    if path is None:
        raise FileError(
            f"'{name}' is none of your own models; list them with 'napari-unet models list'."
        )
    return path
