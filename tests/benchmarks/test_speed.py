"""The peers of the speed table do the work that they are said to do."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.documents import put_into
from benchmarks.speed import Row, in_turns, round_objects, table
from benchmarks.speed_peers import border_weights_per_object, count_operations
from napari_unet.config import NETWORKS
from napari_unet.engine.network.unet import UNet
from napari_unet.engine.paint.border_weight import border_weights


def test_both_weight_maps_are_the_same() -> None:
    objects = round_objects(4, 160)
    assert objects.max() == 16
    np.testing.assert_allclose(
        border_weights(objects), border_weights_per_object(objects), atol=2e-5
    )


def test_operations_are_those_of_the_layers() -> None:
    config = NETWORKS["light"]
    widths = [config.base_channels * 2**level for level in range(config.levels)]
    size, total = 4 + 16 * 8 + 2 * 44, 0  # an input of 220 px gives 132
    before = 1
    sizes = []
    for level, width in enumerate(widths):
        for channels in (before, width):
            size -= 2
            total += 2 * 9 * channels * width * size**2
        before = width
        sizes.append(size)
        if level < len(widths) - 1:
            size //= 2
    for width in widths[-2::-1]:
        size *= 2
        total += 2 * 2 * width * width * size**2
        for channels in (2 * width, width):
            size -= 2
            total += 2 * 9 * channels * width * size**2
    total += 2 * widths[0] * config.classes * size**2
    assert size == 132
    assert count_operations(UNet(config), 132, 132) == total


def test_ways_are_timed_in_turns_and_the_first_turn_does_not_count() -> None:
    asked: list[str] = []
    ways: dict[str, Callable[[], Any]] = {name: partial(asked.append, name) for name in ("a", "b")}
    times = in_turns(ways, 2)
    assert asked == ["a", "b"] * 3
    assert set(times) == {"a", "b"}


def test_the_table_goes_between_its_marks(tmp_path: Path) -> None:
    document = tmp_path / "benchmarks.md"
    document.write_text("# Speed\n\n<!-- speed -->\nold\n<!-- /speed -->\n\nMore.\n")
    text = table([Row("weight map", "3 objects", "all", "each", 0.5, 2.0)])
    put_into(document, "speed", text)
    written = document.read_text()
    assert "| weight map: 3 objects | all | 0.500 | each | 2.000 | 4.00 |" in written
    assert "old" not in written
    assert written.startswith("# Speed\n")
    assert written.endswith("<!-- /speed -->\n\nMore.\n")


def test_a_document_without_marks_is_left_as_it_is(tmp_path: Path) -> None:
    document = tmp_path / "benchmarks.md"
    document.write_text("# Speed\n\n<!-- speed -->\nno end\n")
    with pytest.raises(ValueError, match="has no lines"):
        put_into(document, "speed", "table")
    assert document.read_text().endswith("no end\n")
