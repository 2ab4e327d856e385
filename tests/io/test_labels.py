"""Label files: the same numbers, axes and pixel size come back, and files appear whole or not."""

from __future__ import annotations

import itertools
import os
import struct
import sys
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
import numpy.typing as npt
import pytest
import tifffile
import zarr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from napari_unet.engine.errors import FileError, LabelsError
from napari_unet.io import tiff_text
from napari_unet.io.images import open_image
from napari_unet.io.labels import (
    Layout,
    open_label_writer,
    open_probability_writer,
    write_labels,
    write_probabilities,
)

SPACING = {"T": 600.0, "Z": 1.5, "Y": 0.19, "X": 0.21}
OME = "{http://www.openmicroscopy.org/Schemas/OME/2016-06}"


def numbers(shape: tuple[int, ...], largest: int) -> npt.NDArray[np.int32]:
    """Labels with large even areas and the largest number in the last pixel."""
    planes = np.zeros(shape, np.int32)
    planes[..., 5:15, 8:30] = np.arange(planes[..., 0, 0].size).reshape((*shape[:-2], 1, 1)) + 1
    planes.flat[-1] = largest
    return planes


def write(path: Path, data: npt.NDArray[Any], axes: str, **how: Any) -> Path:
    planes = data.reshape(-1, *data.shape[-2:])
    return write_labels(path, iter(planes), shape=data.shape, axes=axes, spacing=SPACING, **how)


def known(axes: str) -> dict[str, float]:
    return {axis: value for axis, value in SPACING.items() if axis in axes}


# The same numbers, axes and pixel size


@pytest.mark.parametrize("largest", [7, 65535, 65536, 2**31 - 1])
@pytest.mark.parametrize(
    ("shape", "axes"),
    [
        ((40, 50), "YX"),
        ((4, 40, 50), "TYX"),
        ((4, 40, 50), "ZYX"),
        ((3, 2, 40, 50), "TZYX"),
        ((3, 2, 40, 50), "ZTYX"),
        ((2, 3, 2, 40, 50), "QTZYX"),
    ],
)
@pytest.mark.parametrize("name", ["out.tif", "out.ome.tiff"])
def test_what_is_written_as_tiff_is_read_again(
    name: str, shape: tuple[int, ...], axes: str, largest: int, tmp_path: Path
) -> None:
    data = numbers(shape, largest)
    path = write(tmp_path / name, data, axes)
    assert path == tmp_path / name
    stack = open_image(path)
    assert (stack.axes, stack.is_labels) == (axes, True)
    assert {a: stack.spacing[a] for a in known(axes)} == pytest.approx(known(axes))
    np.testing.assert_array_equal(np.asarray(stack.array), data)


@pytest.mark.parametrize(
    ("shape", "axes"), [((40, 50), "YX"), ((4, 40, 50), "ZYX"), ((3, 2, 40, 50), "ZTYX")]
)
def test_what_is_written_as_ome_zarr_is_read_again(
    shape: tuple[int, ...], axes: str, tmp_path: Path
) -> None:
    data = numbers(shape, 2**31 - 1)
    stack = open_image(write(tmp_path / "a.zarr", data, axes))
    assert stack.axes == "".join(axis for axis in "TZYX" if axis in axes)  # as it prescribes
    assert stack.is_labels
    assert stack.spacing == pytest.approx(known(axes))
    expected = data.transpose([axes.index(axis) for axis in stack.axes])
    np.testing.assert_array_equal(np.asarray(stack.array), expected)


@pytest.mark.parametrize(("largest", "dtype"), [(65535, "uint16"), (65536, "uint32")])
@pytest.mark.parametrize("told", [True, False])
def test_sixteen_bits_where_they_do(largest: int, dtype: str, told: bool, tmp_path: Path) -> None:
    data = numbers((5, 40, 50), largest)
    path = write(tmp_path / "a.tif", data, "ZYX", largest=largest if told else None)
    found = tifffile.imread(path)
    assert found.dtype == np.dtype(dtype)
    np.testing.assert_array_equal(found, data)
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("largest", [7, 70_000])
def test_tifffile_reads_the_same(largest: int, tmp_path: Path) -> None:
    data = numbers((3, 2, 40, 50), largest)
    with tifffile.TiffFile(write(tmp_path / "a.tif", data, "TZYX")) as tif:
        assert (tif.series[0].axes, tif.series[0].shape) == ("TZYX", data.shape)
        np.testing.assert_array_equal(tif.series[0].asarray(), data)


@pytest.mark.parametrize("axes", ["QTZYX", "PQTZYX", "HEPQTZYX", "TPZQYX"])
def test_more_axes_than_ome_has_room_for_come_back(axes: str, tmp_path: Path) -> None:
    data = numbers((2,) * (len(axes) - 2) + (8, 9), 70_000)
    spacing = {"Y": 0.5, "X": 0.25}
    rows = data.reshape(-1, 8, 9)
    path = write_labels(tmp_path / "a.tif", rows, shape=data.shape, axes=axes, spacing=spacing)
    stack = open_image(path)
    assert (stack.axes, stack.is_labels) == (axes, True)
    assert stack.spacing == pytest.approx(spacing)
    np.testing.assert_array_equal(np.asarray(stack.array), data)
    np.testing.assert_array_equal(tifffile.imread(path), data)


def test_a_name_that_promises_ome_gets_a_name_that_works(tmp_path: Path) -> None:
    shape = (2, 2, 2, 2, 8, 9)
    sentence = r"OME-TIFF has no room for the axes PQTZYX; end the name in .tif, without .ome"
    with pytest.raises(FileError, match=sentence):
        write_labels(tmp_path / "a.ome.tif", [], shape=shape, axes="PQTZYX", spacing={})
    assert not list(tmp_path.iterdir())


@given(
    shape=st.tuples(*[st.integers(1, 4)] * 2, st.integers(1, 70), st.integers(1, 70)),
    largest=st.sampled_from([1, 255, 65535, 70_000]),
    seed=st.integers(0, 2**16),
)
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_shape_comes_back(
    shape: tuple[int, ...], largest: int, seed: int, tmp_path: Path
) -> None:
    data = np.random.default_rng(seed).integers(0, largest, shape, endpoint=True)
    path = write(tmp_path / "a.tif", data, "TZYX")
    np.testing.assert_array_equal(
        np.asarray(open_image(path).array),
        data.squeeze(tuple(axis for axis in (0, 1) if shape[axis] == 1)),
    )


# The rules of the formats; ImageJ's are those of ij.io.TiffDecoder and ij.io.FileOpener


def tags_of_every_page(path: Path) -> list[dict[int, tuple[int, int, bytes]]]:
    """Parse a classic little-endian TIFF by hand: per page {code: (type, count, value field)}."""
    data = path.read_bytes()
    assert struct.unpack("<2sH", data[:4]) == (b"II", 42)
    (offset,) = struct.unpack("<I", data[4:8])
    pages = []
    while offset:
        (count,) = struct.unpack("<H", data[offset : offset + 2])
        entries = [data[offset + 2 + 12 * i :][:12] for i in range(count)]
        parsed = [(*struct.unpack("<HHI", e[:8]), e[8:]) for e in entries]
        codes = [code for code, *_ in parsed]
        assert codes == sorted(codes)
        pages.append({code: (kind, n, value) for code, kind, n, value in parsed})
        (offset,) = struct.unpack("<I", data[offset + 2 + 12 * count :][:4])
    return pages


def number_in(tag: tuple[int, int, bytes]) -> int:
    kind, count, value = tag
    assert count == 1
    return int.from_bytes(value[: {3: 2, 4: 4}[kind]], "little")


@pytest.mark.parametrize("largest", [7, 70_000])
def test_every_page_is_one_that_imagej_itself_can_unpack(largest: int, tmp_path: Path) -> None:
    path = write(tmp_path / "a.tif", numbers((3, 2, 600, 500), largest), "TZYX")
    pages = tags_of_every_page(path)
    assert len(pages) == 6  # one directory per plane: packed stacks are not read any other way
    for page in pages:
        assert number_in(page[259]) == 8  # Deflate
        assert 317 not in page  # a predictor is obeyed with LZW only
        assert 322 not in page  # tiles are refused
        assert 274 not in page  # an orientation would count the images anew
        assert number_in(page[277]) == 1
        assert number_in(page[258]) == (16 if largest < 65536 else 32)
        assert number_in(page[262]) == 1  # black is zero
        assert page[273][0] == 4  # strip offsets are read as 32-bit numbers
        assert page[273][1] == page[279][1] == -(-600 // number_in(page[278]))
        assert page[282][:2] == page[283][:2] == (5, 1)  # rational


def description(path: Path) -> dict[str, str]:
    lines = str(tifffile.tiffcomment(path)).splitlines()
    assert lines[0].startswith("ImageJ=")
    return dict(line.split("=") for line in lines)


def test_imagej_is_told_axes_pixel_size_and_display_range(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tif", numbers((3, 2, 40, 50), 900), "TZYX")
    found = description(path)
    assert (found["images"], found["slices"], found["frames"]) == ("6", "2", "3")
    assert "channels" not in found
    assert (found["hyperstack"], found["unit"]) == ("true", "um")
    assert (float(found["spacing"]), float(found["finterval"])) == (1.5, 600.0)
    assert (float(found["min"]), float(found["max"])) == (0.0, 900.0)  # alike on every plane
    with tifffile.TiffFile(path) as tif:
        assert tif.is_imagej
        page = tif.pages.first
        assert page.tags.valueof("ResolutionUnit") == 1  # the unit is in the description
        assert page.resolution == pytest.approx((1 / 0.21, 1 / 0.19))


def test_imagej_is_told_no_pixel_size_that_is_not_known(tmp_path: Path) -> None:
    data = numbers((2, 40, 50), 9)
    path = write_labels(tmp_path / "a.tif", data, shape=data.shape, axes="ZYX", spacing={"Z": 2.0})
    assert "unit" not in description(path)
    assert "spacing" not in description(path)  # it would make the pixels 1 µm
    assert open_image(path).pixel_size is None


def test_more_than_sixteen_bits_come_as_valid_ome(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tif", numbers((3, 2, 40, 50), 70_000), "TZYX")
    root = ET.fromstring(str(tifffile.tiffcomment(path)))
    pixels = root.find(f"{OME}Image/{OME}Pixels")
    assert pixels is not None
    found = dict(pixels.attrib)
    assert found["DimensionOrder"].replace("C", "") == "XYZT"  # there is one channel
    assert found["Type"] == "uint32"
    assert [found[f"Size{a}"] for a in "XYZCT"] == ["50", "40", "2", "1", "3"]
    assert [found[f"PhysicalSize{a}"] for a in "XYZ"] == ["0.21", "0.19", "1.5"]
    assert {found[f"PhysicalSize{a}Unit"] for a in "XYZ"} == {"µm"}
    assert (found["TimeIncrement"], found["TimeIncrementUnit"]) == ("600.0", "s")
    planes = pixels.find(f"{OME}TiffData")
    assert planes is not None
    assert dict(planes.attrib) == {"IFD": "0", "PlaneCount": "6"}
    with tifffile.TiffFile(path) as tif:  # the tags say it too, for readers without OME
        assert tif.pages.first.resolutionunit == 3
        assert tif.pages.first.resolution == pytest.approx((1e4 / 0.21, 1e4 / 0.19), rel=1e-5)


def test_a_name_in_ome_tif_is_ome_tiff(tmp_path: Path) -> None:
    path = write(tmp_path / "a.OME.tif", numbers((2, 40, 50), 9), "ZYX")
    with tifffile.TiffFile(path) as tif:
        assert tif.is_ome
        assert tif.series[0].dtype == np.uint16


@pytest.mark.parametrize("largest", [9, 70_000])
def test_bigtiff_with_ome_once_offsets_need_it(
    largest: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tiff_text, "_CLASSIC_LIMIT", 10_000)
    data = numbers((3, 40, 50), largest)
    path = write(tmp_path / "a.tif", data, "TYX")
    with tifffile.TiffFile(path) as tif:
        assert tif.is_bigtiff
        assert tif.is_ome
        np.testing.assert_array_equal(tif.asarray(), data)
    assert open_image(path).axes == "TYX"


@pytest.mark.parametrize(
    ("planes", "dtype", "is_big"),
    [(31, "uint16", False), (32, "uint16", True), (15, "uint32", False), (16, "uint32", True)],
)
def test_the_limit_of_a_classic_tiff_is_four_gigabytes(
    planes: int, dtype: str, is_big: bool
) -> None:
    layout = Layout((planes, 8192, 8192), "ZYX")
    assert tiff_text.choose_text(layout, np.dtype(dtype), ome=False).is_big is is_big


def test_an_ome_zarr_keeps_the_specification(tmp_path: Path) -> None:
    data = numbers((2, 1500, 50), 9)
    path = write(tmp_path / "a.zarr", data, "ZYX")
    group = zarr.open_group(str(path), mode="r")
    assert group.metadata.zarr_format == 3
    ome: Any = group.attrs["ome"]
    assert ome["version"] == "0.5"
    assert ome["image-label"] == {}
    [image] = ome["multiscales"]
    unit = {"type": "space", "unit": "micrometer"}
    assert image["axes"] == [{"name": name, **unit} for name in "zyx"]
    assert [level["path"] for level in image["datasets"]] == ["0", "1", "2"]
    level, half, _quarter = image["datasets"]
    assert level["coordinateTransformations"] == [{"type": "scale", "scale": [1.5, 0.19, 0.21]}]
    assert half["coordinateTransformations"] == [
        {"type": "scale", "scale": [1.5, 0.38, 0.42]},
        {"type": "translation", "translation": [0.0, 0.095, 0.105]},  # of the first pixel's middle
    ]
    np.testing.assert_array_equal(group["1"][:], data[:, 1::2, 1::2])  # type: ignore[index]
    np.testing.assert_array_equal(group["2"][:], data[:, 2::4, 2:-2:4])  # type: ignore[index]
    array = group[level["path"]]
    assert isinstance(array, zarr.Array)
    assert array.chunks == (1, 1024, 50)
    metadata: Any = array.metadata
    assert metadata.dimension_names == ("z", "y", "x")
    assert array.dtype == np.uint32


# Probabilities


@pytest.mark.parametrize("name", ["p.tif", "p.ome.tif", "p.zarr"])
@pytest.mark.parametrize("channels", [2, 5])
def test_probabilities_come_back_exactly(
    name: str, channels: int, tmp_path: Path, rng: np.random.Generator
) -> None:
    data = rng.random((3, channels, 40, 50), dtype=np.float32)
    path = write_probabilities(
        tmp_path / name, iter(data), shape=data.shape, axes="TCYX", spacing=SPACING
    )
    stack = open_image(path)
    assert (stack.axes, stack.array.dtype, stack.is_labels) == ("TCYX", np.float32, False)
    assert stack.pixel_size == pytest.approx((0.19, 0.21))
    np.testing.assert_array_equal(np.asarray(stack.array), data)


def test_probabilities_of_a_volume_over_time(tmp_path: Path, rng: np.random.Generator) -> None:
    data = rng.random((2, 3, 4, 20, 30), dtype=np.float32)
    for name, axes in (("p.tif", "TZCYX"), ("p.zarr", "TCZYX")):
        planes = data.reshape(6, 4, 20, 30)
        path = write_probabilities(
            tmp_path / name, planes, shape=data.shape, axes="TZCYX", spacing=SPACING
        )
        stack = open_image(path)
        assert stack.axes == axes
        expected = data if axes == "TZCYX" else data.swapaxes(1, 2)
        np.testing.assert_array_equal(np.asarray(stack.array), expected)


# Plane by plane


@pytest.mark.parametrize(("name", "step"), [("a.tif", 1), ("wide.tif", 3000), ("a.zarr", 1)])
def test_a_writer_holds_a_few_planes_at_most(name: str, step: int, tmp_path: Path) -> None:
    plane = np.zeros((512, 512), np.int32)

    def planes() -> Iterator[npt.NDArray[np.int32]]:
        for i in range(40):
            plane[i] = i * step
            yield plane

    write_labels(tmp_path / name, [plane], shape=(512, 512), axes="YX", spacing={})  # warm up
    tracemalloc.start()
    write_labels(tmp_path / name, planes(), shape=(40, 512, 512), axes="ZYX", spacing={})
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 6 * plane.nbytes


def test_planes_of_another_shape_or_number_are_the_callers_mistake(tmp_path: Path) -> None:
    layout = Layout((3, 20, 30), "ZYX")
    for name in ("a.tif", "a.zarr"):
        with (
            pytest.raises(ValueError, match="announced"),
            open_label_writer(tmp_path / name, layout) as writer,
        ):
            writer.write(np.zeros((20, 31), np.int32))
        with (
            pytest.raises(ValueError, match="1 of 3"),
            open_label_writer(tmp_path / name, layout) as writer,
        ):
            writer.write(np.zeros((20, 30), np.int32))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("plane", "sentence"),
    [
        (np.full((20, 30), -3), r"may not be negative, got -3; give these objects numbers from 1"),
        (np.zeros((20, 30), np.float32), r"whole numbers, got float32; convert the layer"),
        (np.full((20, 30), 2**32), r"up to 4294967295, got 4294967296; number the objects anew"),
    ],
)
@pytest.mark.parametrize("name", ["a.tif", "a.zarr"])
def test_what_is_no_label_is_not_written(
    plane: npt.NDArray[Any], sentence: str, name: str, tmp_path: Path
) -> None:
    with (
        pytest.raises(LabelsError, match=sentence),
        open_label_writer(tmp_path / name, Layout((20, 30), "YX")) as writer,
    ):
        writer.write(plane)
    assert list(tmp_path.iterdir()) == []


# Whole or not at all


def half_a_stack(failure: BaseException) -> Iterator[npt.NDArray[np.int32]]:
    yield np.full((20, 30), 9, np.int32)
    yield np.full((20, 30), 70_000, np.int32)
    raise failure


@pytest.mark.parametrize(
    "failure", [KeyboardInterrupt(), RuntimeError("network"), OSError(5, "I/O")]
)
@pytest.mark.parametrize("name", ["a.tif", "a.zarr"])
def test_a_failure_leaves_the_old_file_and_nothing_else(
    failure: BaseException, name: str, tmp_path: Path
) -> None:
    old = numbers((3, 20, 30), 5)
    write(tmp_path / name, old, "ZYX")
    expected = FileError if isinstance(failure, OSError) else type(failure)
    with pytest.raises(expected):
        write_labels(
            tmp_path / name, half_a_stack(failure), shape=(3, 20, 30), axes="ZYX", spacing={}
        )
    np.testing.assert_array_equal(np.asarray(open_image(tmp_path / name).array), old)
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_generator_that_is_closed_half_way_leaves_nothing(tmp_path: Path) -> None:
    def job() -> Iterator[int]:
        with open_label_writer(tmp_path / "a.tif", Layout((9, 20, 30), "ZYX")) as writer:
            for i in itertools.count():
                writer.write(np.zeros((20, 30), np.int32))
                yield i

    running = job()
    assert next(running) == 0
    assert [path.name for path in tmp_path.iterdir()] != []
    running.close()  # type: ignore[attr-defined]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["a.tif", "a.zarr"])
def test_a_new_file_replaces_the_old_one(name: str, tmp_path: Path) -> None:
    write(tmp_path / name, numbers((3, 20, 30), 70_000), "ZYX")
    new = numbers((2, 30, 40), 5)
    write(tmp_path / name, new, "TYX")
    stack = open_image(tmp_path / name)
    assert stack.axes == "TYX"
    np.testing.assert_array_equal(np.asarray(stack.array), new)
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_link_to_another_disk_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    link = tmp_path / "a.tif"
    link.symlink_to(tmp_path / "disk" / "b.tif")
    write(link, numbers((20, 30), 5), "YX")
    assert link.is_symlink()
    assert [path.name for path in (tmp_path / "disk").iterdir()] == ["b.tif"]


@pytest.mark.skipif(sys.platform == "win32", reason="permission bits are POSIX")
def test_a_new_file_has_the_usual_permissions(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tif", numbers((20, 30), 5), "YX")
    mask = os.umask(0)
    os.umask(mask)
    assert path.stat().st_mode & 0o777 == 0o666 & ~mask


def test_probabilities_need_channels_before_yx(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="CYX"):
        open_probability_writer(tmp_path / "a.tif", Layout((2, 20, 30), "ZYX"))
