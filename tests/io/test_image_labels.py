"""Labels inside the OME-Zarr of their image: as specified, and the image untouched."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import zarr

from napari_unet.engine.errors import FileError
from napari_unet.io.images import open_image
from napari_unet.io.labels import Layout, open_label_writer, write_labels
from tests.io.objects import objects

SHAPE = {"t": 1, "c": 2, "z": 2, "y": 40, "x": 48}
LABELS = objects((1, 2, 40, 48))  # TZYX


def make_image(path: Path, version: str) -> dict[str, bytes]:
    """Write an image of three levels, the last halved along z as well; return its files."""
    length = SHAPE
    group = zarr.open_group(str(path), mode="w", zarr_format=3 if version == "0.5" else 2)
    datasets = []
    for level, factor in enumerate([1, 2, 4]):
        z = 2 if level == 2 else 1
        factors = {"t": 1, "c": 1, "z": z, "y": factor, "x": factor}
        shape = tuple(n // factors[axis] for axis, n in length.items())
        group.create_array(str(level), shape=shape, dtype=np.uint8, chunks=shape)[:] = level + 1
        scale = [0.5 * factors[axis] for axis in length]
        steps = [{"type": "scale", "scale": scale}]
        datasets.append({"path": str(level), "coordinateTransformations": steps})
    kinds = {"t": "time", "c": "channel"}
    axes = [{"name": axis, "type": kinds.get(axis, "space")} for axis in length]
    multiscale: dict[str, Any] = {"axes": axes, "datasets": datasets, "name": "image"}
    about: dict[str, Any] = {"multiscales": [multiscale]}
    if version == "0.5":
        group.attrs["ome"] = {"version": version, **about}
    else:
        multiscale["version"] = version
        group.attrs.update(about)
    return files_of(path)


def files_of(path: Path) -> dict[str, bytes]:
    return {
        file.relative_to(path).as_posix(): file.read_bytes()
        for file in path.rglob("*")
        if file.is_file() and file.relative_to(path).parts[0] != "labels"
    }


def write(path: Path, labels: npt.NDArray[np.int32] = LABELS, axes: str = "TZYX") -> None:
    planes = labels.reshape(-1, *labels.shape[-2:])
    write_labels(path, iter(planes), shape=labels.shape, axes=axes, spacing={"X": 0.5})


def told(path: Path) -> dict[str, Any]:
    """Return what OME-Zarr tells of a group, of either version."""
    attributes = zarr.open_group(str(path), mode="r").attrs.asdict()
    found: Any = attributes.get("ome", attributes)
    return dict(found)


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_labels_lie_under_their_image_which_stays_as_it_is(version: str, tmp_path: Path) -> None:
    image = tmp_path / "cells.zarr"
    before = make_image(image, version)
    write(image / "labels" / "nuclei")
    write(image / "labels" / "cells")
    write(image / "labels" / "nuclei")  # once more, in place of the first
    assert files_of(image) == before
    assert told(image / "labels")["labels"] == ["nuclei", "cells"]
    stack = open_image(image / "labels" / "nuclei")
    assert (stack.axes, stack.is_labels) == ("TZYX", True)
    np.testing.assert_array_equal(np.asarray(stack.array), LABELS)
    assert open_image(image).axes == "TCZYX"  # labels do not get in the way


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_labels_keep_the_specification_and_show_the_pixel_in_the_middle_where_smaller(
    version: str, tmp_path: Path
) -> None:
    image = tmp_path / "cells.zarr"
    make_image(image, version)
    path = image / "labels" / "nuclei"
    write(path)
    group, about = zarr.open_group(str(path), mode="r"), told(path)
    assert group.metadata.zarr_format == (3 if version == "0.5" else 2)
    assert about["image-label"]["source"] == {"image": "../../"}
    assert (path / about["image-label"]["source"]["image"]).resolve() == image.resolve()
    [own], [of_image] = about["multiscales"], told(image)["multiscales"]
    assert (about if version == "0.5" else own)["version"] == version
    assert [axis["name"] for axis in own["axes"]] == list("tzyx")
    assert len(own["datasets"]) == len(of_image["datasets"]) == 3
    for level, at in zip(own["datasets"], of_image["datasets"], strict=True):
        array, full = group[level["path"]], zarr.open_array(str(image / at["path"]), mode="r")
        assert isinstance(array, zarr.Array)
        assert array.dtype == np.uint32
        assert array.shape == (full.shape[0], *full.shape[2:])
        [step], [like] = level["coordinateTransformations"], at["coordinateTransformations"]
        assert step == {"type": "scale", "scale": [like["scale"][i] for i in (0, 2, 3, 4)]}
    np.testing.assert_array_equal(group["1"][:], LABELS[:, :, 1::2, 1::2])  # type: ignore[index]
    np.testing.assert_array_equal(group["2"][:], LABELS[:, 1:2, 2::4, 2::4])  # type: ignore[index]


def test_axes_of_length_one_need_not_be_there(tmp_path: Path) -> None:
    image = tmp_path / "cells.zarr"
    make_image(image, "0.5")
    write(image / "labels" / "nuclei", LABELS[0], "ZYX")
    found = open_image(image / "labels" / "nuclei")
    assert (found.axes, found.array.shape) == ("TZYX", (1, 2, 40, 48))


def test_labels_of_another_size_are_refused_and_nothing_is_left(tmp_path: Path) -> None:
    image = tmp_path / "cells.zarr"
    make_image(image, "0.5")
    with pytest.raises(FileError, match=r"Y 40 × X 48, but .* T 1 × Z 2 × Y 40 × X 48;"):
        write(image / "labels" / "nuclei", LABELS[0, 0], "YX")
    assert not (image / "labels").exists()


@pytest.mark.parametrize("is_first", [True, False])
def test_labels_that_fail_leave_the_image_as_it_was(is_first: bool, tmp_path: Path) -> None:
    image = tmp_path / "cells.zarr"
    make_image(image, "0.4")
    if not is_first:
        write(image / "labels" / "nuclei")
    before = sorted(path.relative_to(image) for path in image.rglob("*"))
    with (
        pytest.raises(ValueError, match="0 of 2 planes were written"),
        open_label_writer(image / "labels" / "cells", Layout(LABELS.shape, "TZYX")) as writer,
    ):
        writer.write(LABELS[0, 0, :9])
    assert sorted(path.relative_to(image) for path in image.rglob("*")) == before


def test_what_else_the_group_of_labels_says_stays(tmp_path: Path) -> None:
    image = tmp_path / "cells.zarr"
    make_image(image, "0.5")
    write(image / "labels" / "nuclei")
    about = image / "labels" / "zarr.json"
    content = json.loads(about.read_text())
    content["attributes"]["made by"] = "another program"
    about.write_text(json.dumps(content))
    write(image / "labels" / "cells")
    attributes = zarr.open_group(str(image / "labels"), mode="r").attrs.asdict()
    assert attributes["made by"] == "another program"
    assert attributes["ome"] == {"version": "0.5", "labels": ["nuclei", "cells"]}


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_metadata_that_are_copied_in_one_place_tell_of_the_labels(
    version: str, tmp_path: Path
) -> None:
    image = tmp_path / "cells.zarr"
    make_image(image, version)
    with warnings.catch_warnings(action="ignore"):  # version 3 has no rules for it
        zarr.consolidate_metadata(str(image))
    write(image / "labels" / "nuclei")
    members = zarr.open_group(str(image), mode="r", use_consolidated=True)
    assert "nuclei" in members["labels"]  # type: ignore[operator]


@pytest.mark.parametrize("is_group", [True, False])
def test_folders_of_something_else_are_not_replaced(is_group: bool, tmp_path: Path) -> None:
    image = tmp_path / "cells.zarr"
    make_image(image, "0.5")
    if is_group:
        write(image / "labels" / "nuclei")
    mine = image / "labels" / "mine"
    mine.mkdir(parents=True)
    (mine / "notes.txt").touch()
    with pytest.raises(FileError, match="is a folder with other files in it"):
        write(mine)
    assert (mine / "notes.txt").exists()
