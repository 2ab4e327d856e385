"""Objects are told apart at the passes of their shape field, whatever the bands of rows are."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from skimage.measure import label
from skimage.morphology import local_maxima, reconstruction

from napari_unet.engine.objects import basins
from napari_unet.engine.objects.basins import cut_basins
from napari_unet.engine.stack.bitmap import Bitmap
from napari_unet.engine.stack.run_labels import RunLabels

FOUR = ndimage.generate_binary_structure(2, 1)

Labels = npt.NDArray[np.int32]
Values = npt.NDArray[np.uint8]


def scene(seed: int) -> tuple[Labels, Values]:
    """Return the components of a random foreground, and a random smooth field."""
    rng = np.random.default_rng(seed)
    shape = tuple(rng.integers(4, 50, 2))
    field = ndimage.gaussian_filter(rng.random(shape), rng.uniform(0.5, 3))
    field = (field - field.min()) / np.ptp(field)
    foreground = ndimage.gaussian_filter(rng.random(shape), 2) > 0.5 - 0.05 * rng.random()
    components = label(foreground, connectivity=1).astype(np.int32)
    return components, (255 * field).astype(np.uint8)


def cut(components: Labels, field: Values, neck: float, smallest: int = 0) -> tuple[Labels, int]:
    labels, count = cut_basins(
        Bitmap.of(RunLabels.of(components)), lambda rows: field[rows], neck, smallest=smallest
    )
    return np.asarray(labels), count


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([1, 2, 5]), st.floats(0.2, 0.99), st.integers(0, 30))
def test_bands_of_rows_give_the_same_objects_as_the_plane_at_once(
    seed: int, rows: int, neck: float, smallest: int
) -> None:
    components, field = scene(seed)
    whole, count = cut(components, field, neck, smallest)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(basins, "_BAND", rows * components.shape[1])
        banded, banded_count = cut(components, field, neck, smallest)

    assert banded_count == count
    np.testing.assert_array_equal(banded, whole)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.floats(0.2, 0.99))
def test_as_many_objects_as_grey_reconstruction_leaves_maxima(seed: int, neck: float) -> None:
    """The definition, by the textbook's way: Vincent 1993."""
    components, field = scene(seed)
    hills = np.where(components > 0, np.maximum(field, 1), 0).astype(float)
    plateaus = local_maxima(reconstruction(neck * hills, hills, footprint=FOUR), footprint=FOUR)

    _, count = cut(components, field, neck)

    assert count == label(plateaus & (components > 0), connectivity=1).max()


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.integers(0, 40))
def test_parts_are_connected_cover_the_foreground_and_none_is_too_small(
    seed: int, smallest: int
) -> None:
    components, field = scene(seed)

    labels, count = cut(components, field, 0.9, smallest)

    np.testing.assert_array_equal(labels > 0, components > 0)
    np.testing.assert_array_equal(np.unique(labels[labels > 0]), np.arange(1, count + 1))
    sizes = np.bincount(labels.ravel(), minlength=count + 1)
    whole = np.bincount(components.ravel())
    for number in range(1, count + 1):
        mine = labels == number
        assert label(mine, connectivity=1).max() == 1
        (component,) = np.unique(components[mine])
        assert sizes[number] >= min(smallest, whole[component])


def two_hills(height: int, saddle: int) -> tuple[Labels, Values]:
    line = np.array([[50, 100, 200, 100, saddle, 80, height, 80, 40]], dtype=np.uint8)
    field = np.repeat(line, 3, axis=0)
    return np.ones(field.shape, dtype=np.int32), field


@pytest.mark.parametrize(
    ("saddle", "neck", "expected"), [(60, 0.7, 2), (90, 0.7, 1), (69, 0.7, 2), (71, 0.7, 1)]
)
def test_two_hills_are_one_object_unless_the_pass_is_low_for_the_lower_one(
    saddle: int, neck: float, expected: int
) -> None:
    _, count = cut(*two_hills(100, saddle), neck)

    assert count == expected


def test_a_share_of_zero_never_cuts() -> None:
    components, field = scene(3)

    labels, count = cut(components, field, 0.0)

    assert count == components.max()
    np.testing.assert_array_equal(labels, components)


def test_nothing_is_nothing() -> None:
    nothing = np.zeros((5, 7), dtype=np.int32)

    labels, count = cut(nothing, np.full((5, 7), 9, dtype=np.uint8), 0.5, 3)

    assert count == 0
    assert not labels.any()
