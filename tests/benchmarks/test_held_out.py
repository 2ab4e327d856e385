"""Images that are kept from pretraining."""

from __future__ import annotations

import csv
from pathlib import Path

from pretraining.held_out import is_held_out_bbbc039, is_held_out_dsb


def test_of_each_pair_that_shows_the_same_field_both_are_held_out_or_none(
    microscopy: Path,
) -> None:
    with (microscopy / "dsb2018" / "overlap_with_bbbc039.csv").open(newline="") as table:
        pairs = [(row["dsb2018_name"], row["bbbc039_file"]) for row in csv.DictReader(table)]

    assert len(pairs) == 43
    held_out = [is_held_out_dsb(dsb) for dsb, _ in pairs]
    assert held_out == [is_held_out_bbbc039(field) for _, field in pairs]
    assert any(held_out)


def test_every_kind_of_image_is_held_out(microscopy: Path) -> None:
    with (microscopy / "dsb2018" / "index.csv").open(newline="") as table:
        rows = [row for row in csv.DictReader(table) if row["split"] == "stage1_train"]

    kinds = [row["kind"] for row in rows if is_held_out_dsb(row["name"])]

    assert set(kinds) == {"fluorescence_gray", "colour", "dark_on_light_gray"}
    assert 50 <= len(kinds) <= 70


def test_ten_fields_of_bbbc039_are_held_out(microscopy: Path) -> None:
    fields = [path.stem for path in (microscopy / "bbbc039" / "images").glob("*.tif")]

    assert sum(map(is_held_out_bbbc039, fields)) == 10
