"""Labels inside the OME-Zarr of their image: image.zarr/labels/NAME, of as many levels as it has.

The arrays of the image are not touched. Labels appear whole, and then the list of labels names
them; if there was no group of labels yet, it appears with them in one step.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import zarr

from napari_unet.engine.errors import FileError
from napari_unet.io.read_zarr import ImageGroup, has_zarr_marks, open_image_group
from napari_unet.io.replacing import replacing
from napari_unet.io.stack import Layout
from napari_unet.io.write_zarr import PlaneZarr, check_no_other_folder
from napari_unet.io.zarr_pyramid import Pyramid

_LABELS = "labels"
_UP = "../../"  # from labels to their image


def lies_in_image(path: Path) -> bool:
    """Return whether a path is that of labels in an OME-Zarr: "image.zarr/labels/cells"."""
    return path.parent.name == _LABELS and has_zarr_marks(path.parent.parent)


def labels_folder(image: Path) -> Path:
    """Return where labels of an OME-Zarr image lie.

    Raises
    ------
    FileError, ImageError
        If it is no OME-Zarr image, or has several.
    """
    return open_image_group(image).path / _LABELS


@contextmanager
def labels_in_image(path: Path, layout: Layout) -> Iterator[PlaneZarr]:
    """Open labels for writing inside their image; they appear there when the block ends.

    Raises
    ------
    FileError
        If the image cannot be read, has another size, or something else has the name.
    """
    image = open_image_group(path.parent.parent)
    group = path.parent
    check_no_other_folder(group)
    check_no_other_folder(path)
    layout = _fitted(layout, image, path)
    with ExitStack() as ends:
        if has_zarr_marks(group):
            temporary = ends.enter_context(replacing(path))
        else:
            whole = ends.enter_context(replacing(group))
            whole.mkdir()
            _write_list(whole, [path.name], image.zarr_format)
            temporary = whole / path.name
        writer = PlaneZarr(
            temporary, layout, name=path.name, is_labels=True, pyramid=_pyramid(image)
        )
        yield writer
        writer.finish()
    _add_to_list(group, path.name, image.zarr_format)
    if image.is_consolidated:
        with warnings.catch_warnings(action="ignore"):  # of version 3, which has no rules for it
            zarr.consolidate_metadata(str(image.path))


def _pyramid(image: ImageGroup) -> Pyramid:
    """Return levels like those of the image, without its channels."""
    kept = [i for i, axis in enumerate(image.axes) if axis != "C"]

    def without_channels(values: Sequence[Any]) -> list[Any]:
        return [values[i] for i in kept]

    def kept_step(step: Mapping[str, Any]) -> dict[str, Any]:
        return {
            key: without_channels(value) if isinstance(value, list) else value
            for key, value in step.items()
        }

    return Pyramid(
        "".join(without_channels(image.axes)),
        tuple(tuple(without_channels(shape)) for shape in image.shapes),
        tuple([kept_step(step) for step in level] for level in image.transformations),
        version="0.5" if image.zarr_format == 3 else "0.4",
        source=_UP,
    )


def _fitted(layout: Layout, image: ImageGroup, path: Path) -> Layout:
    """Return the layout with all axes of the image, some of which may have the length 1.

    Raises
    ------
    FileError
        If it is of another size.
    """
    length = dict(zip(image.axes, image.shapes[0], strict=True))
    length.pop("C", None)
    missing = "".join(axis for axis in length if axis not in layout.axes)
    axes, shape = missing + layout.axes, (1,) * len(missing) + layout.shape
    if dict(zip(axes, shape, strict=True)) != length:
        raise FileError(
            f"The labels are {_sizes(dict(zip(layout.axes, layout.shape, strict=True)))}, but the "
            f"image '{image.path}' is {_sizes(length)}; give labels of this image, or write "
            f"'{path.name}.zarr' beside it."
        )
    return Layout(shape, axes, layout.spacing)


def _sizes(length: dict[str, int]) -> str:
    return " × ".join(f"{axis} {n}" for axis, n in length.items())


def _add_to_list(group: Path, name: str, zarr_format: int) -> None:
    """Let the group of labels name these."""
    attributes = _attributes(group, zarr_format)
    told = attributes.get("ome", {}) if zarr_format == 3 else attributes
    names = [str(other) for other in told.get(_LABELS, ())]
    if name not in names:
        _write_list(group, [*names, name], zarr_format, attributes)


def _attributes(group: Path, zarr_format: int) -> dict[str, Any]:
    """Return what the group of labels says so far."""
    path = group / ("zarr.json" if zarr_format == 3 else ".zattrs")
    try:
        found = json.loads(path.read_text("utf-8"))
        found = found.get("attributes", {}) if zarr_format == 3 else found
    except (OSError, ValueError, AttributeError):
        return {}
    return found if isinstance(found, dict) else {}


def _write_list(
    group: Path, names: list[str], zarr_format: int, attributes: dict[str, Any] | None = None
) -> None:
    """Write which labels there are; all else that the group says stays."""
    attributes = dict(attributes or {})
    if zarr_format == 3:
        attributes["ome"] = {"version": "0.5", **attributes.get("ome", {}), _LABELS: names}
        about = {"zarr_format": 3, "node_type": "group", "attributes": attributes}
        _write_json(group / "zarr.json", about)
        return
    if not (group / ".zgroup").exists():
        _write_json(group / ".zgroup", {"zarr_format": 2})
    _write_json(group / ".zattrs", attributes | {_LABELS: names})


def _write_json(path: Path, content: dict[str, Any]) -> None:
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(content, indent=2), "utf-8")
