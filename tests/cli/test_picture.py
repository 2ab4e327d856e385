"""The overview shows four panels per row, with matching colours."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from napari_unet.cli.picture import Row, draw_overview


def _row() -> Row:
    truth = np.zeros((40, 60), np.int32)
    truth[5:20, 5:20], truth[5:20, 20:40], truth[25:35, 30:50] = 1, 2, 3
    image = (truth > 0) * 100.0 + np.arange(60)
    strokes = np.zeros_like(truth)
    strokes[8:15, 8:15], strokes[36:38] = 2, 1
    segmentation = np.where(truth == 3, 1, np.where(truth == 1, 2, 0)).astype(np.int32)
    return Row("plane 0", image, strokes, segmentation, truth)


def test_the_picture_holds_four_panels_for_each_row(tmp_path: Path) -> None:
    sizes = []
    for count in (1, 2):
        path = draw_overview(tmp_path / "a.png", "t", "c", [_row()] * count, pixel_size=0.5)
        with Image.open(path) as picture:
            sizes.append(picture.size)
    assert sizes[0][0] > 4 * 2 * 60
    assert sizes[1][0] == sizes[0][0]
    assert sizes[1][1] - sizes[0][1] >= 2 * 40


def test_a_segmented_object_has_the_colour_of_its_true_one(tmp_path: Path) -> None:
    row = _row()
    same = Row(row.title, row.image, row.strokes, row.truth, row.truth)
    renumbered = np.array([0, 7, 5, 9], np.int32)[row.truth]
    other = Row(row.title, row.image, row.strokes, renumbered, row.truth)
    first, second = (
        draw_overview(tmp_path / name, "t", "c", [shown], pixel_size=0.5).read_bytes()
        for name, shown in (("a.png", same), ("b.png", other))
    )
    assert first == second


def test_an_empty_segmentation_can_be_drawn(tmp_path: Path) -> None:
    row = _row()
    empty = np.zeros_like(row.truth)
    draw_overview(
        tmp_path / "a.png", "t", "c", [Row("", row.image, empty, empty, row.truth)], pixel_size=1.0
    )
    assert (tmp_path / "a.png").stat().st_size > 1000
