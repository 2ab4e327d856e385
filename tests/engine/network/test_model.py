"""A model is made ready for other images and labels without losing what it knows."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from napari_unet.config import NetworkConfig, Task
from napari_unet.engine.network.model import Model, adapt, fresh_model
from napari_unet.engine.network.record import TrainRecord
from napari_unet.engine.stack.normalization import Normalization

GREY = Normalization((0.0,), (255.0,))


def colours(count: int) -> Normalization:
    return Normalization((0.0,) * count, (255.0,) * count)


@pytest.mark.parametrize("channels", [2, 3, 4])
def test_equal_channels_give_what_the_one_channel_gave(channels: int) -> None:
    model = fresh_model(NetworkConfig(levels=2, base_channels=4), GREY, Task.OBJECTS, (0, 1))
    image = torch.rand(1, 1, 24, 24, generator=torch.Generator().manual_seed(0)).double()

    wider = adapt(model, colours(channels), Task.OBJECTS, (0, 1))

    cpu = torch.device("cpu")
    with torch.no_grad():
        expected = model.build(cpu).double()(image)
        found = wider.build(cpu).double()(image.expand(-1, channels, -1, -1))
    rounding = 0.0 if channels in (2, 4) else 1e-6  # thirds are rounded to float32
    torch.testing.assert_close(found, expected, rtol=0, atol=rounding + 1e-12)
    assert wider.network.in_channels == channels
    assert model.weights["down.0.0.weight"].shape[1] == 1  # the start stays as it was


def test_every_channel_has_the_same_say_at_first() -> None:
    model = fresh_model(NetworkConfig(levels=2, base_channels=4), GREY, Task.OBJECTS, (0, 1))

    first = adapt(model, colours(4), Task.OBJECTS, (0, 1)).weights["down.0.0.weight"]

    for channel in range(4):
        torch.testing.assert_close(
            first[:, channel] * 4, model.weights["down.0.0.weight"][:, 0], rtol=0, atol=0
        )


def test_with_as_many_channels_nothing_changes() -> None:
    network = NetworkConfig(in_channels=3, levels=2, base_channels=4)
    model = fresh_model(network, colours(3), Task.OBJECTS, (0, 1))

    again = adapt(model, colours(3), Task.OBJECTS, (0, 1))

    assert again.network == model.network
    assert all(torch.equal(again.weights[name], model.weights[name]) for name in model.weights)


def with_field(seed: int = 0) -> Model:
    network = NetworkConfig(levels=2, base_channels=4, shape_field=True)
    fresh = fresh_model(network, GREY, Task.OBJECTS, (0, 1), seed=seed)
    return replace(fresh, record=TrainRecord(steps=1))


def test_the_shape_field_is_kept_for_objects() -> None:
    model = with_field()

    again = adapt(model, GREY, Task.OBJECTS, (0, 1))

    assert again.network.outputs == 3
    assert torch.equal(again.weights["head.weight"], model.weights["head.weight"])


def test_classes_have_no_shape_field() -> None:
    model = with_field()

    classes = adapt(model, GREY, Task.CLASSES, (1, 2, 3))
    back = adapt(classes, GREY, Task.OBJECTS, (0, 1))

    assert not classes.network.shape_field
    assert len(classes.weights["head.weight"]) == 3
    assert not back.network.shape_field
    assert len(back.weights["head.weight"]) == 2
