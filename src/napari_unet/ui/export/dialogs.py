"""Asks where results go: the name, and what kind of file it is."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count as numbers
from pathlib import Path

from napari.layers import Labels, Layer
from qtpy.QtWidgets import QFileDialog, QWidget

from napari_unet.engine.errors import UnetPaintError
from napari_unet.io.names import file_stem


@dataclass(frozen=True, slots=True)
class FileKind:
    """A kind of file that the dialog offers."""

    name: str
    endings: tuple[str, ...]  # of names; the first is put behind one that has none

    @property
    def filter(self) -> str:
        """The kind as Qt takes it."""
        return f"{self.name} ({' '.join(f'*{ending}' for ending in self.endings)})"


_TIFF = FileKind("TIFF, for Fiji and napari", (".tif", ".tiff"))
_ZARR = FileKind("OME-Zarr, for large stacks", (".zarr",))
_INSIDE = FileKind("OME-Zarr, inside that of the image", ("",))
_OUTLINES = (
    FileKind("ImageJ ROIs", (".zip",)),
    FileKind("GeoJSON, for QuPath", (".geojson",)),
    FileKind("Cell Tracking Challenge, a folder", ("_RES",)),
)


def ask_export_path(parent: QWidget, layer: Layer, image: Layer | None) -> Path | None:
    """Return where to write `layer`, None if the user cancels.

    Proposes a name beside the image's file, so that image and labels stay together. The name says
    what is written: its own ending, else that of the kind of file that was chosen.
    """
    is_labels = isinstance(layer, Labels)
    word = "labels" if is_labels else "probabilities"
    source = image.source.path if image is not None else None
    if source:
        proposal = Path(source).with_name(f"{file_stem(Path(source).stem, '')} {word}.tif")
    else:
        proposal = Path.home() / f"{file_stem(layer.name, word)}.tif"
    inside = _labels_folder(source) if is_labels else None
    kinds = [_TIFF, _ZARR, *(_OUTLINES if is_labels else ()), *([_INSIDE] if inside else [])]
    filters = ";;".join(kind.filter for kind in kinds)
    chosen, chosen_filter = QFileDialog.getSaveFileName(
        parent, f"Export {word}", str(proposal), filters
    )
    if not chosen:
        return None
    kind = next((kind for kind in kinds if kind.filter == chosen_filter), _TIFF)
    if kind is _INSIDE and inside is not None:
        return _free(inside / _without_ending(Path(chosen).name, kinds))
    return _named(Path(chosen), kind, kinds)


def ask_export_folder(parent: QWidget, image: Layer | None) -> Path | None:
    """Return the folder to write several results into, None if the user cancels."""
    source = image.source.path if image is not None else None
    start = Path(source).parent if source else Path.home()
    chosen = QFileDialog.getExistingDirectory(parent, "Export into this folder", str(start))
    return Path(chosen) if chosen else None


def _named(path: Path, kind: FileKind, kinds: list[FileKind]) -> Path:
    """Return the path with an ending.

    The proposed name ends in .tif: whoever chooses another kind and leaves that ending wants the
    kind. Any other known ending was typed, and is what is wanted.
    """
    own = _ending(path.name, kinds)
    if own in kind.endings or (own and own not in _TIFF.endings):
        return path
    stem = path.name[: len(path.name) - len(own)]  # "HeLa 2.5" has no ending yet
    return _free(path.with_name(stem + kind.endings[0]))


def _ending(name: str, kinds: list[FileKind]) -> str:
    """Return the known ending of a name, as it is written in kinds; empty: it has none."""
    endings = (ending for kind in kinds for ending in kind.endings if ending)
    return next((e for e in endings if name.lower().endswith(e.lower())), "")


def _without_ending(name: str, kinds: list[FileKind]) -> str:
    return name[: len(name) - len(_ending(name, kinds))]


def _free(path: Path) -> Path:
    """Return the path, or one that nothing has: the dialog has not asked about replacing it."""
    paths = (path.with_stem(f"{path.stem} ({number})") for number in numbers(2))
    return path if not path.exists() else next(other for other in paths if not other.exists())


def _labels_folder(source: str | None) -> Path | None:
    """Return where labels lie in the OME-Zarr that an image is from; None: it is from none."""
    from napari_unet.io.image_labels import labels_folder  # noqa: PLC0415 loads the readers

    if not source or not Path(source).is_dir():
        return None
    try:
        return labels_folder(Path(source))
    except UnetPaintError:
        return None
