"""Real microscopy opens, pairs and comes back; skipped where it is not at hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile

from napari_unet.io.images import open_image
from napari_unet.io.labels import write_labels
from napari_unet.io.pairing import open_labels_for


@pytest.mark.parametrize(
    ("folder", "planes", "gold", "shape"),
    [("ctc_dic_c2dh_hela", 84, 9, (512, 512)), ("ctc_phc_c2dh_u373", 115, 15, (520, 696))],
)
def test_gold_frames_pair_with_their_frames(
    folder: str, planes: int, gold: int, shape: tuple[int, int], microscopy: Path
) -> None:
    image = open_image(microscopy / folder / "01")
    assert (image.axes, image.array.shape) == ("TYX", (planes, *shape))
    labels = open_labels_for(image, microscopy / folder / "01_GT" / "SEG")
    assert len(labels.present) == gold
    full = (slice(0, shape[0]), slice(0, shape[1]))
    for number in labels.present:
        file = microscopy / folder / "01_GT" / "SEG" / f"man_seg{number:03}.tif"
        np.testing.assert_array_equal(labels.read(number, *full)[0], tifffile.imread(file))
        frame = tifffile.imread(microscopy / folder / "01" / f"t{number:03}.tif")
        np.testing.assert_array_equal(image.planes().read(number, *full)[0], frame)
    silver = open_labels_for(image, microscopy / folder / "01_ST" / "SEG")
    assert silver.present == tuple(range(planes))


def test_sections_and_their_labels_open(microscopy: Path) -> None:
    image = open_image(microscopy / "isbi2012" / "train-volume.tif")
    assert (image.axes, image.array.shape, image.array.dtype) == (
        "ZYX",
        (20, 512, 512),
        np.dtype(np.uint8),
    )
    labels = open_labels_for(image, microscopy / "isbi2012" / "train-labels.tif")
    values = labels.read(7, slice(0, 512), slice(0, 512))
    assert set(np.unique(values)) == {0, 255}


def test_dense_labels_come_back_through_a_tiff(microscopy: Path, tmp_path: Path) -> None:
    image = open_image(microscopy / "ctc_phc_c2dh_u373" / "01")
    labels = open_labels_for(image, microscopy / "ctc_phc_c2dh_u373" / "01_ST" / "SEG")
    layout = image.layout()
    planes = (labels.read(i, slice(0, 520), slice(0, 696))[0] for i in range(layout.count))
    path = write_labels(
        tmp_path / "out.tif", planes, shape=layout.shape, axes=layout.axes, spacing={}
    )
    with tifffile.TiffFile(path) as tif:
        assert (tif.series[0].axes, tif.series[0].dtype) == ("TYX", np.dtype(np.uint16))
    again = open_labels_for(image, path)
    for i in (0, 60, 114):
        part = (i, slice(100, 400), slice(50, 696))
        np.testing.assert_array_equal(again.read(*part), labels.read(*part))
    assert path.stat().st_size < 115 * 520 * 696 * 2 / 20  # Deflate earns its keep


@pytest.mark.parametrize("name", ["bbbc050_mouse_embryo_3d/train", "bbbc039", "small_samples"])
def test_every_other_image_opens(name: str, microscopy: Path) -> None:
    files = sorted((microscopy / name).rglob("*.tif"))[:40]
    assert files
    for file in files:
        stack, pixels = open_image(file), tifffile.imread(file)
        assert stack.axes == {2: "YX", 3: "ZYX"}[pixels.ndim]
        np.testing.assert_array_equal(np.asarray(stack.array), pixels)
