"""The other samples: deterministic, and what they are said to show."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from skimage.filters import threshold_otsu

from napari_unet.io.sample_divisions import synthetic_divisions
from napari_unet.io.sample_membranes import INSIDE, MEMBRANE, paint_classes, synthetic_membranes
from napari_unet.io.samples import Sample


@pytest.mark.parametrize("make", [synthetic_membranes, synthetic_divisions])
def test_the_same_seed_gives_the_same_sample(make: Callable[..., Sample]) -> None:
    first, again, other = (make(seed, planes=2, shape=(90, 120)) for seed in (3, 3, 4))

    assert first.image.shape == first.truth.shape == (2, 90, 120)
    assert len(first.axes) == first.image.ndim
    np.testing.assert_array_equal(first.image, again.image)
    np.testing.assert_array_equal(first.truth, again.truth)
    assert (first.truth != other.truth).any()


def test_a_threshold_does_not_find_the_membranes() -> None:
    sample = synthetic_membranes(planes=1)
    dark, membrane = sample.image < threshold_otsu(sample.image), sample.truth == MEMBRANE

    assert 0.1 < membrane.mean() < 0.3
    assert (dark & membrane).sum() / (dark | membrane).sum() < 0.75


def test_classes_are_painted_where_they_are() -> None:
    truth = synthetic_membranes().truth

    strokes = paint_classes(truth)

    painted = strokes > 0
    assert painted.any(axis=(1, 2)).tolist() == [True, False, True]
    np.testing.assert_array_equal(strokes[painted], truth[painted])
    pixels = np.bincount(strokes[painted])
    assert min(pixels[MEMBRANE], pixels[INSIDE]) > 300


def test_daughters_have_numbers_of_their_own() -> None:
    seen = [set(np.unique(plane).tolist()) - {0} for plane in synthetic_divisions().truth]
    known = set(seen[0])
    born = []

    for numbers in seen[1:]:
        born.append(numbers - known)
        known |= numbers

    assert sum(map(len, born)) >= 6
    assert all(max(before) < min(new) for before, new in zip(seen, born, strict=False) if new)
