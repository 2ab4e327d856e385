"""Which ideas make the first seconds of training on strokes count? Each is left out or changed.

    python -m benchmarks.fine_tuning --seconds 10 --budget 20
    python -m benchmarks.fine_tuning --sets dic_hela isbi2012 --variants default head_only

All variants of a set learn from the same paint (`benchmarks.annotator`) for the same time on two
cores, and are scored on planes that nobody painted. Prints a table in Markdown.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass, replace
from unittest.mock import patch

from benchmarks.microscopy_sets import SETS
from benchmarks.stroke_budgets import PAINTER, PERSONS, cached_set, paint_budget, score, untrained
from napari_unet.cli.settings import train_config
from napari_unet.config import Balance, NetworkConfig, Task, TrainConfig, Unpainted
from napari_unet.engine.events import TrainDone
from napari_unet.engine.network import Model, pick_device
from napari_unet.engine.paint import LabelScheme, TrainingSet
from napari_unet.engine.prediction import SegmentationPlan, segment, whole_planes
from napari_unet.engine.stack import ArrayPlanes
from napari_unet.engine.training import TrainingPlan, fit, fit_head, trainer
from napari_unet.engine.training.little_paint import pull_to_first_answer
from napari_unet.io.checkpoints import load_model
from napari_unet.io.library import DEFAULT, find_model

_STANDING_STILL = 1e-12  # learning rate


@dataclass(frozen=True, slots=True)
class Variant:
    """What is done otherwise."""

    title: str
    change: Callable[[TrainConfig], TrainConfig] = lambda config: config
    pull: float = 1.0  # times as hard
    fits_head: bool = True
    scratch: bool = False


VARIANTS = {
    "default": Variant("as it is"),
    "head_only": Variant(
        "the head alone, no step of training",
        lambda config: replace(config, steps=1, learning_rate=_STANDING_STILL),
    ),
    "no_head": Variant("the head is not fitted first", fits_head=False),
    "no_pull": Variant("weights are not pulled back", pull=0.0),
    "more_pull": Variant("pulled back four times as hard", pull=4.0),
    "slow": Variant(
        "at 0.3 of the learning rate",
        lambda config: replace(config, learning_rate=0.3 * config.learning_rate),
    ),
    "balanced": Variant("always balanced", lambda config: replace(config, balance=Balance.ALWAYS)),
    "unbalanced": Variant("never balanced", lambda config: replace(config, balance=Balance.NEVER)),
    "float32": Variant(
        "without products in bfloat16", lambda config: replace(config, mixed_precision=False)
    ),
    "full_size": Variant("image not reduced", lambda config: replace(config, reduction=1)),
    "scratch": Variant("from random weights", scratch=True),
    "scratch_float32": Variant(
        "from random weights, without products in bfloat16",
        lambda config: replace(config, mixed_precision=False),
        scratch=True,
    ),
}


def run(name: str, variant: Variant, bundled: Model, wish: argparse.Namespace) -> dict[str, float]:
    """Train and score one variant on one set."""
    chosen, device = cached_set(name), pick_device("cpu")
    start: Model | NetworkConfig = untrained(bundled) if variant.scratch else bundled
    seconds = wish.seconds if wish.steps is None else None
    config = train_config(start, seconds=seconds, steps=wish.steps, seed=wish.seed)
    labels = paint_budget(name, wish.budget, wish.seed).labels
    first_fit = fit_head if variant.fits_head else lambda *_, **__: None

    def pull(labelled: int) -> float:
        return variant.pull * pull_to_first_answer(labelled)

    with (
        patch.object(trainer, "pull_to_first_answer", pull),
        patch.object(trainer, "fit_head", first_fit),
    ):
        *_, done = fit(
            TrainingSet.of((chosen.planes, ArrayPlanes(labels))),
            TrainingPlan(
                start=start,
                scheme=LabelScheme(chosen.task, Unpainted.IGNORED),
                config=variant.change(config),
                device=device,
            ),
        )
    assert isinstance(done, TrainDone)
    events = segment(
        SegmentationPlan.usual(done.model), chosen.planes, device=device, numbers=chosen.tested
    )
    found = [values for _, values in whole_planes(events)]
    return score(chosen, found, chosen.tested)


def _cell(name: str, scores: dict[str, float]) -> str:
    if cached_set(name).task is Task.CLASSES:
        return f"{scores['iou']:.3f}"
    return f"{scores['iou']:.3f} / {scores['seg']:.3f} / {scores['ap50']:.3f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS))
    parser.add_argument("--variants", nargs="+", choices=VARIANTS, default=list(VARIANTS))
    parser.add_argument("--budget", type=int, choices=PERSONS[PAINTER], default=20)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--steps", type=int, help="instead of seconds")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--model", default=DEFAULT, help="bundled name or file")
    wish = parser.parse_args()
    bundled = load_model(find_model(wish.model))
    titles = [cached_set(name).title for name in wish.sets]
    limit = f"{wish.seconds:g} s" if wish.steps is None else f"{wish.steps} steps"
    print(f"IoU / SEG / AP at 0.5; {wish.budget} actions, {limit}, {pick_device('cpu')}\n")
    print(f"| variant | {' | '.join(titles)} |")
    print("|---" * (len(titles) + 1) + "|")
    for name in wish.variants:
        variant = VARIANTS[name]
        cells = [_cell(one, run(one, variant, bundled, wish)) for one in wish.sets]
        print(f"| {variant.title} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
