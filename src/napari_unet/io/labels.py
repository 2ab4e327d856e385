"""Segmentations out: label images and class probabilities, rows by rows.

A writer is a context manager that takes planes in order, each at once or in bands of rows, and
holds little of them. The file or folder appears under its name when the block ends well; otherwise
nothing is left behind, and a file of that name stays as it was.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol

import numpy.typing as npt

from napari_unet.engine.errors import FileError
from napari_unet.io.image_labels import labels_in_image, lies_in_image
from napari_unet.io.label_features import LabelFeatures
from napari_unet.io.label_formats import LabelFormat, label_format
from napari_unet.io.stack import ImageStack, Layout
from napari_unet.io.write_ctc import tracked_frames
from napari_unet.io.write_geojson import geojson
from napari_unet.io.write_rois import roi_zip
from napari_unet.io.write_tiff import label_tiff, probability_tiff
from napari_unet.io.write_zarr import plane_zarr

__all__ = [
    "LabelFormat",
    "Layout",
    "PlaneWriter",
    "label_format",
    "open_label_writer",
    "open_probability_writer",
    "write_labels",
    "write_probabilities",
]


class PlaneWriter(Protocol):
    """Takes the planes of a file, one after the other."""

    def write(self, rows: npt.NDArray[Any]) -> None:
        """Write the next rows of a plane, or all of them, (..., y, X)."""
        ...

    def drop_rows(self) -> None:
        """Forget the rows of a plane that is not complete; it is written anew."""
        ...

    def note_unfinished(self, planes: Iterable[int]) -> None:
        """Let the file say which planes are not segmented to their end."""
        ...

    def note_provenance(self, text: str) -> None:
        """Let the file say what made it: `provenance.to_text` in one line."""
        ...


def open_label_writer(
    path: str | Path,
    layout: Layout,
    *,
    largest: int | None = None,
    wish: LabelFormat | None = None,
    image: ImageStack | None = None,
    features: LabelFeatures | None = None,
) -> AbstractContextManager[PlaneWriter]:
    """Open a label image for writing.

    Parameters
    ----------
    path
        Ends in .tif or .tiff: Deflate-packed TIFF, uint16 if every label is below 65536 (with
        ImageJ's metadata), else uint32 (with OME-XML); BigTIFF with OME-XML past 4 GB; a name
        in .ome.tif is always OME-TIFF. Ends in .zarr: OME-Zarr 0.5, uint32, in several sizes; so is
        "image.zarr/labels/NAME", which lies in the OME-Zarr of the image, in its version. Ends in
        .zip: ImageJ ROIs; in .geojson: detections for QuPath; a folder like 01_RES: masks and
        tracks as of the Cell Tracking Challenge.
    layout
        Shape, axes and spacing of the whole file; see `ImageStack.layout`.
    largest
        The largest label, if known. A TIFF with larger ones than foreseen is written again, as
        uint32, from the plane on where they appear.
    wish
        The format, where it is not as the name ends.
    image
        That of the labels: QuPath's detections then have its grey values measured, and ROIs are
        placed as in a stack of several channels if it has such.
    features
        What else is known of each object, for QuPath's detections.

    Raises
    ------
    FileError
        At once, if the name fits no format or the axes do not fit it, if the folder is missing or
        read-only; while writing, if the disk is full.
    LabelsError
        While writing, if labels are negative, fractions, or need more bits than the format has.

    Examples
    --------
    >>> with open_label_writer("out.tif", stack.layout()) as writer:  # doctest: +SKIP
    ...     for event in segment(model, stack.planes(), device=device):
    ...         if isinstance(event, PlaneDone):
    ...             writer.write(np.asarray(event.labels))
    """
    path = Path(path)
    match label_format(path, wish):
        case LabelFormat.OME_ZARR if lies_in_image(path):
            return labels_in_image(path, layout)
        case LabelFormat.OME_ZARR:
            return plane_zarr(path, layout, is_labels=True)
        case LabelFormat.IMAGEJ:
            return roi_zip(path, layout, channels=1 if image is None else image.planes().channels)
        case LabelFormat.GEOJSON:
            return geojson(path, layout, image=image, features=features)
        case LabelFormat.TRACKING:
            return tracked_frames(path, layout)
        case kind:
            is_ome = kind is LabelFormat.OME_TIFF
            return label_tiff(path, layout, largest=largest, ome=is_ome)


def open_probability_writer(
    path: str | Path, layout: Layout
) -> AbstractContextManager[PlaneWriter]:
    """Open a float32 image of class probabilities for writing, (C, Y, X) per plane.

    Parameters
    ----------
    path
        Ends in .tif, .tiff or .zarr, as in `open_label_writer`.
    layout
        Of the whole file, with the axis C before YX; see `ImageStack.layout`.

    Raises
    ------
    FileError
        As in `open_label_writer`.
    """
    path = Path(path)
    if layout.axes[-3:] != "CYX":
        raise ValueError(f"probabilities have the axes …CYX, got {layout.axes}")
    if _is_zarr(path):
        return plane_zarr(path, layout, is_labels=False)
    return probability_tiff(path, layout)


def write_labels(
    path: str | Path,
    planes: Iterable[npt.NDArray[Any]],
    *,
    shape: Sequence[int],
    axes: str,
    spacing: Mapping[str, float],
    largest: int | None = None,
) -> Path:
    """Write a label image from an iterable of planes or bands of rows; see `open_label_writer`.

    Returns
    -------
    Path
        The file.
    """
    return _write_all(
        open_label_writer(path, _layout(shape, axes, spacing), largest=largest), planes, path
    )


def write_probabilities(
    path: str | Path,
    planes: Iterable[npt.NDArray[Any]],
    *,
    shape: Sequence[int],
    axes: str,
    spacing: Mapping[str, float],
) -> Path:
    """Write class probabilities from an iterable of (C, Y, X) planes.

    Returns
    -------
    Path
        The file.
    """
    return _write_all(open_probability_writer(path, _layout(shape, axes, spacing)), planes, path)


def _write_all(
    opened: AbstractContextManager[PlaneWriter],
    planes: Iterable[npt.NDArray[Any]],
    path: str | Path,
) -> Path:
    with opened as writer:
        for rows in planes:
            writer.write(rows)
    return Path(path)


def _layout(shape: Sequence[int], axes: str, spacing: Mapping[str, float]) -> Layout:
    return Layout(tuple(int(n) for n in shape), axes, dict(spacing))


def _is_zarr(path: Path) -> bool:
    suffix = path.suffix.lower()
    if suffix not in (".tif", ".tiff", ".zarr"):
        raise FileError(
            f"'{path.name}' has no known ending; end the name in .tif (for Fiji and napari) or "
            ".zarr (for images larger than memory)."
        )
    return suffix == ".zarr"
