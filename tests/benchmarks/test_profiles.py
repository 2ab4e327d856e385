"""Profiles tell where the time goes."""

from __future__ import annotations

import time

import numpy as np

from benchmarks.profiles import REST, profile, render
from napari_unet.config import ObjectsConfig
from napari_unet.engine.objects.decoder import cut_objects


def test_time_counts_for_the_innermost_module_of_ours() -> None:
    noise = np.random.default_rng(0).random((512, 512)) < 0.5

    def work() -> None:
        begun = time.perf_counter()
        while time.perf_counter() - begun < 0.3:
            cut_objects(noise, ObjectsConfig(neck=0, gap=0))
        time.sleep(0.3)

    seconds = profile(work)

    engine = sum(value for name, value in seconds.items() if name.startswith("engine/"))
    assert engine > 0.15
    assert seconds[REST] > 0.15
    assert engine + seconds[REST] >= 0.6


def test_small_parts_are_added_up() -> None:
    table = render({"a.py": 6.0, "b.py": 0.01}, {"a.py": 1.0, "c.py": 2.0, REST: 0.5})

    assert table.splitlines()[2:] == [
        "| `a.py` | 6.00 | 1.00 |",
        "| `c.py` | 0.00 | 2.00 |",
        "| the rest | 0.01 | 0.50 |",
        "| together | 6.01 | 3.50 |",
    ]
