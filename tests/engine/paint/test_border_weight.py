"""The border weight, against one distance transform of the whole image per object."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage

from napari_unet.config import MAX_REDUCTION
from napari_unet.engine.paint import border_weight
from napari_unet.engine.paint.border_weight import border_weights
from napari_unet.engine.paint.separation import separate
from tests.engine.paint.test_label_scheme import random_objects


def reference_weights(
    objects: npt.NDArray[np.int32], w0: float, sigma: float
) -> npt.NDArray[np.float64]:
    """Equation 2 as it stands: one distance transform of the whole image per object."""
    distances = [
        ndimage.distance_transform_edt(objects != number)
        for number in np.unique(objects[objects > 0])
    ]
    d1, d2 = np.sort(np.stack(distances), axis=0)[:2]
    weights: npt.NDArray[np.float64] = w0 * np.exp(-((d1 + d2) ** 2) / (2 * sigma**2))
    weights[objects > 0] = 0
    return weights


@pytest.mark.parametrize("sigma", [1.0, 5.0])
@pytest.mark.parametrize("seed", range(4))
def test_border_weights_equal_the_per_object_distance_transforms(seed: int, sigma: float) -> None:
    objects = separate(random_objects(seed, size=90, count=8))

    weights = border_weights(objects, w0=10, sigma=sigma)

    np.testing.assert_allclose(weights, reference_weights(objects, 10, sigma), atol=2e-5)
    assert weights.max() > 0.05  # the comparison is not one of zeros


def test_border_weight_between_two_cells_is_that_of_equation_2() -> None:
    objects = np.zeros((1, 9), dtype=np.int32)
    objects[0, 0], objects[0, 5] = 1, 2

    weights = border_weights(objects, w0=10, sigma=5)

    assert weights[0, 2] == pytest.approx(10 * np.exp(-((2 + 3) ** 2) / 50))
    assert weights[0, 7] == pytest.approx(10 * np.exp(-((2 + 7) ** 2) / 50))
    assert weights[0, 0] == weights[0, 5] == 0


def test_one_object_alone_has_no_border_weight() -> None:
    objects = np.zeros((8, 8), dtype=np.int32)
    objects[2:5, 2:5] = 2**31 - 1  # a huge number costs no memory

    assert not border_weights(objects).any()


shapes = st.tuples(st.integers(1, 30), st.integers(1, 30))


@settings(max_examples=200, deadline=None)
@given(arrays(np.int32, shapes, elements=st.sampled_from([0] * 12 + [1, 2, 3, 9])), st.data())
def test_any_objects_in_any_tile_have_the_weights_of_equation_2(
    objects: npt.NDArray[np.int32], data: st.DataObject
) -> None:
    sigma = data.draw(st.sampled_from([0.7, 2.0, 5.0]))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(border_weight, "_SIDE", data.draw(st.integers(1, 12)))
        weights = border_weights(objects, w0=10, sigma=sigma)
    if len(np.unique(objects[objects > 0])) > 1:
        expected = reference_weights(objects, 10, sigma)
        np.testing.assert_allclose(weights, expected, atol=2e-5)
    else:
        assert not weights.any()


@pytest.mark.parametrize("sigma", [5.0, 40.0])
def test_any_number_of_objects_near_each_other_is_told_apart(sigma: float) -> None:
    objects = np.zeros((60, 62), dtype=np.int32)
    objects[::3, ::3] = np.arange(20 * 21).reshape(20, 21) + 1  # every third pixel an object

    weights = border_weights(objects, w0=10, sigma=sigma)

    np.testing.assert_allclose(weights, reference_weights(objects, 10, sigma), rtol=1e-5)


def test_wide_planes_have_their_weights_too() -> None:
    objects = np.zeros((2, 70_000), dtype=np.int32)
    objects[:, 65_000], objects[:, 65_007] = 1, 2
    weights = border_weights(objects, w0=10, sigma=5)
    np.testing.assert_allclose(weights[:, 65_002], 10 * np.exp(-(7**2) / 50), rtol=1e-5)
    assert set(np.flatnonzero(weights.any(axis=0))) <= set(range(64_980, 65_028))


@settings(max_examples=300, deadline=None)
@given(
    arrays(np.int32, shapes, elements=st.sampled_from([0] * 12 + [1, 2, 3, 9])),
    st.floats(0.5, 100),  # as the window lets people choose
    st.integers(1, MAX_REDUCTION),
)
def test_any_width_of_the_border_on_any_reduced_plane_gives_the_weights_of_equation_2(
    objects: npt.NDArray[np.int32], sigma: float, factor: int
) -> None:
    weights = border_weights(objects, w0=10, sigma=sigma / factor)

    assert weights.shape == objects.shape
    if len(np.unique(objects[objects > 0])) > 1:
        expected = reference_weights(objects, 10, sigma / factor)
        np.testing.assert_allclose(weights, expected, atol=2e-5)
    else:
        assert not weights.any()


@pytest.mark.parametrize("sigma", [1e-3, 1e4, 1e12])
def test_no_width_of_the_border_is_too_small_or_too_large(sigma: float) -> None:
    objects = np.zeros((40, 50), dtype=np.int32)
    objects[2:9, 2:9], objects[30:, 41:] = 1, 2

    weights = border_weights(objects, w0=10, sigma=sigma)

    np.testing.assert_allclose(weights, reference_weights(objects, 10, sigma), rtol=1e-5)


def test_thousands_of_objects_under_one_wide_border_are_told_apart() -> None:
    objects = np.zeros((40, 1200), dtype=np.int32)
    objects[::2, ::2] = np.arange(12_000).reshape(20, 600) + 1

    weights = border_weights(objects, w0=10, sigma=100)

    assert weights[20, 601] == pytest.approx(10 * np.exp(-(2**2) / 20_000))  # d1 = d2 = 1
    assert weights[21, 601] == pytest.approx(10 * np.exp(-8 / 20_000))  # both √2
