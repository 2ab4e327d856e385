"""Models out of packages of bioimage.io: our own, and other U-Nets that compute the same.

A package may come from a stranger: nothing in it is unpickled or run. Of our own packages the
attached safetensors file is read; of others the numbers in the ONNX weights, which must be those of
a U-Net as here, and make the package's own test output out of its test input.
"""

from __future__ import annotations

import io
import math
import tempfile
import tokenize
import warnings
import zipfile
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import yaml

from napari_unet.config import NetworkConfig, Task
from napari_unet.engine.errors import CheckpointError, ImageError, printable, reason_of
from napari_unet.engine.network import Model, TrainRecord, difference_from
from napari_unet.engine.paint import OBJECT_VALUES
from napari_unet.engine.stack import Normalization
from napari_unet.io.bioimageio_package import ATTACHED
from napari_unet.io.checkpoints import DAMAGED, load_model, shapes_of
from napari_unet.io.failures import cannot_read
from napari_unet.io.onnx_unet import Layers, MisfitError, read_layers

Array = npt.NDArray[np.float32]

_DESCRIPTIONS = ("rdf.yaml", "bioimageio.yaml", "model.yaml")
_MIB = 2**20
_LARGEST_TEXT = _MIB  # bytes
_LARGEST_TENSOR = 256 * _MIB
_LARGEST_WEIGHTS = 1024 * _MIB
_MOST_PACKED = 20  # times that weights become smaller; random numbers hardly do
_ALLOWED = 1e-3  # difference from the package's own test output
_UNZIPPING = (zipfile.BadZipFile, EOFError, KeyError, NotImplementedError, RuntimeError, zlib.error)
_LONGEST_NAME = 80  # letters


def load_package(path: Path) -> Model:
    """Read the model in a package.

    Raises
    ------
    CheckpointError
        If the file is no package, or damaged, or holds another network than those here; the text
        says in what it differs.
    SettingsError
        If the library for ONNX is missing.
    FileError
        If the file cannot be read.
    """
    try:
        with zipfile.ZipFile(path) as package:
            return _model_in(package)
    except (MisfitError, ImageError) as error:
        raise CheckpointError(
            f"'{path.name}' does not fit: {error}; ask for a package that U-Net Paint has written, "
            "or train a model here."
        ) from error
    except (*_UNZIPPING, *DAMAGED) as error:
        raise CheckpointError(
            f"'{path.name}' is no package of bioimage.io, or damaged ({reason_of(error)}); copy it "
            "from its source once more."
        ) from error
    except OSError as error:
        raise cannot_read(path, error) from error


def _model_in(package: zipfile.ZipFile) -> Model:
    if ATTACHED in package.namelist():
        with tempfile.TemporaryDirectory() as folder:
            attached = Path(folder) / ATTACHED
            attached.write_bytes(_read(package, ATTACHED, _LARGEST_WEIGHTS, _MOST_PACKED))
            return load_model(attached)
    described = _description(package)
    weights = described["weights"].get("onnx")
    if weights is None:
        kinds = ", ".join(sorted(str(kind) for kind in described["weights"]))
        raise MisfitError(f"it has no weights as ONNX, only as {kinds:.80}, which may be programs")
    (given,), (found,) = described["inputs"], described["outputs"]
    percentiles = _percentiles(given)
    grey = _tensor(package, given)
    low, high = np.percentile(grey, percentiles, axis=(1, 2))
    if not (low < high).all():
        raise MisfitError("its test image is of one grey value")
    scaled = (grey - low[:, None, None]) / (high - low)[:, None, None]
    layers = read_layers(_read(package, weights["source"], _LARGEST_WEIGHTS, _MOST_PACKED))
    model = _as_model(layers, _ending(layers, found), Normalization(tuple(low), tuple(high)))
    model = _tried(model, layers, (2 * scaled - 1).astype(np.float32), _tensor(package, found))
    name = printable(str(described.get("name", "")))[:_LONGEST_NAME]
    start = f"trained elsewhere ('{name}', a package of bioimage.io)"
    return replace(model, record=TrainRecord(start=start, steps=1, finished="imported"))


def _description(package: zipfile.ZipFile) -> dict[str, Any]:
    names = package.namelist()
    name = next((name for name in _DESCRIPTIONS if name in names), None)
    if name is None:
        raise zipfile.BadZipFile("there is no rdf.yaml")
    try:
        described = yaml.safe_load(_read(package, name, _LARGEST_TEXT))
    except yaml.YAMLError as error:
        raise ValueError(f"{name} is no YAML") from error
    if described["type"] != "model":
        raise MisfitError("it describes no model")
    version = str(described["format_version"])
    if not version.startswith("0.5."):
        raise MisfitError(f"its description is of version {version:.10}, not 0.5")
    if len(described["inputs"]) != 1 or len(described["outputs"]) != 1:
        raise MisfitError("it has several inputs or outputs")
    for tensor in (*described["inputs"], *described["outputs"]):
        axes = [(axis["type"], axis.get("id")) for axis in tensor["axes"]]
        if [kind for kind, _ in axes] != ["batch", "channel", "space", "space"] or [
            name for _, name in axes[2:]
        ] != ["y", "x"]:
            raise MisfitError(
                "its images are not two-dimensional, with the axes batch, channel, y, x"
            )
    return dict(described)


def _percentiles(given: dict[str, Any]) -> tuple[float, float]:
    """Return the percentiles that become 0 and 1 in the network's image."""
    steps = [step for step in given.get("preprocessing", []) if step["id"] != "ensure_dtype"]
    if [step["id"] for step in steps] != ["scale_range"]:
        ways = ", ".join(str(step["id"]) for step in steps) or "nothing"
        raise MisfitError(
            f"grey values are not scaled by percentiles (scale_range), but by {ways:.80}"
        )
    kwargs = steps[0].get("kwargs", {})
    axes = kwargs.get("axes") or ("batch", "channel", "y", "x")
    low, high = float(kwargs.get("min_percentile", 0)), float(kwargs.get("max_percentile", 100))
    if kwargs.get("reference_tensor") or not {"y", "x"} <= set(axes):
        raise MisfitError(
            "grey values are scaled by the percentiles of something else than the image"
        )
    if not (0 <= low <= 5 and 95 <= high <= 100):
        raise MisfitError(
            f"grey values are scaled by the percentiles {low:g} and {high:g}, not near the ends"
        )
    return low, high


def _ending(layers: Layers, found: dict[str, Any]) -> str:
    """Return what makes probabilities of the last layer's outputs."""
    steps = [step["id"] for step in found.get("postprocessing", [])]
    endings = [layers.ending, *(str(step) for step in steps if step != "ensure_dtype")]
    endings = [ending for ending in endings if ending]
    outputs = len(layers.head[1])
    if endings == ["softmax"] and outputs > 1:
        return "softmax"
    if endings == ["sigmoid"] and outputs == 1:
        return "sigmoid"
    raise MisfitError(
        f"its {outputs} output channels are no probabilities that add up to 1 (a softmax, or the "
        "sigmoid of one channel)"
    )


def _as_model(layers: Layers, ending: str, grey: Normalization) -> Model:
    """Return the model, whose first layer sees -1 and 1 where the other one's saw 0 and 1."""
    weights = layers.state()
    if ending == "sigmoid":  # of z: the softmax of 0 and z
        for name in ("head.weight", "head.bias"):
            weights[name] = torch.cat([torch.zeros_like(weights[name]), weights[name]])
    first = weights["down.0.0.weight"]
    classes = len(weights["head.bias"])
    network = NetworkConfig(
        "bioimage.io",
        in_channels=first.shape[1],
        classes=classes,
        base_channels=first.shape[0],
        levels=layers.levels,
    )
    if len(grey.low) != network.in_channels:
        raise MisfitError("its test image has another number of channels than the network")
    _check_shapes(network, weights)
    weights["down.0.0.bias"] = weights["down.0.0.bias"] + first.sum(dim=(1, 2, 3)) / 2
    weights["down.0.0.weight"] = first / 2
    if classes == len(OBJECT_VALUES):
        return Model(network, weights, grey, Task.OBJECTS, OBJECT_VALUES)
    return Model(network, weights, grey, Task.CLASSES, tuple(range(1, classes + 1)))


def _check_shapes(network: NetworkConfig, weights: dict[str, torch.Tensor]) -> None:
    for name, shape in shapes_of(network).items():
        if tuple(weights[name].shape) != shape:
            raise MisfitError(
                f"the layer {name} is {tuple(weights[name].shape)} in size, not {shape}"
            )
        if not bool(torch.isfinite(weights[name]).all()):
            raise MisfitError(f"the layer {name} holds NaN or infinite values")


def _tried(model: Model, layers: Layers, image: Array, expected: Array) -> Model:
    """Return the model as it makes the expected answer (K, Y, X) of the image (C, Y, X).

    Programs put skipped features before the upsampled ones, or behind them.
    """
    behind = {k: v for k, v in layers.state(skipped_last=True).items() if "merge" in k}
    ways = [model, replace(model, weights={**model.weights, **behind})]
    apart, best = min(
        ((difference_from(way, image, expected), way) for way in ways), key=lambda one: one[0]
    )
    if apart <= _ALLOWED:
        return best
    raise MisfitError(
        "the U-Net here, with its weights, does not make the package's test output of the test "
        f"input (largest difference {apart:.2g})"
    )


def _tensor(package: zipfile.ZipFile, described: dict[str, Any]) -> Array:
    """Return a test tensor, (C, Y, X)."""
    data = _read(package, described["test_tensor"]["source"], _LARGEST_TENSOR)
    file = io.BytesIO(data)
    is_first = np.lib.format.read_magic(file) == (1, 0)
    read_header = (
        np.lib.format.read_array_header_1_0 if is_first else np.lib.format.read_array_header_2_0
    )
    try:
        with warnings.catch_warnings(action="ignore"):  # that Python 2 may have written it
            shape, is_fortran, dtype = read_header(file)
    except tokenize.TokenError as error:
        raise ValueError("a test tensor's header is no Python literal") from error
    if dtype.kind not in "fiub" or math.prod(shape) * dtype.itemsize > len(data) - file.tell():
        raise ValueError("a test tensor is shorter than it says")
    values = np.frombuffer(data, dtype, math.prod(shape), file.tell())
    array: Array = values.reshape(shape, order="F" if is_fortran else "C").astype(np.float32)
    if array.ndim != 4 or array.size == 0 or not np.isfinite(array).all():
        raise MisfitError("its test tensors are no images (batch, channel, y, x)")
    image: Array = array[0]
    return image


def _read(package: zipfile.ZipFile, name: str, largest: int, packed: int | None = None) -> bytes:
    """Return a file of the package; sizes that cannot be are not believed."""
    info = package.getinfo(str(name))
    too_packed = packed is not None and info.file_size > packed * max(info.compress_size, 1)
    if info.file_size > largest or too_packed:
        raise MisfitError(f"'{info.filename:.60}' is larger than such a file can be")
    with package.open(info) as file:
        data = file.read(largest + 1)
    if len(data) > largest:
        raise MisfitError(f"'{info.filename:.60}' is larger than such a file can be")
    return data
