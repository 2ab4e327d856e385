"""Episodes: a classifier fitted to a few painted pixels, judged on the rest."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest
import torch
from torch import Tensor

from napari_unet.config import NetworkConfig
from napari_unet.engine.network.unet import UNet
from pretraining.objectives import Lesson, Pupil, _of_border, _of_flow, _question
from pretraining.synthetic.scene import UNKNOWN

SIZE = 24


@pytest.fixture
def pupil() -> Pupil:
    torch.manual_seed(0)
    return Pupil(UNet(NetworkConfig(base_channels=3, levels=2)))


def lesson(truth: Tensor) -> Lesson:
    """Return two patches with this truth; one kind only, so that objects are what is asked for."""
    still = torch.zeros(2, SIZE, SIZE)
    known = torch.ones(2, dtype=torch.bool)
    return Lesson(
        torch.zeros(2, 1, 44, 44), truth, still.long(), still, still, still, knows_objects=known
    )


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


def taught(pupil: Pupil, **changes: Tensor) -> Lesson:
    """Return two patches with two touching objects."""
    objects = torch.zeros(2, SIZE, SIZE).long()
    objects[:, 4:20, 4:12], objects[:, 4:20, 12:20] = 1, 2
    generator = torch.Generator().manual_seed(4)
    field = torch.rand(2, SIZE, SIZE, generator=generator) * (objects > 0)
    images = torch.randn(2, 1, SIZE + 16, SIZE + 16, generator=generator)
    known = torch.ones(2, dtype=torch.bool)
    lesson = Lesson(images, objects, (objects > 0).long(), field, field, field, known)
    return replace(lesson, **changes)


def losses_of(pupil: Pupil, lesson: Lesson) -> dict[str, float]:
    losses = pupil.learn(lesson, torch.Generator().manual_seed(5))
    return {part.name: getattr(losses, part.name).item() for part in fields(losses)}


def test_where_only_the_foreground_is_known_nothing_is_learned_of_shapes(pupil: Pupil) -> None:
    known = losses_of(pupil, taught(pupil))
    unknown = losses_of(pupil, taught(pupil, knows_objects=torch.zeros(2, dtype=torch.bool)))

    for name in ("distance", "depth", "heat", "flow", "border"):
        assert known[name] > 0
        assert unknown[name] == 0
    assert unknown["objects"] == known["objects"]


def test_of_what_nobody_knows_no_kind_is_learned_and_none_is_asked_for(pupil: Pupil) -> None:
    lesson = taught(pupil)
    half = lesson.kinds.clone()
    half[:, :, 12:] = UNKNOWN

    assert losses_of(pupil, replace(lesson, kinds=half))["kinds"] > 0
    generator = torch.Generator().manual_seed(6)
    for _ in range(20):
        question = _question(replace(lesson, kinds=half), 0, generator)
        assert question is not None
        _, truth = question
        assert 0 < truth.float().mean() < 1


def test_flow_points_uphill_and_needs_no_length(pupil: Pupil) -> None:
    rows, columns = torch.meshgrid(torch.arange(9.0), torch.arange(9.0), indexing="ij")
    heat = (columns / 20)[None]
    inside = torch.ones(1, 9, 9, dtype=torch.bool)
    right = torch.stack([0 * rows, 0 * rows + 1])[None]

    assert _of_flow(right, heat, inside).item() == pytest.approx(0, abs=1e-5)
    assert _of_flow(right, heat / 5, inside).item() == pytest.approx(0, abs=1e-5)
    assert _of_flow(-right, heat, inside).item() > 1


def test_the_border_is_where_another_object_is_beside() -> None:
    objects = torch.zeros(1, 9, 9).long()
    objects[:, 2:7, 1:4], objects[:, 2:7, 4:8] = 1, 2
    right = torch.full((1, 1, 9, 9), -20.0)
    right[:, :, 2:7, 3:5] = 20.0
    inside = objects > 0

    assert _of_border(right, objects, inside).item() == pytest.approx(0, abs=1e-6)
    assert _of_border(-right, objects, inside).item() > 10
