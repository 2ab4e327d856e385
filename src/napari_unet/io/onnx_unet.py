"""The U-Net in an ONNX file: read as numbers, held against the one network that there is here.

Nothing in the file is run. Its operations are only compared, one by one, with those of the U-Net,
and its numbers become the weights of our own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from napari_unet.io.shared_models import require_onnx

Array = npt.NDArray[np.float32]

_LAYERS = re.compile(r"(?P<down>(?:CRCRP)*)CRCR(?P<up>(?:TCRCR)*)H(?P<end>[SG]?)")
"""C, H: 3x3 and 1x1 convolution; R: ReLU; P: pooling; T: up-convolution; S, G: softmax, sigmoid."""

_PASSED_OVER = {  # sizes and cuts; what else they may do shows in the test tensors
    *("Add", "Cast", "Concat", "Constant", "ConstantOfShape", "Div", "Dropout", "Floor", "Gather"),
    *("Identity", "Mod", "Mul", "Neg", "Pad", "Reshape", "Shape", "Slice", "Squeeze", "Sub"),
    *("Transpose", "Unsqueeze"),
}
_SIMPLE = {"Relu": "R", "Softmax": "S", "Sigmoid": "G"}
_OF_2D = 4  # axes of a convolution's weights


class MisfitError(ValueError):
    """Something of another's model is not as here; the text says what, to go into a sentence."""


@dataclass(frozen=True, slots=True, eq=False)
class Layers:
    """Weights and biases of a U-Net, in the order in which they are applied."""

    convolutions: list[tuple[Array, Array]]  # (O, I, 3, 3), (O,)
    ups: list[tuple[Array, Array]]  # (I, O, 2, 2), (O,)
    head: tuple[Array, Array]  # (K, I, 1, 1), (K,)
    ending: str  # "softmax", "sigmoid", or nothing

    @property
    def levels(self) -> int:
        """Resolutions, the bottom one included."""
        return len(self.ups) + 1

    def state(self, *, skipped_last: bool = False) -> dict[str, Tensor]:
        """Return the weights under the names of `engine.network.UNet`.

        Parameters
        ----------
        skipped_last
            The skipped features follow the upsampled ones where both are put together.
        """
        halves = 2 * self.levels
        pairs: dict[str, tuple[Array, Array]] = {"head": self.head}
        for place, pair in enumerate(self.convolutions):
            block = ("down", place) if place < halves else ("merge", place - halves)
            pairs[f"{block[0]}.{block[1] // 2}.{2 * (block[1] % 2)}"] = pair
        for level, pair in enumerate(self.ups):
            pairs[f"up.{level}"] = pair
            if skipped_last:
                name = f"merge.{level}.0"
                weight, bias = pairs[name]
                pairs[name] = np.roll(weight, weight.shape[1] // 2, axis=1), bias
        return {
            f"{name}.{kind}": torch.from_numpy(np.array(array, np.float32))
            for name, pair in pairs.items()
            for kind, array in zip(("weight", "bias"), pair, strict=True)
        }


def read_layers(data: bytes) -> Layers:
    """Read the layers of a U-Net.

    Raises
    ------
    MisfitError
        If it is no ONNX file, keeps weights elsewhere, or is another network.
    SettingsError
        If the library for ONNX is missing.
    """
    require_onnx("A model of another program")
    import onnx  # noqa: PLC0415 of an extra
    from google.protobuf.message import DecodeError  # noqa: PLC0415

    try:
        graph = onnx.load_model_from_string(data).graph
    except DecodeError as error:
        raise MisfitError("its ONNX file is damaged") from error
    reader = _Reader(graph)
    letters = "".join(reader.letters())
    found = _LAYERS.fullmatch(letters)
    if not found or letters.count("P") != letters.count("T"):
        raise MisfitError(
            "its layers do not follow one another as in a U-Net of 3x3 convolutions with ReLU, "
            "2x2 poolings and 2x2 up-convolutions"
        )
    ending = {"S": "softmax", "G": "sigmoid", "": ""}[found["end"]]
    return Layers(reader.convolutions, reader.ups, reader.heads[0], ending)


class _Reader:
    """Goes through the operations, and keeps the weights that it meets."""

    def __init__(self, graph: Any) -> None:
        self.convolutions: list[tuple[Array, Array]] = []
        self.ups: list[tuple[Array, Array]] = []
        self.heads: list[tuple[Array, Array]] = []
        self._nodes = list(graph.node)
        self._stored = {tensor.name: tensor for tensor in graph.initializer}
        self._same = {n.output[0]: n.input[0] for n in self._nodes if n.op_type == "Identity"}
        for node in self._nodes:
            if node.op_type == "Constant" and "value" in _attributes(node):
                self._stored[node.output[0]] = _attributes(node)["value"]

    def letters(self) -> Iterator[str]:
        """Yield a letter for each layer, see `_LAYERS`."""
        before = None
        for node in self._nodes:
            yield self._letter(node, before)
            before = node

    def _letter(self, node: Any, before: Any) -> str:
        match node.op_type:
            case "Conv":
                return self._convolution(node)
            case "ConvTranspose":
                self._check(node, kernel_shape=2, strides=2, dilations=1, group=1, pads=0)
                self.ups.append(self._pair(node, outputs_axis=1))
                return "T"
            case "MaxPool":
                self._check(node, kernel_shape=2, strides=2, dilations=1, pads=0, ceil_mode=0)
                return "P"
            case "BatchNormalization" if before is not None and before.op_type == "Conv":
                self._fold(node)
                return ""
            case kind if kind in _SIMPLE:
                return _SIMPLE[kind]
            case kind if kind in _PASSED_OVER:
                return ""
        raise MisfitError(
            f"it has the operation '{node.op_type:.40}', which is none of a U-Net here"
        )

    def _convolution(self, node: Any) -> str:
        weight, bias = self._pair(node, outputs_axis=0)
        side = weight.shape[-1]
        if side == 1:
            self._check(node, kernel_shape=1, strides=1, dilations=1, group=1, pads=0)
            self.heads.append((weight, bias))
            return "H"
        pads = set(_attributes(node).get("pads", [0]))
        self._check(node, kernel_shape=3, strides=1, dilations=1, group=1)
        if pads not in ({0}, {1}):
            raise MisfitError("its convolutions pad images by more than one pixel")
        self.convolutions.append((weight, bias))
        return "C"

    def _check(self, node: Any, **wanted: int) -> None:
        """Raise `MisfitError` if an attribute is there and not as wanted, along every axis."""
        given = _attributes(node)
        for name, value in wanted.items():
            default = [1] if name in ("strides", "dilations", "group") else [value]
            numbers = given.get(name, default)
            if set(numbers if isinstance(numbers, list) else [numbers]) != {value}:
                raise MisfitError(f"{node.op_type} has {name} {numbers}, not {value}")

    def _pair(self, node: Any, outputs_axis: int) -> tuple[Array, Array]:
        weight = self._array(node.input[1])
        if weight.ndim != _OF_2D:
            raise MisfitError("its convolutions are not two-dimensional")
        outputs = weight.shape[outputs_axis]
        has_bias = len(node.input) > 2 and node.input[2]
        bias = self._array(node.input[2]) if has_bias else np.zeros(outputs, np.float32)
        return weight, bias

    def _fold(self, node: Any) -> None:
        """Take a batch normalisation, which is fixed, into the convolution before it."""
        scale, shift, mean, variance = (self._array(name) for name in node.input[1:5])
        weight, bias = self.convolutions.pop()
        factor = scale / np.sqrt(variance + _attributes(node).get("epsilon", 1e-5))
        folded = weight * factor[:, None, None, None]
        self.convolutions.append((folded, (bias - mean) * factor + shift))

    def _array(self, name: str) -> Array:
        from onnx import TensorProto, numpy_helper  # noqa: PLC0415 of an extra

        for _ in range(len(self._same)):
            name = self._same.get(name, name)
        tensor = self._stored.get(name)
        if tensor is None:
            raise MisfitError("weights are computed, not stored")
        if tensor.data_location == TensorProto.EXTERNAL:
            raise MisfitError("weights are kept in another file")
        if tensor.data_type not in (TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.DOUBLE):
            raise MisfitError("weights are not stored as floating-point numbers")
        return np.asarray(numpy_helper.to_array(tensor), np.float32)


def _attributes(node: Any) -> Mapping[str, Any]:
    from onnx import helper  # noqa: PLC0415 of an extra

    return {one.name: helper.get_attribute_value(one) for one in node.attribute}
