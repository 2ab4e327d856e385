"""Train, segment and evaluate on real microscopy through the command line.

    python -m benchmarks.real_microscopy dic_hela --seconds 900 --output results/
    python -m benchmarks.real_microscopy isbi2012 --seconds 180 --output results/

The data folder is ``$NAPARI_UNET_DATA``, or ``../shared/data`` beside the project. Every command is
printed as it is run; the figures go to ``OUTPUT/<set>.json``, the picture to ``OUTPUT/<set>.jpg``.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from PIL import Image

from benchmarks.annotator import paint_classes
from napari_unet.cli.picture import Row, draw_overview
from napari_unet.io.images import open_image
from napari_unet.io.pairing import open_labels_for

PROJECT = Path(__file__).parents[1]
DATA = Path(os.environ.get("NAPARI_UNET_DATA", PROJECT.parent / "shared" / "data"))


@dataclass(frozen=True, slots=True)
class Experiment:
    """What is trained on what, and compared with what."""

    title: str
    image: Path
    labels: Path
    truth: Path
    train_options: tuple[str, ...]
    evaluate_options: tuple[str, ...]
    shown: tuple[int, int]  # a plane that is trained on and one that is not
    pixel_size: float  # µm/px


def dic_hela(_: Path) -> Experiment:
    """Two gold frames train; the other gold frames, 5 and up to 20 frames away, test."""
    folder = DATA / "ctc_dic_c2dh_hela"
    gold = folder / "01_GT" / "SEG"
    return Experiment(
        "DIC-C2DH-HeLa, sequence 01 (Cell Tracking Challenge)",
        folder / "01",
        gold,
        gold,
        ("--unpainted", "background", "--planes", "2,54"),
        ("--planes", "21,31,33,34,39"),
        (54, 31),
        0.19,
    )


def isbi2012(output: Path) -> Experiment:
    """Strokes on two sections, one of each half; six sections far from them test."""
    folder = DATA / "isbi2012"
    cells = tifffile.imread(folder / "train-labels.tif")
    truth = np.where(cells > 0, 2, 1).astype(np.uint8)  # 1 = membrane, 2 = cell
    strokes = np.zeros_like(truth)
    for section in (2, 12):
        strokes[section] = paint_classes(truth[section], per_class=40, seed=section)
    for name, labels in (("isbi_truth.tif", truth), ("isbi_strokes.tif", strokes)):
        tifffile.imwrite(output / name, labels, metadata={"axes": "ZYX"}, compression="zlib")
    return Experiment(
        "ISBI 2012 sections, strokes as classes (membrane, cell)",
        folder / "train-volume.tif",
        output / "isbi_strokes.tif",
        output / "isbi_truth.tif",
        ("--task", "classes"),
        ("--task", "classes", "--planes", "6,7,8,16,17,18"),
        (2, 7),
        0.004,
    )


EXPERIMENTS: dict[str, Callable[[Path], Experiment]] = {"dic_hela": dic_hela, "isbi2012": isbi2012}


def run(*arguments: str | Path) -> dict[str, Any]:
    """Run the command line, and show the command as a person would type it."""
    words = [str(argument) for argument in arguments]
    shown = [word.replace(str(DATA), "$NAPARI_UNET_DATA") for word in words]
    print("$ napari-unet", *shown, flush=True)
    command = Path(sys.executable).with_name("napari-unet")
    done = subprocess.run([command, *words, "--json"], check=True, stdout=subprocess.PIPE)
    figures: dict[str, Any] = json.loads(done.stdout)
    return figures


def draw(experiment: Experiment, segmentation: Path, caption: str, target: Path) -> None:
    """Draw both shown planes beside their strokes and their truth."""
    image = open_image(experiment.image)
    planes = image.planes()
    layers = [
        open_labels_for(image, path) for path in (experiment.labels, segmentation, experiment.truth)
    ]
    rows = []
    for number, how in zip(experiment.shown, ("trained on", "not trained on"), strict=True):
        everything = (slice(0, planes.shape[0]), slice(0, planes.shape[1]))
        painted, found, true = (layer.read(number, *everything)[0] for layer in layers)
        if how == "not trained on":
            painted = np.zeros_like(painted)
        title = f"plane {number}: {how}"
        grey = planes.read(number, *everything)[0]
        classes = "classes" in experiment.train_options
        rows.append(Row(title, grey, painted, found, true, classes))
    picture = draw_overview(
        target.with_suffix(".png"),
        experiment.title,
        caption,
        rows,
        pixel_size=experiment.pixel_size,
    )
    with Image.open(picture) as drawn:
        drawn.convert("RGB").save(target.with_suffix(".jpg"), quality=85, optimize=True)
    picture.unlink()


def caption(figures: dict[str, Any]) -> str:
    trained, scores = figures["train"], figures["evaluate"]
    score = f"SEG {scores['seg']:.3f}" if "seg" in scores else f"mean IoU {scores['mean_iou']:.3f}"
    return (
        f"{trained['seconds']:.0f} s of training on {trained['device']}.  {score} on planes not "
        "trained on."
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("dataset", choices=EXPERIMENTS)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--network", default="light")
    parser.add_argument("--output", type=Path, default=Path("results"))
    wish = parser.parse_args()
    wish.output.mkdir(parents=True, exist_ok=True)
    experiment = EXPERIMENTS[wish.dataset](wish.output)
    model = wish.output / f"{wish.dataset}.safetensors"
    segmentation = wish.output / f"{wish.dataset}.tif"
    trained = run(
        "train", experiment.image, experiment.labels, "--model", model, "--network", wish.network,
        "--seconds", f"{wish.seconds:g}", *experiment.train_options,
    )  # fmt: skip
    segmented = run("segment", experiment.image, "--model", model, "--output", segmentation)
    scores = run("evaluate", segmentation, experiment.truth, *experiment.evaluate_options)
    figures = {"train": trained, "segment": segmented, "evaluate": scores}
    target = wish.output / wish.dataset
    target.with_suffix(".json").write_text(json.dumps(figures, indent=2) + "\n")
    draw(experiment, segmentation, caption(figures), target)
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
