"""ROIs for ImageJ: roifile and ImageJ itself fill them to the same labels, on the same planes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from zipfile import ZipFile

import numpy as np
import pytest
import tifffile
from roifile import ROI_TYPE, ImagejRoi, roiread

from napari_unet.engine.errors import FileError, LabelsError
from napari_unet.io import write_rois
from napari_unet.io.labels import Layout, open_label_writer, write_labels
from napari_unet.io.stack import ImageStack
from tests.io.objects import Numbers, filled, objects

_JAR = Path("/usr/share/java/ij.jar")  # of Debian's package imagej


def rois_of(path: Path) -> list[ImagejRoi]:
    found = roiread(path)
    assert isinstance(found, list)
    return found


def write(path: Path, labels: Numbers, axes: str) -> Path:
    planes = labels.reshape(-1, *labels.shape[-2:])
    return write_labels(path, iter(planes), shape=labels.shape, axes=axes, spacing={})


def number(roi: ImagejRoi) -> int:
    return int(roi.name.split()[0])


def test_roifile_fills_the_rois_to_the_same_labels(tmp_path: Path) -> None:
    labels = objects((2, 3, 20, 24))
    found = np.zeros_like(labels)
    for roi in rois_of(write(tmp_path / "cells.zip", labels, "TZYX")):
        rings = roi.coordinates(multi=True)
        assert isinstance(rings, list)
        found[roi.t_position - 1, roi.z_position - 1][filled(rings, (20, 24))] = number(roi)
    np.testing.assert_array_equal(found, labels)


def test_names_carry_the_number_and_no_two_are_the_same(tmp_path: Path) -> None:
    path = write(tmp_path / "cells.zip", objects((2, 3, 20, 24)), "TZYX")
    names = [roi.name for roi in rois_of(path)]
    assert names[:3] == ["3 t1 z1", "300 t1 z1", "70000 t1 z1"]
    assert len(set(names)) == len(names) == 3 * 6
    with ZipFile(path) as zipped:
        assert zipped.namelist() == [f"{name}.roi" for name in names]


@pytest.mark.parametrize(
    ("shape", "axes", "expected"),
    [
        ((20, 24), "YX", (0, 0, 0, 0)),
        ((3, 20, 24), "ZYX", (2, 0, 0, 0)),  # the number of the plane
        ((3, 20, 24), "TYX", (2, 0, 0, 0)),
        ((1, 3, 20, 24), "TZYX", (2, 0, 0, 0)),
        ((2, 3, 20, 24), "TZYX", (0, 0, 2, 1)),  # c, z, t of a hyperstack
        ((3, 2, 20, 24), "ZTYX", (0, 0, 1, 2)),
    ],
)
def test_each_roi_lies_where_imagej_looks_for_it(
    shape: tuple[int, ...], axes: str, expected: tuple[int, ...], tmp_path: Path
) -> None:
    rois = rois_of(write(tmp_path / "cells.zip", objects(shape), axes))
    found = [(r.position, r.c_position, r.z_position, r.t_position) for r in rois]
    assert found[3 if len(shape) > 2 else 0] == expected  # the first of the second plane


def test_planes_of_an_image_with_channels_are_those_of_a_hyperstack(tmp_path: Path) -> None:
    image = ImageStack(np.zeros((3, 2, 20, 24), np.uint8), "ZCYX", {}, "cells")
    with open_label_writer(tmp_path / "a.zip", image.layout(), image=image) as writer:
        for plane in objects((3, 20, 24)):
            writer.write(plane)
    assert {(roi.position, roi.z_position) for roi in rois_of(tmp_path / "a.zip")} == {
        (0, 1),
        (0, 2),
        (0, 3),
    }


def test_plain_objects_are_what_imagejs_wand_makes_and_others_composites(tmp_path: Path) -> None:
    rois = rois_of(write(tmp_path / "cells.zip", objects((20, 24)), "YX"))
    assert [roi.roitype for roi in rois] == [ROI_TYPE.RECT, ROI_TYPE.RECT, ROI_TYPE.TRACED]
    assert [roi.composite for roi in rois] == [True, True, False]


def test_objects_beyond_sixteen_bits_of_pixels_stay_in_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(write_rois, "_MOST", 15)
    labels = objects((20, 24))
    found = np.zeros_like(labels)
    for roi in rois_of(write(tmp_path / "cells.zip", labels, "YX")):
        assert roi.composite
        rings = roi.coordinates(multi=True)
        assert isinstance(rings, list)
        found[filled(rings, (20, 24))] = number(roi)
    np.testing.assert_array_equal(found, labels)


def test_no_objects_are_an_empty_zip(tmp_path: Path) -> None:
    path = write(tmp_path / "cells.zip", np.zeros((2, 20, 24), np.int32), "ZYX")
    with ZipFile(path) as zipped:
        assert zipped.namelist() == []


def test_the_zip_says_what_made_it(tmp_path: Path) -> None:
    with open_label_writer(tmp_path / "cells.zip", Layout((20, 24), "YX")) as writer:
        writer.write(objects((20, 24)))
        writer.note_provenance('{"format": "ours"}')
        writer.note_unfinished([0])
    with ZipFile(tmp_path / "cells.zip") as zipped:
        notes = json.loads(zipped.comment)
    assert notes == {
        "napari-unet-paint provenance": {"format": "ours"},
        "napari-unet-paint unfinished planes": [0],
    }


def test_rows_that_were_dropped_are_no_objects(tmp_path: Path) -> None:
    with open_label_writer(tmp_path / "cells.zip", Layout((20, 24), "YX")) as writer:
        writer.write(np.full((5, 24), 9))
        writer.drop_rows()
        writer.write(objects((20, 24)))
    assert [number(roi) for roi in rois_of(tmp_path / "cells.zip")] == [3, 300, 70_000]


def test_axes_without_a_place_in_a_roi_are_refused(tmp_path: Path) -> None:
    with pytest.raises(FileError, match=r"T, C and Z only, and 'cells\.zip' has the axes QYX"):
        write(tmp_path / "cells.zip", objects((2, 20, 24)), "QYX")
    assert list(tmp_path.iterdir()) == []


def test_numbers_beyond_31_bits_are_refused_and_nothing_is_left(tmp_path: Path) -> None:
    labels = np.full((20, 24), 2**31, np.int64)
    with pytest.raises(LabelsError, match="above 2147483647; number them anew"):
        write_labels(tmp_path / "a.zip", iter([labels]), shape=labels.shape, axes="YX", spacing={})
    assert list(tmp_path.iterdir()) == []


_MACRO = """
folder = getArgument();
stacks = newArray("plane", "stack", "hyperstack");
for (k = 0; k < stacks.length; k++) {
    open(folder + stacks[k] + ".tif");
    image = getImageID();
    getDimensions(width, height, channels, slices, frames);
    roiManager("reset");
    roiManager("open", folder + stacks[k] + ".zip");
    newImage("found", "16-bit black", width, height, slices * frames);
    found = getImageID();
    for (i = 0; i < roiManager("count"); i++) {
        selectImage(image);
        roiManager("select", i);  // goes to its plane
        plane = getSliceNumber();
        words = split(Roi.getName, " ");
        selectImage(found);
        roiManager("select", i);
        setSlice(plane);
        changeValues(0, 0, parseInt(words[0]));
    }
    run("Select None");
    saveAs("Tiff", folder + stacks[k] + "_found.tif");
    run("Close All");
}
"""


@pytest.mark.skipif(
    not _JAR.exists() or shutil.which("java") is None or "DISPLAY" not in os.environ,
    reason="ImageJ is not here (Debian, Ubuntu: apt install imagej xvfb)",
)
def test_imagej_itself_fills_the_rois_to_the_same_labels(tmp_path: Path) -> None:
    stacks = {"plane": "YX", "stack": "ZYX", "hyperstack": "TZYX"}
    for (name, axes), leading in zip(stacks.items(), [(), (4,), (3, 2)], strict=True):
        labels = objects((*leading, 20, 24))
        labels[labels == 70_000] = 700  # ImageJ's images have 16 bits
        write(tmp_path / f"{name}.zip", labels, axes)
        write(tmp_path / f"{name}.tif", labels, axes)
    macro = tmp_path / "fill.ijm"
    macro.write_text(_MACRO)
    command = ["java", "-jar", str(_JAR), "-batch", str(macro), f"{tmp_path}/"]
    subprocess.run(command, check=True, timeout=120, capture_output=True)
    for name in stacks:
        expected = tifffile.imread(tmp_path / f"{name}.tif")
        found = tifffile.imread(tmp_path / f"{name}_found.tif")
        np.testing.assert_array_equal(found.reshape(expected.shape), expected)
