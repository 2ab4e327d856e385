"""The last layer, fitted to the painted pixels before anything else is trained."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import ndimage
from torch import Tensor

from napari_unet.engine.network.record import TrainRecord
from napari_unet.engine.network.unet import UNet, margin
from napari_unet.engine.paint.label_scheme import IGNORED
from napari_unet.engine.training.head import fit_head
from napari_unet.engine.training.sampling import Batch
from tests.engine.tiny import tiny_model

PULL = 0.01
SIZE = 20  # output side of a patch
SIDE = SIZE + 2 * margin(2)


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def patches(painted_share: float, seed: int = 0) -> Batch:
    """Return clouds whose classes follow from how bright it is, a share of the pixels painted."""
    rng = np.random.default_rng(seed)
    clouds = ndimage.gaussian_filter(rng.normal(size=(2, 1, SIDE, SIDE)), (0, 0, 4, 4))
    images = torch.from_numpy((clouds / clouds.std()).astype(np.float32))
    edge = margin(2)
    classes = (images[:, 0, edge:-edge, edge:-edge] > 0).long()
    unpainted = torch.from_numpy(rng.random(classes.shape) >= painted_share)
    classes[unpainted] = IGNORED
    return Batch(images, classes, torch.ones(classes.shape))


def network() -> UNet:
    return tiny_model(base_channels=8).build(torch.device("cpu"))


def head_of(network: UNet) -> Tensor:
    head = network.head
    assert head.bias is not None
    return torch.cat([head.weight[:, :, 0, 0], head.bias[:, None]], 1).detach()


def accuracy(network: UNet, batch: Batch) -> float:
    with torch.inference_mode():
        found = network(batch.images).argmax(1)
    labelled = batch.classes != IGNORED
    return float((found == batch.classes)[labelled].float().mean())


def test_it_answers_better_at_once_and_touches_no_other_layer() -> None:
    fitted, before = network(), network().state_dict()
    fresh = patches(1.0, seed=9)
    worse = accuracy(fitted, fresh)

    fit_head(fitted, [patches(0.1, seed) for seed in range(4)], pull=PULL)

    assert accuracy(fitted, fresh) > worse + 0.1
    for name, weight in fitted.state_dict().items():
        assert torch.equal(weight, before[name]) != name.startswith("head."), name


def test_it_finds_the_minimum_of_what_it_says_it_minimises() -> None:
    fitted, batch = network(), patches(0.3)
    before = head_of(fitted)
    fit_head(fitted, [batch], pull=PULL)
    features = fitted.features(batch.images).movedim(1, -1)[batch.classes != IGNORED].detach()
    truth = batch.classes[batch.classes != IGNORED]
    weights = head_of(fitted)
    weights.requires_grad_()

    logits = features @ weights[:, :-1].T + weights[:, -1]
    loss = torch.nn.functional.cross_entropy(logits, truth)
    loss = loss + PULL * (weights - before).square().sum()
    (gradient,) = torch.autograd.grad(loss, weights)

    assert float(gradient.abs().max()) < 1e-3


def test_nothing_painted_changes_nothing() -> None:
    fitted, before = network(), network().state_dict()
    fit_head(fitted, [patches(0.0)], pull=PULL)
    for name, weight in fitted.state_dict().items():
        assert torch.equal(weight, before[name])


def test_a_heavier_pixel_counts_more() -> None:
    light, heavy = network(), network()
    batch = patches(1.0)
    fit_head(light, [batch], pull=PULL)
    weights = torch.where(batch.classes == 1, 20.0, 1.0)
    fit_head(heavy, [replace(batch, weights=weights)], pull=PULL)
    with torch.inference_mode():
        share = [float((net(batch.images).argmax(1) == 1).float().mean()) for net in (light, heavy)]
    assert share[1] > share[0] + 0.05


def test_only_a_trained_model_is_known_to_be_trained() -> None:
    model = tiny_model()
    assert not model.is_trained
    assert replace(model, record=TrainRecord(steps=3)).is_trained


def test_a_new_class_with_little_paint_does_not_vanish() -> None:
    fitted = network()
    with torch.no_grad():
        for parameter in fitted.head.parameters():
            parameter.zero_()
    batch = patches(1.0)
    edge = margin(2)
    brightness = batch.images[:, 0, edge:-edge, edge:-edge]
    rare = brightness > 1
    batch.classes[(brightness > -0.5) & ~rare] = IGNORED
    batch.classes[rare & (torch.arange(SIZE) % 2 > 0)] = IGNORED

    fit_head(fitted, [batch], pull=1.0)  # as after a few strokes

    with torch.inference_mode():
        found = fitted(batch.images).argmax(1)
    assert float((found[rare] == 1).float().mean()) > 0.1  # 0 if it is held to zero


def test_what_the_head_knows_of_a_class_is_kept_harder_than_nothing() -> None:
    fitted = network()
    with torch.no_grad():
        for parameter in fitted.head.parameters():
            parameter[1].zero_()
    before = head_of(fitted)

    fit_head(fitted, [patches(0.3)], pull=1.0)

    moved = (head_of(fitted) - before).norm(dim=1)
    assert float(moved[1]) > 5 * float(moved[0])
