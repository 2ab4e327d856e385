"""A package of bioimage.io says what is so, and gives our probabilities."""

from __future__ import annotations

import hashlib
import io
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
import yaml

from napari_unet.config import Task
from napari_unet.engine.network import Model, SharedNetwork, margin
from napari_unet.engine.prediction import predictor
from napari_unet.engine.stack.normalization import Normalization
from napari_unet.io.bioimageio_package import PERCENTILES, scale
from napari_unet.io.model_formats import Credits, SharedFormat
from napari_unet.io.package_text import citations
from napari_unet.io.shared_models import INPUT, OUTPUT, share_model
from tests.engine.tiny import noise, probabilities, tiny_model

ALLOWED = 1e-4


@pytest.fixture(scope="module")
def model() -> Model:
    return replace(tiny_model(levels=3, shape_field=True), pixel_size=(0.5, 0.25))


@pytest.fixture(scope="module")
def package(model: Model, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("package") / "cells.zip"
    named = Credits("HeLa: 2", authors=("Ada Lovelace",))
    return share_model(model, path, SharedFormat.BIOIMAGEIO, named=named)


def described(package: Path) -> dict[str, Any]:
    with zipfile.ZipFile(package) as files:
        content: dict[str, Any] = yaml.safe_load(files.read("rdf.yaml"))
    return content


def sources(part: object) -> list[dict[str, str]]:
    """Return all files that a description names, with their hashes."""
    if isinstance(part, dict):
        own = [part] if "source" in part else []
        return own + [source for value in part.values() for source in sources(value)]
    return [s for value in part for s in sources(value)] if isinstance(part, list) else []


def test_a_package_describes_sizes_halo_and_channels(model: Model, package: Path) -> None:
    content = described(package)
    (given,), (found,) = content["inputs"], content["outputs"]
    network = SharedNetwork(model)
    for axis in given["axes"][2:]:
        assert axis["size"]["step"] == network.step == 4
        assert axis["size"]["min"] >= network.smallest
    for axis in found["axes"][2:]:
        assert axis["halo"] >= margin(3)
        assert axis["halo"] % network.step == 0
    assert [axis["scale"] for axis in given["axes"][2:]] == [0.5, 0.25]
    assert found["axes"][1]["channel_names"] == ["background", "objects", "shape"]
    assert content["name"] == "HeLa 2"
    assert content["authors"] == [{"name": "Ada Lovelace"}]


def test_all_files_of_a_package_are_there_and_whole(package: Path) -> None:
    named = sources(described(package))
    with zipfile.ZipFile(package) as files:
        for one in named:
            assert hashlib.sha256(files.read(one["source"])).hexdigest() == one["sha256"]
        assert {one["source"] for one in named} == set(files.namelist()) - {"rdf.yaml"}


@pytest.mark.filterwarnings("ignore:`torch.jit.load`")
def test_its_weights_turn_one_test_tensor_into_the_other_with_or_without_a_halo(
    model: Model, package: Path
) -> None:
    with zipfile.ZipFile(package) as files:
        grey = np.load(io.BytesIO(files.read("test-input.npy")))
        expected = np.load(io.BytesIO(files.read("test-output.npy")))
        script: Any = torch.jit.load(io.BytesIO(files.read("weights.pt")))  # type: ignore[no-untyped-call]
    halo = SharedNetwork(model).halo
    padded = np.pad(grey, [(0, 0), (0, 0), (halo, halo), (halo, halo)], mode="reflect")
    with torch.inference_mode():
        whole = script(torch.from_numpy(scale(grey))).numpy()
        inside = script(torch.from_numpy(scale(padded))).numpy()[..., halo:-halo, halo:-halo]
    assert whole == pytest.approx(expected, abs=1e-5)
    assert inside == pytest.approx(expected, abs=1e-5)


def test_classes_have_their_label_values_as_names(tmp_path: Path) -> None:
    model = tiny_model(task=Task.CLASSES, values=(1, 2, 5))
    path = share_model(model, tmp_path / "c.zip", SharedFormat.BIOIMAGEIO)
    content = described(path)
    names = content["outputs"][0]["axes"][1]["channel_names"]
    assert names == ["class_1", "class_2", "class_5"]
    assert content["name"] == "U-Net c"  # five letters at least


def test_data_are_cited_only_where_weights_stem_from_them(model: Model) -> None:
    def cited(start: str) -> int:
        return len(citations(replace(model, record=replace(model.record, start=start))))

    assert cited("light, from scratch") == 1
    assert cited("light, after 6,000 steps") > 4


def ours(model: Model, grey: npt.NDArray[np.float32], monkeypatch: pytest.MonkeyPatch) -> Any:
    low, high = (float(end) for end in np.percentile(grey, PERCENTILES))
    fixed = Normalization((low,), (high,))
    monkeypatch.setattr(predictor, "measure", lambda *_, **__: fixed)
    return probabilities(model, grey)[0]


@pytest.mark.filterwarnings("ignore")
def test_bioimageio_core_runs_it_whole_and_in_tiles(
    model: Model, package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    core = pytest.importorskip("bioimageio.core", reason="`tox -e share` has it")
    assert core.test_model(package).status == "passed"
    grey = noise(144, 160).astype(np.float32).clip(20, 230)  # so its percentiles are certain
    expected = ours(model, grey, monkeypatch)
    for tiles in (None, 2):
        sample = core.predict(
            model=package, inputs={INPUT: grey[None, None]}, blocksize_parameter=tiles
        )
        found = sample.members[OUTPUT].data.to_numpy()[0, 1]
        assert np.abs(found - expected).max() < ALLOWED
