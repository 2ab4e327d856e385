"""Label files find their image planes by name."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_unet.io.names import file_stem, natural_key, pair_names, pair_numbers, plane_number

FRAMES = [f"t{i:03}" for i in range(12)]


@pytest.mark.parametrize(
    ("labels", "images", "expected"),
    [
        (["t002", "t010"], FRAMES, [2, 10]),  # the same name
        (["man_seg002", "man_seg010"], FRAMES, [2, 10]),  # Cell Tracking Challenge
        (["man_seg002"], FRAMES, [2]),
        (["t002_mask", "t010_mask"], FRAMES, [2, 10]),
        (["t002_mask_v2"], FRAMES, [2]),  # 2 is the version, not the frame
        (["seg2", "seg10"], FRAMES, [2, 10]),
        (["t002_final3", "t010_final3"], FRAMES, [2, 10]),
        (["masks-B", "masks-A"], ["A", "B", "C"], [1, 0]),
        (["seg2_v3", "seg5_v3"], FRAMES, [2, 5]),
        (["w1_s2_mask", "w1_s1_mask"], ["w1_s1", "w1_s2"], [1, 0]),
        (["img_2_ch1", "img_5_ch1"], ["raw_0_ch0", "raw_2_ch0", "raw_5_ch0"], [1, 2]),
        (["7"], ["007", "008"], [0]),
    ],
)
def test_pairs(labels: list[str], images: list[str], expected: list[int]) -> None:
    assert pair_names(labels, images) == dict(zip(labels, expected, strict=True))


@pytest.mark.parametrize(
    ("labels", "images", "stray"),
    [
        (["man_seg002", "man_seg200"], FRAMES, "man_seg200"),
        (["t002", "t012"], FRAMES, "t012"),
        (["notes"], FRAMES, "notes"),
        (["B", "D"], ["A", "B", "C"], "D"),
        (["cat"], ["a", "c"], "cat"),  # letters inside a word are no name
        (["t0021"], FRAMES, "t0021"),
    ],
)
def test_names_the_first_that_fits_no_plane(
    labels: list[str], images: list[str], stray: str
) -> None:
    assert pair_names(labels, images) == stray


@given(st.sets(st.integers(0, 99_999), min_size=1, max_size=20), st.integers(1, 6))
def test_numbers_pair_whatever_the_padding(numbers: set[int], digits: int) -> None:
    planes = {number: i for i, number in enumerate(sorted(numbers))}
    labels = [f"seg{number:0{digits}}" for number in numbers]
    assert pair_numbers(labels, planes) == {
        f"seg{number:0{digits}}": planes[number] for number in numbers
    }


@pytest.mark.parametrize(
    ("name", "plane"),
    [
        ("man_seg002", 2),
        ("mask012", 12),
        ("7", 7),
        ("cells_t007_mask", 7),
        ("frame 3", 3),
        ("exp3_z12", 12),
        ("2024-05-07_slice4", 4),
        ("exp3_labels", None),
        ("labels v2", None),
        ("2024-05-07 mask", None),
        ("time 12.05.2024 mask", None),
        ("20240507", 20240507),  # out of any stack
        ("mask2", None),
        ("part3", None),  # a word that ends in t
        ("t003_z05", None),
        ("40x 10um", None),
        ("labels", None),
    ],
)
def test_one_name_tells_a_plane_only_after_a_word_for_it(name: str, plane: int | None) -> None:
    assert plane_number(name) == plane


@given(st.lists(st.integers(0, 10_000), unique=True))
def test_natural_order_is_the_order_of_the_numbers(numbers: list[int]) -> None:
    files = sorted((Path(f"plane {n}.tif") for n in numbers), key=natural_key)
    assert [int(file.stem.split()[1]) for file in files] == sorted(numbers)


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("cells", "cells"),
        (" a/b: 1*2? .", "a_b_ 1_2_"),
        ("...", "labels"),
        ("", "labels"),
        ("NUL", "NUL_"),
        ("com1.x", "com1.x_"),
        ("x" * 400, "x" * 150),
        ("é" * 400, "é" * 75),
        ("細" * 99, "細" * 50),
    ],
)
def test_a_file_is_named_as_every_system_allows(name: str, stem: str) -> None:
    assert file_stem(name, "labels") == stem
