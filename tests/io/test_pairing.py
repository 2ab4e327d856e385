"""Labels pair with the planes of their image, and are whole numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import imageio.v3 as iio
import numpy as np
import numpy.typing as npt
import pytest
import tifffile
from PIL import Image

from napari_unet.engine.errors import FileError, LabelsError
from napari_unet.io.images import open_image
from napari_unet.io.pairing import fit_to_labels, open_labels_for
from napari_unet.io.stack import ImageStack

Labels = npt.NDArray[np.uint16]
ALL = (slice(0, 40), slice(0, 52))


@pytest.fixture
def painted(rng: np.random.Generator) -> Labels:
    return rng.integers(0, 500, (6, 40, 52), dtype=np.uint16)


@pytest.fixture
def frames(tmp_path: Path, grey: npt.NDArray[np.uint16]) -> ImageStack:
    """Six frames as files t000.tif to t005.tif."""
    (tmp_path / "01").mkdir()
    for i, plane in enumerate(grey):
        tifffile.imwrite(tmp_path / "01" / f"t{i:03}.tif", plane)
    return open_image(tmp_path / "01")


@pytest.fixture
def stack(tmp_path: Path, grey: npt.NDArray[np.uint16]) -> ImageStack:
    """Six frames in one file."""
    tifffile.imwrite(tmp_path / "cells.tif", grey, photometric="minisblack")
    return open_image(tmp_path / "cells.tif")


def save(folder: Path, painted: npt.NDArray[Any], names: dict[int, str]) -> Path:
    folder.mkdir()
    for i, name in names.items():
        iio.imwrite(folder / name, painted[i])
    return folder


def test_a_stack_of_the_same_shape_labels_every_plane(
    stack: ImageStack, painted: Labels, tmp_path: Path
) -> None:
    tifffile.imwrite(tmp_path / "labels.tif", painted, photometric="minisblack", compression="zlib")
    labels = open_labels_for(stack, tmp_path / "labels.tif")
    assert (labels.present, labels.count, labels.channels) == (tuple(range(6)), 6, 1)
    assert (labels.shape, labels.dtype) == ((40, 52), np.dtype(np.int32))
    found = labels.read(4, slice(5, 20), slice(7, 52))
    assert (found.shape, found.dtype) == ((1, 15, 45), np.dtype(np.int32))
    np.testing.assert_array_equal(found[0], painted[4, 5:20, 7:52])


def test_gold_frames_of_the_cell_tracking_challenge_pair_by_number(
    frames: ImageStack, painted: Labels, tmp_path: Path
) -> None:
    folder = save(tmp_path / "SEG", painted, {2: "man_seg002.tif", 5: "man_seg005.tif"})
    labels = open_labels_for(frames, folder)
    assert labels.present == (2, 5)
    np.testing.assert_array_equal(labels.read(2, *ALL)[0], painted[2])
    np.testing.assert_array_equal(labels.read(5, *ALL)[0], painted[5])
    assert not labels.read(3, *ALL).any()


def test_a_stack_in_one_file_pairs_with_the_number_of_the_plane_from_zero(
    stack: ImageStack, painted: Labels, tmp_path: Path
) -> None:
    folder = save(tmp_path / "SEG", painted, {0: "man_seg000.tif", 3: "man_seg003.png"})
    labels = open_labels_for(stack, folder)
    assert labels.present == (0, 3)
    np.testing.assert_array_equal(labels.read(3, *ALL)[0], painted[3])


def test_as_many_files_as_planes_of_one_stack_pair_in_order(
    stack: ImageStack, painted: Labels, tmp_path: Path
) -> None:
    folder = save(tmp_path / "a", painted, {i: f"label {i + 5}.png" for i in range(6)})
    labels = open_labels_for(stack, folder)
    np.testing.assert_array_equal(labels.read(5, *ALL)[0], painted[5])


def test_one_label_file_pairs_by_its_name(
    frames: ImageStack, painted: Labels, tmp_path: Path
) -> None:
    tifffile.imwrite(tmp_path / "t004.tif", painted[4])
    labels = open_labels_for(frames, tmp_path / "t004.tif")
    assert labels.present == (4,)
    np.testing.assert_array_equal(labels.read(4, *ALL)[0], painted[4])


def test_one_label_plane_belongs_to_an_image_of_one_plane(
    tmp_path: Path, grey: npt.NDArray[np.uint16], painted: Labels
) -> None:
    tifffile.imwrite(tmp_path / "cells.tif", grey[0])
    tifffile.imwrite(tmp_path / "scribbles.tif", painted[0])
    labels = open_labels_for(open_image(tmp_path / "cells.tif"), tmp_path / "scribbles.tif")
    np.testing.assert_array_equal(labels.read(0, *ALL)[0], painted[0])


def test_channels_of_the_image_need_no_labels_of_their_own(
    tmp_path: Path, grey: npt.NDArray[np.uint16], painted: Labels
) -> None:
    tifffile.imwrite(
        tmp_path / "a.tif", grey.reshape(3, 2, 40, 52), imagej=True, metadata={"axes": "TCYX"}
    )
    tifffile.imwrite(tmp_path / "l.tif", painted[:3], imagej=True, metadata={"axes": "TYX"})
    labels = open_labels_for(open_image(tmp_path / "a.tif"), tmp_path / "l.tif")
    assert labels.count == 3
    np.testing.assert_array_equal(labels.read(2, *ALL)[0], painted[2])


def test_channels_that_have_a_label_plane_each_are_planes(
    tmp_path: Path, grey: npt.NDArray[np.uint16], painted: Labels
) -> None:
    tifffile.imwrite(tmp_path / "cells.tif", grey, imagej=True)
    image = open_image(tmp_path / "cells.tif")
    assert image.axes == "CYX"
    tifffile.imwrite(tmp_path / "stack.tif", painted, photometric="minisblack")
    folder = save(tmp_path / "folder", painted, {i: f"{i}.png" for i in range(6)})
    for path in (tmp_path / "stack.tif", folder):
        fitting = fit_to_labels(image, path)
        assert fitting.axes == "ZYX"
        labels = open_labels_for(fitting, path)
        np.testing.assert_array_equal(labels.read(4, *ALL)[0], painted[4])
        np.testing.assert_array_equal(fitting.planes().read(4, *ALL)[0], grey[4])


@pytest.mark.parametrize("shape", [(40, 52), (5, 40, 52), (6, 40, 50)])
def test_channels_stay_channels_with_any_other_labels(
    shape: tuple[int, ...], tmp_path: Path, grey: npt.NDArray[np.uint16]
) -> None:
    tifffile.imwrite(tmp_path / "cells.tif", grey, imagej=True)
    tifffile.imwrite(tmp_path / "l.tif", np.zeros(shape, np.uint8), photometric="minisblack")
    assert fit_to_labels(open_image(tmp_path / "cells.tif"), tmp_path / "l.tif").axes == "CYX"


def test_labels_beside_their_images_pair_with_them(
    tmp_path: Path, grey: npt.NDArray[np.uint16], painted: Labels
) -> None:
    folder = save(tmp_path / "a", grey, {i: f"cell{i}.tif" for i in range(6)})
    for i in (1, 4):
        iio.imwrite(folder / f"cell{i}_cp_masks.png", painted[i])
    image = open_image(folder)
    assert image.array.shape == (6, 40, 52)
    labels = open_labels_for(image, folder)
    assert labels.present == (1, 4)
    np.testing.assert_array_equal(labels.read(4, *ALL)[0], painted[4])


def test_labels_of_planes_in_files_of_channels_pair_by_the_plane(
    tmp_path: Path, grey: npt.NDArray[np.uint16], painted: Labels
) -> None:
    names = [f"s3_z{z}_ch{c}.tif" for z in range(3) for c in range(2)]
    image = open_image(save(tmp_path / "a", grey, dict(enumerate(names))))
    folder = save(tmp_path / "b", painted, {1: "s3_z1_mask.tif", 2: "s3_z2_mask.tif"})
    labels = open_labels_for(image, folder)
    assert labels.present == (1, 2)
    np.testing.assert_array_equal(labels.read(2, *ALL)[0], painted[2])


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int16", "uint32", "int64", "float32"])
def test_whole_numbers_of_any_type_become_int32(
    dtype: str, stack: ImageStack, tmp_path: Path
) -> None:
    numbers = np.zeros((6, 40, 52), dtype)
    numbers[3, 2, 1] = 1
    tifffile.imwrite(tmp_path / "l.tif", numbers, photometric="minisblack")
    found = open_labels_for(stack, tmp_path / "l.tif").read(3, *ALL)
    assert found.dtype == np.int32
    assert (found.sum(), found[0, 2, 1]) == (1, 1)


def test_a_palette_png_holds_its_numbers(stack: ImageStack, tmp_path: Path) -> None:
    numbers = np.zeros((40, 52), np.uint8)
    numbers[3:9, 4:20] = 2
    picture = Image.fromarray(numbers)
    picture.putpalette([0, 0, 0, 255, 0, 0, 0, 255, 0])
    (tmp_path / "l").mkdir()
    picture.save(tmp_path / "l" / "plane1.png")
    labels = open_labels_for(stack, tmp_path / "l")
    np.testing.assert_array_equal(labels.read(1, *ALL)[0], numbers)


def hyperstack(path: Path, pixels: npt.NDArray[Any], axes: str) -> Path:
    """Write a TIFF that names its axes, in an order of its own."""
    tifffile.imwrite(path, pixels, ome=True, metadata={"axes": axes}, photometric="minisblack")
    return path


@pytest.fixture
def movie(tmp_path: Path, painted: Labels) -> ImageStack:
    """Two time points of three planes, TZYX."""
    return open_image(hyperstack(tmp_path / "m.ome.tif", painted.reshape(2, 3, 40, 52), "TZYX"))


def test_axes_in_another_order_are_matched_by_their_names(
    movie: ImageStack, painted: Labels, tmp_path: Path
) -> None:
    turned = painted.reshape(2, 3, 40, 52).swapaxes(0, 1)
    labels = open_labels_for(movie, hyperstack(tmp_path / "l.ome.tif", turned, "ZTYX"))
    for plane in range(6):
        np.testing.assert_array_equal(labels.read(plane, *ALL)[0], painted[plane])


@pytest.mark.parametrize(
    "shape", [(6, 40, 52), (2, 3, 40, 52), (1, 2, 3, 40, 52), (2, 1, 3, 40, 52), (1, 6, 40, 52)]
)
def test_axes_of_one_are_no_axes_and_pages_without_axes_pair_in_order(
    shape: tuple[int, ...], movie: ImageStack, painted: Labels, tmp_path: Path
) -> None:
    tifffile.imwrite(tmp_path / "l.tif", painted.reshape(shape), photometric="minisblack")
    labels = open_labels_for(movie, tmp_path / "l.tif")
    for plane in range(6):
        np.testing.assert_array_equal(labels.read(plane, *ALL)[0], painted[plane])


def test_axes_of_one_length_in_another_order_are_refused(tmp_path: Path, painted: Labels) -> None:
    four = painted[:4].reshape(2, 2, 40, 52)
    image = open_image(hyperstack(tmp_path / "i.ome.tif", four, "TZYX"))
    with pytest.raises(LabelsError, match="axes ZTYX, the image TZYX, and both are of one length"):
        open_labels_for(image, hyperstack(tmp_path / "l.ome.tif", four, "ZTYX"))


def test_one_plane_belongs_where_it_is_said_to(
    stack: ImageStack, painted: Labels, tmp_path: Path
) -> None:
    tifffile.imwrite(tmp_path / "exp3_labels.tif", painted[4])
    labels = open_labels_for(stack, tmp_path / "exp3_labels.tif", [4])
    assert (labels.present, labels.count) == ((4,), 6)
    np.testing.assert_array_equal(labels.read(4, *ALL)[0], painted[4])


def test_several_planes_belong_where_they_are_said_to(
    stack: ImageStack, painted: Labels, tmp_path: Path
) -> None:
    tifffile.imwrite(tmp_path / "some.tif", painted[[1, 4]], photometric="minisblack")
    folder = save(tmp_path / "some", painted, {1: "first v1.tif", 4: "last v2.tif"})
    for path in (tmp_path / "some.tif", folder):
        labels = open_labels_for(stack, path, [1, 4])
        assert labels.present == (1, 4)
        np.testing.assert_array_equal(labels.read(4, *ALL)[0], painted[4])


def test_of_labels_that_say_where_they_belong_the_wanted_ones_are_taken(
    stack: ImageStack, painted: Labels, tmp_path: Path
) -> None:
    folder = save(tmp_path / "SEG", painted, {1: "man_seg001.tif", 4: "man_seg004.tif"})
    labels = open_labels_for(stack, folder, [4, 5])
    assert labels.present == (4,)
    assert not labels.read(1, *ALL).any()
    with pytest.raises(LabelsError, match=r"None of the chosen planes .* it has the planes 1, 4"):
        open_labels_for(stack, folder, [0])


# What a person can get wrong


@pytest.mark.parametrize(
    "name", ["exp3_labels", "labels v2", "2024-05-02 mask", "mask", "t1_z2", "t006"]
)
def test_a_number_that_is_no_plane_chooses_none(
    name: str, stack: ImageStack, frames: ImageStack, painted: Labels, tmp_path: Path
) -> None:
    tifffile.imwrite(tmp_path / f"{name}.tif", painted[2])
    with pytest.raises(LabelsError, match=r"labels of one plane, but 'cells' has 6, .* --planes"):
        open_labels_for(stack, tmp_path / f"{name}.tif")
    with pytest.raises(LabelsError, match=r"labels of one plane, but '01' has 6, .* --planes"):
        open_labels_for(frames, tmp_path / f"{name}.tif")


def test_versions_and_dates_of_several_files_are_no_planes(
    stack: ImageStack, painted: Labels, tmp_path: Path
) -> None:
    versions = save(tmp_path / "a", painted, {0: "labels v1.tif", 1: "labels v2.tif"})
    dates = save(tmp_path / "b", painted, {0: "2024-05-01.tif", 1: "2024-05-02.tif"})
    for folder in (versions, dates):
        with pytest.raises(LabelsError, match="belongs to no plane of 'cells'"):
            open_labels_for(stack, folder)


def test_as_many_planes_in_another_shape_are_refused(
    movie: ImageStack, painted: Labels, tmp_path: Path
) -> None:
    path = hyperstack(tmp_path / "l.ome.tif", painted.reshape(3, 2, 40, 52), "TZYX")
    with pytest.raises(LabelsError, match="are 3×2×40×52 but the image is 2×3×40×52"):
        open_labels_for(movie, path)


def test_other_sizes_are_named_with_a_cure(frames: ImageStack, tmp_path: Path) -> None:
    folder = save(tmp_path / "SEG", np.zeros((1, 30, 52), np.uint8), {0: "t000.tif"})
    sentence = r"t000.tif' are 30×52 but the image is 6×40×52; give labels that were painted on"
    with pytest.raises(LabelsError, match=sentence):
        open_labels_for(frames, folder)


@pytest.mark.parametrize("shape", [(6, 30, 52), (5, 40, 52), (2, 6, 40, 52)])
def test_stacks_of_other_shapes_are_refused(
    shape: tuple[int, ...], stack: ImageStack, tmp_path: Path
) -> None:
    tifffile.imwrite(tmp_path / "l.tif", np.zeros(shape, np.uint8), photometric="minisblack")
    sizes = "×".join(map(str, shape))
    with pytest.raises(LabelsError, match=f"l.tif' are {sizes} but the image is 6×40×52"):
        open_labels_for(stack, tmp_path / "l.tif")


def test_a_label_file_of_no_plane_is_named(
    frames: ImageStack, painted: Labels, tmp_path: Path
) -> None:
    folder = save(tmp_path / "SEG", painted, {2: "man_seg002.tif", 3: "man_seg200.tif"})
    sentence = r"'man_seg200' in .* belongs to no plane of '01' \(t000 to t005\); name it like"
    with pytest.raises(LabelsError, match=sentence):
        open_labels_for(frames, folder)


def test_a_number_beyond_the_stack_is_named(
    stack: ImageStack, painted: Labels, tmp_path: Path
) -> None:
    folder = save(tmp_path / "SEG", painted, {2: "man_seg006.tif"})
    with pytest.raises(LabelsError, match=r"'man_seg006' .* \(numbered 0 to 5\)"):
        open_labels_for(stack, folder)


def test_two_files_of_one_name_are_refused(
    frames: ImageStack, painted: Labels, tmp_path: Path
) -> None:
    folder = save(tmp_path / "SEG", painted, {2: "t002.tif"})
    iio.imwrite(folder / "t002.png", painted[2])
    with pytest.raises(LabelsError, match="two files named t002; keep one"):
        open_labels_for(frames, folder)


def test_a_colour_picture_is_no_label_image(stack: ImageStack, tmp_path: Path) -> None:
    iio.imwrite(tmp_path / "l.png", np.zeros((40, 52, 3), np.uint8))
    with pytest.raises(LabelsError, match=r"l.png' is a colour picture, not a label image; save"):
        open_labels_for(stack, tmp_path / "l.png")


def test_a_stack_in_a_folder_of_labels_is_refused(
    frames: ImageStack, painted: Labels, tmp_path: Path
) -> None:
    (tmp_path / "SEG").mkdir()
    tifffile.imwrite(tmp_path / "SEG" / "t000.tif", painted, photometric="minisblack")
    with pytest.raises(LabelsError, match=r"t000.tif' holds a stack \(6×40×52\)"):
        open_labels_for(frames, tmp_path / "SEG")


@pytest.mark.parametrize(
    ("value", "dtype", "sentence"),
    [
        (0.5, "float32", "are fractions; labels are whole numbers: round them"),
        (np.nan, "float32", "hold NaN, which is no number; give what is not labelled the number 0"),
        (np.inf, "float32", "are fractions"),
        (-1, "int16", "hold the negative number -1; give background"),
        (2**31, "uint32", "go up to 2147483648, but 2147483647 is the largest"),
        (3e9, "float64", "go up to 3000000000"),
    ],
)
def test_what_is_no_label_is_told_with_its_plane(
    value: float, dtype: str, sentence: str, stack: ImageStack, tmp_path: Path
) -> None:
    numbers = np.zeros((6, 40, 52), dtype)
    numbers[3, 2, 1] = value
    tifffile.imwrite(tmp_path / "l.tif", numbers, photometric="minisblack")
    labels = open_labels_for(stack, tmp_path / "l.tif")
    assert not labels.read(2, *ALL).any()
    with pytest.raises(LabelsError, match=rf"The labels in plane 3 of 'l.tif' {sentence}"):
        labels.read(3, *ALL)


def test_complex_numbers_are_no_labels_on_any_plane(stack: ImageStack, tmp_path: Path) -> None:
    numbers = np.zeros((6, 40, 52), np.complex64)
    tifffile.imwrite(tmp_path / "l.tif", numbers, photometric="minisblack")
    labels = open_labels_for(stack, tmp_path / "l.tif")
    for plane in (2, 3):
        sentence = f"The labels in plane {plane} of 'l.tif' are complex64; save whole numbers"
        with pytest.raises(LabelsError, match=sentence):
            labels.read(plane, *ALL)


def test_missing_labels_are_a_missing_file(stack: ImageStack, tmp_path: Path) -> None:
    with pytest.raises(FileError, match="does not exist"):
        open_labels_for(stack, tmp_path / "none.tif")
