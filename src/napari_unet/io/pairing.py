"""Labels of an image: which plane has some, and their numbers, checked."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_unet.engine.counts import shape_text
from napari_unet.engine.errors import ImageError, LabelsError
from napari_unet.io.images import open_image
from napari_unet.io.names import pair_names, pair_numbers, plane_number
from napari_unet.io.paths import is_folder
from napari_unet.io.plane_order import plane_order
from napari_unet.io.read_folder import list_labels, open_plane
from napari_unet.io.read_zarr import is_zarr
from napari_unet.io.stack import ImageStack, Layout

_LARGEST = int(np.iinfo(np.int32).max)
Region = tuple[slice, slice]


class LabelPlanes:
    """Label planes of an image, numbered as its planes; planes without labels read as zeros.

    Serves as `napari_unet.engine.stack.Planes`, with int32 numbers in one channel.

    Parameters
    ----------
    layout
        Of the image, without its channels.
    readers
        For each plane that has labels, a function from a region (y, x) to its numbers as stored.
    name
        How errors call the labels.
    """

    def __init__(
        self,
        layout: Layout,
        readers: Mapping[int, Callable[[Region], npt.NDArray[Any]]],
        name: str,
    ) -> None:
        self._layout = layout
        self._readers = dict(readers)
        self.name = name

    @property
    def present(self) -> tuple[int, ...]:
        """Numbers of the planes that have a label plane, in order."""
        return tuple(sorted(self._readers))

    @property
    def count(self) -> int:
        """Number of planes, those without labels included."""
        return self._layout.count

    @property
    def run(self) -> int:
        """Planes that follow one another in z or t."""
        return self._layout.leading_shape[-1] if self._layout.leading_shape else 1

    @property
    def runs(self) -> int:
        """Return 1: labels are given, not linked."""
        return 1

    @property
    def followed(self) -> str:
        """Return nothing, for the same reason."""
        return ""

    @property
    def channels(self) -> int:
        """Return 1."""
        return 1

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of a plane, pixels (Y, X)."""
        return self._layout.plane_shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """Return int32, whatever the files hold."""
        return np.dtype(np.int32)

    @property
    def pixel_size(self) -> tuple[float, float] | None:
        """Height and width of a pixel of the image, µm; None: unknown."""
        return self._layout.pixel_size

    def only(self, planes: Sequence[int]) -> LabelPlanes:
        """Return these planes' labels; the other planes read as zeros.

        Raises
        ------
        LabelsError
            If none of them has labels.
        """
        kept = {number: self._readers[number] for number in planes if number in self._readers}
        if not kept:
            raise LabelsError(
                f"None of the chosen planes has labels in '{self.name}'; it has the planes "
                f"{', '.join(map(str, self.present))}."
            )
        return LabelPlanes(self._layout, kept, self.name)

    def read(self, plane: int, y: slice, x: slice) -> npt.NDArray[Any]:
        """Return the region as (1, y, x) int32; zeros where the plane has no labels.

        Raises
        ------
        LabelsError
            If a number is negative, a fraction, or above 2147483647.
        """
        if plane not in self._readers:
            return np.zeros((1, y.stop - y.start, x.stop - x.start), np.int32)
        values = self._readers[plane]((y, x))
        return _whole_numbers(values, f"plane {plane} of '{self.name}'")[np.newaxis]


def open_labels_for(
    image: ImageStack, path: str | Path, planes: Sequence[int] | None = None
) -> LabelPlanes:
    """Open the labels of an image.

    Parameters
    ----------
    image
        The image, or the segmentation that is compared with these labels.
    path
        A file or OME-Zarr of the image's shape (without its channels), in any order of its axes;
        or one plane, or a folder of planes, that may lack some. Planes of a folder pair by name
        with the planes of the image (see `names.pair_names`), or, where the image is one stack, by
        the plane's number counted from 0 (``man_seg002.tif`` for plane 2); as many files as planes
        pair in order.
    planes
        Numbers of the planes that are wanted; None: all. As many label planes as these, whose
        names do not say where they belong, belong to them, in order.

    Raises
    ------
    FileError
        If a file cannot be read.
    LabelsError
        If shapes differ, a file belongs to no plane, labels are a colour picture, or none of the
        wanted planes has labels.
    """
    path = Path(path)
    if is_folder(path) and not is_zarr(path):
        labels = _from_files(image, list_labels(path), path, planes)
    else:
        labels = _from_file(image, path, planes)
    return labels if planes is None else labels.only(planes)


def _from_file(image: ImageStack, path: Path, planes: Sequence[int] | None) -> LabelPlanes:
    labels = _open(open_image, path)
    expected = image.layout()
    found = Layout(labels.array.shape, labels.axes)  # labels have no channels, whatever it says
    if found.plane_shape != expected.plane_shape:
        raise _other_shape(path, labels, expected)
    order = plane_order(found, expected)
    numbers: Sequence[int] = range(expected.count)
    if order is None and planes is not None and found.count == len(planes):
        numbers, order = planes, plane_order(found, _one_axis(expected, len(planes)))
    if order is None and found.count == 1:
        number = _plane_of(image, path)
        numbers, order = [number], plane_order(found, _one_axis(expected, 1))
    if order is None:
        raise _other_shape(path, labels, expected)
    return _from_stack(labels, expected, [(n, order(i)) for i, n in enumerate(numbers)], path)


def fit_to_labels(image: ImageStack, path: str | Path) -> ImageStack:
    """Return the image, with its channels as planes if its labels have one plane for each.

    Parameters
    ----------
    image
        The image; only where it has one plane can its channels be meant as planes.
    path
        The labels, as of `open_labels_for`.

    Raises
    ------
    FileError, LabelsError
        If the labels cannot be read.
    """
    planes = image.channels_as_planes()
    path = Path(path)
    if image.layout().count > 1 or planes.layout().count == 1:
        return image
    if is_folder(path) and not is_zarr(path):
        return planes if len(list_labels(path)) == planes.layout().count else image
    labels = _open(open_image, path)
    found = Layout(labels.array.shape, labels.axes)
    fits = (found.count, found.plane_shape) == (planes.layout().count, planes.layout().plane_shape)
    return planes if fits else image


def _one_axis(layout: Layout, count: int) -> Layout:
    """Return the layout of so many planes, one after another."""
    return Layout((count, *layout.plane_shape), "ZYX")


def _from_stack(
    labels: ImageStack, layout: Layout, places: Sequence[tuple[int, tuple[int, ...]]], path: Path
) -> LabelPlanes:
    """Return the planes, each read from its index in the labels."""

    def reader(at: tuple[int, ...]) -> Callable[[Region], npt.NDArray[Any]]:
        return lambda region: np.asarray(labels.array[(*at, *region)])

    return LabelPlanes(layout, {number: reader(at) for number, at in places}, path.name)


def _plane_of(image: ImageStack, path: Path) -> int:
    """Return the plane that a file of one plane is named after."""
    count, stem = image.layout().count, path.stem
    if image.plane_names is not None:
        found = pair_names([stem], image.plane_names)
        number = None if isinstance(found, str) else found[stem]
    else:
        number = plane_number(stem)
    if number is None or number >= count:
        raise LabelsError(
            f"'{path.name}' holds the labels of one plane, but '{image.name}' has {count}, and the "
            f"name does not say which: add --planes and the number of the plane, 0 to {count - 1}."
        )
    return number


def _from_files(
    image: ImageStack, files: list[Path], path: Path, planes: Sequence[int] | None
) -> LabelPlanes:
    expected = image.layout()
    numbers = _numbers(image, [file.stem for file in files], path, planes)
    opened = lru_cache(maxsize=4)(open_plane)

    def reader(file: Path) -> Callable[[Region], npt.NDArray[Any]]:
        return lambda region: np.asarray(opened(file).array[region])

    for file in files:
        labels = _open(open_plane, file)
        if labels.array.shape != expected.plane_shape:
            raise _other_shape(file, labels, expected)
    readers = {number: reader(file) for number, file in zip(numbers, files, strict=True)}
    return LabelPlanes(expected, readers, path.name)


def _numbers(
    image: ImageStack, stems: list[str], path: Path, planes: Sequence[int] | None
) -> list[int]:
    """Return the plane number of each label file."""
    count = image.layout().count
    if len(set(stems)) < len(stems):
        twice = next(stem for stem in stems if stems.count(stem) > 1)
        raise LabelsError(f"'{path}' holds two files named {twice}; keep one of them.")
    if image.plane_names is not None:
        found = pair_names(stems, image.plane_names)
        named = f"{image.plane_names[0]} to {image.plane_names[-1]}"
    elif len(stems) == count:
        return list(range(count))
    else:
        found = pair_numbers(stems, {i: i for i in range(count)})
        named = f"numbered 0 to {count - 1}"
    if isinstance(found, str) and planes is not None and len(planes) == len(stems):
        return list(planes)
    if isinstance(found, str):
        raise LabelsError(
            f"The label file '{found}' in '{path}' belongs to no plane of '{image.name}' "
            f"({named}); name it like its image plane, remove it, or say with --planes to which "
            "planes the files belong."
        )
    return [found[stem] for stem in stems]


def _open(opener: Callable[[Path], ImageStack], path: Path) -> ImageStack:
    """Open a file of labels; what is wrong with it as an image is wrong with the labels."""
    try:
        labels = opener(path)
    except ImageError as error:
        raise LabelsError(str(error)) from error
    if labels.is_rgb:
        raise LabelsError(
            f"'{path}' is a colour picture, not a label image; save the labels as whole numbers, "
            "one number per object or class."
        )
    return labels


def _other_shape(path: Path, labels: ImageStack, expected: Layout) -> LabelsError:
    cure = "single planes in a folder, named like its planes"
    if labels.array.shape[-2:] == expected.plane_shape:
        cure += ", or say with --planes to which planes they belong"
    return LabelsError(
        f"The labels '{path}' are {shape_text(labels.array.shape)} but the image is "
        f"{shape_text(expected.shape)}; give labels that were painted on this image, or {cure}."
    )


def _whole_numbers(values: npt.NDArray[Any], where: str) -> npt.NDArray[np.int32]:
    """Return labels as int32, or say what is wrong with them."""
    if values.dtype.kind == "f" and np.isnan(values).any():
        raise LabelsError(
            f"The labels in {where} hold NaN, which is no number; give what is not labelled the "
            "number 0 (in Python: numpy.nan_to_num)."
        )
    if values.dtype.kind == "f" and not (np.isfinite(values) & (values == np.floor(values))).all():
        raise LabelsError(
            f"The labels in {where} are fractions; labels are whole numbers: round them, or give "
            "the label image instead of the probabilities."
        )
    if values.dtype.kind not in "buif":
        raise LabelsError(f"The labels in {where} are {values.dtype.name}; save whole numbers.")
    if values.size and values.min() < 0:
        raise LabelsError(
            f"The labels in {where} hold the negative number {values.min():g}; give background "
            "and objects numbers from 0 upwards."
        )
    if values.size and values.max() > _LARGEST:
        raise LabelsError(
            f"The labels in {where} go up to {values.max():.0f}, but {_LARGEST} is the largest "
            "that can be used; number the objects anew (in Python: "
            "skimage.segmentation.relabel_sequential)."
        )
    return values.astype(np.int32)
