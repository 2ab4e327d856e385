"""One model from three painted images, beside a model of each image's own.

    python -m benchmarks.several_images
    python -m benchmarks.several_images --steps 100 --seeds 0 1 2 --document docs/several_images.md

A simulated person fills objects and paints the background of three images: two fields of Usiigaci,
the second smaller, of 16 bit and another exposure, and one of BBBC030 in interference contrast,
whose pixels are made smaller than they were taken. One model learns from all three; one more learns
from each by itself, with the same paint, steps and seed. All are scored on the whole of the three
images, and on two that nobody painted on, one of either kind. Training is limited by steps, so that
the figures do not depend on the machine. Prints a table in Markdown.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from benchmarks.annotator import paint_objects
from benchmarks.documents import put_into
from benchmarks.stroke_budgets import cached_set
from napari_unet.cli.settings import train_config
from napari_unet.config import Task, Unpainted
from napari_unet.engine.events import TrainDone
from napari_unet.engine.network import Model, pick_device
from napari_unet.engine.paint import LabelScheme, TrainingSet
from napari_unet.engine.prediction import SegmentationPlan, segment, whole_planes
from napari_unet.engine.scores import seg_score
from napari_unet.engine.stack import ArrayPlanes
from napari_unet.engine.training import TrainingPlan, fit
from napari_unet.io.checkpoints import load_model
from napari_unet.io.library import find_model
from napari_unet.io.provenance import now, versions

_ACTIONS = 20  # of the person, on each image
_FINER = 1.8  # times as many pixels along each side as the image was taken with
_PHASE, _DIC = 0.87, 0.32  # µm/px, by the objectives; neither set tells it

Labels = npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True, eq=False)
class Field:
    """An image of one plane with its truth."""

    title: str
    image: npt.NDArray[Any]  # (Y, X)
    truth: Labels  # (Y, X)
    um: float  # pixel size

    @property
    def planes(self) -> ArrayPlanes:
        """The image as the engine reads it."""
        return ArrayPlanes(self.image, name=self.title, pixel_size=(self.um, self.um))

    def paint(self, seed: int) -> ArrayPlanes:
        """Return what a person paints on it."""
        return ArrayPlanes(paint_objects(self.truth, actions=_ACTIONS, seed=seed))


def _field(title: str, name: str, plane: int, um: float) -> Field:
    found = cached_set(name)
    return Field(title, found.image[plane], found.truth[plane].astype(np.int32), um)


def _dimmer(field: Field) -> Field:
    """Return a part of a field as a camera of 16 bit sees it with another exposure."""
    image, truth = field.image[:640, :512], field.truth[:640, :512]
    grey = 900 + 2600 * (image / 255.0) ** 0.7
    return Field(field.title, grey.astype(np.uint16), np.ascontiguousarray(truth), field.um)


def _finer(field: Field) -> Field:
    """Return a field as taken with a stronger objective."""
    image = ndimage.zoom(field.image.astype(np.float32), _FINER, order=1)
    truth = ndimage.zoom(field.truth, _FINER, order=0)
    return Field(field.title, image.astype(np.uint8), truth, field.um / _FINER)


@cache
def painted_fields() -> tuple[Field, ...]:
    """The three images that are painted on."""
    return (
        _field("Usiigaci", "usiigaci", 0, _PHASE),
        _dimmer(_field("Usiigaci, dim, 16 bit", "usiigaci", 1, _PHASE)),
        _finer(_field("BBBC030, finer", "bbbc030", 0, _DIC)),
    )


@cache
def other_fields() -> tuple[Field, ...]:
    """Two images of these kinds that nobody has painted on."""
    tested = {name: cached_set(name).tested[0] for name in ("usiigaci", "bbbc030")}
    return (
        _field("another Usiigaci", "usiigaci", tested["usiigaci"], _PHASE),
        _field("another BBBC030", "bbbc030", tested["bbbc030"], _DIC),
    )


def train(start: Model, fields: Sequence[Field], *, steps: int, seed: int) -> Model:
    """Return the model after training on these fields as they are painted."""
    plan = TrainingPlan(
        start=start,
        scheme=LabelScheme(Task.OBJECTS, Unpainted.IGNORED),
        config=train_config(start, seconds=None, steps=steps, seed=seed),
        device=pick_device("cpu"),
    )
    pairs = TrainingSet.of(*((field.planes, field.paint(seed)) for field in fields))
    *_, done = fit(pairs, plan)
    assert isinstance(done, TrainDone)
    return done.model


def score(model: Model, field: Field) -> float:
    """Return the SEG of a model on a field."""
    ((_, labels),) = whole_planes(
        segment(SegmentationPlan.usual(model), field.planes, device=pick_device("cpu"))
    )
    return seg_score(labels, field.truth)


def measure(start: Model, *, steps: int, seed: int) -> dict[str, list[float]]:
    """Return the SEG of each model on all fields, by what it was trained on."""
    painted, others = painted_fields(), other_fields()
    sets = {"all three": painted, **{field.title: (field,) for field in painted}}
    return {
        title: [
            score(model, field)
            for model in [train(start, fields, steps=steps, seed=seed)]
            for field in (*painted, *others)
        ]
        for title, fields in sets.items()
    }


def table(scores: Mapping[str, Sequence[Sequence[float]]]) -> str:
    """Return the rows of all models: the mean over the seeds, and the range.

    The scores are of each model by seed and field.
    """
    titles = [field.title for field in (*painted_fields(), *other_fields())]
    lines = [f"| trained on | {' | '.join(titles)} |", "|---" * (len(titles) + 1) + "|"]
    for title, by_seed in scores.items():
        cells = [
            f"{np.mean(values):.3f} ({min(values):.3f}–{max(values):.3f})"
            for values in zip(*by_seed, strict=True)
        ]
        lines.append(f"| {title} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="light", help="bundled name or file to start from")
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1])
    parser.add_argument("--document", type=Path, help="page to put the table into")
    wish = parser.parse_args()
    start = load_model(find_model(wish.model))
    found: dict[str, list[list[float]]] = {}
    for seed in wish.seeds:
        for title, row in measure(start, steps=wish.steps, seed=seed).items():
            found.setdefault(title, []).append(row)
            print(
                f"seed {seed}, trained on {title}: {' '.join(f'{v:.3f}' for v in row)}", flush=True
            )
    used = versions()
    how = f"mean (range) over {len(wish.seeds)} seeds, {wish.steps} steps from `{wish.model}`"
    made = f"torch {used['torch']}, napari-unet-paint {used['napari-unet-paint']}"
    text = f"{table(found)}\n\nSEG, {how}; {now()[:10]}, {made}."
    print(f"\n{text}")
    if wish.document is not None:
        put_into(wish.document, "several images", text)


if __name__ == "__main__":
    main()
