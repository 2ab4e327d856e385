"""The tables compare the methods where all of them are finished, and with the right model."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.stroke_cells import Cell, keep, read_cells, read_labels
from benchmarks.stroke_tables import gather, summarise

CELL = Cell("isbi2012", "painter", 8, 100, "bundled", 0, "light-1")


def record(iou: float) -> dict[str, object]:
    return {"scores": {"iou": iou}, "paint": {"share": 0.01}, "training": {}}


def test_a_finished_cell_is_found_again(tmp_path: Path) -> None:
    labels = np.arange(12, dtype=np.int32).reshape(1, 3, 4)

    keep(tmp_path, {"cell": {**dict_of(CELL)}, **record(0.5)}, list(labels))

    assert list(read_cells(tmp_path)) == [CELL]
    np.testing.assert_array_equal(read_labels(tmp_path, CELL), labels)


def test_a_line_that_was_cut_off_is_measured_again(tmp_path: Path) -> None:
    (tmp_path / "cells.jsonl").write_text('{"cell": {"set": "isbi')

    assert read_cells(tmp_path) == {}


def test_the_lead_is_over_the_same_paint_and_as_many_steps() -> None:
    done = {
        CELL: record(0.8),
        replace(CELL, model="older-1"): record(0.1),
        replace(CELL, method="scratch", model="24/4"): record(0.5),
        replace(CELL, method="scratch", model="24/4", steps=400): record(0.2),
        replace(CELL, method="forest", model="", steps=0): record(0.6),
        replace(CELL, method="forest", model="", steps=0, person="scribbler"): record(0.3),
        replace(CELL, budget=20): record(0.9),  # the others are not finished
    }

    cases = gather(done, "light-1")

    assert [case.budget for case in cases] == [8, 20]
    assert cases[0].scores["bundled"]["iou"] == pytest.approx(0.8)
    assert "| painter | IoU | 100 | 1 | +0.200 | +0.200 | 1 of 1 |" in summarise(cases, "forest")
    assert "| painter | IoU | 100 | 1 | +0.300 | +0.300 | 1 of 1 |" in summarise(cases, "scratch")


def dict_of(cell: Cell) -> dict[str, object]:
    return {name: getattr(cell, name) for name in Cell.__slots__}
