"""The U-Net on the CPU by OpenVINO, which is optional: the same numbers in less time."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from threading import Lock
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from napari_unet.engine.errors import LIBRARY_FAILURES
from napari_unet.engine.network.folded import FoldedUNet
from napari_unet.engine.network.unet import (
    UNet,
    answers,
    margin,
    stride,
    valid_output_size,
)

OPENVINO = "openvino"
"""The distribution to install, and its import name."""

TOLERANCE = 1e-4
"""Probabilities that differ by more from PyTorch's are not used."""

_TELEMETRY = "openvino_telemetry"
# How many layers it remembers as they were made ready for a shape of image: by default 5,000, which
# many files of different shapes fill with a gigabyte.
_REMEMBERED, _LAYERS = "CPU_RUNTIME_CACHE_CAPACITY", 256
_LOST_BELOW = 4  # pixels per side: by two convolutions of the level below, at half the size
_STRIDES = 2**20  # of the network, to the largest image

Image = npt.NDArray[np.float32]
"""(C, Y, X)"""


def openvino_probabilities(network: UNet, channels: slice) -> Callable[[Image], Image] | None:
    """Return the function that turns an image into softmax probabilities, on the CPU.

    Parameters
    ----------
    network
        On the CPU.
    channels
        Which of the K probabilities are wanted.

    Returns
    -------
    Callable or None
        None if OpenVINO is not installed, cannot run the network here, or gives other
        probabilities than PyTorch for a small image of noise. Threads that call the function at
        the same time wait for each other.
    """
    if find_spec(OPENVINO) is None:
        return None
    try:
        compute = _compile(network, channels)
        is_equal = _agrees(compute, network, channels)
    except LIBRARY_FAILURES:  # it cannot run here
        return None
    return compute if is_equal else None


def _compile(network: UNet, channels: slice) -> Callable[[Image], Image]:
    with _no_telemetry():
        openvino = importlib.import_module(OPENVINO)
    settings = {
        "INFERENCE_NUM_THREADS": torch.get_num_threads(),
        "INFERENCE_PRECISION_HINT": "f32",  # some processors would take bfloat16
        "PERFORMANCE_HINT": "LATENCY",
    }
    model, core = _Graph(FoldedUNet(network)).model(), openvino.Core()
    try:
        compiled = core.compile_model(model, "CPU", {**settings, _REMEMBERED: _LAYERS})
    except RuntimeError:  # a version without this setting
        compiled = core.compile_model(model, "CPU", settings)
    request = compiled.create_infer_request()
    computing = Lock()  # a request holds one image; with one more nothing would be faster

    def compute(image: Image) -> Image:
        with computing:
            result = request.infer([np.ascontiguousarray(image[np.newaxis])], share_inputs=True)
            probabilities: Image = result[0][0, channels].copy()
        return probabilities

    return compute


@contextmanager
def _no_telemetry() -> Iterator[None]:
    """Keep OpenVINO, which is imported here, from reporting its use to a server.

    It does that unasked, in a copy of the whole process; where the package that it takes for it
    cannot be imported, it does without.
    """
    if _TELEMETRY in sys.modules:
        yield
        return
    sys.modules[_TELEMETRY] = None  # type: ignore[assignment]  # an import of it fails
    try:
        yield
    finally:
        sys.modules.pop(_TELEMETRY, None)  # another thread may have been here as well


def _agrees(compute: Callable[[Image], Image], network: UNet, channels: slice) -> bool:
    """Return whether a small image of noise has the probabilities that PyTorch gives."""
    levels = network.config.levels
    side = valid_output_size(8, levels) + 2 * margin(levels)
    shape = (network.config.in_channels, side, side + stride(levels))
    image = np.random.default_rng(0).standard_normal(shape, dtype=np.float32)
    with torch.inference_mode():
        outputs = network(torch.from_numpy(image)[None])
        expected = answers(outputs, network.config)[0, channels].numpy()
    return bool(np.abs(compute(image) - expected).max() <= TOLERANCE)


class _Graph:
    """The network as OpenVINO's operations, for images of any size that it can compute."""

    def __init__(self, network: FoldedUNet) -> None:
        self._network = network
        self._openvino: Any = importlib.import_module(OPENVINO)
        self._ops: Any = importlib.import_module(f"{OPENVINO}.opset13")

    def model(self) -> Any:
        """Return the model: (1, C, Y, X) → (1, K, y, x) probabilities."""
        ops, network = self._ops, self._network
        size = self._sizes()
        image = ops.parameter([1, network.config.in_channels, size, size], np.float32)
        first, *others = network.down
        x = self._double_convolution(image, first)
        skips = []
        for block in others:
            skips.append(x)
            x = ops.max_pool(x, [2, 2], [1, 1], [0, 0], [0, 0], [2, 2]).output(0)
            x = self._double_convolution(x, block)
        lost = _LOST_BELOW  # pixels per side of the skipped features
        for merge in network.merge:
            x = self._merge(self._crop(skips.pop(), lost), x, merge)
            lost = 2 * (lost + _LOST_BELOW)
        outputs = self._answers(self._convolution(x, network.head))
        return self._openvino.Model([outputs], [image], "U-Net")

    def _answers(self, outputs: Any) -> Any:
        """Return what `answers` does of the network's outputs."""
        ops, config = self._ops, self._network.config
        if not config.shape_field:
            return ops.softmax(outputs, 1)
        parts = ops.constant(np.array([config.classes, 1]))
        logits, field = ops.variadic_split(outputs, ops.constant(1), parts).outputs()
        return ops.concat([ops.softmax(logits, 1), ops.clamp(field, 0.0, 1.0)], 1)

    def _sizes(self) -> Any:
        """Return the smallest and the largest side of an image.

        Both can be computed, so that OpenVINO finds the same bounds for all features that are
        added, and adds them in place; without bounds it copies them first.
        """
        levels = self._network.config.levels
        smallest = valid_output_size(1, levels) + 2 * margin(levels)
        return self._openvino.Dimension(smallest, smallest + _STRIDES * stride(levels))

    def _double_convolution(self, x: Any, block: Any) -> Any:
        for layer in block:
            x = self._ops.relu(x) if isinstance(layer, nn.ReLU) else self._convolution(x, layer)
        return x

    def _merge(self, skip: Any, x: Any, merge: Any) -> Any:
        ops = self._ops
        up = ops.depth_to_space(self._convolved(x, merge.up), "blocks_first", 2)
        skip = self._add_bias(self._convolved(skip, merge.skip), merge.bias)
        x = ops.relu(ops.add(skip, up))
        return ops.relu(self._convolution(x, merge.second))

    def _convolution(self, x: Any, layer: Any) -> Any:
        return self._add_bias(self._convolved(x, layer.weight), layer.bias)

    def _convolved(self, x: Any, weight: Tensor) -> Any:
        return self._ops.convolution(x, self._constant(weight), [1, 1], [0, 0], [0, 0], [1, 1])

    def _add_bias(self, x: Any, bias: Tensor) -> Any:
        return self._ops.add(x, self._constant(bias[None, :, None, None]))

    def _crop(self, x: Any, pixels: int) -> Any:
        edges = [[pixels] * 2, [-pixels] * 2, [1, 1], [2, 3]]  # start, stop, step, axes
        return self._ops.slice(x, *(self._ops.constant(np.array(edge)) for edge in edges))

    def _constant(self, weight: Tensor) -> Any:
        return self._ops.constant(weight.detach().contiguous().numpy())
