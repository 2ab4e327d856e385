"""Real label images come back from the ideal prediction of their separated foreground."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import tifffile

from napari_unet.config import ObjectsConfig
from napari_unet.engine.objects.decoder import ObjectDecoder
from napari_unet.engine.paint.separation import separate
from napari_unet.engine.scores.metrics import average_precision, seg_score
from napari_unet.engine.stack.tiles import cut_plane

DEBRIS = 30  # pixels; the usual evaluation of BBBC039 drops fragments below
NUCLEI = Path("bbbc039", "labels", "IXMtest_A02_s1_w1051DAA7C-7042-435F-99F0-1E847D9B42CB.tif")
HELA = Path("ctc_dic_c2dh_hela", "01_GT", "SEG")
GLIOMA = Path("ctc_phc_c2dh_u373", "01_GT", "SEG")


def ideal(truth: npt.NDArray[Any], tile: int, config: ObjectsConfig) -> npt.NDArray[np.int32]:
    """Cut the separated objects out of their own mask, tile by tile."""
    decoder = ObjectDecoder(truth.shape, config)
    mask = separate(truth, 1) > 0
    for part in cut_plane(truth.shape, tile, 8):
        decoder.add(part, mask[np.newaxis, part.y.as_slice, part.x.as_slice].astype(np.uint8))
    return np.asarray(decoder.finish().cut().finish()[0])


def read(path: Path) -> npt.NDArray[np.int32]:
    """Return a label image without debris."""
    labels = tifffile.imread(path).astype(np.int32)
    return np.where(np.bincount(labels.ravel())[labels] < DEBRIS, 0, labels)


@pytest.mark.parametrize(
    "name", [NUCLEI, HELA / "man_seg002.tif", HELA / "man_seg054.tif", GLIOMA / "man_seg001.tif"]
)
def test_real_objects_come_back_whole_from_tiles(name: Path, microscopy: Path) -> None:
    truth = read(microscopy / name)
    found = ideal(truth, 168, ObjectsConfig(neck=0))
    assert seg_score(found, truth) > 0.99
    assert average_precision(found, truth) == 1  # none is lost, none in two, none merged
    np.testing.assert_array_equal(found, ideal(truth, 704, ObjectsConfig(neck=0)))


def test_cutting_necks_costs_real_objects_little(microscopy: Path) -> None:
    truth = read(microscopy / NUCLEI)
    assert seg_score(ideal(truth, 704, ObjectsConfig()), truth) > 0.99
