"""The field has a pass between two scribbles with different numbers, and none within one."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from napari_unet.config import ObjectsConfig
from napari_unet.engine.objects.decoder import as_bytes, cut_objects
from napari_unet.engine.paint.shape_field import shape_field
from napari_unet.engine.training.parted_field import part_field

Labels = npt.NDArray[np.int32]
Field = npt.NDArray[np.float32]


def discs(*middles: tuple[int, int], radius: int = 12) -> Labels:
    """Objects in a plane of 40×80 px; the later lies on the earlier."""
    y, x = np.ogrid[:40, :80]
    objects = np.zeros((40, 80), dtype=np.int32)
    for number, (row, column) in enumerate(middles, start=1):
        objects[(y - row) ** 2 + (x - column) ** 2 < radius**2] = number
    return objects


def count_at(field: Field, *places: tuple[int, int]) -> int:
    """Return how many objects there are at these places."""
    labels, _ = cut_objects(field > 0.1, ObjectsConfig(), as_bytes(field))
    return len({int(labels[place]) for place in places} - {0})


@pytest.fixture
def two_cells() -> Field:
    return shape_field(discs((20, 20), (20, 42)))


@pytest.fixture
def one_clump() -> Field:
    """The same two cells, taken for one."""
    return shape_field((discs((20, 20), (20, 42)) > 0).astype(np.int32))


def scribbles(*columns: slice, numbers: tuple[int, ...]) -> Labels:
    painted = np.zeros((40, 80), dtype=np.int32)
    for columns_of_one, number in zip(columns, numbers, strict=True):
        painted[19:22, columns_of_one] = number
    return painted


def test_scribbles_with_different_numbers_in_one_hill_part_it(one_clump: Field) -> None:
    painted = scribbles(slice(15, 25), slice(38, 48), numbers=(1, 2))

    parted = part_field(one_clump, painted)

    assert count_at(one_clump, (20, 20), (20, 42)) == 1
    assert count_at(parted, (20, 20), (20, 42)) == 2


def test_one_scribble_over_two_hills_joins_them(two_cells: Field) -> None:
    painted = scribbles(slice(15, 48), numbers=(1,))

    joined = part_field(two_cells, painted)

    assert count_at(two_cells, (20, 20), (20, 42)) == 2
    assert count_at(joined, (20, 20), (20, 42)) == 1


def test_strokes_with_one_number_that_do_not_touch_say_nothing(one_clump: Field) -> None:
    painted = scribbles(slice(15, 25), slice(38, 48), numbers=(1, 1))

    np.testing.assert_array_equal(part_field(one_clump, painted), one_clump)


def test_a_field_that_agrees_stays(two_cells: Field) -> None:
    painted = scribbles(slice(15, 25), slice(38, 48), numbers=(1, 2))

    np.testing.assert_array_equal(part_field(two_cells, painted), two_cells)


def test_a_scribble_that_slips_over_the_edge_joins_nothing(two_cells: Field) -> None:
    painted = scribbles(slice(12, 33), numbers=(1,))

    np.testing.assert_array_equal(part_field(two_cells, painted), two_cells)
