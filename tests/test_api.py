"""The calls of `napari_unet` from Python: they do what the window and the command line do."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import tifffile

import napari_unet
from napari_unet.config import NetworkConfig
from napari_unet.engine.errors import FileError, LabelsError
from napari_unet.engine.events import SegmentStarted, StepDone, TrainDone
from napari_unet.engine.network import Model
from tests.engine.scenes import TINY, bright_squares, strokes

NOTEBOOK = Path(__file__).parents[1] / "docs" / "notebooks" / "from_python.ipynb"
HEAVY = ("torch", "napari", "numpy", "skimage", "qtpy")


@pytest.fixture(scope="module")
def scene() -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    image, truth = bright_squares()
    return image, strokes(truth)


@pytest.fixture(scope="module")
def model(scene: tuple[npt.NDArray[Any], npt.NDArray[Any]]) -> Model:
    return napari_unet.train(*scene, start=TINY, steps=60)


def test_nothing_heavy_is_read_before_it_is_used() -> None:
    code = f"import sys, napari_unet; print([m for m in {HEAVY} if m in sys.modules])"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"


def test_the_notebook_runs_without_a_window(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    scope: dict[str, Any] = {}
    for cell in json.loads(NOTEBOOK.read_text("utf-8"))["cells"]:
        if cell["cell_type"] == "code":
            exec("".join(cell["source"]), scope)
    assert scope["labels"].shape == scope["sample"].image.shape
    assert Path("cells.tif").is_file()


def test_what_is_trained_segments_and_is_measured(
    scene: tuple[npt.NDArray[Any], npt.NDArray[Any]], model: Model
) -> None:
    image, _ = scene
    told: list[object] = []
    labels = napari_unet.segment(image, model, on_event=told.append)

    assert labels.shape == image.shape
    assert labels.dtype == np.int32
    assert isinstance(told[0], SegmentStarted)
    table = napari_unet.measure(labels, image, pixel_size=0.5)
    planes = [labels[int(p)] == n for p, n in zip(table["plane"], table["label"], strict=True)]
    assert len(planes) == sum(len(np.unique(plane)) - 1 for plane in labels)
    np.testing.assert_allclose(table["area_um2"], [plane.sum() / 4 for plane in planes])
    answers = napari_unet.segment(image[0], model, probabilities=True)
    assert answers.shape == (1, *image.shape[1:])  # the foreground


def test_files_are_taken_as_well_and_models_by_their_names(
    scene: tuple[npt.NDArray[Any], npt.NDArray[Any]],
    model: Model,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("NAPARI_UNET_MODELS", str(tmp_path))
    path = tmp_path / "squares.tif"
    tifffile.imwrite(path, scene[0], photometric="minisblack", metadata={"axes": "TYX"})
    napari_unet.save_model(model, tmp_path / "mine.safetensors")

    labels = napari_unet.segment(path, "mine")

    np.testing.assert_array_equal(labels, napari_unet.segment(scene[0], model))
    stack = napari_unet.open_image(path)
    np.testing.assert_array_equal(labels, napari_unet.segment(stack, model))
    with pytest.raises(FileError, match="neither a file nor one of your models"):
        napari_unet.segment(path, "another")


def test_one_model_learns_from_several_images(
    scene: tuple[npt.NDArray[Any], npt.NDArray[Any]],
) -> None:
    image, labels = scene
    events: list[object] = []

    napari_unet.train(
        [image, image[:1, :50]],
        [labels, labels[:1, :50]],
        start=TINY,
        steps=2,
        on_event=events.append,
    )

    assert sum(isinstance(event, StepDone) for event in events) == 2
    assert isinstance(events[-1], TrainDone)
    assert set(getattr(events[0], "planes", ())) >= {0, len(image)}
    with pytest.raises(ValueError, match="2 images need as many labels, got 1"):
        napari_unet.train([image, image], [labels], start=TINY, steps=1)


def test_what_is_wrong_is_said_as_everywhere(
    scene: tuple[npt.NDArray[Any], npt.NDArray[Any]],
) -> None:
    image, labels = scene
    network: NetworkConfig = TINY
    with pytest.raises(LabelsError):
        napari_unet.train(image, labels[:, :20], start=network, steps=1)
    with pytest.raises(LabelsError):
        napari_unet.train(image, np.zeros_like(labels), start=network, steps=1)


def test_lazy_arrays_are_read_tile_by_tile(model: Model) -> None:
    class Lazy:
        dtype, shape, ndim = np.dtype(np.uint8), (3, 64, 64), 3

        def __getitem__(self, key: Any) -> npt.NDArray[Any]:
            return np.asarray(image[key])

    image = np.random.default_rng(0).integers(0, 255, Lazy.shape, np.uint8)
    lazy: Any = Lazy()  # numpy could not make an array of it
    np.testing.assert_array_equal(
        napari_unet.segment(lazy, model), napari_unet.segment(image, model)
    )


def test_channels_of_an_array_are_named_by_their_axis(model: Model) -> None:
    image = np.random.default_rng(0).random((2, 3, 40, 44)).astype(np.float32)
    table = napari_unet.measure(np.ones((2, 40, 44), int), image, channel_axis=1)
    means = sorted(name for name in table if name.startswith("intensity_mean"))
    assert len(means) == 3
    np.testing.assert_allclose(table[means[1]], image[:, 1].mean(axis=(1, 2)), rtol=1e-6)
