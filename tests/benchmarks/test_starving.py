"""Memory that runs out where it is asked for: at some places here, in the benchmark at all."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from benchmarks.starving import PARTS, Scarcity, starve


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.mark.parametrize(("part", "every"), [("train", 24), ("segment", 12)])
def test_memory_that_runs_out_costs_neither_weights_nor_planes(part: str, every: int) -> None:
    runs, wrong = starve(PARTS[part](), every)
    assert wrong == {}
    assert runs > 10


def test_what_is_asked_for_elsewhere_is_there() -> None:
    scarcity = Scarcity(("engine/nowhere.py", 1, "zeros"))
    with scarcity.reigning():
        assert np.zeros(3).shape == (3,)
    assert scarcity.failed == 0
