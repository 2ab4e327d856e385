"""Pretrain a bundled network: one command, one configuration file, seeded and resumable.

    python -m pretraining.pretrain pretraining/configs/light.toml --output runs/light

Makes the pool of scenes (once), trains, and writes ``OUTPUT/NAME.safetensors``, the moving average
of the weights in half precision, with its provenance in the header. Broken off, the same
command goes on where the last checkpoint was written.
"""

from __future__ import annotations

import argparse
import math
import os
import time
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from napari_unet import __version__
from napari_unet.config import AugmentConfig, NetworkConfig, Task
from napari_unet.engine.network import (
    Model,
    TrainRecord,
    UNet,
    initialise,
    margin,
    valid_output_size,
)
from napari_unet.engine.stack import Normalization
from napari_unet.engine.training import augment
from napari_unet.io.checkpoints import load_model, save_model
from napari_unet.io.library import find_model
from napari_unet.io.replacing import replacing
from pretraining.dormant import find_dormant, recycle
from pretraining.growing import grow
from pretraining.objectives import Lesson, Losses, Pupil
from pretraining.pool import Example, load_pool, make_pool

PROJECT = Path(__file__).parents[1]
DATA = Path(os.environ.get("NAPARI_UNET_DATA", PROJECT.parent / "shared" / "data"))

_WARM_UP = 200  # steps of the optimiser until the full learning rate
_REPORT_EVERY = 100  # steps
_KEEP_EVERY = 500  # steps between checkpoints
_AUGMENT = AugmentConfig(elastic_sigma=4.0, brightness=0.3, contrast=0.3, gamma=0.3, noise=0.1)
_LOOKS = 8  # batches on which a dormant channel does not fire
_LAST_RECYCLING = 0.8  # share of the steps after which new channels would learn too little
_INVERTED = 0.08  # share of the patches whose grey values are turned round


@dataclass(frozen=True, slots=True)
class Training:
    """The part ``[training]`` of a configuration."""

    steps: int
    learning_rate: float
    weight_decay: float
    scenes: int
    patch: int
    average: float
    recycle_every: int  # steps


class LessonPlan:
    """Draws batches from the pool."""

    def __init__(self, pool: list[Example], training: Training, levels: int) -> None:
        self._pool = pool
        self._scenes = training.scenes
        self._size = valid_output_size(training.patch, levels)
        self._margin = margin(levels)

    def draw(self, rng: np.random.Generator) -> Lesson:
        """Return two patches of each of some scenes."""
        parts, known = [], []
        for number in rng.integers(len(self._pool), size=self._scenes):
            example = self._pool[number]
            _, grey = augment.draw(rng, _AUGMENT)  # patches of one image look alike
            sign = -1.0 if rng.random() < _INVERTED else 1.0
            parts += [self._cut(rng, example, grey, sign) for _ in range(2)]
            known += [bool(example.knows_objects)] * 2
        images, targets = (torch.stack(part) for part in zip(*parts, strict=True))
        objects, kinds, distance, depth, heat = targets.unbind(dim=1)
        return Lesson(
            images,
            objects.long(),
            kinds.long(),
            distance / 127,
            depth / 255,
            heat / 255,
            torch.tensor(known),
        )

    def _cut(
        self, rng: np.random.Generator, example: Example, grey: augment.GreyChange, sign: float
    ) -> tuple[Tensor, Tensor]:
        deformation, _ = augment.draw(rng, _AUGMENT)
        half = self._size / 2
        y, x = (float(rng.uniform(half, side - half)) for side in example.image.shape)
        size = self._size + 2 * self._margin
        grid = augment.sampling_grid([deformation], [(y, x)], [example.image.shape], size)
        inner = slice(self._margin, self._margin + self._size)
        image = torch.from_numpy(example.image.astype(np.float32))[None]
        targets = torch.from_numpy(
            np.stack([part.astype(np.float32) for part in _targets(example)])
        )
        return (
            sign * augment.change_grey(augment.sample(image, grid, mode="bilinear"), [grey])[0],
            augment.sample(targets, grid[..., inner, inner], mode="nearest")[0],
        )


def _targets(example: Example) -> tuple[npt.NDArray[Any], ...]:
    return example.objects, example.kinds, example.distance, example.depth, example.heat


class Pretraining:
    """Network, optimiser and the moving average of the weights; can be kept and gone on with."""

    def __init__(self, network: NetworkConfig, training: Training, seed: int) -> None:
        self._generator = torch.Generator().manual_seed(seed)
        self.pupil = Pupil(UNet(network))
        initialise(self.pupil, self._generator)
        self.pupil.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._training = training
        self._optimiser = torch.optim.AdamW(
            self.pupil.parameters(),
            lr=training.learning_rate,
            weight_decay=training.weight_decay,
        )
        self.step = 0
        self.seconds = 0.0
        self.average: dict[str, Tensor] = {}
        self._average_anew()

    def begin_with(self, model: Model) -> None:
        """Take a network's weights, grown to the size of this one, before the first step."""
        network, classes = self.pupil.network.config, model.network.classes
        network = replace(network, shape_field=model.network.shape_field)
        weights = grow(model, network, self._generator).state_dict()
        if model.network.shape_field:  # here it has a head of its own
            last = {part: weights[f"head.{part}"][classes:] for part in ("weight", "bias")}
            self.pupil.heat.load_state_dict(last)
        for part in ("weight", "bias"):
            weights[f"head.{part}"] = weights[f"head.{part}"][:classes]
        self.pupil.network.load_state_dict(weights)
        self._average_anew()

    def _average_anew(self) -> None:
        self.average = {name: value.clone() for name, value in self.pupil.state_dict().items()}

    def advance(self, lesson: Lesson) -> Losses:
        """Do one gradient update."""
        self.step += 1
        for group in self._optimiser.param_groups:
            group["lr"] = self._learning_rate()
        self._optimiser.zero_grad(set_to_none=True)
        losses = self.pupil.learn(lesson, self._generator)
        losses.total.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.pupil.parameters(), 1.0)
        self._optimiser.step()
        decay = min(self._training.average, self.step / (self.step + 10))
        for name, value in self.pupil.state_dict().items():
            self.average[name].lerp_(value, 1 - decay)
        return losses

    def recycle(self, images: Tensor) -> int:
        """Give channels that fire on none of these images new weights; return how many."""
        network = self.pupil.network
        dormant = find_dormant(network, self.pupil.heads, images)
        if dormant:
            averages: dict[Tensor, Tensor] = {
                weight: self.average[name] for name, weight in self.pupil.named_parameters()
            }
            recycle(dormant, averages, self._generator)
            self._optimiser.state.clear()
        return sum(len(part.channels) for part in dormant)

    def keep(self, path: Path) -> None:
        """Write everything that is needed to go on."""
        state = {
            "step": self.step,
            "seconds": self.seconds,
            "pupil": self.pupil.state_dict(),
            "optimiser": self._optimiser.state_dict(),
            "average": self.average,
            "generator": self._generator.get_state(),
        }
        with replacing(path) as unfinished:
            torch.save(state, unfinished)

    def go_on(self, path: Path) -> None:
        """Read what `keep` wrote."""
        state: dict[str, Any] = torch.load(path, weights_only=True)
        self.step, self.seconds = state["step"], state["seconds"]
        self.pupil.load_state_dict(state["pupil"])
        self._optimiser.load_state_dict(state["optimiser"])
        self.average = state["average"]
        self._generator.set_state(state["generator"])

    def _learning_rate(self) -> float:
        progress = min(1.0, self.step / self._training.steps)
        state = self._optimiser.state.get(next(self.pupil.parameters()), {"step": 0})
        rate = self._training.learning_rate * min(1.0, (float(state["step"]) + 1) / _WARM_UP)
        return rate * (1 + math.cos(math.pi * progress)) / 2


def run(config: dict[str, Any], name: str, output: Path, data: Path) -> Path:
    """Pretrain as a configuration says, and return the file of the bundled weights."""
    pool, folder = config["pool"], output.parent / "pool"
    make_pool(folder, data, pool["scenes"], side=pool["side"], seed=pool["seed"])
    examples = load_pool(folder, pool["scenes"])
    network = NetworkConfig(name=name, **config["network"])
    training = Training(**config["training"])
    output.mkdir(parents=True, exist_ok=True)
    pretraining = Pretraining(network, training, config["seed"])
    checkpoint = output / "checkpoint.pt"
    if checkpoint.exists():
        pretraining.go_on(checkpoint)
        print(f"going on after step {pretraining.step}", flush=True)
    elif "start" in config:
        pretraining.begin_with(load_model(find_model(config["start"])))
    plan = LessonPlan(examples, training, network.levels)
    _train(pretraining, plan, training, config["seed"], checkpoint)
    return _bundle(pretraining, network, config, output / f"{name}.safetensors")


def _train(
    pretraining: Pretraining, plan: LessonPlan, training: Training, seed: int, checkpoint: Path
) -> None:
    recent: list[dict[str, float]] = []
    begun, before = time.perf_counter(), pretraining.seconds
    while pretraining.step < training.steps:
        lesson = plan.draw(np.random.default_rng([seed, pretraining.step]))
        losses = pretraining.advance(lesson)
        recent.append({name: value.item() for name, value in _parts(losses)})
        pretraining.seconds = before + time.perf_counter() - begun
        if pretraining.step % _REPORT_EVERY == 0:
            means = {name: np.mean([one[name] for one in recent]) for name in recent[0]}
            recent.clear()
            told = ", ".join(f"{name} {mean:.4f}" for name, mean in means.items())
            print(f"step {pretraining.step}, {pretraining.seconds:.0f} s: {told}", flush=True)
        if _is_to_recycle(pretraining.step, training):
            rngs = (np.random.default_rng([seed, pretraining.step, n]) for n in range(_LOOKS))
            images = torch.cat([plan.draw(rng).images for rng in rngs])
            print(f"new weights for {pretraining.recycle(images)} dormant channels", flush=True)
        if pretraining.step % _KEEP_EVERY == 0 or pretraining.step == training.steps:
            pretraining.keep(checkpoint)


def _parts(losses: Losses) -> list[tuple[str, Tensor]]:
    return [(part.name, getattr(losses, part.name)) for part in fields(losses)]


def _is_to_recycle(step: int, training: Training) -> bool:
    early = step <= _LAST_RECYCLING * training.steps
    return early and step % training.recycle_every == 0


def _bundle(
    pretraining: Pretraining, network: NetworkConfig, config: dict[str, Any], path: Path
) -> Path:
    """Write the moving average of the weights as a model that knows where it comes from."""
    record = TrainRecord(
        started=datetime.now(UTC).isoformat(timespec="seconds"),
        version=__version__,
        start="pretrained on synthetic and real microscopy",
        device="cpu",
        steps=pretraining.step,
        best_step=pretraining.step,
        seconds=round(pretraining.seconds, 1),
        finished="completed",
        settings={**config, "augment": asdict(_AUGMENT)},
    )
    model = Model(
        replace(network, shape_field=True),
        _of_network(pretraining.average),
        Normalization((-1.0,), (1.0,)),
        Task.OBJECTS,
        (0, 1),
        record=record,
        reduction=None,  # as large as the objects of whoever trains it need
    )
    return save_model(model, path, half=True)


def _of_network(average: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the weights of the network, whose last output is the heat of the pupil's own head."""
    prefix = "network."
    weights = {
        name.removeprefix(prefix): value
        for name, value in average.items()
        if name.startswith(prefix)
    }
    for part in ("weight", "bias"):
        head = weights[f"head.{part}"], average[f"heat.{part}"]
        weights[f"head.{part}"] = torch.cat(head)
    return weights


def main() -> None:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("config", type=Path, help="for example pretraining/configs/light.toml")
    parser.add_argument("--output", type=Path, default=None, help="default: runs/NAME")
    parser.add_argument("--data", type=Path, default=DATA)
    wish = parser.parse_args()
    config = tomllib.loads(wish.config.read_text())
    name = wish.config.stem
    output = wish.output or PROJECT / "runs" / name
    print(run(config, name, output, wish.data))


if __name__ == "__main__":
    main()
