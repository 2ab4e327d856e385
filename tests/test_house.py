"""The ground that the other tests stand on holds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np


def test_a_real_viewer_draws_an_image_on_the_screen(
    make_napari_viewer_proxy: Callable[..., Any],
) -> None:
    viewer = make_napari_viewer_proxy(show=True)
    image = np.zeros((64, 64), np.uint8)
    image[:, 32:] = 255

    viewer.add_image(image)

    picture = viewer.screenshot(canvas_only=True, flash=False)[..., :3]  # (Y, X, RGB)
    middle = picture[picture.shape[0] // 2]
    quarter = picture.shape[1] // 4
    centre = middle[quarter:-quarter]
    assert centre[0].max() == 0
    assert centre[-1].min() == 255
