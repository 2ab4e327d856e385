"""Are models the same to other programs? Packages run by bioimageio.core, ONNX by onnxruntime.

    pip install "napari-unet-paint[share]" onnxruntime bioimageio.core "pydantic<2.14"
    python -m benchmarks.share

The bundled network is fine-tuned on the sample's strokes, and seen as it is, made smaller and made
larger. Each model is written as a package, as ONNX and as TorchScript, and predicts an image that
it has not seen: whole, and by bioimageio.core in tiles. Printed is the largest difference from our
own probabilities, with grey values in the range that the other program has measured, and what
bioimage.io's own test says. Ends with status 1 if any is above 1e-4.

bioimageio.core mirrors the pixels of an image at its rim, and U-Net Paint what the network sees of
it: blocks of pixels, or parts of one. Where that is not the same, the rim is told apart: as many
pixels as the halo has.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import numpy.typing as npt
import torch

import napari_unet
from napari_unet.engine.network import Model, SharedNetwork, stride
from napari_unet.engine.prediction import predictor
from napari_unet.engine.stack.normalization import Normalization
from napari_unet.io.bioimageio_package import PERCENTILES, scale
from napari_unet.io.model_formats import SUFFIXES, SharedFormat
from napari_unet.io.samples import synthetic_cells
from napari_unet.io.shared_models import INPUT, OUTPUT, share_model
from napari_unet.io.strokes import paint_strokes

ALLOWED = 1e-4
SCALES = {"as it is": (1, 1), "made smaller": (2, 1), "made larger": (1, 2)}
TILES = 4  # steps above the least size of a tile
SIDE = 480  # pixels, about

Grey = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """What another program makes of an image."""

    by: str
    probabilities: npt.NDArray[np.float32]  # of objects, (Y, X)
    low: float  # grey value that was 0
    high: float  # that was 1


def trained(steps: int) -> Model:
    """Return the bundled network, trained on the strokes of a sample."""
    sample = synthetic_cells(planes=4)
    return napari_unet.train(sample.image, paint_strokes(sample.truth), steps=steps)


def ours(model: Model, grey: Grey, low: float, high: float) -> npt.NDArray[Any]:
    """Return our own probabilities of objects, (Y, X), with a range of grey values."""
    fixed = Normalization((low,), (high,))
    with patch.object(predictor, "measure", lambda *_, **__: fixed):
        return napari_unet.segment(grey, model, probabilities=True)


def by_bioimageio(package: Path, grey: Grey) -> Iterator[Answer]:
    """Yield what bioimageio.core makes of a plane, whole and in tiles."""
    import bioimageio.core as core  # noqa: PLC0415  # slow to load

    print(f"  bioimage.io's own test: {core.test_model(package).status}")
    for name, tiles in {"bioimageio.core, whole": None, "bioimageio.core, tiled": TILES}.items():
        given = {INPUT: grey[np.newaxis, np.newaxis]}
        sample = core.predict(model=package, inputs=given, blocksize_parameter=tiles)
        ends = {
            measure.q: float(value.to_numpy().squeeze()) for measure, value in sample.stat.items()
        }
        low, high = ends[min(ends)], ends[max(ends)]
        yield Answer(name, sample.members[OUTPUT].data.to_numpy()[0, 1], low, high)


def by_runtimes(files: dict[SharedFormat, Path], grey: Grey) -> Iterator[Answer]:
    """Yield what ONNX and TorchScript make of a plane."""
    import onnxruntime  # noqa: PLC0415

    low, high = np.percentile(grey, PERCENTILES)
    scaled = scale(grey[np.newaxis, np.newaxis])
    session = onnxruntime.InferenceSession(files[SharedFormat.ONNX])
    yield Answer("onnxruntime", session.run(None, {INPUT: scaled})[0][0, 1], low, high)
    script: Any = torch.jit.load(files[SharedFormat.TORCHSCRIPT])  # type: ignore[no-untyped-call]
    with torch.inference_mode():
        yield Answer("TorchScript", script(torch.from_numpy(scaled)).numpy()[0, 1], low, high)


def worst_difference(model: Model, grey: Grey) -> float:
    """Print the largest difference from each program's answer, and return the largest of all."""
    worst = 0.0
    with tempfile.TemporaryDirectory() as folder:
        files = {
            form: share_model(model, Path(folder) / f"cells{suffix}", form)
            for form, suffix in SUFFIXES.items()
        }
        answers = [*by_bioimageio(files[SharedFormat.BIOIMAGEIO], grey), *by_runtimes(files, grey)]
    network = SharedNetwork(model)
    is_seen_otherwise = network.step != stride(model.network.levels)
    for answer in answers:
        apart = np.abs(answer.probabilities - ours(model, grey, answer.low, answer.high))
        rim = network.halo if is_seen_otherwise and "core" in answer.by else 0
        inside = apart[..., rim:-rim, rim:-rim] if rim else apart
        worst = max(worst, float(inside.max()))
        at_rim = f", at the rim {apart.max():.1e}" if rim else ""
        print(
            f"  {answer.by:<24} largest difference {inside.max():.1e}{at_rim}; grey values "
            f"{answer.low:.0f} to {answer.high:.0f}",
            flush=True,
        )
    return worst


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--steps", type=int, default=60, help="of the training")
    model = trained(parser.parse_args().steps)
    names = ("torch", "bioimageio.core", "onnxruntime")
    print(", ".join(f"{name} {importlib.metadata.version(name)}" for name in names))
    worst = 0.0
    for title, (reduction, enlargement) in SCALES.items():
        seen = replace(model, reduction=reduction, enlargement=enlargement)
        step = SharedNetwork(seen).step
        side = step * (SIDE // step)
        grey = synthetic_cells(seed=7, planes=1, shape=(side, side)).image[0].astype(np.float32)
        print(f"{title}: {side}×{side} px")
        worst = max(worst, worst_difference(seen, grey))
    sys.exit(worst > ALLOWED)


if __name__ == "__main__":
    main()
