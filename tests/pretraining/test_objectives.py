"""Episodes: a classifier fitted to a few painted pixels, judged on the rest."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from napari_unet.config import NetworkConfig
from napari_unet.engine.network.unet import UNet
from pretraining.objectives import Lesson, Pupil

SIZE = 24


@pytest.fixture
def pupil() -> Pupil:
    torch.manual_seed(0)
    return Pupil(UNet(NetworkConfig(base_channels=3, levels=2)))


def lesson(truth: Tensor) -> Lesson:
    """Return two patches with this truth; one kind only, so that objects are what is asked for."""
    still = torch.zeros(2, SIZE, SIZE)
    return Lesson(torch.zeros(2, 1, 44, 44), truth, still + 1, still.long(), still)


def test_the_closed_form_is_ridge_regression_with_balanced_classes(pupil: Pupil) -> None:
    generator = torch.Generator().manual_seed(1)
    features = torch.randn(3, SIZE, SIZE, generator=generator)
    truth = torch.rand(SIZE, SIZE, generator=generator) < 0.2
    painted = torch.rand(SIZE, SIZE, generator=generator) < 0.3

    found = pupil._fit(features, truth, painted).detach().numpy()

    x = np.vstack([features[:, painted].numpy(), np.ones(int(painted.sum()))]).T.astype(float)
    y = np.where(truth[painted].numpy(), 1.0, -1.0)
    share = np.where(y > 0, 0.5 / (y > 0).sum(), 0.5 / (y < 0).sum())
    penalty = np.sqrt(np.exp(pupil.ridge.item())) * np.eye(4)
    rows = np.vstack([x * np.sqrt(share)[:, None], penalty])
    expected = np.linalg.lstsq(rows, np.append(y * np.sqrt(share), np.zeros(4)), rcond=None)[0]
    np.testing.assert_allclose(
        found, np.exp(pupil.sharpness.item()) * expected, rtol=1e-3, atol=1e-4
    )


def test_features_that_hold_the_answer_are_right_on_the_other_patch(pupil: Pupil) -> None:
    generator = torch.Generator().manual_seed(2)
    truth = (torch.rand(2, SIZE, SIZE, generator=generator) < 0.5).long()
    noise = torch.randn(2, 2, SIZE, SIZE, generator=generator)
    telling = torch.cat([truth[:, None] * 2.0 - 1.0, noise], dim=1)

    told = pupil._episodes(telling, lesson(truth), generator)
    untold = pupil._episodes(torch.roll(telling, 5, dims=2), lesson(truth), generator)

    assert told.item() < 0.12 < 0.6 < untold.item()


def test_an_episode_that_cannot_be_asked_costs_nothing(pupil: Pupil) -> None:
    nothing = torch.zeros(2, SIZE, SIZE).long()
    features = torch.zeros(2, 3, SIZE, SIZE)
    assert pupil._episodes(features, lesson(nothing), torch.Generator()).item() == 0
