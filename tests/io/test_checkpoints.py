"""A checkpoint holds all of a model, runs nothing, and says what is wrong with it."""

from __future__ import annotations

import json
import os
import pickle
import sys
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch

from napari_unet import __version__
from napari_unet.config import NETWORKS, NetworkConfig, Task, TrainConfig
from napari_unet.engine.errors import CheckpointError, FileError
from napari_unet.engine.network.model import Model, fresh_model
from napari_unet.engine.network.record import (
    Diameter,
    DiameterSource,
    HeldOut,
    ObjectSizes,
    TrainRecord,
)
from napari_unet.engine.stack.normalization import Normalization
from napari_unet.io.checkpoints import load_model, read_header, save_model

TINY = NetworkConfig(name="tiny", base_channels=4, levels=2, dropout=0.25)
RECORD = TrainRecord(
    started="2026-01-02T03:04:05+00:00",
    version="0.1.0",
    start="light",
    device="cpu",
    steps=120,
    best_step=80,
    seconds=12.5,
    finished="time is up",
    labelled_pixels=4321,
    painted_objects=ObjectSizes(120, 433.5),
    diameter=Diameter(23.5, DiameterSource.ESTIMATED),
    smallest_hole=60,
    held_out=(HeldOut(3, (0, 32), (8, 40), 99), HeldOut(4, (1, 2), (3, 4), 1)),
    validation_loss=0.25,
    validation_iou=0.75,
    settings=asdict(TrainConfig()),
)


@pytest.fixture
def model() -> Model:
    torch.set_num_threads(1)
    normalization = Normalization((3.0, -1.5), (4095.0, 1e-3))
    made = fresh_model(TINY, normalization, Task.CLASSES, (1, 2, 7))
    return replace(made, pixel_size=(0.2, 0.19), record=RECORD)


def same(a: Model, b: Model) -> bool:
    return (
        replace(a, weights={}) == replace(b, weights={})
        and a.weights.keys() == b.weights.keys()
        and all(torch.equal(a.weights[name], b.weights[name]) for name in a.weights)
    )


def test_every_part_of_a_model_comes_back(model: Model, tmp_path: Path) -> None:
    path = save_model(model, tmp_path / "m.safetensors")
    assert path == tmp_path / "m.safetensors"
    assert same(load_model(path), model)
    assert [p.name for p in tmp_path.iterdir()] == ["m.safetensors"]


@pytest.mark.parametrize("reduction", [None, 1, 3, 8])
def test_the_reduction_comes_back(model: Model, tmp_path: Path, reduction: int | None) -> None:
    path = save_model(replace(model, reduction=reduction), tmp_path / "m.safetensors")
    assert load_model(path).reduction == read_header(path).reduction == reduction


def test_the_enlargement_comes_back(model: Model, tmp_path: Path) -> None:
    path = save_model(replace(model, enlargement=2), tmp_path / "m.safetensors")
    assert load_model(path).enlargement == read_header(path).enlargement == 2


def test_a_loaded_model_predicts_the_same(model: Model, tmp_path: Path) -> None:
    loaded = load_model(save_model(model, tmp_path / "m.safetensors"))
    image = torch.randn(1, 2, 44, 44, generator=torch.Generator().manual_seed(0))
    cpu = torch.device("cpu")
    with torch.inference_mode():
        assert torch.equal(model.build(cpu)(image), loaded.build(cpu)(image))


def test_float16_halves_the_file_and_comes_back_as_float32(model: Model, tmp_path: Path) -> None:
    full = save_model(model, tmp_path / "full.safetensors")
    half = save_model(model, tmp_path / "half.safetensors", half=True)
    parameters = sum(tensor.numel() for tensor in model.weights.values())
    assert full.stat().st_size - half.stat().st_size == pytest.approx(2 * parameters, abs=8)
    for name, tensor in load_model(half).weights.items():
        assert tensor.dtype == torch.float32
        torch.testing.assert_close(tensor, model.weights[name], rtol=5e-4, atol=1e-6)


def test_the_header_is_read_without_the_weights(
    model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = save_model(model, tmp_path / "m.safetensors")
    monkeypatch.setattr(torch, "isfinite", None)  # which every loaded weight is asked for
    header = read_header(path)
    assert (header.version, header.network, header.record) == (__version__, model.network, RECORD)
    assert (header.task, header.values, header.pixel_size) == (Task.CLASSES, (1, 2, 7), (0.2, 0.19))


def test_the_header_is_plain_text_that_others_can_read(model: Model, tmp_path: Path) -> None:
    path = save_model(model, tmp_path / "m.safetensors")
    with safetensors.safe_open(path, framework="np") as file:
        texts = file.metadata()
    assert (texts["format"], texts["format_version"]) == ("napari-unet-paint", "1")
    described = json.loads(texts["model"])
    assert described["network"]["base_channels"] == 4
    assert described["record"]["settings"]["learning_rate"] == 1e-3


def test_a_record_with_odd_values_never_costs_the_model(model: Model, tmp_path: Path) -> None:
    settings: dict[Any, Any] = {
        "path": Path("a"),
        "inf": float("inf"),
        "n": np.float32(2),
        3: (1, Task.OBJECTS),
    }
    odd = replace(RECORD, validation_loss=float("nan"), settings=settings)
    loaded = load_model(save_model(replace(model, record=odd), tmp_path / "m.safetensors"))
    assert loaded.record.validation_loss is None
    assert loaded.record.settings == {"path": "a", "inf": None, "n": 2.0, "3": [1, "objects"]}


def test_the_light_network_comes_back(tmp_path: Path) -> None:
    made = fresh_model(NETWORKS["light"], Normalization((0.0,), (1.0,)), Task.OBJECTS, (0, 1))
    path = save_model(made, tmp_path / "m.safetensors", half=True)
    parameters = sum(tensor.numel() for tensor in made.weights.values())
    assert path.stat().st_size < 2 * parameters + 20_000
    assert load_model(path).network == NETWORKS["light"]


def test_nothing_is_ever_unpickled(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[Any, ...]:
            return (pytest.fail, ("the checkpoint ran code",))

    path = tmp_path / "m.safetensors"
    path.write_bytes(pickle.dumps(Trap()))
    with pytest.raises(CheckpointError):
        load_model(path)
    torch.save({"a": Trap()}, path)
    with pytest.raises(CheckpointError):
        load_model(path)


@pytest.mark.parametrize("name", ["m.pt", "m.pth", "m.pkl", "m.ckpt", "m.safetensors"])
@pytest.mark.parametrize("kind", ["torch", "old torch", "pickle", "text"])
def test_pickled_models_are_refused_with_the_reason(kind: str, name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    if kind.endswith("torch"):
        is_zip = kind == "torch"
        torch.save({"a": torch.zeros(3)}, path, _use_new_zipfile_serialization=is_zip)
    else:
        path.write_bytes(pickle.dumps({"a": 1}, protocol=0 if kind == "text" else 4))
    sentence = r"' holds Python objects, which may run any code .*; ask for the model as .safeten"
    if (kind, name) == ("text", "m.safetensors"):  # nothing tells that it is one
        sentence = "is no safetensors file; give a model"
    with pytest.raises(CheckpointError, match=sentence):
        load_model(path)


# Bad checkpoints

Texts = dict[str, str]
Tensors = dict[str, torch.Tensor]


def parts(model: Model, folder: Path) -> tuple[Tensors, Texts, dict[str, Any]]:
    path = save_model(model, folder / "whole.safetensors")
    with safetensors.safe_open(path, framework="pt") as file:
        texts = file.metadata()
    return safetensors.torch.load_file(path), texts, json.loads(texts["model"])


def changed(**changes: Any) -> Callable[[Tensors, Texts, dict[str, Any]], None]:
    """Change the description; a dotted name (written with __) reaches inside."""

    def change(tensors: Tensors, texts: Texts, described: dict[str, Any]) -> None:
        for name, value in changes.items():
            *outer, last = name.split("__")
            inside = described
            for key in outer:
                inside = inside[key]
            if value is KeyError:
                del inside[last]
            else:
                inside[last] = value
        texts["model"] = json.dumps(described)

    return change


def text(**changes: str) -> Callable[[Tensors, Texts, dict[str, Any]], None]:
    return lambda tensors, texts, described: texts.update(changes)


def tensors_(change: Callable[[Tensors], Any]) -> Callable[[Tensors, Texts, dict[str, Any]], None]:
    def apply(tensors: Tensors, texts: Texts, described: dict[str, Any]) -> None:
        change(tensors)

    return apply


BAD: dict[str, tuple[Callable[[Tensors, Texts, dict[str, Any]], Any], str, str]] = {
    "another program": (text(format="pt"), "of another program", "that napari-unet trained"),
    "no texts": (lambda a, texts, c: texts.clear(), "of another program", "napari-unet trained"),
    "newer version": (text(format_version="2"), "newer version", "pip install --upgrade"),
    "garbled version": (text(format_version="x"), "is damaged", "train the model again"),
    "no JSON": (text(model="{"), "is damaged", "train the model again"),
    "no object": (text(model="[1]"), "is damaged", "train the model again"),
    "deep JSON": (text(model="[" * 100_000), "is damaged", "train the model again"),
    "no network": (changed(network=KeyError), "lacks 'network'", "train the model again"),
    "new field": (changed(network__attention=True), "no field 'attention'", "train the model"),
    "wrong type": (changed(network__levels="2"), "levels is '2'", "train the model again"),
    "truth as number": (changed(network__levels=True), "levels is True", "train the model again"),
    "beyond limits": (changed(network__levels=99), "levels must be 1 to 7", "train the model"),
    "absurd width": (changed(network__base_channels=10**12), "wider than 1024", "train the model"),
    "another width": (
        changed(network__base_channels=8),
        "down.0.0.bias' is (4,), not (8,)",
        "train",
    ),
    "unknown task": (changed(task="poetry"), "poetry", "train the model again"),
    "too few values": (changed(values=[1, 2]), "(1, 2) for 3 classes", "train the model again"),
    "values twice": (changed(values=[1, 1, 2]), "for 3 classes", "train the model again"),
    "a value once more": (changed(values=[1, 2, 7, 7]), "for 3 classes", "train the model again"),
    "negative value": (changed(values=[-1, 1, 2]), "for 3 classes", "train the model again"),
    "value beyond int32": (changed(values=[1, 2, 2**31]), "for 3 classes", "train the model again"),
    "values of objects": (changed(task="objects"), "for objects", "train the model again"),
    "one channel": (changed(normalization__low=[0.0]), "normalisation", "train the model again"),
    "empty range": (changed(normalization__low=[1e9, 1e9]), "is empty", "train the model again"),
    "NaN": (changed(normalization__low=[float("nan"), 1]), "low is nan", "train the model again"),
    "pixel size": (changed(pixel_size=[0, 1]), "pixel_size is", "train the model again"),
    "three sizes": (changed(pixel_size=[1, 1, 1]), "pixel_size is", "train the model again"),
    "reduction of 0": (changed(reduction=0), "reduction is 0", "train the model again"),
    "reduction of 9": (changed(reduction=9), "reduction is 9", "train the model again"),
    "reduction of 2.5": (changed(reduction=2.5), "reduction is 2.5", "train the model again"),
    "enlargement": (changed(enlargement=3), "enlargement is 3", "train the model again"),
    "both": (changed(enlargement=2, reduction=2), "enlargement is 2", "train the model again"),
    "no width": (changed(record__diameter__pixels=0), "objects are 0", "train the model again"),
    "held out": (changed(record__held_out=[1]), "HeldOut is 1", "train the model again"),
    "missing tensor": (
        tensors_(lambda t: t.pop("head.weight")),
        "'head.weight' is missing",
        "train the model again",
    ),
    "extra tensor": (
        tensors_(lambda t: t.update(extra=torch.zeros(1))),
        "'extra' belongs to no part",
        "train the model again",
    ),
    "misshaped tensor": (
        tensors_(lambda t: t.update({"head.bias": torch.zeros(4)})),
        "'head.bias' is (4,), not (3,)",
        "train the model again",
    ),
    "whole numbers": (
        tensors_(lambda t: t.update({"head.bias": torch.zeros(3, dtype=torch.int64)})),
        "'head.bias' is not stored as float16 or float32",
        "train the model again",
    ),
    "NaN weights": (
        tensors_(lambda t: t["head.bias"].fill_(torch.nan)),
        "weights are NaN or infinite",
        "train the model again",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_checkpoint_gets_one_sentence_with_the_cure(
    name: str, model: Model, tmp_path: Path
) -> None:
    change, says, cure = BAD[name]
    tensors, texts, described = parts(model, tmp_path)
    change(tensors, texts, described)
    path = tmp_path / "bad.safetensors"
    safetensors.torch.save_file(tensors, path, texts)
    with pytest.raises(CheckpointError) as raised:
        load_model(path)
    sentence = str(raised.value)
    assert "bad.safetensors" in sentence
    assert says in sentence
    assert cure in sentence
    assert sentence.endswith(".")
    if name != "NaN weights":
        with pytest.raises(CheckpointError):
            read_header(path)


def test_a_model_from_before_there_was_a_reduction_sees_every_pixel(
    model: Model, tmp_path: Path
) -> None:
    tensors, texts, described = parts(replace(model, reduction=4), tmp_path)
    changed(reduction=KeyError, enlargement=KeyError)(tensors, texts, described)
    safetensors.torch.save_file(tensors, tmp_path / "m.safetensors", texts)
    loaded = load_model(tmp_path / "m.safetensors")
    assert (loaded.reduction, loaded.enlargement) == (1, 1)


def test_a_record_of_a_later_release_may_know_more(model: Model, tmp_path: Path) -> None:
    tensors, texts, described = parts(model, tmp_path)
    changed(record__carbon_grams=3)(tensors, texts, described)
    safetensors.torch.save_file(tensors, tmp_path / "m.safetensors", texts)
    assert load_model(tmp_path / "m.safetensors").record == RECORD


@pytest.mark.parametrize("share", [0.0, 0.0001, 0.01, 0.5, 0.999])
def test_a_truncated_checkpoint_is_told(share: float, model: Model, tmp_path: Path) -> None:
    path = save_model(model, tmp_path / "m.safetensors")
    data = path.read_bytes()
    path.write_bytes(data[: int(share * len(data))])
    for read in (load_model, read_header):
        with pytest.raises(
            CheckpointError, match=r"m.safetensors' is truncated or no .* once more"
        ):
            read(path)


def test_a_missing_checkpoint_is_told(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"does not exist; .* 'napari-unet models list'"):
        load_model(tmp_path / "m.safetensors")


@pytest.mark.parametrize(
    "change",
    [
        {"reduction": 10**400},
        {"pixel_size": [10**400, 1]},
        {"record": {"steps": 10**400}},
        {"record": {"seconds": 10**400}},
        {"record": 5},
        {"values": list(range(500_000))},
        {"version": 7},
    ],
)
def test_a_header_that_no_model_has_gets_one_short_sentence(
    change: dict[str, Any], model: Model, tmp_path: Path
) -> None:
    tensors, texts, described = parts(model, tmp_path)
    texts["model"] = json.dumps({**described, **change})
    path = tmp_path / "bad.safetensors"
    safetensors.torch.save_file(tensors, path, texts)
    with pytest.raises(CheckpointError, match=r"bad.safetensors'") as raised:
        read_header(path)
    assert len(str(raised.value)) < 500 + len(str(path))


def test_a_header_of_gigabytes_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    with path.open("wb") as file:
        file.write((2**24).to_bytes(8, "little") + b"{}")
        file.truncate(2**25)
    with pytest.raises(CheckpointError, match=r"is no safetensors file; give a model that"):
        read_header(path)


@pytest.mark.skipif(sys.platform == "win32", reason="has no named pipes among files")
@pytest.mark.parametrize("kind", ["pipe", "folder", "link to itself", "long name"])
def test_what_is_no_file_keeps_nobody_waiting(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    elif kind == "link to itself":
        path.symlink_to(path)
    else:
        path = tmp_path / f"{'m' * 300}.safetensors"
    with pytest.raises(CheckpointError, match=r"m.safetensors' .*\.$"):
        read_header(path)


def test_words_of_a_file_do_not_control_a_terminal(model: Model, tmp_path: Path) -> None:
    tensors, texts, _ = parts(model, tmp_path)
    tensors[f"a\x1b[2J{'a' * 9000}"] = torch.zeros(1)
    path = tmp_path / "bad.safetensors"
    safetensors.torch.save_file(tensors, path, texts)
    with pytest.raises(CheckpointError, match=r"a�.2J.* belongs to no part") as raised:
        read_header(path)
    assert len(str(raised.value)) < 500 + len(str(path))


def test_a_folder_is_no_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no safetensors file"):
        load_model(tmp_path)


def test_a_checkpoint_that_cannot_be_written_leaves_the_old_one(
    model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = save_model(model, tmp_path / "m.safetensors")
    old = path.read_bytes()

    def full(self: Path, data: bytes) -> int:
        with self.open("wb") as file:
            file.write(data[:100])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(FileError, match=r"disk is full: .*m.safetensors' .*; free some space"):
        save_model(replace(model, pixel_size=None), path)
    assert path.read_bytes() == old
    assert [p.name for p in tmp_path.iterdir()] == ["m.safetensors"]


def test_a_checkpoint_needs_its_folder(model: Model, tmp_path: Path) -> None:
    with pytest.raises(FileError, match=r"does not exist, so 'm.safetensors' cannot be written"):
        save_model(model, tmp_path / "none" / "m.safetensors")


@pytest.mark.parametrize(
    ("value", "half", "cure"),
    [(torch.nan, False, "smaller learning rate"), (1e6, True, "save it with full precision")],
)
def test_weights_that_diverged_are_not_kept(
    value: float, half: bool, cure: str, model: Model, tmp_path: Path
) -> None:
    weights = {**model.weights, "head.bias": torch.full((3,), value)}
    with pytest.raises(CheckpointError, match=f"'m.safetensors' hold NaN or infinite .*{cure}"):
        save_model(replace(model, weights=weights), tmp_path / "m.safetensors", half=half)
    assert list(tmp_path.iterdir()) == []
