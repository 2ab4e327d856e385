"""One call opens whatever an image lies in."""

from __future__ import annotations

import os
import struct
import sys
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import imageio.v3 as iio
import numpy as np
import numpy.typing as npt
import pytest
import tifffile
import zarr
from PIL import Image

from napari_unet.engine.errors import FileError
from napari_unet.io.images import open_image
from napari_unet.io.napari_hooks import get_reader
from napari_unet.io.pairing import fit_to_labels, open_labels_for
from napari_unet.io.stack import ImageStack

Grey = npt.NDArray[np.uint16]


@pytest.mark.parametrize("name", [f"{'x' * 300}{e}" for e in ("", ".tif", ".png", ".zarr")])
def test_a_name_that_no_file_can_have_gets_a_sentence(name: str, tmp_path: Path) -> None:
    image = ImageStack(np.zeros((4, 4)), "YX", {}, "a")
    opening: list[Callable[[], object]] = [
        lambda: open_image(tmp_path / name),
        lambda: open_labels_for(image, tmp_path / name),
        lambda: fit_to_labels(replace(image, array=np.zeros((2, 4, 4)), axes="CYX"), name),
    ]
    for open_it in opening:
        with pytest.raises(FileError, match=r"cannot be read \(File name too long\); check the"):
            open_it()
    assert (get_reader(str(tmp_path / name)) is None) == (not name.endswith((".tif", ".zarr")))


@pytest.mark.skipif(sys.platform == "win32", reason="has no pipes and links as POSIX does")
def test_a_pipe_and_a_link_to_itself_get_a_sentence(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.tif")
    with pytest.raises(FileError, match=r"a.tif' is neither a file nor a folder; choose"):
        open_image(tmp_path / "a.tif")
    (tmp_path / "b.tif").symlink_to(tmp_path / "b.tif")
    with pytest.raises(FileError, match=r"b.tif' cannot be read \(.*\); check the path"):
        open_image(tmp_path / "b.tif")


def test_a_tiff_of_any_suffix(tmp_path: Path, grey: Grey) -> None:
    tifffile.imwrite(tmp_path / "a.btf", grey, photometric="minisblack")
    np.testing.assert_array_equal(np.asarray(open_image(tmp_path / "a.btf").array), grey)


def test_a_path_may_be_text(tmp_path: Path, grey: Grey) -> None:
    tifffile.imwrite(tmp_path / "a.tif", grey, photometric="minisblack")
    assert open_image(str(tmp_path / "a.tif")).name == "a"


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_a_grey_png(dtype: str, tmp_path: Path, grey: Grey) -> None:
    iio.imwrite(tmp_path / "a.png", grey[0].astype(dtype))
    stack = open_image(tmp_path / "a.png")
    assert (stack.axes, stack.array.dtype) == ("YX", np.dtype(dtype))
    np.testing.assert_array_equal(stack.array[5:9, ::2], grey[0, 5:9, ::2].astype(dtype))


@pytest.mark.parametrize(
    ("mode", "axes"), [("RGB", "YXS"), ("RGBA", "YXS"), ("LA", "YX"), ("P", "YX")]
)
def test_a_png_with_colours_transparency_or_palette(mode: str, axes: str, tmp_path: Path) -> None:
    numbers = (np.arange(20 * 30) % 7).astype(np.uint8).reshape(20, 30)
    samples = {"RGB": 3, "RGBA": 4, "LA": 2, "P": 1}[mode]
    data: Any = np.repeat(numbers[..., np.newaxis], samples, axis=2).squeeze()
    if mode == "P":
        picture = Image.fromarray(numbers)
        picture.putpalette([255, 0, 0, 0, 255, 0, 0, 0, 255] * 85)
        picture.save(tmp_path / "a.png")
    else:
        iio.imwrite(tmp_path / "a.png", data)
    stack = open_image(tmp_path / "a.png")
    assert stack.axes == axes
    found = np.asarray(stack.array)
    np.testing.assert_array_equal(found[..., 0] if "S" in axes else found, numbers)


def png_of(width: int, height: int) -> bytes:
    """Return the begin of a PNG of 8-bit grey values that announces this size."""
    head = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    checked = struct.pack(">I", 13) + head + struct.pack(">I", zlib.crc32(head))
    return b"\x89PNG\r\n\x1a\n" + checked + b"\0\0\0\0IDAT"


@pytest.mark.parametrize("side", [10_000, 20_000, 2**31 - 1])
def test_a_png_of_more_pixels_than_pillow_unpacks_gets_a_sentence(
    side: int, tmp_path: Path
) -> None:
    (tmp_path / "a.png").write_bytes(png_of(side, side))
    with pytest.raises(FileError, match=rf"a.png' announces {side:,}×{side:,} pixels, .* as TIFF"):
        open_image(tmp_path / "a.png")


def chunk(name: bytes, body: bytes) -> bytes:
    """Return a chunk of a PNG."""
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


@pytest.mark.parametrize("kind", ["no palette", "a cut profile"])
def test_a_png_whose_chunks_are_damaged_gets_a_sentence(kind: str, tmp_path: Path) -> None:
    colours = 3 if kind == "no palette" else 0
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", 4, 4, 8, colours, 0, 0, 0))]
    chunks += [(b"IDAT", zlib.compress(bytes(20)))]
    chunks += [(b"iCCP", b"a")] if kind == "a cut profile" else []
    data = b"".join(chunk(*told) for told in (*chunks, (b"IEND", b"")))
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + data)
    with pytest.raises(FileError, match=r"a.png' cannot be read \("):
        np.asarray(open_image(tmp_path / "a.png").array)


# Folders


def write_folder(folder: Path, planes: Grey, names: list[str]) -> Path:
    folder.mkdir()
    for plane, name in zip(planes, names, strict=True):
        iio.imwrite(folder / name, plane)
    return folder


def test_a_folder_is_a_stack_in_natural_order(tmp_path: Path, grey: Grey) -> None:
    names = [f"cell {n}.tif" for n in (1, 2, 3, 9, 10, 11)]
    stack = open_image(write_folder(tmp_path / "cells", grey, names))
    assert (stack.axes, stack.name) == ("ZYX", "cells")
    assert stack.plane_names == tuple(name.removesuffix(".tif") for name in names)
    np.testing.assert_array_equal(np.asarray(stack.array), grey)
    np.testing.assert_array_equal(stack.array[4:, 3:7, ::5], grey[4:, 3:7, ::5])


@pytest.mark.parametrize(
    ("names", "axis"),
    [
        (["t000", "t001"], "T"),
        (["exp1_time1", "exp1_time2"], "T"),
        (["frame_01", "frame_02"], "T"),
        (["z00", "z01"], "Z"),
        (["slice1", "slice2"], "Z"),
        (["cat1", "cat2"], "Z"),
        (["t1", "z2"], "Z"),
    ],
)
def test_the_names_say_whether_planes_are_frames(
    names: list[str], axis: str, tmp_path: Path, grey: Grey
) -> None:
    folder = write_folder(tmp_path / "a", grey[:2], [f"{name}.png" for name in names])
    assert open_image(folder).axes == axis + "YX"


def test_a_folder_may_mix_tiff_and_png_and_hold_other_files(tmp_path: Path, grey: Grey) -> None:
    folder = write_folder(tmp_path / "a", grey[:2], ["p1.PNG", "p2.tiff"])
    for other in (".p0.tif", "._p1.tif", "notes.txt", "Thumbs.db"):
        (folder / other).write_text("no image")
    (folder / "p3.tif").mkdir()
    np.testing.assert_array_equal(np.asarray(open_image(folder).array), grey[:2])


def test_channels_in_names_are_channels(tmp_path: Path, grey: Grey) -> None:
    names = [f"Series3_z{z:02}_ch{c:02}.tif" for z in range(3) for c in range(2)]
    stack = open_image(write_folder(tmp_path / "a", grey, names))
    assert (stack.axes, stack.array.shape) == ("ZCYX", (3, 2, 40, 52))
    np.testing.assert_array_equal(np.asarray(stack.array), grey.reshape(3, 2, 40, 52))
    assert [channel.name for channel in stack.channels] == ["ch00", "ch01"]
    assert stack.plane_names == ("Series3_z00", "Series3_z01", "Series3_z02")


def test_labels_beside_images_are_no_planes(tmp_path: Path, grey: Grey) -> None:
    folder = write_folder(tmp_path / "a", grey[:3], [f"cell{i}.tif" for i in range(3)])
    for i in range(3):
        iio.imwrite(folder / f"cell{i}_cp_masks.tif", grey[i].astype(np.int32))
        (folder / f"cell{i}_seg.npy").write_text("Cellpose's own")
    np.testing.assert_array_equal(np.asarray(open_image(folder).array), grey[:3])


@pytest.mark.parametrize("axes", ["ZYX", "CYX", "TZCYX"])
def test_planes_with_leading_axes_of_length_1_are_planes(
    axes: str, tmp_path: Path, grey: Grey
) -> None:
    (tmp_path / "a").mkdir()
    for i, plane in enumerate(grey):
        data = plane.reshape((1,) * (len(axes) - 2) + plane.shape)
        path = tmp_path / "a" / f"{i}.tif"
        tifffile.imwrite(path, data, photometric="minisblack", metadata={"axes": axes})
    stack = open_image(tmp_path / "a")
    assert stack.axes == "ZYX"
    np.testing.assert_array_equal(np.asarray(stack.array), grey)


def test_planes_of_several_channels_make_a_stack_of_channels(tmp_path: Path, grey: Grey) -> None:
    data = grey.reshape(3, 2, 40, 52)
    (tmp_path / "a").mkdir()
    for i, plane in enumerate(data):
        path = tmp_path / "a" / f"{i}.tif"
        tifffile.imwrite(path, plane, imagej=True, metadata={"axes": "CYX"})
    stack = open_image(tmp_path / "a")
    assert stack.axes == "ZCYX"
    np.testing.assert_array_equal(np.asarray(stack.array), data)


def test_a_folder_has_the_pixel_size_of_its_first_plane(tmp_path: Path, grey: Grey) -> None:
    (tmp_path / "a").mkdir()
    for i, plane in enumerate(grey):
        tifffile.imwrite(
            tmp_path / "a" / f"{i}.tif", plane, resolution=(5e4, 4e4), resolutionunit="CENTIMETER"
        )
    assert open_image(tmp_path / "a").pixel_size == pytest.approx((0.25, 0.2))


def test_a_folder_of_colour_planes_opens(tmp_path: Path, rng: np.random.Generator) -> None:
    data = rng.integers(0, 255, (2, 20, 30, 3), dtype=np.uint8)
    (tmp_path / "a").mkdir()
    for i, plane in enumerate(data):
        iio.imwrite(tmp_path / "a" / f"{i}.png", plane)
    stack = open_image(tmp_path / "a")
    assert stack.axes == "ZYXS"
    np.testing.assert_array_equal(np.asarray(stack.array), data)


# OME-Zarr


def write_zarr(path: Path, data: npt.NDArray[Any], *, version: str, **multiscale: Any) -> Path:
    group = zarr.open_group(str(path), mode="w", zarr_format=2 if version == "0.4" else 3)
    array = group.create_array("0", shape=data.shape, dtype=data.dtype, chunks=(1, 2, 16, 16))
    array[...] = data
    group.create_array("1", shape=(1, 1, 1, 1), dtype=data.dtype)
    described = {
        "axes": [
            {"name": "t", "type": "time", "unit": "millisecond"},
            {"name": "c", "type": "channel"},
            {"name": "y", "type": "space", "unit": "nanometer"},
            {"name": "x", "type": "space", "unit": "micrometer"},
        ],
        "datasets": [
            {
                "path": "0",
                "coordinateTransformations": [{"type": "scale", "scale": [500, 1, 250, 0.5]}],
            },
            {"path": "1", "coordinateTransformations": [{"type": "scale", "scale": [9, 9, 9, 9]}]},
        ],
        **multiscale,
    }
    if version == "0.4":
        group.attrs["multiscales"] = [{**described, "version": version}]
    else:
        group.attrs["ome"] = {"version": version, "multiscales": [described]}
    return path


@pytest.mark.parametrize("version", ["0.4", "0.5"])
@pytest.mark.parametrize("name", ["a.ome.zarr", "a"])
def test_an_ome_zarr_opens_at_full_resolution(
    version: str, name: str, tmp_path: Path, grey: Grey
) -> None:
    data = grey.reshape(3, 2, 40, 52)
    stack = open_image(write_zarr(tmp_path / name, data, version=version))
    assert (stack.axes, stack.name) == ("TCYX", "a")
    assert stack.spacing == pytest.approx({"T": 0.5, "Y": 0.25, "X": 0.5})
    np.testing.assert_array_equal(np.asarray(stack.array), data)
    region = stack.planes().read(2, slice(3, 30), slice(20, 52))
    np.testing.assert_array_equal(region, data[2, :, 3:30, 20:52])


def test_the_scale_of_a_whole_ome_zarr_image_counts_too(tmp_path: Path, grey: Grey) -> None:
    data = grey.reshape(3, 2, 40, 52)
    whole = [{"type": "scale", "scale": [2.0, 1, 10.0, 1]}]
    path = write_zarr(tmp_path / "a.zarr", data, version="0.5", coordinateTransformations=whole)
    assert open_image(path).spacing == pytest.approx({"T": 1.0, "Y": 2.5, "X": 0.5})


def test_a_plain_zarr_array_opens_with_unnamed_axes(tmp_path: Path, grey: Grey) -> None:
    array = zarr.create_array(str(tmp_path / "a.zarr"), shape=grey.shape, dtype=grey.dtype)
    array[...] = grey
    stack = open_image(tmp_path / "a.zarr")
    assert (stack.axes, stack.spacing) == ("ZYX", {})
    np.testing.assert_array_equal(stack.array[3], grey[3])


# What is made from an image


def test_the_layout_of_a_result_drops_channels_and_colours(tmp_path: Path, grey: Grey) -> None:
    data = grey.reshape(3, 2, 40, 52)
    stack = open_image(write_zarr(tmp_path / "a.zarr", data, version="0.5"))
    labels, probabilities = stack.layout(), stack.layout(channels=4)
    assert (labels.shape, labels.axes) == ((3, 40, 52), "TYX")
    assert (labels.count, labels.plane_shape) == (3, (40, 52))
    assert labels.spacing == stack.spacing
    assert (probabilities.shape, probabilities.axes) == ((3, 4, 40, 52), "TCYX")


@pytest.mark.parametrize(
    ("axes", "run", "runs"),
    [("TZYX", 5, 2), ("ZTYX", 5, 2), ("TZCYX", 5, 2), ("PZYX", 5, 1), ("TPYX", 1, 1)],
)
def test_planes_follow_one_another_in_z_and_t_only(axes: str, run: int, runs: int) -> None:
    array = np.zeros((2, 5, *[3] * ("C" in axes), 8, 8), np.uint8)
    planes = ImageStack(array, axes, {}, "cells").planes()
    assert (planes.count, planes.run, planes.runs) == (10, run, runs)
