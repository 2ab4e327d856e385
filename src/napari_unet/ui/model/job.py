"""Reading and writing models: the library's files, one's own and the bundled ones."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from napari_unet.engine.errors import CheckpointError
from napari_unet.engine.events import Stop
from napari_unet.io import library
from napari_unet.io.library import bundled_models
from napari_unet.io.model_formats import OWN_SUFFIX, format_of
from napari_unet.ui.preferences import package_credits
from napari_unet.ui.worker import Job

if TYPE_CHECKING:
    from napari_unet.engine.network import Model
    from napari_unet.io.checkpoints import CheckpointHeader


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A model in a file, with what its header says."""

    path: Path
    bundled: bool = False
    header: CheckpointHeader | None = None  # None: it cannot be read
    problem: str = ""  # why

    @property
    def name(self) -> str:
        """The name by which people know it."""
        return self.path.stem


@dataclass(frozen=True, slots=True)
class ModelsListed:
    """All models that there are, the bundled ones first."""

    files: tuple[ModelFile, ...]


@dataclass(frozen=True, slots=True, eq=False)
class ModelOpened:
    """A model was read from a file."""

    path: Path
    model: Model


@dataclass(frozen=True, slots=True, eq=False)
class ModelKept:
    """A model is among one's own now."""

    path: Path
    model: Model


@dataclass(frozen=True, slots=True, eq=False)
class ModelImported:
    """A copy of a file is among one's own models."""

    path: Path  # of the copy
    model: Model


@dataclass(frozen=True, slots=True)
class ModelRenamed:
    """A file has another name."""

    before: Path
    path: Path


@dataclass(frozen=True, slots=True)
class ModelDeleted:
    """A file was put aside."""

    path: Path  # where it was
    aside: Path  # where it is, to be brought back


@dataclass(frozen=True, slots=True)
class ModelRestored:
    """A deleted file is back."""

    path: Path


@dataclass(frozen=True, slots=True)
class ModelExported:
    """A copy of the model was written."""

    path: Path


def list_files() -> Job:
    """List the bundled models and one's own; what was deleted long ago is removed for good."""

    def run(_stop: Stop) -> Iterator[object]:
        library.empty_deleted()
        yield _listed()

    return run


def open_file(path: Path) -> Job:
    """Read a model from a file."""

    def run(_stop: Stop) -> Iterator[object]:
        from napari_unet.io.checkpoints import load_model  # noqa: PLC0415

        yield ModelOpened(path, load_model(path))

    return run


def keep_model(model: Model, name: str) -> Job:
    """Write a model into the library under a new name."""

    def run(_stop: Stop) -> Iterator[object]:
        from napari_unet.io.checkpoints import save_model  # noqa: PLC0415

        path = library.new_model_path(name)
        yield ModelKept(save_model(model, path, overwrite=False), model)
        yield _listed()

    return run


def rename_file(path: Path, name: str) -> Job:
    """Give a model of the library another name."""

    def run(_stop: Stop) -> Iterator[object]:
        yield ModelRenamed(path, library.rename_model(path, name))
        yield _listed()

    return run


def delete_file(path: Path) -> Job:
    """Put a model of the library aside, to be brought back or forgotten."""

    def run(_stop: Stop) -> Iterator[object]:
        yield ModelDeleted(path, library.delete_model(path))
        yield _listed()

    return run


def restore_file(deleted: ModelDeleted) -> Job:
    """Bring a deleted model back."""

    def run(_stop: Stop) -> Iterator[object]:
        yield ModelRestored(library.restore_model(deleted.aside, deleted.path))
        yield _listed()

    return run


def import_file(source: Path) -> Job:
    """Take a model's file or package into the library, under a name that is free, and open it."""

    def run(_stop: Stop) -> Iterator[object]:
        from napari_unet.io.exchange import import_model  # noqa: PLC0415

        taken = [path.stem for path in library.list_models()]
        name = library.free_name(source.stem, taken)
        yield ModelImported(*import_model(source, name))
        yield _listed()

    return run


def export_file(source: Path, target: Path, suffix: str) -> Job:
    """Copy a model's file elsewhere, or write it for other programs, as the suffix says.

    The file dialog has asked before it overwrites `target`. Where that ends in no suffix of a
    model, `suffix` is added; then nothing is overwritten. Packages name the authors and the
    licence of the preferences.
    """
    is_whole = target.suffix == OWN_SUFFIX or format_of(target) is not None
    whole = target if is_whole else target.with_name(target.name + suffix)
    named = package_credits()

    def run(_stop: Stop) -> Iterator[object]:
        from napari_unet.io.exchange import export_model  # noqa: PLC0415

        overwrite = whole == target
        yield ModelExported(export_model(source, whole, named=named, overwrite=overwrite))

    return run


def _listed() -> ModelsListed:
    bundled = [_examine(path, bundled=True) for path in bundled_models()]
    own = [_examine(path, bundled=False) for path in library.list_models()]
    return ModelsListed((*bundled, *own))


def _examine(path: Path, *, bundled: bool) -> ModelFile:
    from napari_unet.io.checkpoints import read_header  # noqa: PLC0415

    try:
        return ModelFile(path, bundled, read_header(path))
    except CheckpointError as error:
        return ModelFile(path, bundled, problem=str(error))


def tell_files(event: object) -> str | None:
    """Return what became of a file, None if the event is of another kind."""
    match event:
        case ModelOpened(path) | ModelImported(path):
            line = f"Starts from '{path.stem}'."
        case ModelKept(path):
            line = f"Kept as '{path.stem}'."
        case ModelRenamed(_, path):
            line = f"Renamed to '{path.stem}'."
        case ModelDeleted(path):
            line = f"Deleted '{path.stem}'."
        case ModelRestored(path):
            line = f"'{path.stem}' is back."
        case ModelExported(path):
            line = f"Saved {path.name} in {path.parent}."
        case _:
            return None
    return line
