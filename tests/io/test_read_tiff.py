"""TIFFs of many kinds are read with their axes and pixel size, and no more of them than needed."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import tifffile
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from napari_unet.engine.errors import FileError, ImageError, SettingsError
from napari_unet.io.failures import FileWarning
from napari_unet.io.images import list_positions, open_image
from napari_unet.io.read_tiff import open_tiff
from napari_unet.io.stack import View

Grey = npt.NDArray[np.uint16]
SHAPE = (6, 40, 52)

FORMS: dict[str, tuple[dict[str, Any], str]] = {
    "pages": ({"metadata": None}, "ZYX"),
    "pages packed": ({"metadata": None, "compression": "zlib"}, "ZYX"),
    "strips": ({"metadata": None, "rowsperstrip": 7}, "ZYX"),
    "strips packed": ({"metadata": None, "rowsperstrip": 7, "compression": "lzw"}, "ZYX"),
    "tiles": ({"metadata": None, "tile": (16, 32)}, "ZYX"),
    "tiles packed": ({"tile": (16, 16), "compression": "zlib", "predictor": True}, "ZYX"),
    "big endian": ({"metadata": None, "byteorder": ">"}, "ZYX"),
    "big endian packed": ({"byteorder": ">", "compression": "zlib", "predictor": True}, "ZYX"),
    "bigtiff": ({"bigtiff": True}, "ZYX"),
    "tifffile": ({}, "ZYX"),
    "tifffile with axes": ({"metadata": {"axes": "TYX"}}, "TYX"),
    "imagej slices": ({"imagej": True, "metadata": {"axes": "ZYX"}}, "ZYX"),
    "imagej frames": ({"imagej": True, "metadata": {"axes": "TYX"}}, "TYX"),
    "imagej channels": ({"imagej": True, "metadata": {"axes": "CYX"}}, "CYX"),
    "imagej packed": ({"imagej": True, "metadata": {"axes": "TYX"}, "compression": "zlib"}, "TYX"),
    "imagej past 4 GB": (  # which has one directory for all of its planes
        {"imagej": True, "metadata": {"axes": "ZYX"}, "truncate": True},
        "ZYX",
    ),
    "ome": ({"ome": True, "metadata": {"axes": "TYX"}}, "TYX"),
    "ome tiles": ({"ome": True, "metadata": {"axes": "ZYX"}, "tile": (16, 16)}, "ZYX"),
}


def write(path: Path, data: npt.NDArray[Any], **how: Any) -> Path:
    tifffile.imwrite(path, data, photometric=how.pop("photometric", "minisblack"), **how)
    return path


@pytest.mark.parametrize("form", FORMS)
def test_every_form_reads_the_same_numbers_and_its_axes(
    form: str, tmp_path: Path, grey: Grey
) -> None:
    how, axes = FORMS[form]
    stack = open_tiff(write(tmp_path / "cells.tif", grey, **how))
    assert (stack.axes, stack.array.shape, stack.name) == (axes, SHAPE, "cells")
    assert stack.array.dtype == np.uint16
    np.testing.assert_array_equal(np.asarray(stack.array), grey)
    np.testing.assert_array_equal(stack.array[4, 13:29, 17:50], grey[4, 13:29, 17:50])
    np.testing.assert_array_equal(stack.array[::-2, 5, ::3], grey[::-2, 5, ::3])


@pytest.mark.parametrize("dtype", ["uint8", "int16", "uint32", "int32", "float32", "float64"])
@pytest.mark.parametrize("how", [{}, {"compression": "zlib", "predictor": True, "tile": (16, 16)}])
def test_every_type_of_number(dtype: str, how: dict[str, Any], tmp_path: Path, grey: Grey) -> None:
    if dtype == "float64":
        how = {key: value for key, value in how.items() if key != "predictor"}
    data = grey.astype(dtype)
    stack = open_tiff(write(tmp_path / "a.tif", data, **how))
    assert stack.array.dtype == data.dtype
    np.testing.assert_array_equal(np.asarray(stack.array), data)


@pytest.mark.parametrize("how", [{}, {"tile": (16, 16)}, {"rowsperstrip": 8}])
@pytest.mark.parametrize("samples", [1, 3])
def test_jpeg_is_read_like_any_other_compression(
    samples: int, how: dict[str, Any], tmp_path: Path
) -> None:
    ramp = np.linspace(0, 250, 40 * 48).reshape(40, 48).astype(np.uint8)
    data = ramp if samples == 1 else np.stack([ramp, ramp // 2, ramp // 3], axis=-1)
    photometric = "minisblack" if samples == 1 else "rgb"
    path = write(tmp_path / "a.tif", data, compression="jpeg", photometric=photometric, **how)
    found = np.asarray(open_tiff(path).array)
    np.testing.assert_array_equal(found, tifffile.imread(path))
    assert np.abs(found.astype(int) - data).mean() < 10


def test_a_single_plane(tmp_path: Path, grey: Grey) -> None:
    stack = open_tiff(write(tmp_path / "a.tiff", grey[0]))
    assert (stack.axes, stack.array.shape) == ("YX", SHAPE[1:])
    np.testing.assert_array_equal(
        stack.planes().read(0, slice(3, 9), slice(0, 52))[0], grey[0, 3:9]
    )


def test_a_hyperstack_keeps_its_axes_and_channels(tmp_path: Path, rng: np.random.Generator) -> None:
    data = rng.integers(0, 99, (2, 3, 4, 20, 24), dtype=np.uint16)
    stack = open_tiff(write(tmp_path / "a.tif", data, imagej=True, metadata={"axes": "TZCYX"}))
    assert stack.axes == "TZCYX"
    planes = stack.planes()
    assert (planes.count, planes.channels) == (6, 4)
    region = planes.read(planes.number((1, 2)), slice(2, 20), slice(5, 9))
    np.testing.assert_array_equal(region, data[1, 2, :, 2:20, 5:9])


def test_ome_order_of_axes_is_kept(tmp_path: Path, rng: np.random.Generator) -> None:
    data = rng.integers(0, 99, (2, 3, 4, 20, 24), dtype=np.uint16)
    path = write(tmp_path / "a.ome.tif", data, metadata={"axes": "TCZYX"})
    stack = open_tiff(path)
    assert (stack.axes, stack.name) == ("TCZYX", "a")
    region = stack.planes().read(5, slice(0, 20), slice(0, 24))  # T 1, Z 1
    np.testing.assert_array_equal(region, data[1, :, 1])


def test_unnamed_axes_become_z_then_t(tmp_path: Path, rng: np.random.Generator) -> None:
    data = rng.integers(0, 99, (2, 3, 20, 24), dtype=np.uint16)
    assert open_tiff(write(tmp_path / "a.tif", data)).axes == "TZYX"


def test_a_long_stack_that_calls_its_planes_channels_is_a_stack(tmp_path: Path) -> None:
    data = np.zeros((65, 16, 16), np.uint8)
    assert open_tiff(write(tmp_path / "a.tif", data, imagej=True)).axes == "ZYX"
    assert open_tiff(write(tmp_path / "b.tif", data[:3], imagej=True)).axes == "CYX"


@pytest.mark.parametrize("planar", ["contig", "separate"])
@pytest.mark.parametrize("how", [{}, {"tile": (16, 16), "compression": "zlib"}])
def test_colour_pictures_carry_their_samples_last(
    planar: str, how: dict[str, Any], tmp_path: Path, rng: np.random.Generator
) -> None:
    data = rng.integers(0, 255, (2, 40, 52, 3), dtype=np.uint8)
    stored = data if planar == "contig" else np.moveaxis(data, -1, 1)
    told = {"photometric": "rgb", "planarconfig": planar, "software": "a camera", "metadata": None}
    path = write(tmp_path / "a.tif", stored, **told, **how)
    stack = open_tiff(path)
    assert (stack.axes, stack.is_rgb) == ("ZYXS", True)
    np.testing.assert_array_equal(np.asarray(stack.array), data)
    np.testing.assert_array_equal(stack.array[1, 9:30, 20:41, 1], data[1, 9:30, 20:41, 1])
    planes = stack.planes()
    assert (planes.count, planes.channels) == (2, 3)
    region = planes.read(1, slice(9, 30), slice(20, 41))
    np.testing.assert_array_equal(region, np.moveaxis(data[1, 9:30, 20:41], -1, 0))


@pytest.mark.parametrize("planar", ["contig", "separate"])
def test_samples_that_are_no_colours_are_channels(
    planar: str, tmp_path: Path, rng: np.random.Generator
) -> None:
    data = rng.integers(0, 255, (2, 40, 52), dtype=np.uint8)
    stored = data if planar == "separate" else np.moveaxis(data, 0, -1)
    path = write(tmp_path / "a.tif", stored, planarconfig=planar, metadata=None)
    stack = open_tiff(path)
    assert stack.axes == "CYX"
    np.testing.assert_array_equal(stack.planes().read(0, slice(0, 40), slice(5, 9)), data[..., 5:9])


def test_planes_that_ome_says_were_never_written_are_zero(tmp_path: Path, grey: Grey) -> None:
    path = write(tmp_path / "a.ome.tif", grey[:1], metadata={"axes": "TYX"})
    xml = str(tifffile.tiffcomment(path))
    tifffile.tiffcomment(path, xml.replace('SizeT="1"', 'SizeT="3"').encode())
    with pytest.warns(FileWarning, match=r"a.ome.tif' holds only 1 of its 3 planes; what was"):
        stack = open_tiff(path)
    assert stack.array.shape == (3, 40, 52)
    np.testing.assert_array_equal(stack.array[0], grey[0])
    assert not stack.array[2].any()


# Pixel size, plane distance, frame interval


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        (
            {
                "ome": True,
                "metadata": {
                    "axes": "TYX",
                    "PhysicalSizeX": 190.0,
                    "PhysicalSizeXUnit": "nm",
                    "PhysicalSizeY": 0.2,
                    "PhysicalSizeZ": 1.5,
                    "TimeIncrement": 10.0,
                    "TimeIncrementUnit": "min",
                },
            },
            {"X": 0.19, "Y": 0.2, "Z": 1.5, "T": 600.0},
        ),
        (
            {
                "imagej": True,
                "resolution": (4.0, 5.0),
                "metadata": {"axes": "TYX", "unit": "um", "spacing": 2.5, "finterval": 30.0},
            },
            {"X": 0.25, "Y": 0.2, "Z": 2.5, "T": 30.0},
        ),
        (
            {"imagej": True, "resolution": (2.0, 2.0), "metadata": {"unit": r"\u00B5m"}},
            {"X": 0.5, "Y": 0.5},
        ),
        (
            {"imagej": True, "resolution": (0.5, 0.5), "metadata": {"unit": "nm", "spacing": 50.0}},
            {"X": 0.002, "Y": 0.002, "Z": 0.05},
        ),
        ({"imagej": True, "resolution": (0.5, 0.5), "metadata": {"unit": "pixel"}}, {}),
        (  # ImageJ itself takes these tags as centimetres
            {
                "imagej": True,
                "resolution": (50000.0, 40000.0),
                "resolutionunit": "CENTIMETER",
                "metadata": {"unit": "um"},
            },
            {"X": 0.2, "Y": 0.25},
        ),
        ({"imagej": True, "metadata": {"axes": "TYX", "finterval": 5.0}}, {"T": 5.0}),
        ({"resolution": (50000.0, 40000.0), "resolutionunit": "CENTIMETER"}, {"X": 0.2, "Y": 0.25}),
        ({"resolution": (25400.0, 25400.0), "resolutionunit": "INCH"}, {"X": 1.0, "Y": 1.0}),
        ({"resolution": (72.0, 72.0), "resolutionunit": "INCH"}, {}),
        ({"resolution": (300.0, 300.0), "resolutionunit": "INCH"}, {}),
        ({"resolution": (5.0, 5.0), "resolutionunit": "NONE"}, {}),
        *(
            ({"imagej": True, "resolution": (n, n), "metadata": {"unit": unit, "spacing": 1.0}}, {})
            for n, unit in ((72.0, "inch"), (96.0, "in"), (300.0, "inches"), (28.35, "cm"))
        ),
        (
            {"imagej": True, "resolution": (50800.0, 50800.0), "metadata": {"unit": "inch"}},
            {"X": 0.5, "Y": 0.5},
        ),
        (  # Bio-Formats makes this of 72 dots per inch
            {
                "ome": True,
                "metadata": {"axes": "ZYX", "PhysicalSizeX": 352.778, "PhysicalSizeY": 352.778},
            },
            {},
        ),
        ({}, {}),
    ],
)
def test_spacing_in_micrometres_and_seconds(
    how: dict[str, Any], expected: dict[str, float], tmp_path: Path, grey: Grey
) -> None:
    stack = open_tiff(write(tmp_path / "a.tif", grey, **how))
    assert stack.spacing == pytest.approx(expected)
    size = (expected["Y"], expected["X"]) if "X" in expected else None
    assert stack.pixel_size == (pytest.approx(size) if size else None)


# Laziness


@pytest.fixture
def bytes_read(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    counts: list[int] = []
    plain_read = tifffile.FileHandle.read

    def read(self: tifffile.FileHandle, size: int = -1, /) -> bytes:
        data: bytes = plain_read(self, size)
        counts.append(len(data))
        return data

    monkeypatch.setattr(tifffile.FileHandle, "read", read)
    return iter([counts])


@pytest.mark.parametrize("how", [{}, {"compression": "zlib"}, {"imagej": True}])
def test_a_plane_of_a_long_stack_is_read_alone(
    how: dict[str, Any], tmp_path: Path, rng: np.random.Generator, bytes_read: Iterator[list[int]]
) -> None:
    data = rng.integers(0, 65536, (1000, 32, 32), dtype=np.uint16)
    stack = open_tiff(write(tmp_path / "a.tif", data, **how))
    counts = next(bytes_read)
    counts.clear()
    np.testing.assert_array_equal(stack.array[777], data[777])
    assert sum(counts) < 1.1 * data[777].nbytes + 100


def test_a_corner_of_a_tiled_plane_decodes_its_tiles_only(
    tmp_path: Path, rng: np.random.Generator, bytes_read: Iterator[list[int]]
) -> None:
    data = rng.integers(0, 256, (1024, 1024), dtype=np.uint8)
    stack = open_tiff(write(tmp_path / "a.tif", data, tile=(64, 64), compression="zlib"))
    counts = next(bytes_read)
    counts.clear()
    np.testing.assert_array_equal(stack.array[200:300, 700:760], data[200:300, 700:760])
    assert len(counts) == 4  # rows 192 to 320, columns 640 to 768
    assert sum(counts) < 4 * 64 * 64 * 1.1


def test_opening_reads_no_pixels(
    tmp_path: Path, rng: np.random.Generator, bytes_read: Iterator[list[int]]
) -> None:
    data = rng.integers(0, 65536, (8, 512, 512), dtype=np.uint16)
    path = write(tmp_path / "a.tif", data, compression="zlib")
    counts = next(bytes_read)
    counts.clear()
    open_tiff(path)
    assert sum(counts) < 0.01 * data.nbytes


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="lists open files through /proc")
def test_the_file_is_open_during_reads_only(tmp_path: Path, grey: Grey) -> None:
    path = write(tmp_path / "a.tif", grey, compression="zlib")
    stack = open_tiff(path)
    _ = stack.array[2]
    held = [fd.resolve() for fd in Path("/proc/self/fd").iterdir()]
    assert path.resolve() not in held


def test_threads_may_read_at_once(tmp_path: Path, rng: np.random.Generator) -> None:
    data = rng.integers(0, 65536, (40, 64, 64), dtype=np.uint16)
    path = write(tmp_path / "a.tif", data, compression="zlib", tile=(16, 16))
    stack = open_tiff(path)
    with ThreadPoolExecutor(8) as pool:
        planes = list(pool.map(lambda i: stack.array[i], [*range(40)] * 3))
    np.testing.assert_array_equal(np.stack(planes), np.concatenate([data] * 3))


# Damage


@pytest.fixture(scope="module")
def whole_files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("whole")
    grey = np.random.default_rng(0).integers(0, 4096, SHAPE, dtype=np.uint16)
    return {form: write(folder / "a.tif", grey, **FORMS[form][0]).read_bytes() for form in FORMS}


@given(form=st.sampled_from(sorted(FORMS)), share=st.floats(0, 1, exclude_max=True))
@example(form="imagej frames", share=0.99)
@example(form="pages packed", share=0.5)
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_truncated_file_never_reads_as_other_numbers(
    form: str, share: float, whole_files: dict[str, bytes], tmp_path: Path
) -> None:
    whole = tmp_path / "whole.tif"
    whole.write_bytes(whole_files[form])
    cut = tmp_path / "cut.tif"
    cut.write_bytes(whole_files[form][: int(share * len(whole_files[form]))])
    found: npt.NDArray[Any] | str
    try:
        found = np.asarray(open_tiff(cut).array)
    except FileError as error:
        found = str(error)
    if isinstance(found, str):
        assert "cut.tif" in found
        assert "once more" in found
    else:  # nothing but padding was lost
        np.testing.assert_array_equal(found, np.asarray(open_tiff(whole).array))


@pytest.mark.parametrize("how", [{}, {"imagej": True, "truncate": True}, {"tile": (16, 16)}])
def test_missing_pixels_are_told_when_the_file_is_opened(
    how: dict[str, Any], tmp_path: Path, grey: Grey
) -> None:
    path = write(tmp_path / "a.tif", grey if "imagej" in how else grey[0], **how)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(FileError, match=r"a.tif' is truncated: its end is missing"):
        open_tiff(path)


def test_several_images_in_one_file_are_not_chosen_from_in_silence(
    tmp_path: Path, grey: Grey
) -> None:
    path = tmp_path / "two.tif"
    with tifffile.TiffWriter(path) as tif:
        tif.write(grey, photometric="minisblack", metadata=None)
        tif.write(grey[0, :20, :20], photometric="minisblack", metadata=None)
    with pytest.raises(ImageError, match=r"holds 2 images \(.*6×40×52, .*20×20\); choose one"):
        open_tiff(path)
    second = open_tiff(path, "1")
    np.testing.assert_array_equal(np.asarray(second.array), grey[0, :20, :20])
    with pytest.raises(SettingsError, match="has no position '2'"):
        open_tiff(path, "2")


def test_many_images_are_told_in_a_short_sentence(tmp_path: Path, grey: Grey) -> None:
    path = tmp_path / "many.tif"
    with tifffile.TiffWriter(path) as tif:
        for side in range(10, 40):
            tif.write(grey[0, :side, :side], photometric="minisblack")
    with pytest.raises(ImageError, match=r"holds 30 images \(.*10×10, .*12×12, …\); choose"):
        open_tiff(path)


@pytest.mark.parametrize("ome", [False, True])
@pytest.mark.parametrize("how", [{}, {"compression": "zlib"}])
def test_frames_that_were_written_one_by_one_are_a_stack(
    how: dict[str, Any], *, ome: bool, tmp_path: Path, grey: Grey
) -> None:
    path = tmp_path / "a.tif"
    with tifffile.TiffWriter(path, ome=ome) as tif:
        for frame in grey:
            tif.write(frame, photometric="minisblack", **how)
    stack = open_tiff(path)
    assert stack.axes == "ZYX"
    np.testing.assert_array_equal(np.asarray(stack.array), grey)
    np.testing.assert_array_equal(stack.array[4, 5:9], grey[4, 5:9])


def test_volumes_that_were_written_one_by_one_are_a_movie(tmp_path: Path, grey: Grey) -> None:
    path = tmp_path / "a.tif"
    with tifffile.TiffWriter(path) as tif:
        for volume in (grey[:3], grey[3:]):
            tif.write(volume, photometric="minisblack", metadata={"axes": "ZYX"})
    stack = open_tiff(path)
    assert stack.axes == "TZYX"
    np.testing.assert_array_equal(np.asarray(stack.array), grey.reshape(2, 3, 40, 52))


def test_volumes_of_an_ome_file_are_images_of_their_own(tmp_path: Path, grey: Grey) -> None:
    path = tmp_path / "a.ome.tif"
    with tifffile.TiffWriter(path) as tif:
        for name, volume in (("left", grey[:3]), ("right", grey[3:])):
            about = {"axes": "ZYX", "Name": name, "PhysicalSizeZ": len(name)}
            tif.write(volume, photometric="minisblack", metadata=about)
    with pytest.raises(ImageError, match=r"2 images \(left: 3×40×52, right: 3×40×52\); choose one"):
        open_tiff(path)
    assert list_positions(path) == ("left", "right")
    for chosen in ("right", "Right", "1"):
        right = open_image(path, View(chosen))
        assert (right.name, right.view.position, right.spacing["Z"]) == ("a right", "right", 5)
        np.testing.assert_array_equal(np.asarray(right.array), grey[3:])


def test_a_frame_of_a_row_that_is_cut_off_is_told(tmp_path: Path, grey: Grey) -> None:
    path = tmp_path / "a.tif"
    with tifffile.TiffWriter(path) as tif:
        for frame in grey:
            tif.write(frame, photometric="minisblack", contiguous=False)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(FileError, match=r"a.tif' is truncated: its end is missing"):
        open_tiff(path)


def test_a_thumbnail_beside_the_image_is_passed_over(tmp_path: Path, grey: Grey) -> None:
    path = tmp_path / "a.tif"
    with tifffile.TiffWriter(path) as tif:
        tif.write(grey, photometric="minisblack", metadata=None)
        tif.write(grey[0, ::2, ::2], photometric="minisblack", subfiletype=1, metadata=None)
    np.testing.assert_array_equal(np.asarray(open_tiff(path).array), grey)


def test_pixels_that_vanish_after_opening_are_told(tmp_path: Path, grey: Grey) -> None:
    path = write(tmp_path / "a.tif", grey, metadata=None)
    stack = open_tiff(path)
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(FileError, match=r"a.tif' is truncated: .*; copy or export it"):
        _ = stack.array[5]
    path.unlink()
    with pytest.raises(FileError, match=r"a.tif' does not exist"):
        _ = stack.array[5]
