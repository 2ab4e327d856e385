"""Where by little one object would be two, or two one."""

from __future__ import annotations

import numpy as np
import pytest

from napari_unet.config import ObjectsConfig
from napari_unet.engine.objects.uncut import UncutPlane
from napari_unet.engine.prediction.doubtful_cuts import doubtful_cuts


def pair(share: float, neck: float = 0.6) -> UncutPlane:
    """Return two hills of height 200, with a pass between them of this share of it."""
    field = np.full((20, 60), 200, np.uint8)
    slope = np.abs(np.arange(-10, 11)) / 10
    field[:, 20:41] = np.rint(200 * (share + (1 - share) * slope))
    config = ObjectsConfig(min_size=0, neck=neck)
    return UncutPlane.of([np.ones(field.shape, bool)], (20, 60), config, field.__getitem__)


@pytest.mark.parametrize("share", [0.57, 0.63])
def test_a_pass_near_the_neck_is_doubtful_whichever_side_of_it(share: float) -> None:
    (cut,) = doubtful_cuts(pair(share))
    assert cut.doubt == 1
    assert cut.y == slice(0, 20)
    assert 29 <= cut.x.start < cut.x.stop <= 33


def test_the_nearer_the_pass_the_larger_the_doubt() -> None:
    doubts = [cut.doubt for share in (0.61, 0.68, 0.73) for cut in doubtful_cuts(pair(share))]
    np.testing.assert_allclose(doubts, [1, 2 / 3, 1 / 3], atol=1e-6)


@pytest.mark.parametrize(("share", "neck"), [(0.3, 0.6), (0.9, 0.6), (0.6, 0.0)])
def test_what_is_clear_or_never_cut_is_not_doubtful(share: float, neck: float) -> None:
    assert doubtful_cuts(pair(share, neck)) == []


def test_it_follows_the_neck_that_is_chosen() -> None:
    assert doubtful_cuts(pair(0.3, neck=0.31))[0].doubt == 1
