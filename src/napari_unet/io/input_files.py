"""Which files are meant: by names, folders and patterns, and what their results are called."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path

from napari_unet.engine.errors import FileError, SettingsError, UnetPaintError
from napari_unet.io.failures import cannot_read
from napari_unet.io.images import list_positions
from napari_unet.io.names import file_stem, natural_key
from napari_unet.io.paths import is_folder
from napari_unet.io.provenance_files import has_record
from napari_unet.io.read_folder import list_planes
from napari_unet.io.read_zarr import is_zarr

_SUFFIXES = {".tif", ".tiff", ".png", ".zarr"}


@dataclass(frozen=True, slots=True)
class InputFile:
    """An image, and where its result goes."""

    path: Path
    output: Path
    position: str | None = None  # which of several in it; None: its only one

    def __str__(self) -> str:
        return str(self.path) if self.position is None else f"{self.path} [{self.position}]"


def find_inputs(
    named: Sequence[Path], folder: Path, suffix: str = "", *, subfolders: bool = True
) -> list[InputFile]:
    """Return the images that are named, each once, in natural order within its folder.

    Parameters
    ----------
    named
        Files, folders with all images in and below them, and patterns as of `glob`, in which ``**``
        is any folders. An OME-Zarr is a file. Files that are hidden, labels beside their images and
        what this program has written are passed over.
    folder
        Of the results, as TIFF. What lies below a named folder, or below the part of a pattern that
        has no signs, lies alike below this one; it is not searched itself.
    suffix
        Put behind each name.
    subfolders
        Whether results lie in the same subfolders as their images; else all lie in the folder.

    Raises
    ------
    FileError
        If a file does not exist, a pattern or folder has no image, or a folder cannot be read.
    SettingsError
        If two results would have one name, or one that of its image.
    """
    search = _Search(folder.resolve())
    found: dict[Path, InputFile] = {}
    for one in named:
        images = list(search.look(one))
        if not images:
            raise FileError(f"'{one}' {search.why_none(one)}")
        for path, place in images:
            name = f"{_stem(path)}{suffix}.tif"
            output = folder / (place.with_name(name) if subfolders else name)
            found.setdefault(path.resolve(), InputFile(path, output))
    outputs = {file.output.resolve() for file in found.values()}
    files = [
        file
        for path, file in found.items()
        if path == file.output.resolve() or path not in outputs  # no result of a run before
    ]
    _check_names(files)
    return files


def each_position(files: Sequence[InputFile]) -> list[InputFile]:
    """Return the files with an entry for each image of those that hold several.

    Its name is put behind that of the result. What cannot be read stays as it is, and fails later.

    Raises
    ------
    SettingsError
        If two results would have one name.
    """
    found = [one for file in files for one in _positions(file)]
    _check_names(found)
    return found


def _positions(file: InputFile) -> list[InputFile]:
    try:
        names = list_positions(file.path)
    except UnetPaintError:
        return [file]
    if len(names) == 1:
        return [file]
    output = file.output
    return [
        InputFile(file.path, output.with_stem(f"{output.stem} {file_stem(name, 'image')}"), name)
        for name in names
    ]


def _check_names(files: Sequence[InputFile]) -> None:
    taken: dict[str, InputFile] = {}
    for file in files:
        if file.path.resolve() == file.output.resolve():
            raise SettingsError(
                f"The result of '{file.path}' would take its place; choose another folder, or a "
                "suffix that is put behind its name."
            )
        other = taken.setdefault(str(file.output.resolve()).casefold(), file)  # as Windows sees it
        if other is not file:
            raise SettingsError(
                f"The results of '{other.path}' and '{file.path}' would both be '{file.output}'; "
                "give the folder above both, whose order is kept, or rename one of them."
            )


class _Search:
    """Looks for images.

    Parameters
    ----------
    output
        Folder of the results, resolved.
    """

    def __init__(self, output: Path) -> None:
        self._output = output

    def look(self, named: Path) -> Iterator[tuple[Path, Path]]:
        """Yield each image, and its place below what was named."""
        if is_pattern(named):
            yield from self._match(named)
        elif is_folder(named) and not is_zarr(named):
            yield from self._walk(named, named)
        elif not os.path.lexists(named):
            raise cannot_read(named, FileNotFoundError())
        elif not has_record(named):
            yield named, Path(named.name)

    def why_none(self, named: Path) -> str:
        """Return what is to be said where there is no image."""
        if is_pattern(named):
            return "matches no image (TIFF, PNG or OME-Zarr); check the pattern and the folder."
        if is_folder(named) and not is_zarr(named):
            return (
                "holds no image (TIFF, PNG or OME-Zarr), or only results of this program; choose "
                "the folder in which the images lie."
            )
        return "is a result of this program; give the image itself."

    def _match(self, pattern: Path) -> Iterator[tuple[Path, Path]]:
        plain = takewhile(lambda part: not glob.has_magic(part), pattern.parts)
        root = Path(*plain)
        # Unlike `Path.glob` it passes over what is hidden, and takes "**.tif" for "*.tif".
        found = glob.glob(str(pattern), recursive=True)  # noqa: PTH207
        matches = sorted(map(Path, found), key=_key)
        for match in matches:
            above = match.parents[: len(match.relative_to(root).parts)]
            if self._is_of_results(match, root) or any(map(is_zarr, above)):
                continue
            if is_folder(match) and not is_zarr(match):
                yield from self._walk(match, root)
            elif match.suffix.lower() in _SUFFIXES and not has_record(match):
                yield match, match.relative_to(root)

    def _walk(self, folder: Path, root: Path) -> Iterator[tuple[Path, Path]]:
        for path in list_planes(folder, required=False):
            if not has_record(path):
                yield path, path.relative_to(root)
        try:
            entries = sorted(folder.iterdir(), key=natural_key)
        except OSError as error:
            raise cannot_read(folder, error) from error
        for path in entries:
            if path.name.startswith(".") or path.is_symlink() or not is_folder(path):
                continue
            if is_zarr(path):
                if not has_record(path):
                    yield path, path.relative_to(root)
            elif not self._is_of_results(path, root):
                yield from self._walk(path, root)

    def _is_of_results(self, path: Path, root: Path) -> bool:
        """Return whether it lies in the folder of the results, and that below the root."""
        if self._output == root.resolve() or root.resolve() not in self._output.parents:
            return False
        return path.resolve().is_relative_to(self._output)


def is_pattern(named: Path) -> bool:
    """Return whether a name is a pattern, and not that of a file with such signs in it."""
    return glob.has_magic(str(named)) and not os.path.lexists(named)


def _key(path: Path) -> tuple[object, ...]:
    return str(path.parent), natural_key(path)


def _stem(path: Path) -> str:
    stem = path.stem
    return stem[:-4] if stem.lower().endswith(".ome") else stem
