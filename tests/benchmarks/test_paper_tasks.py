"""Runs of the paper's tasks are kept with what they began with, and not done again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks import paper_tables, paper_tasks
from benchmarks.microscopy_sets import MicroscopySet
from benchmarks.paper_tasks import PaperTask, keep, labels_of, painted_planes, read_runs
from napari_unet.config import Task
from napari_unet.io.samples import synthetic_cells

RUN = {"task": "cells", "variant": "default", "limit": 4.0, "seed": 0, "weights": "light-1"}


def cells() -> PaperTask:
    sample = synthetic_cells(seed=1, planes=3, shape=(96, 96))
    truth = sample.truth.astype(np.int32)
    truth[0, :4] = -1  # undecided
    stack = MicroscopySet("Cells", Task.OBJECTS, sample.image, truth, (0,), (1, 2), "made up")
    return PaperTask(stack, "SEG 0.5")


def test_training_planes_are_painted_wholly_but_for_undecided_pixels() -> None:
    stack = cells().stack

    labels = painted_planes(stack)

    assert not labels[1:].any()
    assert not labels[0, :4].any()
    np.testing.assert_array_equal(labels[0, 4:], stack.truth[0, 4:] + 1)


def test_a_kept_run_is_in_the_table_and_in_pictures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(paper_tasks.TASKS, "cells", cells)
    truth = cells().stack.truth
    missed = np.where(truth[2] == truth[2].max(), 0, truth[2])
    found = {0: truth[0].clip(0), 1: truth[1], 2: missed}
    scores = {"seg": 0.875, "ap50": 0.75, "iou": 0.9}
    run = {**RUN, "scores": scores, "steps": 1200, "seconds": 4.2, "device": "CPU"}

    keep(tmp_path, run, found)

    assert read_runs(tmp_path) == [run]
    assert labels_of(tmp_path, run).exists()
    assert "| `light-1` | 4 | 1,200 | 0.875 | 0.750 | 0.900 |" in paper_tables.render([run])
    document = tmp_path / "results.md"
    (tmp_path / "images").mkdir()
    assert "![" not in paper_tables.render([run], document)
    best, worst = paper_tables.draw(run, tmp_path, document)
    assert best.name == "paper_cells_best.jpg"
    assert worst.name == "paper_cells_worst.jpg"
    assert best.read_bytes() != worst.read_bytes()
    shown = paper_tables.render([run], document)
    assert "the best tested plane](images/paper_cells_best.jpg)" in shown
    assert "the worst tested plane](images/paper_cells_worst.jpg)" in shown
