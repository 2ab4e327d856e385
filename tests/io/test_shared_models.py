"""ONNX and TorchScript hold the same network; what cannot be written is said in one sentence."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from napari_unet.engine.errors import FileError, SettingsError
from napari_unet.engine.network import Model, SharedNetwork
from napari_unet.io.model_formats import SharedFormat
from napari_unet.io.shared_models import INPUT, share_model
from tests.engine.tiny import tiny_model

_PLAIN = {  # of TorchScript, that older versions of it know
    *("Int", "_convolution", "add", "cat", "clamp", "dropout", "floor_divide", "max_pool2d", "mul"),
    *("neg", "pad", "relu_", "remainder", "size", "slice", "softmax", "sub"),
}


@pytest.fixture(scope="module")
def model() -> Model:
    return tiny_model(levels=3, shape_field=True)


def image_for(network: SharedNetwork) -> torch.Tensor:
    """Return an image of other sides than any example."""
    return torch.rand((2, 1, network.smallest + 7, network.smallest + 18))


def test_onnx_gives_the_same_probabilities(model: Model, tmp_path: Path) -> None:
    path = share_model(model, tmp_path / "cells.onnx", SharedFormat.ONNX)
    (opset,) = onnx.load(path).opset_import
    assert opset.version <= 18
    network = SharedNetwork(model)
    image = image_for(network)
    (found,) = onnxruntime.InferenceSession(path).run(None, {INPUT: image.numpy()})
    with torch.inference_mode():
        assert np.abs(found - network(image).numpy()).max() < 1e-4


@pytest.mark.filterwarnings("ignore:`torch.jit.load`")
def test_torchscript_gives_the_same_probabilities_by_plain_operators(
    model: Model, tmp_path: Path
) -> None:
    path = share_model(model, tmp_path / "cells.pt", SharedFormat.TORCHSCRIPT)
    script: Any = torch.jit.load(path)  # type: ignore[no-untyped-call]
    kinds = {node.kind() for node in script.inlined_graph.nodes()}
    assert {kind.removeprefix("aten::") for kind in kinds if kind.startswith("aten")} <= _PLAIN
    network = SharedNetwork(model)
    image = image_for(network)
    with torch.inference_mode():
        assert float((script(image) - network(image)).abs().max()) < 1e-4


def test_nothing_is_overwritten_and_a_name_ends_as_its_format(model: Model, tmp_path: Path) -> None:
    path = tmp_path / "cells.pt"
    path.write_bytes(b"mine")
    with pytest.raises(FileError, match="exists already"):
        share_model(model, path, SharedFormat.TORCHSCRIPT)
    assert path.read_bytes() == b"mine"
    with pytest.raises(SettingsError, match=r"must end in \.onnx"):
        share_model(model, path, SharedFormat.ONNX)


def test_a_missing_library_is_named_with_what_installs_it(
    model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    for form, name in ((SharedFormat.ONNX, "c.onnx"), (SharedFormat.BIOIMAGEIO, "c.zip")):
        with pytest.raises(SettingsError, match=r'pip install "napari-unet-paint\[share\]"'):
            share_model(model, tmp_path / name, form)
    assert list(tmp_path.iterdir()) == []
