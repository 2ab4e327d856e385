"""Models for other programs: a package of bioimage.io, ONNX, and TorchScript.

All three hold the same network (`engine.network.shared_network`), whose output is as large as its
input. ONNX, and so the package, needs one library more: ``pip install "napari-unet-paint[share]"``.
"""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from napari_unet.config import Task
from napari_unet.engine.errors import SettingsError
from napari_unet.engine.network import Model, SharedNetwork
from napari_unet.io.failures import exists_already
from napari_unet.io.model_formats import SUFFIXES, Credits, SharedFormat
from napari_unet.io.replacing import replacing

OPSET = 17
"""Version of ONNX's operators: deepImageJ knows none above 18."""

INPUT, OUTPUT = "image", "probabilities"


def share_model(
    model: Model,
    path: Path,
    form: SharedFormat,
    *,
    named: Credits = Credits(),  # noqa: B008 frozen
    overwrite: bool = False,
) -> Path:
    """Write a model for other programs.

    Parameters
    ----------
    model
        A trained model.
    path
        The file.
    form
        What it is written as; the file must end as `SUFFIXES` says.
    named
        What a package says of it.
    overwrite
        Replace an existing file.

    Raises
    ------
    SettingsError
        If the name does not end so, or a library is missing; the text says how to get it.
    FileError
        If the file is there already, or cannot be written.
    """
    suffix = SUFFIXES[form]
    if path.suffix.lower() != suffix:
        raise SettingsError(f"'{path.name}' must end in {suffix} for {form}; choose another name.")
    if form is not SharedFormat.TORCHSCRIPT:
        require_onnx(form)
    if path.exists() and not overwrite:
        raise exists_already(path)
    network = SharedNetwork(model)
    with replacing(path, overwrite=overwrite) as part:
        match form:
            case SharedFormat.TORCHSCRIPT:
                write_torchscript(network, part)
            case SharedFormat.ONNX:
                write_onnx(network, part)
            case SharedFormat.BIOIMAGEIO:
                from napari_unet.io.bioimageio_package import write_package  # noqa: PLC0415

                write_package(model, network, part, replace(named, name=named.name or path.stem))
    return path


def require_onnx(purpose: str) -> None:
    """Make sure that the library for ONNX is there.

    Raises
    ------
    SettingsError
        If it is missing.
    """
    if importlib.util.find_spec("onnx") is None:
        raise SettingsError(
            f"{purpose} needs the package onnx; install it with: "
            'pip install "napari-unet-paint[share]".'
        )


def write_torchscript(network: SharedNetwork, path: Path) -> None:
    """Write the traced network."""
    with _quiet(), torch.inference_mode():
        traced = torch.jit.trace(network, _example(network))  # type: ignore[no-untyped-call]
        torch.jit.save(traced, path)


def write_onnx(network: SharedNetwork, path: Path) -> None:
    """Write the network in ONNX's operators, for images of any size."""
    free = {0: "batch", 2: "y", 3: "x"}
    with _quiet(), torch.inference_mode():
        torch.onnx.export(
            network,
            (_example(network),),
            path,
            dynamo=False,  # the other one needs more libraries, and fixes sizes
            opset_version=OPSET,
            input_names=[INPUT],
            output_names=[OUTPUT],
            dynamic_axes={INPUT: free, OUTPUT: free},
        )


def _example(network: SharedNetwork) -> Tensor:
    """Return an image that it takes, of other height than width."""
    shape = (1, network.channels, network.smallest, network.smallest + network.step)
    return torch.rand(shape, generator=torch.Generator().manual_seed(0))


def output_names(model: Model) -> list[str]:
    """Return what the channels of the output are."""
    if model.task is Task.OBJECTS:
        names = ["background", "objects"]
    else:
        names = [f"class {value}" for value in model.values]
    return [*names, "shape"] if model.network.shape_field else names


@contextmanager
def _quiet() -> Iterator[None]:
    """Hide that PyTorch's older ways to write a network are going to be others."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
