"""Names of files in a folder say which axes the planes form, and which files are labels."""

from __future__ import annotations

import pytest

from napari_unet.engine.errors import FileError
from napari_unet.io.folder_names import find_grid, find_results, is_label_name

LEICA = [f"Series3_z{z:02}_ch{c:02}" for z in range(3) for c in range(2)]
MANAGER = [
    f"img_channel{c:03}_position000_time{t:09}_z{z:03}"
    for c in range(2)
    for t in range(2)
    for z in range(3)
]


@pytest.mark.parametrize(
    ("stems", "axes", "shape", "channels"),
    [
        (["t000", "t001"], "T", (2,), ()),
        (["z00", "z01"], "Z", (2,), ()),
        (["cat1", "cat2"], "Z", (2,), ()),
        (["t1", "z2"], "Z", (2,), ()),
        (["a_t1", "b_t2"], "T", (2,), ()),
        (["t1_z1", "t1_z2", "t2_z1", "t2_z2"], "TZ", (2, 2), ()),
        (["t1_z1", "t1_z2", "t2_z1"], "Z", (3,), ()),  # no grid
        ([f"p{p}_t{t}" for p in range(2) for t in range(3)], "PT", (2, 3), ()),
        (LEICA, "ZC", (3, 2), ("ch00", "ch01")),
        (MANAGER, "TZC", (2, 3, 2), ("channel000", "channel001")),
        (["a_ch1", "a_ch2", "b_ch1", "b_ch2"], "ZC", (2, 2), ("ch1", "ch2")),
        (["x_t1_ch1", "x_t1_ch2", "x_t2_ch1", "x_t2_ch2"], "TC", (2, 2), ("ch1", "ch2")),
        (["C1-cells", "C2-cells"], "ZC", (1, 2), ("C1", "C2")),
        (["e_w1DAPI_t1", "e_w1DAPI_t2", "e_w2GFP_t1", "e_w2GFP_t2"], "TC", (2, 2), ("DAPI", "GFP")),
        (["e_c1_z1", "e_c1_z2", "e_c2_z1", "e_c2_z2"], "ZC", (2, 2), ("c1", "c2")),
        (["c1", "c2", "c3"], "Z", (3,), ()),  # colonies, or whatever
        (["mouse_w1", "mouse_w2"], "Z", (2,), ()),  # weeks
        (["r01c01-ch1", "r01c01-ch2", "r01c02-ch1", "r01c02-ch2"], "ZC", (2, 2), ("ch1", "ch2")),
    ],
)
def test_the_axes_of_a_folder(
    stems: list[str], axes: str, shape: tuple[int, ...], channels: tuple[str, ...]
) -> None:
    grid = find_grid(stems, "cells")
    assert (grid.axes, grid.shape, grid.channels) == (axes, shape, channels)
    assert sorted(grid.order) == list(range(len(stems)))


def test_files_are_in_the_order_of_their_axes() -> None:
    grid = find_grid(MANAGER, "cells")
    at_t1_z2 = [MANAGER[i] for i in grid.order][-2:]
    assert at_t1_z2 == [
        "img_channel000_position000_time000000001_z002",
        "img_channel001_position000_time000000001_z002",
    ]
    assert grid.planes[-1] == "img_position000_time000000001_z002"
    assert find_grid(LEICA, "cells").planes == ("Series3_z00", "Series3_z01", "Series3_z02")


def test_a_missing_channel_is_named() -> None:
    sentence = r"The folder 'cells' lacks the channel ch01 of 'Series3_z02'; put the missing file"
    with pytest.raises(FileError, match=sentence):
        find_grid(LEICA[:-1], "cells")


@pytest.mark.parametrize(
    ("stems", "labels", "others"),
    [
        (
            ["cell0", "cell1", "cell0_cp_masks", "cell1_cp_masks"],
            ["cell0_cp_masks", "cell1_cp_masks"],
            [],
        ),
        (["cell0", "cell0_cp_masks", "cell0_flows_cp"], ["cell0_cp_masks"], ["cell0_flows_cp"]),
        (["img_001", "mask_001"], ["mask_001"], []),
        (["001", "001 Labels"], ["001 Labels"], []),
        (["image", "mask"], ["mask"], []),
        (["a_seg", "b_seg"], [], []),  # a folder of labels
        (["label-free_1", "stained_1"], [], []),
        (["a", "b_mask"], [], []),
        (["Series1_z0_ch0", "Series1_z0_ch0_mask"], ["Series1_z0_ch0_mask"], []),
    ],
)
def test_labels_beside_their_images(stems: list[str], labels: list[str], others: list[str]) -> None:
    assert find_results(stems) == ({*labels, *others}, set(labels))


@pytest.mark.parametrize("name", ["Labels", "cells_mask", "a_cp_masks", "t002 seg 2", "strokes"])
def test_names_of_labels(name: str) -> None:
    assert is_label_name(name)


@pytest.mark.parametrize("name", ["cells", "label-free cells", "mask_cells", "seg001", "", "12"])
def test_names_that_say_nothing_of_labels(name: str) -> None:
    assert not is_label_name(name)
