"""What other programs are given computes what is computed here."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from napari_unet.engine.network import Model
from napari_unet.engine.network.shared_network import SharedNetwork
from napari_unet.engine.prediction import predictor
from tests.engine.tiny import noise, probabilities, tiny_model

SCALES = [(1, 1), (3, 1), (1, 2)]


def as_seen(reduction: int, enlargement: int, levels: int = 3) -> Model:
    """Return a model that sees images so."""
    model = tiny_model(levels=levels, shape_field=True)
    return replace(model, reduction=reduction, enlargement=enlargement)


@pytest.mark.parametrize(("reduction", "enlargement"), SCALES)
@pytest.mark.parametrize("more", [(0, 0), (5, 3)])
def test_an_image_of_any_size_has_the_same_probabilities(
    reduction: int, enlargement: int, more: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    model = as_seen(reduction, enlargement)
    monkeypatch.setattr(predictor, "measure", lambda *_, **__: model.normalization)
    network = SharedNetwork(model)
    image = noise(network.smallest + more[0], network.smallest + more[1])
    with torch.inference_mode():
        found = network(torch.from_numpy(image / np.float32(255))[None, None])
    assert found.shape == (1, 3, *image.shape)
    assert found[0, 1].numpy() == pytest.approx(probabilities(model, image)[0], abs=1e-5)


@pytest.mark.parametrize("levels", [2, 4])
@pytest.mark.parametrize(("reduction", "enlargement"), SCALES)
def test_without_its_halo_a_tile_is_as_in_the_whole_image(
    levels: int, reduction: int, enlargement: int
) -> None:
    network = SharedNetwork(as_seen(reduction, enlargement, levels))
    halo, start = network.halo, 2 * network.step
    side = network.smallest + 2 * halo
    image = torch.rand((1, 1, side + 2 * start, side + 2 * start))
    with torch.inference_mode():
        whole = network(image)[..., start : start + side, start : start + side]
        tile = network(image[..., start : start + side, start : start + side])
    inside = slice(halo, -halo)
    apart = (whole - tile).abs()
    assert float(apart[..., inside, inside].max()) < 1e-5
    assert float(apart.max()) > 1e-4  # else the halo is not needed
