"""A model as a package of bioimage.io: a zip with weights, test tensors, text, and a description.

The description is written here, without bioimage.io's own library, which the tests use to check and
run packages. The grey values are scaled by percentiles of the image, as preprocessing; all else is
in the network. The model as U-Net Paint keeps it is attached, so that it comes back whole.
"""

from __future__ import annotations

import hashlib
import re
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import yaml
from PIL import Image

from napari_unet.engine.network import Model, SharedNetwork
from napari_unet.io.checkpoints import save_model
from napari_unet.io.model_formats import Credits
from napari_unet.io.package_text import citations, describe_in_a_line, readme
from napari_unet.io.samples import synthetic_cells
from napari_unet.io.shared_models import (
    INPUT,
    OPSET,
    OUTPUT,
    output_names,
    write_onnx,
    write_torchscript,
)

DESCRIPTION = "rdf.yaml"
ATTACHED = "model.safetensors"
"""The model as U-Net Paint keeps it."""

PERCENTILES = 0.5, 99.5
"""Of the grey values, 0 and 1 in what the network is given; as of `engine.stack.grey_range`."""

_VERSION = "0.5.12"  # of the description; the first that says how an image goes on beyond its rim
_SIDE = 256  # of the test tensors, pixels, about
_CLIPPED = 3, 97  # percentiles of the test image
_COVER = 512, 256  # pixels
_EPSILON = 1e-6  # added to the range, grey values
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9_+\- ()]+")
_SHORTEST_NAME = 5  # letters
_LONGEST_NAME = 128


def write_package(model: Model, network: SharedNetwork, path: Path, named: Credits) -> None:
    """Write a package: weights as TorchScript and ONNX, test tensors, cover, and text."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _write_files(model, network, folder)
        described = _describe(model, network, named, folder)
        text = yaml.safe_dump(described, sort_keys=False, allow_unicode=True)
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as package:
            package.writestr(DESCRIPTION, text)
            for file in sorted(folder.iterdir()):
                package.write(file, file.name)


def scale(grey: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return (1, C, Y, X) grey values, 0 and 1 at their percentiles, as bioimage.io scales them."""
    low, high = np.percentile(grey, PERCENTILES, axis=(2, 3), keepdims=True)
    scaled: npt.NDArray[np.float32] = ((grey - low) / (high - low + _EPSILON)).astype(np.float32)
    return scaled


def least_tile(network: SharedNetwork) -> int:
    """Return the least side of a tile, pixels: of less, the halo would leave nothing."""
    return max(network.smallest, 2 * network.halo + network.step)


def _write_files(model: Model, network: SharedNetwork, folder: Path) -> None:
    grey = _example(network)
    scaled = scale(grey)
    with torch.inference_mode():
        found = network(torch.from_numpy(scaled)).numpy()
    np.save(folder / "test-input.npy", grey)
    np.save(folder / "test-output.npy", found)
    write_torchscript(network, folder / "weights.pt")
    write_onnx(network, folder / "weights.onnx")
    save_model(model, folder / ATTACHED)
    _cover(scaled[0, 0], found[0, 1]).save(folder / "cover.png")
    (folder / "README.md").write_text(readme(model, network), encoding="utf-8")


def _example(network: SharedNetwork) -> npt.NDArray[np.float32]:
    """Return an image of made-up cells, (1, C, Y, X).

    Enough pixels are as dark, and as bright, as any: so the percentiles are the same whether a
    program measures them with the halo around the image or without.
    """
    side = max(least_tile(network), network.step * round(_SIDE / network.step))
    cells = synthetic_cells(planes=1, shape=(side, side)).image.astype(np.float32)
    clipped = cells.clip(*np.percentile(cells, _CLIPPED))
    return np.repeat(clipped[np.newaxis], network.channels, axis=1)


def _cover(grey: npt.NDArray[np.float32], found: npt.NDArray[np.float32]) -> Image.Image:
    both = np.hstack([grey.clip(0, 1), found])
    return Image.fromarray((255 * both).astype(np.uint8)).convert("RGB").resize(_COVER)


def _describe(
    model: Model, network: SharedNetwork, named: Credits, folder: Path
) -> dict[str, object]:
    def source(name: str) -> dict[str, object]:
        with (folder / name).open("rb") as file:
            return {"source": name, "sha256": hashlib.file_digest(file, "sha256").hexdigest()}

    is_bundled = not model.record.labelled_pixels
    unnamed = "The U-Net Paint developers" if is_bundled else "A user of U-Net Paint"
    version = torch.__version__.partition("+")[0]
    return {
        "format_version": _VERSION,
        "type": "model",
        "name": _usable_name(named.name),
        "description": describe_in_a_line(model),
        "authors": [{"name": name} for name in named.authors or (unnamed,)],
        "cite": citations(model),
        "license": named.license,
        "documentation": source("README.md"),
        "covers": [source("cover.png")],
        "attachments": [source(ATTACHED)],
        "tags": ["unet", "segmentation", "2d", "microscopy", "napari", "napari-unet-paint"],
        "inputs": [_describe_input(model, network) | {"test_tensor": source("test-input.npy")}],
        "outputs": [_describe_output(model, network) | {"test_tensor": source("test-output.npy")}],
        "weights": {
            "torchscript": source("weights.pt") | {"pytorch_version": version},
            "onnx": source("weights.onnx") | {"opset_version": OPSET, "parent": "torchscript"},
        },
    }


def _describe_input(model: Model, network: SharedNetwork) -> dict[str, object]:
    size = {"min": least_tile(network), "step": network.step}
    low, high = PERCENTILES
    as_float = {"id": "ensure_dtype", "kwargs": {"dtype": "float32"}}
    scaled = {"axes": ["y", "x"], "min_percentile": low, "max_percentile": high, "eps": _EPSILON}
    return {
        "id": INPUT,
        "axes": [
            {"type": "batch"},
            {"type": "channel", "channel_names": [f"channel{n}" for n in range(network.channels)]},
            *(
                {"type": "space", "id": axis, "size": dict(size)} | _scale(model, axis)
                for axis in "yx"
            ),
        ],
        "data": {"type": "float32"},
        "pad": {"mode": "reflect"},
        "preprocessing": [as_float, {"id": "scale_range", "kwargs": scaled}, dict(as_float)],
    }


def _describe_output(model: Model, network: SharedNetwork) -> dict[str, object]:
    names = [name.replace(" ", "_") for name in output_names(model)]
    axes: list[Mapping[str, Any]] = [
        {
            "type": "space",
            "id": axis,
            "size": {"tensor_id": INPUT, "axis_id": axis},
            "halo": network.halo,
        }
        | _scale(model, axis)
        for axis in "yx"
    ]
    return {
        "id": OUTPUT,
        "axes": [{"type": "batch"}, {"type": "channel", "channel_names": names}, *axes],
        "data": {"type": "float32"},
    }


def _scale(model: Model, axis: str) -> dict[str, object]:
    """Return how large a pixel is, where it is known."""
    if model.pixel_size is None:
        return {}
    return {"unit": "micrometer", "scale": float(model.pixel_size["yx".index(axis)])}


def _usable_name(name: str) -> str:
    """Return a name in letters that the format allows, and enough of them."""
    usable = " ".join(_NOT_IN_NAMES.sub(" ", name).split())
    return (usable if len(usable) >= _SHORTEST_NAME else f"U-Net {usable}".strip())[:_LONGEST_NAME]
