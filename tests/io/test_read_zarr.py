"""OME-Zarr opens with the axes, channels and images that it tells of."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import zarr

from napari_unet.engine.errors import ImageError
from napari_unet.io.images import list_positions, open_image
from napari_unet.io.stack import Channel, View

Grey = npt.NDArray[np.uint16]


def fill(group: Any, data: npt.NDArray[Any], axes: list[tuple[str, str | None]]) -> None:
    """Make a group an image of version 0.4."""
    group.create_array("0", data=data)
    scale = {"type": "scale", "scale": [1.0] * data.ndim}
    group.attrs["multiscales"] = [
        {
            "version": "0.4",
            "axes": [{"name": name, **({"type": kind} if kind else {})} for name, kind in axes],
            "datasets": [{"path": "0", "coordinateTransformations": [scale]}],
        }
    ]


def new_group(path: Path) -> Any:
    return zarr.open_group(str(path), mode="w", zarr_format=2)


@pytest.mark.parametrize(
    ("axes", "letters"),
    [
        ([("channel", "channel"), ("y", "space"), ("x", "space")], "CYX"),
        ([("depth", "space"), ("height", "space"), ("width", "space")], "ZYX"),
        ([("time", "time"), ("y", "space"), ("x", "space")], "TYX"),
        ([("y", "space"), ("x", "space"), ("c", "channel")], "CYX"),
        ([("x", "space"), ("y", "space"), ("z", "space")], "ZYX"),
        ([("frames", None), ("rows", None), ("columns", None)], "TYX"),
    ],
)
def test_axes_of_any_name_and_order(
    axes: list[tuple[str, str | None]], letters: str, tmp_path: Path, grey: Grey
) -> None:
    fill(new_group(tmp_path / "a.zarr"), grey, axes)
    stack = open_image(tmp_path / "a.zarr")
    assert stack.axes == letters
    order = {"y": (2, 0, 1), "x": (2, 1, 0)}.get(axes[0][0], (0, 1, 2))
    np.testing.assert_array_equal(np.asarray(stack.array), np.transpose(grey, order))


def test_arrays_may_name_their_axes_too(tmp_path: Path) -> None:
    for names, letters in ((("time", "row", "col"), "TYX"), (None, "ZYX")):
        zarr.create_array(
            str(tmp_path / f"{letters}.zarr"), shape=(2, 8, 9), dtype="u1", dimension_names=names
        )
        assert open_image(tmp_path / f"{letters}.zarr").axes == letters


def test_a_line_is_no_image(tmp_path: Path) -> None:
    fill(new_group(tmp_path / "a.zarr"), np.zeros((4, 5)), [("t", "time"), ("x", "space")])
    with pytest.raises(ImageError, match=r"a.zarr' has the axes TX, without Y or X; save it"):
        open_image(tmp_path / "a.zarr")


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_omero_names_and_colours_the_channels(version: str, tmp_path: Path, grey: Grey) -> None:
    group = new_group(tmp_path / "a.zarr")
    fill(group, grey[:2], [("c", "channel"), ("y", "space"), ("x", "space")])
    told = {
        "channels": [
            {"label": "DAPI", "color": "0000FF", "window": {"start": 10, "end": 900, "max": 4095}},
            {"label": "DIC", "color": "FFFFFF", "window": {"start": 0, "end": 0}},
        ]
    }
    if version == "0.4":
        group.attrs["omero"] = told
    else:
        group.attrs["ome"] = {"multiscales": group.attrs["multiscales"], "omero": told}
    expected = (Channel("DAPI", "#0000ff", (10.0, 900.0)), Channel("DIC"))
    assert open_image(tmp_path / "a.zarr").channels == expected


def bioformats2raw(path: Path, grey: Grey, series: int) -> Path:
    group = new_group(path)
    group.attrs["bioformats2raw.layout"] = 3
    group.create_group("OME").attrs["series"] = [str(i) for i in range(series)]
    for i in range(series):
        fill(group.create_group(str(i)), grey[i], [("y", "space"), ("x", "space")])
    return path


def test_the_one_image_of_bioformats2raw_opens(tmp_path: Path, grey: Grey) -> None:
    stack = open_image(bioformats2raw(tmp_path / "cells.zarr", grey, series=1))
    assert (stack.axes, stack.name) == ("YX", "cells")
    np.testing.assert_array_equal(np.asarray(stack.array), grey[0])


def test_of_several_images_one_is_chosen_by_its_path(tmp_path: Path, grey: Grey) -> None:
    path = bioformats2raw(tmp_path / "a.zarr", grey, series=2)
    with pytest.raises(ImageError, match=r"holds 2 images \(0, 1\); choose one"):
        open_image(path)
    for image in (open_image(path, View("1")), open_image(path / "1")):
        np.testing.assert_array_equal(np.asarray(image.array), grey[1])


def test_fields_of_a_plate_are_named_by_their_wells(tmp_path: Path, grey: Grey) -> None:
    plate = new_group(tmp_path / "plate.zarr")
    plate.attrs["plate"] = {"wells": [{"path": "A/1"}, {"path": "A/10"}, {"path": "A/2"}]}
    for well in ("1", "2", "10"):
        fill(plate.create_group(f"A/{well}/0"), grey[0], [("y", "space"), ("x", "space")])
    assert list_positions(tmp_path / "plate.zarr") == ("A/1/0", "A/2/0", "A/10/0")
    field = open_image(tmp_path / "plate.zarr", View("A/2/0"))
    assert (field.name, field.levels) == ("plate A/2/0", 1)
    np.testing.assert_array_equal(np.asarray(field.array), grey[0])


def test_labels_of_an_image_are_no_second_image(tmp_path: Path, grey: Grey) -> None:
    path = bioformats2raw(tmp_path / "a.zarr", grey, series=1)
    inside = zarr.open_group(str(path / "0"), mode="r+")
    fill(inside.create_group("labels/cells"), grey[1], [("y", "space"), ("x", "space")])
    beside = zarr.open_group(str(path), mode="r+")
    fill(beside.create_group("labels/cells"), grey[1], [("y", "space"), ("x", "space")])
    np.testing.assert_array_equal(np.asarray(open_image(path).array), grey[0])
    labels = open_image(path / "0" / "labels" / "cells")
    np.testing.assert_array_equal(np.asarray(labels.array), grey[1])


def test_dots_per_inch_are_no_pixel_size(tmp_path: Path, grey: Grey) -> None:
    group = new_group(tmp_path / "a.zarr")
    fill(group, grey[0], [("y", "space"), ("x", "space")])
    told: Any = group.attrs["multiscales"]
    for axis in told[0]["axes"]:
        axis["unit"] = "micrometer"
    told[0]["datasets"][0]["coordinateTransformations"][0]["scale"] = [352.778, 352.778]
    group.attrs["multiscales"] = told
    assert open_image(tmp_path / "a.zarr").spacing == {}
