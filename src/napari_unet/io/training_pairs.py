"""Which images and labels are trained on: given one by one, or as folders of both."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from napari_unet.engine.errors import FileError, ImageError, LabelsError, SettingsError
from napari_unet.engine.paint import Pair
from napari_unet.io.images import open_image
from napari_unet.io.names import contained_name, natural_key, pair_names
from napari_unet.io.pairing import fit_to_labels, open_labels_for
from napari_unet.io.paths import is_folder
from napari_unet.io.provenance import Source
from napari_unet.io.read_folder import list_labels, list_planes
from napari_unet.io.read_zarr import is_zarr
from napari_unet.io.stack import AS_IT_IS, ImageStack, View

_NAMED = 5  # files that are listed by their names


@dataclass(frozen=True, slots=True)
class PairFiles:
    """Where an image and its labels are."""

    image: Path
    labels: Path


@dataclass(frozen=True, slots=True, eq=False)
class OpenPair:
    """An image and its labels, open."""

    files: PairFiles
    stack: ImageStack
    pair: Pair

    @property
    def sources(self) -> tuple[Source, Source]:
        """What is told of them in records."""
        labels = self.files.labels
        path, shape = str(labels.absolute()), self.stack.layout().shape
        return Source.of(self.stack, self.files.image), Source(labels.name, "", shape, path=path)


def find_pairs(given: Sequence[PairFiles]) -> tuple[list[PairFiles], list[str]]:
    """Return each image with its labels, and in sentences what has no partner.

    Parameters
    ----------
    given
        Images and labels. Two folders are an image of planes and its labels, as they are
        everywhere; unless the planes differ in size or type, or are stacks themselves: then each
        file is an image by itself, and the labels are found by their names.

    Raises
    ------
    FileError
        If something is not there or cannot be read.
    LabelsError
        If labels in a folder belong to none of the images, or several to one.
    SettingsError
        If nothing is given, or a pair twice.
    """
    if not given:
        raise SettingsError("No image is given; name an image and its labels, or use --pair.")
    found: list[PairFiles] = []
    alone: list[str] = []
    for files in given:
        if _is_plain_folder(files.image) and _holds_images(files.image):
            pairs, without = _pairs_in(files)
            found += pairs
            alone += without
        else:
            found.append(files)
    seen: set[tuple[Path, Path]] = set()
    for files in found:
        place = files.image.resolve(), files.labels.resolve()
        if place in seen:
            raise SettingsError(
                f"'{files.image}' and '{files.labels}' are given twice; give each pair once."
            )
        seen.add(place)
    return found, alone


def open_pair(
    files: PairFiles,
    choose: Callable[[int], Sequence[int]] | None = None,
    view: View = AS_IT_IS,
) -> OpenPair:
    """Open an image and its labels; see `open_labels_for`.

    Parameters
    ----------
    choose
        Gives the numbers of the wanted planes, of so many; None: all.
    view
        Which channels of the image are meant, and what its axes are.

    Raises
    ------
    FileError, ImageError, LabelsError
        If one of them cannot be read, or the labels do not fit.
    """
    stack = open_image(files.image, view)
    if not (view.axes or view.channels):
        stack = fit_to_labels(stack, files.labels)
    planes = stack.planes()
    wanted = None if choose is None else choose(planes.count)
    labels = open_labels_for(stack, files.labels, wanted)
    return OpenPair(files, stack, Pair(planes, labels))


def _is_plain_folder(path: Path) -> bool:
    return is_folder(path) and not is_zarr(path)


def _holds_images(folder: Path) -> bool:
    """Return whether the files of a folder are no planes of one stack."""
    if not list_planes(folder, required=False):
        return bool(_zarrs(folder))
    try:
        open_image(folder)
    except ImageError:
        return True
    return False


def _zarrs(folder: Path) -> list[Path]:
    return sorted((path for path in folder.iterdir() if is_zarr(path)), key=natural_key)


def _pairs_in(files: PairFiles) -> tuple[list[PairFiles], list[str]]:
    """Return the pairs in two folders, and what has no partner."""
    if not _is_plain_folder(files.labels):
        raise LabelsError(
            f"'{files.image}' holds several images, but '{files.labels}' is no folder; give the "
            "folder of their labels, or each image by itself with --pair."
        )
    images = [*list_planes(files.image, required=False), *_zarrs(files.image)]
    labels = [*_labels_in(files.labels), *_zarrs(files.labels)]
    if files.labels.resolve() == files.image.resolve():
        labels = [path for path in labels if path not in images]
    if not labels:
        raise FileError(f"The folder '{files.labels}' holds no label files; choose another.")
    places = _by_name([_stem(path) for path in labels], [_stem(path) for path in images])
    if not places:
        raise LabelsError(
            f"No file in '{files.labels}' is named like one in '{files.image}'; name labels like "
            "their images (cells1.tif and cells1_labels.tif), or give them with --pair."
        )
    partners: dict[int, Path] = {}
    for path, place in zip(labels, places, strict=True):
        if place in partners:
            raise LabelsError(
                f"Both '{partners[place].name}' and '{path.name}' are named like the image "
                f"'{images[place].name}'; keep one of them in the folder."
            )
        if place is not None:
            partners[place] = path
    pairs = [PairFiles(images[place], partners[place]) for place in sorted(partners)]
    alone = [
        _tell("These images have no labels and are left out", images, partners.keys()),
        _tell(
            "These labels have no image and are left out",
            labels,
            [n for n, place in enumerate(places) if place is not None],
        ),
    ]
    return pairs, [sentence for sentence in alone if sentence]


def _labels_in(folder: Path) -> list[Path]:
    return list_labels(folder) if list_planes(folder, required=False) else []


def _by_name(labels: list[str], images: list[str]) -> list[int | None]:
    """Return the place of each label's image; empty if there is none for any."""
    places = {stem: place for place, stem in enumerate(images)}
    found = [places.get(label, contained_name(label, places)) for label in labels]
    if any(place is not None for place in found):
        return found
    numbered = pair_names(labels, images) if len(set(labels)) == len(labels) else ""
    return [] if isinstance(numbered, str) else [numbered[label] for label in labels]


def _stem(path: Path) -> str:
    return re.sub(r"\.ome$", "", path.stem, flags=re.IGNORECASE)


def _tell(what: str, files: Sequence[Path], used: Collection[int]) -> str:
    left = [f"'{path.name}'" for n, path in enumerate(files) if n not in used]
    more = f" and {len(left) - _NAMED} more" if len(left) > _NAMED else ""
    return f"{what}: {', '.join(left[:_NAMED])}{more}." if left else ""
