"""Do the fast products of a GPU give the labels that float32 gives?

    python -m benchmarks.label_precision [--sets dic_hela …] [--steps 60]

`light` is trained on the strokes of a simulated person (20 actions, `benchmarks.annotator`) and
predicts the tested planes of each set once in float32 and once with the numbers that tensor cores
multiply: the inputs and weights of each convolution are rounded to them, products are summed in
float32, and with the 16-bit formats the sums are rounded again, as they are stored. So the question
needs no GPU. Three products of TensorFloat-32, of the rounded numbers and of what was rounded
off, would be nearly exact. Prints a table in Markdown: how many planes have all their labels equal,
how many pixels of a million have another one, and the largest difference of a probability.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from unittest import mock

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from benchmarks.microscopy_sets import SETS, MicroscopySet
from benchmarks.speed import openvino_hidden
from benchmarks.stroke_budgets import cached_set, train_steps
from napari_unet.config import ObjectsConfig, OutputKind, Task
from napari_unet.engine.network import Model, UNet, pick_device
from napari_unet.engine.prediction import SegmentationPlan, backend, segment, whole_planes
from napari_unet.io.checkpoints import load_model
from napari_unet.io.library import find_model

BUDGET = 20  # actions
_TF32_LOST = 13  # bits of float32 that TensorFloat-32 has not

Rounding = Callable[[Tensor], Tensor]
Probabilities = npt.NDArray[np.float32]


def tf32(values: Tensor) -> Tensor:
    """Round to the 10 bits after the point of TensorFloat-32, to the nearest."""
    bits = values.contiguous().view(torch.int32)
    half, kept = 1 << (_TF32_LOST - 1), -(1 << _TF32_LOST)
    return ((bits + half) & kept).view(torch.float32)


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """How a convolution is computed."""

    title: str
    rounded: Rounding
    rounds_sums: bool = False
    keeps_rest: bool = False


ARITHMETICS = (
    Arithmetic("bfloat16", lambda values: values.bfloat16().float(), rounds_sums=True),
    Arithmetic("float16", lambda values: values.half().float(), rounds_sums=True),
    Arithmetic("TensorFloat-32", tf32),
    Arithmetic("three products of TensorFloat-32", tf32, keeps_rest=True),
)


class Emulated(nn.Module):
    """A convolution in another arithmetic."""

    def __init__(self, layer: nn.Module, arithmetic: Arithmetic) -> None:
        super().__init__()
        self._layer = layer
        self._arithmetic = arithmetic
        assert isinstance(layer.weight, Tensor)
        self._weight = arithmetic.rounded(layer.weight.detach())
        self._rest = layer.weight.detach() - self._weight

    def forward(self, x: Tensor) -> Tensor:
        """Return what the convolution gives."""
        rounded = self._arithmetic.rounded(x)
        total = self._convolved(rounded, self._weight)
        if self._arithmetic.keeps_rest:
            total = total + self._convolved(rounded, self._rest)
            total = total + self._convolved(self._arithmetic.rounded(x - rounded), self._weight)
        assert isinstance(self._layer.bias, Tensor)
        total = total + self._layer.bias[:, None, None]
        return self._arithmetic.rounded(total) if self._arithmetic.rounds_sums else total

    def _convolved(self, x: Tensor, weight: Tensor) -> Tensor:
        if isinstance(self._layer, nn.ConvTranspose2d):
            return nn.functional.conv_transpose2d(x, weight, stride=self._layer.stride)
        return nn.functional.conv2d(x, weight)


def emulate(network: UNet, arithmetic: Arithmetic) -> None:
    """Let all convolutions of a network compute otherwise."""
    for name, layer in list(network.named_modules()):
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
            above, _, own = name.rpartition(".")
            setattr(network.get_submodule(above), own, Emulated(layer, arithmetic))


@contextmanager
def computed_in(arithmetic: Arithmetic | None) -> Iterator[None]:
    """Let networks that are built for prediction compute in an arithmetic; None: in float32."""
    build = Model.build

    def emulating(model: Model, device: torch.device) -> UNet:
        network = build(model, device)
        if arithmetic is not None:
            emulate(network, arithmetic)
        return network

    with (
        mock.patch.object(Model, "build", emulating),
        openvino_hidden(),
        mock.patch.object(backend, "FoldedUNet", lambda network: network),  # as on a GPU
    ):
        yield


def predict(
    model: Model, chosen: MicroscopySet, arithmetic: Arithmetic | None = None
) -> list[Probabilities]:
    """Return the probabilities (K, Y, X) of the tested planes."""
    with computed_in(arithmetic):
        events = segment(
            SegmentationPlan.usual(model, kind=OutputKind.PROBABILITIES),
            chosen.planes,
            device=pick_device("cpu"),
            numbers=chosen.tested,
        )
        return [values for _, values in whole_planes(events)]


def decide(probabilities: Probabilities, task: Task) -> npt.NDArray[np.intp]:
    """Return which class each pixel is."""
    if task is Task.OBJECTS:
        return np.asarray(probabilities[0] >= ObjectsConfig().threshold, dtype=np.intp)
    return np.asarray(probabilities.argmax(axis=0))


def compare(exact: list[Probabilities], other: list[Probabilities], task: Task) -> str:
    """Return planes with equal labels, other pixels per million, and the largest difference."""
    differing = [
        int((decide(one, task) != decide(two, task)).sum())
        for one, two in zip(exact, other, strict=True)
    ]
    pixels = sum(one[0].size for one in exact)
    largest = max(float(np.abs(one - two).max()) for one, two in zip(exact, other, strict=True))
    equal = f"{differing.count(0)} of {len(differing)}"
    return f"{equal}, {1e6 * sum(differing) / pixels:.0f}, {largest:.0e}"


def main() -> None:
    """Train, predict in each arithmetic, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS))
    parser.add_argument("--steps", type=int, default=60)
    wish = parser.parse_args()
    start = load_model(find_model("light"))
    titles = [arithmetic.title for arithmetic in ARITHMETICS]
    print(
        f"planes with equal labels, differing pixels per million, largest difference;"
        f" {BUDGET} actions, {wish.steps} steps\n"
    )
    print(f"| set | {' | '.join(titles)} |")
    print("|---" * (len(titles) + 1) + "|")
    for name in wish.sets:
        chosen, model = cached_set(name), train_steps(name, start, wish.steps, budget=BUDGET)
        exact = predict(model, chosen)
        cells = [compare(exact, predict(model, chosen, a), chosen.task) for a in ARITHMETICS]
        print(f"| {chosen.title} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
