"""U-Nets of other programs come in if they compute the same; what does not fit is said."""

from __future__ import annotations

import io
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
import yaml
from torch import nn

from napari_unet.config import Task
from napari_unet.engine.errors import CheckpointError, FileError
from napari_unet.engine.network import Model
from napari_unet.engine.prediction import predictor
from napari_unet.io.bioimageio_import import load_package
from napari_unet.io.exchange import import_model
from napari_unet.io.hashes import model_hash
from napari_unet.io.model_formats import SharedFormat
from napari_unet.io.shared_models import share_model
from tests.engine.tiny import noise, probabilities, tiny_model

SIDE = 64

Change = Callable[[dict[str, Any]], None]


class Theirs(nn.Module):
    """A U-Net as others write it: padded with zeros, with batch normalisation."""

    def __init__(self, outputs: int, ending: nn.Module, *, skipped_last: bool = False) -> None:
        super().__init__()

        def double(i: int, o: int) -> nn.Sequential:
            return nn.Sequential(
                *(nn.Conv2d(i, o, 3, padding=1), nn.BatchNorm2d(o), nn.ReLU()),
                *(nn.Conv2d(o, o, 3, padding=1), nn.ReLU()),
            )

        self.one, self.two, self.three = double(1, 4), double(4, 8), double(8, 16)
        self.pool = nn.MaxPool2d(2)
        self.up, self.up_again = nn.ConvTranspose2d(16, 8, 2, 2), nn.ConvTranspose2d(8, 4, 2, 2)
        self.merge, self.merge_again = double(16, 8), double(8, 4)
        self.head, self.ending = nn.Conv2d(4, outputs, 1), ending
        self.order = -1 if skipped_last else 1

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        one = self.one(x)
        two = self.two(self.pool(one))
        x = self.up(self.three(self.pool(two)))
        x = self.merge(torch.cat([two, x][:: self.order], 1))
        x = self.merge_again(torch.cat([one, self.up_again(x)][:: self.order], 1))
        found: torch.Tensor = self.ending(self.head(x))
        return found


def drawn(network: nn.Module) -> nn.Module:
    """Return a network whose weights and statistics are of no special values."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for part in network.modules():
            if isinstance(part, nn.BatchNorm2d):
                for values in (part.weight, part.bias, part.running_mean, part.running_var):
                    assert values is not None
                    values.uniform_(0.5, 1.5, generator=generator)
            elif isinstance(part, nn.Conv2d | nn.ConvTranspose2d):
                nn.init.kaiming_normal_(part.weight, generator=generator)
    return network.eval()


def exported(network: nn.Module) -> bytes:
    file: Any = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(network, (torch.rand(1, 1, SIDE, SIDE),), file, dynamo=False)
    return bytes(file.getvalue())


def packed(path: Path, network: nn.Module, change: Change = lambda _d: None) -> Path:
    """Write a package of a network as another program would."""
    grey = noise(1, 1, SIDE, SIDE).astype(np.float32)
    low, high = np.percentile(grey, (1, 99.8))
    with torch.inference_mode():
        found = network(torch.from_numpy((grey - low) / (high - low)).float()).numpy()
    axes = [{"type": "batch"}, {"type": "channel", "channel_names": ["a"]}]
    axes += [{"type": "space", "id": axis, "size": SIDE} for axis in "yx"]
    scaled = {"axes": ["y", "x"], "min_percentile": 1, "max_percentile": 99.8}
    described: dict[str, Any] = {
        "type": "model",
        "format_version": "0.5.3",
        "name": "nuclei",
        "inputs": [
            {
                "axes": axes,
                "test_tensor": {"source": "in.npy"},
                "preprocessing": [{"id": "scale_range", "kwargs": scaled}],
            }
        ],
        "outputs": [{"axes": axes, "test_tensor": {"source": "out.npy"}}],
        "weights": {"onnx": {"source": "w.onnx"}, "torchscript": {"source": "w.pt"}},
    }
    change(described)
    with zipfile.ZipFile(path, "w") as package:
        package.writestr("rdf.yaml", yaml.safe_dump(described))
        package.writestr("w.onnx", exported(network))
        for name, array in (("in.npy", grey), ("out.npy", found)):
            file = io.BytesIO()
            np.save(file, array)
            package.writestr(name, file.getvalue())
    return path


@pytest.fixture(scope="module")
def nuclei() -> nn.Module:
    return drawn(Theirs(1, nn.Sigmoid()))


def test_a_package_of_ours_comes_back_as_the_same_model(tmp_path: Path) -> None:
    model = tiny_model(task=Task.CLASSES, values=(1, 4, 7))
    back = load_package(share_model(model, tmp_path / "m.zip", SharedFormat.BIOIMAGEIO))
    assert model_hash(back) == model_hash(model)
    assert back.values == (1, 4, 7)


@pytest.mark.parametrize("skipped_last", [False, True])
def test_a_u_net_that_pads_and_normalises_finds_the_same_objects(
    skipped_last: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = drawn(Theirs(1, nn.Sigmoid(), skipped_last=skipped_last))
    model = load_package(packed(tmp_path / "nuclei.zip", network))
    assert model.task is Task.OBJECTS
    assert "'nuclei', a package of bioimage.io" in model.record.start
    monkeypatch.setattr(predictor, "measure", lambda *_, **__: model.normalization)
    grey = noise(SIDE, SIDE)
    low, high = model.normalization.low[0], model.normalization.high[0]
    scaled = torch.from_numpy((grey.astype(np.float32) - low) / (high - low)).float()
    with torch.inference_mode():
        expected = network(scaled[None, None])[0, 0].numpy()
    # Ours pools from another pixel on: a crop that begins two pixels further pools the same ones.
    found = probabilities(model, grey[2:, 2:])[0]
    assert found[22:-22, 22:-22] == pytest.approx(expected[24:-22, 24:-22], abs=1e-4)


def test_a_softmax_of_several_channels_becomes_classes(tmp_path: Path) -> None:
    model = load_package(packed(tmp_path / "m.zip", drawn(Theirs(3, nn.Softmax(1)))))
    assert (model.task, model.values) == (Task.CLASSES, (1, 2, 3))


def set_at(*keys: Any) -> Callable[[Any], Change]:
    """Return what sets a part of a description to a value."""

    def setting(value: Any) -> Change:
        def change(described: Any) -> None:
            for key in keys[:-1]:
                described = described[key]
            described[keys[-1]] = value

        return change

    return setting


PERCENTILES = ("inputs", 0, "preprocessing", 0, "kwargs")
MISFITS = {
    "not two-dimensional": set_at("inputs", 0, "axes")([{"type": "batch"}, {"type": "channel"}]),
    "only as torchscript": set_at("weights")({"torchscript": {"source": "w.pt"}}),
    "zero_mean": set_at("inputs", 0, "preprocessing")([{"id": "zero_mean_unit_variance"}]),
    "not near the ends": set_at(*PERCENTILES, "min_percentile")(30),
    "several inputs": set_at("inputs")([{}, {}]),
    "version 0.4": set_at("format_version")("0.4.10"),
    "no probabilities": set_at("outputs", 0, "postprocessing")([{"id": "sigmoid"}]),
    "does not make": set_at(*PERCENTILES, "max_percentile")(95),
    "damaged": set_at("weights", "onnx")({"source": "https://example.org/w.onnx"}),
}


@pytest.mark.parametrize("what", MISFITS)
def test_what_does_not_fit_is_said_in_a_sentence(
    what: str, nuclei: nn.Module, tmp_path: Path
) -> None:
    path = packed(tmp_path / "theirs.zip", nuclei, MISFITS[what])
    with pytest.raises(CheckpointError, match=what) as caught:
        load_package(path)
    assert "theirs.zip" in str(caught.value)


class Other(nn.Module):
    def __init__(self, *parts: nn.Module) -> None:
        super().__init__()
        self.parts = nn.Sequential(nn.Conv2d(1, 1, 3, padding=1), *parts, nn.Sigmoid())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = self.parts(x)
        return found


@pytest.mark.parametrize(
    ("part", "what"),
    [
        (nn.LeakyReLU(), "the operation 'LeakyRelu'"),
        (nn.ReLU(), "do not follow one another"),
        (nn.Conv2d(1, 1, 3, padding=2, dilation=2), "dilations"),
    ],
)
def test_another_network_is_told_by_its_operations(
    part: nn.Module, what: str, tmp_path: Path
) -> None:
    with pytest.raises(CheckpointError, match=what):
        load_package(packed(tmp_path / "m.zip", Other(part).eval()))


def test_weights_in_another_file_are_not_looked_for(nuclei: nn.Module, tmp_path: Path) -> None:
    content = onnx.load_model_from_string(exported(nuclei))
    for tensor in content.graph.initializer:
        tensor.data_location = onnx.TensorProto.EXTERNAL
        tensor.external_data.add(key="location", value="../secret")
    path = packed(tmp_path / "m.zip", nuclei)
    rewritten(path, "w.onnx", content.SerializeToString())
    with pytest.raises(CheckpointError, match="weights are kept in another file"):
        load_package(path)


def rewritten(path: Path, name: str, data: bytes) -> None:
    """Replace a file of a package."""
    with zipfile.ZipFile(path) as package:
        files = {one: package.read(one) for one in package.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as package:
        for one, content in {**files, name: data}.items():
            package.writestr(one, content)


def announced(shape: tuple[int, ...]) -> bytes:
    """Return the beginning of an array's file, and no more."""
    file = io.BytesIO()
    header = {"descr": "<f4", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, header)
    return file.getvalue()


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("rdf.yaml", b"!!python/object/apply:os.system ['true']"),
        ("rdf.yaml", b"[" * 5000),
        ("rdf.yaml", b"5"),
        ("rdf.yaml", b" " * 2**21),
        ("in.npy", announced((1, 1, 10**8, 10**8))),
        ("in.npy", announced((1, 1, 9)).replace(b"}", b" ")),
        ("in.npy", b"PK\x03\x04"),
        ("w.onnx", b"\x00" * 10**6),
        ("w.onnx", b"\xff\xff\xff"),
        ("w.onnx", b""),
    ],
)
def test_a_damaged_or_hostile_package_is_refused_in_one_sentence(
    name: str, data: bytes, nuclei: nn.Module, tmp_path: Path
) -> None:
    path = packed(tmp_path / "m.zip", nuclei)
    rewritten(path, name, data)
    with pytest.raises(CheckpointError, match=r"'m\.zip' (is no package|does not fit)"):
        load_package(path)


def test_what_is_no_zip_or_not_there_is_said(tmp_path: Path) -> None:
    (tmp_path / "m.zip").write_bytes(b"PK\x03\x04 not more")
    with pytest.raises(CheckpointError, match="is no package"):
        load_package(tmp_path / "m.zip")
    with pytest.raises(FileError, match="does not exist"):
        load_package(tmp_path / "none.zip")


def test_a_package_is_kept_among_ones_own_models(
    nuclei: nn.Module, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NAPARI_UNET_MODELS", str(tmp_path / "models"))
    source = packed(tmp_path / "theirs.zip", nuclei)
    path, model = import_model(source, "nuclei")
    assert path == tmp_path / "models" / "nuclei.safetensors"
    assert isinstance(model, Model)
    assert import_model(path, "again")[1].record == model.record
    with pytest.raises(FileError, match="exists already"):
        import_model(source, "nuclei")
