"""Which picture of an object's shape tells touching objects apart best?

    python -m benchmarks.shape_rivals runs/light/checkpoint.pt

Pretraining teaches rivals beside the shape field, each by a 1x1 convolution on the same features:
the relative depth, the distance to the outline up to 16 px, the border between objects, and the
flow to the middle. Here each cuts the true foreground of images that nothing was pretrained on,
without any fine-tuning, and so do two that look at the foreground alone: its connected pieces, and
its necks. Objects are 32 px wide in the median. Prints SEG and AP at 0.5 as a table in Markdown.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from scipy import ndimage
from skimage.measure import label
from skimage.segmentation import watershed
from skimage.transform import resize

from benchmarks.microscopy_sets import SETS
from benchmarks.stroke_budgets import cached_set
from napari_unet.config import NetworkConfig, Task
from napari_unet.engine.network import UNet, margin, valid_output_size
from napari_unet.engine.objects import cut_basins
from napari_unet.engine.scores import Comparison, evaluate_objects
from napari_unet.engine.stack import Bitmap, RunLabels
from pretraining.objectives import Pupil

_DIAMETER = 32.0  # pixels of the median object
_TRUE = 20  # pixels of the smallest true object
_NECKS = (0.5, 0.6, 0.7, 0.8)
_FLOW_STEPS = 60  # pixels that a pixel is carried along the flow
_SINK = 5  # pixels that arrive within 3x3 pixels of an object's middle
_HEADS = ("heat", "depth", "distance", "border", "flow")

Field = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int32]
Mask = npt.NDArray[np.bool_]
Answers = dict[str, Field]
Decoder = Callable[[Answers, Mask], Labels]


def by_hills(field: Field, foreground: Mask, neck: float) -> Labels:
    """Cut the foreground where a field has passes, as the product does."""
    mask = Bitmap.of(RunLabels.of(foreground.astype(np.int32)))
    values = np.rint(255 * np.clip(field / max(1.0, float(field.max())), 0, 1)).astype(np.uint8)
    labels, _ = cut_basins(mask, values.__getitem__, neck, smallest=5)
    return np.asarray(labels)


def by_necks(_: Answers, foreground: Mask) -> Labels:
    """Cut it where it narrows."""
    depth = ndimage.gaussian_filter(ndimage.distance_transform_edt(foreground), 1)
    return by_hills(depth.astype(np.float32), foreground, 0.6)


def by_border(answers: Answers, foreground: Mask) -> Labels:
    """Take the border away, and give it to the nearest piece that is left."""
    cores = label(foreground & (answers["border"][0] < 0), connectivity=1)
    cores[(np.bincount(cores.ravel()) < _SINK)[cores]] = 0
    return _grown(cores, ndimage.distance_transform_edt(cores == 0), foreground)


def by_flow(answers: Answers, foreground: Mask) -> Labels:
    """Carry each pixel along the flow; those that end together are an object."""
    steps = answers["flow"] * foreground
    places = np.argwhere(foreground).T.astype(float)
    limits = np.array(foreground.shape)[:, np.newaxis] - 1
    for _ in range(_FLOW_STEPS):
        moves = [ndimage.map_coordinates(step, places, order=1, mode="nearest") for step in steps]
        places = np.clip(places + moves, 0, limits)
    ends = places.round().astype(int)
    arrived = np.zeros(foreground.shape)
    np.add.at(arrived, tuple(ends), 1)
    sinks = label(ndimage.maximum_filter(arrived, 3) > _SINK, connectivity=2)
    found = np.zeros(foreground.shape, dtype=np.int32)
    found[foreground] = sinks[tuple(ends)]
    return _with_the_rest(found, foreground)


def _grown(seeds: Labels, height: npt.NDArray[Any], foreground: Mask) -> Labels:
    return _with_the_rest(watershed(height, seeds, mask=foreground), foreground)


def _with_the_rest(labels: Labels, foreground: Mask) -> Labels:
    """Return the labels, and each piece of foreground that has none as an object."""
    rest = label(foreground & (labels == 0), connectivity=1)
    return np.where(labels > 0, labels, np.where(rest > 0, rest + labels.max(), 0))


def _hills_of(head: str, neck: float) -> Decoder:
    return lambda answers, foreground: by_hills(answers[head][0], foreground, neck)


DECODERS: dict[str, Decoder] = {
    "connected pieces": lambda _, foreground: label(foreground, connectivity=1),
    "necks of the foreground": by_necks,
    "border": by_border,
    "flow": by_flow,
    **{f"{head}, {neck}": _hills_of(head, neck) for head in _HEADS[:3] for neck in _NECKS},
}


def planes_of(name: str) -> Iterator[tuple[Field, Labels]]:
    """Yield the tested planes of a set at the usual size, from -1 to 1, and their true objects."""
    chosen = cached_set(name)
    for number in chosen.tested:
        image, truth = chosen.image[number].astype(np.float32), chosen.truth[number]
        image = image.mean(axis=0) if image.ndim == truth.ndim + 1 else image
        truth = np.maximum(truth, 0)
        areas = np.bincount(truth.ravel())[1:]
        diameter = 2 * np.sqrt(np.median(areas[areas >= _TRUE]) / np.pi)
        zoom = min(1.0, _DIAMETER / diameter)
        shape = [round(side * zoom) for side in truth.shape]
        image = resize(image, shape, order=1, anti_aliasing=zoom < 1, preserve_range=True)
        truth = resize(truth, shape, order=0, anti_aliasing=False, preserve_range=True)
        low, high = np.percentile(image, (0.5, 99.5))
        yield (2 * (image - low) / max(high - low, 1e-6) - 1), truth.astype(np.int32)


@torch.inference_mode()
def answers_to(pupil: Pupil, image: Field) -> Answers:
    """Return what each head says of an image (Y, X)."""
    levels, (height, width) = pupil.network.config.levels, image.shape
    around = margin(levels)
    pad = [(around, around + valid_output_size(side, levels) - side) for side in (height, width)]
    padded = torch.from_numpy(np.pad(image, pad, mode="symmetric").astype(np.float32))
    features = pupil.network.features(padded[None, None])[..., :height, :width]
    return {head: getattr(pupil, head)(features)[0].numpy() for head in _HEADS}


def load_pupil(checkpoint: Path) -> Pupil:
    """Return the moving average of a pretraining."""
    average = torch.load(checkpoint, weights_only=True)["average"]
    levels = 1 + sum(name.startswith("network.up.") and "weight" in name for name in average)
    channels = len(average["network.down.0.0.weight"])
    pupil = Pupil(UNet(NetworkConfig(base_channels=channels, levels=levels)))
    pupil.load_state_dict(average)
    return pupil.eval()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    objects = [name for name in SETS if name != "isbi2012" and name != "fibsem"]
    parser.add_argument("checkpoint", type=Path, help="of pretraining.pretrain")
    parser.add_argument("--sets", nargs="+", choices=objects, default=objects)
    wish = parser.parse_args()
    pupil = load_pupil(wish.checkpoint)
    chosen = [name for name in wish.sets if cached_set(name).task is Task.OBJECTS]
    planes = {
        name: [(answers_to(pupil, image), truth) for image, truth in planes_of(name)]
        for name in chosen
    }
    print(f"| | mean | {' | '.join(cached_set(name).title for name in chosen)} |")
    print("|---" * (len(chosen) + 2) + "|")
    for title, decode in DECODERS.items():
        rows = []
        for name in chosen:
            found = evaluate_objects(
                [Comparison(decode(said, truth > 0), truth) for said, truth in planes[name]]
            )
            rows.append((found.seg, found.average_precision))
        cells = [f"{seg:.2f} / {ap:.2f}" for seg, ap in [np.mean(rows, axis=0), *rows]]
        print(f"| {title} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
