"""The presets are what they say."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

import pytest

from napari_unet.config import (
    NETWORKS,
    PRESETS,
    RECIPES,
    Along,
    AugmentConfig,
    NetworkConfig,
    ObjectsConfig,
    TrainConfig,
    preset_of,
)

PAPER = {
    "network": {
        "name": "2015",
        "in_channels": 1,
        "classes": 2,
        "base_channels": 64,
        "levels": 5,
        "dropout": 0.5,
        "shape_field": False,
    },
    "train": {
        "seconds": 60.0,  # ours: the paper trained for ten hours
        "steps": None,
        "optimiser": "sgd",
        "learning_rate": 1e-3,  # ours: the paper names none
        "momentum": 0.99,
        "weight_decay": 0.0,
        "warm_up": 0,
        "anneal": False,
        "clip_gradient": 0.0,
        "reduction": 1,
        "diameter": None,
        "patch": 388,
        "batch": 1,
        "w0": 10.0,
        "sigma": 5.0,
        "gap": 1,
        "balance": "always",
        "most_weight": 0.0,
        "sampling": "pixels",
        "validation_share": 0.0,
        "validate_every": 5.0,  # nothing is held out
        "patience": 0,
        "mixed_precision": False,
        "seed": 0,
        "augment": {
            "elastic_sigma": 10.0,
            "elastic_grid": 3,
            "rotation": 180.0,
            "flip": False,
            "shift": 16.0,
            "brightness": 0.2,
            "contrast": 0.2,
            "gamma": 0.0,
            "noise": 0.0,
        },
    },
    "tiling": {"tile": None, "rotations": 7},
    "objects": {
        "threshold": 0.5,
        "min_size": None,
        "fill_holes": True,
        "largest_hole": None,
        "neck": 0.0,
        "gap": 1,
        "link": False,
        "link_along": Along.BOTH,
    },
}


def test_2015_is_the_paper_field_by_field() -> None:
    assert asdict(PRESETS["2015"]) == PAPER


def test_networks_and_recipes_are_those_of_the_presets() -> None:
    assert PRESETS.keys() == NETWORKS.keys() == RECIPES.keys()
    for name, preset in PRESETS.items():
        assert NETWORKS[name] is preset.network
        assert RECIPES[name] is preset.train
        assert preset.network.name == name
        assert preset_of(preset.network) is preset


def test_a_network_of_another_name_goes_with_the_settings_of_light() -> None:
    assert preset_of(NetworkConfig(name="custom")) is PRESETS["light"]


def test_a_network_with_a_shape_field_is_cut_at_higher_passes_and_trained_the_same() -> None:
    light = PRESETS["light"]
    with_field = preset_of(replace(light.network, shape_field=True))

    assert with_field.objects == ObjectsConfig(neck=0.7)
    assert light.objects == ObjectsConfig(neck=0.6)
    assert with_field.train is light.train


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("warm_up", -1),
        ("most_weight", 0.5),
        ("diameter", 0.0),
        ("diameter", 10_001),
        ("diameter", float("nan")),
        ("batch", 2**63),
        ("patch", 2**20),
        ("seed", -1),
        ("gap", -1),
        ("gap", 2**20),
    ],
)
def test_settings_outside_their_limits_are_named(setting: str, value: Any) -> None:
    with pytest.raises(ValueError, match=setting):
        replace(TrainConfig(), **{setting: value})


def test_a_grid_that_no_memory_holds_is_refused() -> None:
    with pytest.raises(ValueError, match="elastic_grid must be 2 to 64"):
        AugmentConfig(elastic_grid=65536)


@pytest.mark.parametrize("gap", [-1, 2**20])
def test_a_gap_that_no_plane_has_room_for_is_named(gap: int) -> None:
    with pytest.raises(ValueError, match=f"gap must be 0 to 800, got {gap}"):
        ObjectsConfig(gap=gap)
    assert ObjectsConfig(gap=800).gap == 800  # the widest that is trained, as seen reduced by 8
