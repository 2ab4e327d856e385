"""Pretraining: gone on with after a break as if there had been none, and known by its file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from napari_unet.config import NetworkConfig
from napari_unet.io.checkpoints import load_model
from pretraining import pretrain
from pretraining.pool import load_pool
from pretraining.pretrain import Pretraining, run


def config(steps: int) -> dict[str, Any]:
    return {
        "seed": 3,
        "network": {"base_channels": 4, "levels": 2},
        "pool": {"side": 96, "seed": 1, "scenes": {"nuclei": 3, "electron": 2}},
        "training": {
            "steps": steps,
            "learning_rate": 3e-3,
            "weight_decay": 0.0,
            "scenes": 2,
            "patch": 32,
            "average": 0.9,
            "recycle_every": 3,
        },
    }


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def test_broken_off_and_gone_on_with_gives_the_same_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pretrain, "_KEEP_EVERY", 4)
    whole = load_model(run(config(8), "trial", tmp_path / "whole", tmp_path))

    advance = Pretraining.advance

    def break_off(self: Pretraining, lesson: Any) -> Any:
        if self.step == 6:
            raise KeyboardInterrupt
        return advance(self, lesson)

    with monkeypatch.context() as patched:
        patched.setattr(Pretraining, "advance", break_off)
        with pytest.raises(KeyboardInterrupt):
            run(config(8), "trial", tmp_path / "broken", tmp_path)
    resumed = load_model(run(config(8), "trial", tmp_path / "broken", tmp_path))

    for name, weight in whole.weights.items():
        torch.testing.assert_close(resumed.weights[name], weight, rtol=0, atol=0)


def test_the_bundled_file_says_where_it_comes_from(tmp_path: Path) -> None:
    model = load_model(run(config(2), "trial", tmp_path / "trial", tmp_path))

    assert model.network.name == "trial"
    assert model.values == (0, 1)
    assert model.is_trained
    assert model.record.steps == 2
    assert model.record.settings["pool"]["scenes"] == {"nuclei": 3, "electron": 2}


def test_it_learns(tmp_path: Path) -> None:
    settings = config(1)
    run(settings, "trial", tmp_path / "trial", tmp_path)
    training = pretrain.Training(**{**settings["training"], "steps": 120, "learning_rate": 1e-2})
    examples = load_pool(tmp_path / "pool", settings["pool"]["scenes"])
    plan = pretrain.LessonPlan(examples, training, levels=2)
    pretraining = Pretraining(NetworkConfig(base_channels=8, levels=2), training, seed=0)
    lesson = plan.draw(np.random.default_rng(0))
    losses = [pretraining.advance(lesson) for _ in range(100)]

    for name in ("objects", "kinds", "distance"):
        values = [getattr(loss, name).item() for loss in losses]
        assert np.mean(values[-15:]) < 0.9 * np.mean(values[:15]), name


def test_with_new_channels_the_optimiser_begins_anew(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = config(4)
    run(settings, "trial", tmp_path / "trial", tmp_path)
    assert "dormant channels" in capsys.readouterr().out  # after step 3
    training = pretrain.Training(**{**settings["training"], "steps": 1000})
    examples = load_pool(tmp_path / "pool", settings["pool"]["scenes"])
    plan = pretrain.LessonPlan(examples, training, levels=2)
    pretraining = Pretraining(NetworkConfig(base_channels=4, levels=2), training, seed=0)
    lesson = plan.draw(np.random.default_rng(0))
    for _ in range(30):
        pretraining.advance(lesson)
    network = pretraining.pupil.network
    with torch.no_grad():
        network.get_parameter("down.0.0.bias")[1] = -1e4

    assert pretraining.recycle(lesson.images) >= 1

    before = [weight.detach().clone() for weight in network.parameters()]
    pretraining.advance(lesson)
    moved = [
        float((weight.detach() - old).abs().max())
        for weight, old in zip(network.parameters(), before, strict=True)
    ]
    assert 0 < max(moved) < 1.5 * training.learning_rate / pretrain._WARM_UP
    assert network.get_parameter("down.0.0.bias")[1] > -1


def test_it_begins_with_what_a_bundled_network_knows_its_shapes_included(tmp_path: Path) -> None:
    path = run(config(2), "trial", tmp_path / "trial", tmp_path)
    settings = config(1)
    pretraining = Pretraining(
        NetworkConfig(name="trial", **settings["network"]),
        pretrain.Training(**settings["training"]),
        seed=9,
    )

    pretraining.begin_with(load_model(path))

    written = pretrain._bundle(
        pretraining,
        NetworkConfig(name="trial", **settings["network"]),
        settings,
        tmp_path / "again",
    )
    again, before = load_model(written).weights, load_model(path).weights
    assert before["head.weight"].shape[0] == 3
    for name, weight in before.items():
        torch.testing.assert_close(again[name], weight, rtol=0, atol=0)
