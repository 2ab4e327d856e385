"""The commands on a tiny stack: train, segment, evaluate, and the models one keeps."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import safetensors.torch
import tifffile
import yaml
import zarr

from napari_unet.batch import segmenter as segment_module
from napari_unet.cli import demo as demo_module
from napari_unet.cli.options import DeviceName, NetworkName
from napari_unet.config import (
    NETWORKS,
    PRESETS,
    RECIPES,
    NetworkConfig,
    ObjectsConfig,
    Task,
    TilingConfig,
    TrainConfig,
)
from napari_unet.engine.network.device import DEVICES
from napari_unet.engine.network.model import Model
from napari_unet.engine.network.record import TrainRecord
from napari_unet.engine.prediction import SegmentationPlan, segmentation
from napari_unet.engine.scores.metrics import average_precision, mean_iou, seg_score
from napari_unet.io.checkpoints import load_model, save_model
from napari_unet.io.hashes import model_hash
from napari_unet.io.images import open_image
from napari_unet.io.samples import Sample
from tests.cli.conftest import Command, save, sentence
from tests.engine.short_memory import short_of_memory


def figures(command: Command, *words: object) -> dict[str, Any]:
    """Run a command with --json and return its object: nothing else may be on stdout."""
    outcome = command(*words, "--json")
    assert outcome.exit_code == 0, outcome.output
    printed = json.loads(outcome.stdout)
    assert isinstance(printed, dict)
    return printed


def train(command: Command, folder: Path, *words: object) -> dict[str, Any]:
    return figures(
        command,
        *("train", folder / "cells.tif", folder / "strokes.tif", "--steps", 2),
        *("--model", folder / "trained.safetensors", *words),
    )


def segment(command: Command, folder: Path, output: str, *words: object) -> dict[str, Any]:
    return figures(
        command,
        *("segment", folder / "cells.tif", "--model", folder / "tiny.safetensors"),
        *("--output", folder / output, *words),
    )


def test_a_stack_is_trained_on_segmented_and_compared_with_its_truth(
    command: Command, folder: Path, sample: Sample
) -> None:
    trained = train(command, folder, "--from", folder / "tiny.safetensors", "--seed", 7)
    assert trained["steps"] == 2
    assert trained["planes"] == [0, 2]
    assert trained["finished"] == "completed"

    model = load_model(folder / "trained.safetensors")
    assert model.pixel_size == pytest.approx(sample.pixel_size)
    assert model.record.settings["seed"] == 7
    assert model.record.settings["seconds"] is None
    (lesson,) = model.record.trained_on
    assert (lesson.image, lesson.labels, lesson.planes) == ("cells", "strokes.tif", (0, 2))
    assert lesson.image_hash
    assert lesson.start_hash == model_hash(load_model(folder / "tiny.safetensors"))

    segmented = figures(
        command,
        *("segment", folder / "cells.tif", "--model", folder / "trained.safetensors"),
        *("--output", folder / "out.tif"),
    )
    assert segmented["planes"] == len(sample.image)
    written = open_image(folder / "out.tif")
    assert written.axes == sample.axes
    assert written.pixel_size == pytest.approx(sample.pixel_size)

    labels = np.asarray(written.array)
    assert labels.shape == sample.truth.shape
    scores = figures(command, "evaluate", folder / "out.tif", folder / "truth.tif")
    assert scores["planes"] == len(sample.image)
    assert scores["predicted_objects"] == segmented["objects"]
    assert 0 <= scores["seg"] <= 1


def test_the_image_is_reduced_for_the_network_as_wanted(command: Command, folder: Path) -> None:
    start, model = ("--from", folder / "tiny.safetensors"), folder / "trained.safetensors"
    assert train(command, folder, *start)["reduction"] == 1  # as the model was trained
    trained = train(command, folder, *start, "--reduction", "2")
    assert trained["reduction"] == 2
    assert figures(command, "models", "show", model)["reduction"] == 2
    again = train(command, folder, "--from", model, "--reduction", "auto")
    assert again["reduction"] == 2
    outcome = command(
        *("train", folder / "cells.tif", folder / "strokes.tif", "--model", model),
        *("--reduction", 9),
    )
    assert outcome.exit_code == 2
    assert "1 to 8" in outcome.stderr


def test_a_diameter_decides_the_reduction_and_is_kept(
    command: Command, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(NETWORKS, "2015", PAPER)
    start, model = ("--from", folder / "tiny.safetensors"), folder / "trained.safetensors"
    trained = train(command, folder, *start, "--diameter", 90)
    assert trained["reduction"] == 3
    assert (trained["diameter"], trained["diameter_source"]) == (90, "given")
    kept = {"pixels": 90, "source": "given"}
    assert figures(command, "models", "show", model)["record"]["diameter"] == kept
    assert train(command, folder, *start, "--diameter", 90, "--reduction", 2)["reduction"] == 2
    assert train(command, folder, "--network", "2015", "--diameter", 60)["reduction"] == 2


@pytest.mark.parametrize(
    ("words", "status", "told"),
    [
        (("--diameter", 0.5), 2, "1 to 10000 pixels"),
        (("--diameter", 20, "--task", "classes"), 1, "Classes have no diameter"),
    ],
)
def test_a_diameter_that_cannot_be_is_refused(
    command: Command, folder: Path, words: tuple[object, ...], status: int, told: str
) -> None:
    outcome = command(
        *("train", folder / "cells.tif", folder / "strokes.tif", "--steps", 1),
        *("--model", folder / "m.safetensors", *words),
    )
    assert outcome.exit_code == status
    assert told in " ".join(outcome.stderr.split())
    assert not (folder / "m.safetensors").exists()


def test_figures_are_printed_for_people_too(command: Command, folder: Path) -> None:
    outcome = command(
        *("train", folder / "cells.tif", folder / "strokes.tif", "--steps", 1),
        *("--model", folder / "m.safetensors", "--from", folder / "tiny.safetensors"),
    )
    assert outcome.exit_code == 0
    assert "validation iou" in outcome.stdout
    assert "pixels in" in outcome.stdout
    assert "Training on CPU" in outcome.stderr
    assert "It finds " in outcome.stderr
    assert "objects painted whole" in outcome.stderr
    assert "Training on" not in outcome.stdout


def test_a_network_from_scratch_comes_with_its_recipe(
    command: Command, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(NETWORKS, "2015", NetworkConfig(name="2015", base_channels=2, levels=2))
    train(command, folder, "--network", "2015")
    record = load_model(folder / "trained.safetensors").record
    assert record.start == "2015, from scratch"
    assert record.settings["optimiser"] == "sgd"
    assert record.settings["momentum"] == 0.99


PAPER = NetworkConfig(name="2015", base_channels=2, levels=2)


def test_the_recipe_of_the_paper_holds_unless_something_else_is_asked_for(
    command: Command, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(NETWORKS, "2015", PAPER)
    trained = train(command, folder, "--network", "2015")
    assert trained["reduction"] == 1
    assert trained["held_out"] == []
    settings = load_model(folder / "trained.safetensors").record.settings
    assert settings["learning_rate"] == RECIPES["2015"].learning_rate
    asked = "--network", "2015", "--validation-share", 0.2, "--learning-rate", 1e-4
    trained = train(command, folder, *asked, "--reduction", 2)
    assert trained["reduction"] == 2
    assert trained["held_out"]
    settings = load_model(folder / "trained.safetensors").record.settings
    assert (settings["validation_share"], settings["learning_rate"]) == (0.2, 1e-4)


def test_an_older_model_of_the_paper_goes_on_with_its_own_reduction(
    command: Command, folder: Path, tiny: Model
) -> None:
    save_model(replace(tiny, network=replace(tiny.network, name="2015"), reduction=3), folder / "a")
    assert train(command, folder, "--from", folder / "a")["reduction"] == 3


def test_a_model_of_the_paper_is_segmented_as_in_the_paper(
    command: Command, folder: Path, tiny: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[TilingConfig, ObjectsConfig]] = []

    def spy(plan: SegmentationPlan, *arguments: Any, **settings: Any) -> Any:
        asked.append((plan.tiling, plan.objects))
        return segmentation.segment(plan, *arguments, **settings)

    monkeypatch.setattr(segment_module, "segment", spy)
    segment(command, folder, "out.tif", "--planes", 0)
    model = replace(tiny, network=replace(tiny.network, name="2015"))
    save_model(model, folder / "tiny.safetensors")
    segment(command, folder, "out.tif", "--planes", 0)
    segment(command, folder, "out.tif", "--planes", 0, "--rotations", 2)
    assert asked == [
        (TilingConfig(), PRESETS["light"].objects),
        (PRESETS["2015"].tiling, PRESETS["2015"].objects),
        (TilingConfig(rotations=2), PRESETS["2015"].objects),
    ]


def test_missing_trained_weights_are_spoken_of(
    command: Command, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(NETWORKS, "light", NetworkConfig(name="light", base_channels=2, levels=2))
    outcome = command(
        *("train", folder / "cells.tif", folder / "strokes.tif", "--steps", 1),
        *("--model", folder / "m.safetensors", "--from", "light"),
    )
    assert outcome.exit_code == 0
    assert "No trained weights of 'light' come with this version" in outcome.stderr


FROM_THE_BUNDLED_MODEL = "light, after 40 steps (2026-11-20T10:00:00+00:00)"


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ((), FROM_THE_BUNDLED_MODEL),
        (("--from", "light"), FROM_THE_BUNDLED_MODEL),
        (("--from", "light", "--network", "light"), FROM_THE_BUNDLED_MODEL),
        (("--from", "scratch"), "light, from scratch"),
        (("--network", "light"), "light, from scratch"),
        (("--from", "scratch", "--network", "2015"), "2015, from scratch"),
        (("--from", "2015"), "2015, from scratch"),  # none is bundled
    ],
)
def test_training_starts_from_the_bundled_model_unless_another_start_is_named(
    command: Command,
    folder: Path,
    weights: Path,
    tiny: Model,
    monkeypatch: pytest.MonkeyPatch,
    words: tuple[str, ...],
    expected: str,
) -> None:
    for name in NETWORKS:
        small = NetworkConfig(name=name, base_channels=2, levels=2)
        monkeypatch.setitem(NETWORKS, name, small)
        monkeypatch.setitem(RECIPES, name, TrainConfig(patch=32, batch=1))
    record = TrainRecord(started="2026-11-20T10:00:00+00:00", steps=40)
    save_model(replace(tiny, record=record), weights / "light.safetensors", half=True)
    trained = train(command, folder, *words)
    assert trained["start"] == expected


def test_training_uses_the_chosen_planes_only(command: Command, folder: Path) -> None:
    start = ("--from", folder / "tiny.safetensors")
    assert train(command, folder, *start, "--planes", "1:")["planes"] == [2]
    assert train(command, folder, *start, "--planes", "0,1")["planes"] == [0]


def test_labels_that_lack_planes_pair_by_name(
    command: Command, folder: Path, sample: Sample
) -> None:
    (folder / "frames").mkdir()
    (folder / "gold").mkdir()
    for number, plane in enumerate(sample.image):
        save(folder / "frames" / f"t{number:03}.tif", plane)
    save(folder / "gold" / "man_seg003.tif", sample.truth[3])
    trained = figures(
        command,
        *("train", folder / "frames", folder / "gold", "--unpainted", "background"),
        *("--model", folder / "m.safetensors", "--from", folder / "tiny.safetensors"),
        *("--steps", 1),
    )
    assert trained["planes"] == [3]
    scores = figures(command, "evaluate", folder / "truth.tif", folder / "gold")
    assert (scores["planes"], scores["seg"]) == (1, 1.0)


def test_planes_that_are_not_chosen_are_zero_and_keep_their_place(
    command: Command, folder: Path
) -> None:
    whole = segment(command, folder, "all.tif")
    part = segment(command, folder, "some.tif", "--planes", "1,3")
    assert (whole["planes"], whole["empty_planes"]) == (4, 0)
    assert (part["planes"], part["empty_planes"]) == (2, 2)
    everything, some = (tifffile.imread(folder / name) for name in ("all.tif", "some.tif"))
    np.testing.assert_array_equal(some[1] > 0, everything[1] > 0)
    np.testing.assert_array_equal(some[3] > 0, everything[3] > 0)
    assert everything[0].any()
    assert not some[[0, 2]].any()


def test_the_size_of_a_tile_changes_nothing(command: Command, folder: Path) -> None:
    segment(command, folder, "whole.tif")
    assert segment(command, folder, "tiles.tif", "--tile", 17)["tile"] >= 17
    whole, tiles = (tifffile.imread(folder / name) for name in ("whole.tif", "tiles.tif"))
    np.testing.assert_array_equal(whole, tiles)


def test_linked_objects_have_one_number_on_all_their_planes(command: Command, folder: Path) -> None:
    first = tifffile.imread(folder / "cells.tif")[0]
    save(folder / "cells.tif", np.stack([first] * 3))
    alone = segment(command, folder, "alone.tif", "--planes", 0)
    linked = segment(command, folder, "linked.tif", "--link")
    labels = tifffile.imread(folder / "linked.tif")
    assert linked["objects"] == alone["objects"] == len(np.unique(labels)) - 1 > 1
    np.testing.assert_array_equal(labels, [labels[0]] * 3)
    save(folder / "cells.tif", np.stack([[first] * 2] * 2))  # read as TZYX
    along = segment(command, folder, "along.tif", "--link-along", "z")
    assert along["objects"] == 2 * alone["objects"]
    labels = tifffile.imread(folder / "along.tif")
    np.testing.assert_array_equal(labels[:, 0], labels[:, 1])


def test_smaller_objects_are_dropped_if_that_is_wanted(command: Command, folder: Path) -> None:
    every = segment(command, folder, "every.tif", "--min-size", 1)
    large = segment(command, folder, "large.tif", "--min-size", 200)
    assert large["objects"] < every["objects"]


@pytest.mark.parametrize("kind", ["classes", "probabilities"])
def test_what_has_no_numbers_cannot_be_linked(command: Command, folder: Path, kind: str) -> None:
    outcome = command(
        *("segment", folder / "cells.tif", "--model", folder / "tiny.safetensors", "--link"),
        *("--output", folder / "out.tif", "--output-kind", kind),
    )
    assert "leave out --link" in sentence(outcome)
    assert not (folder / "out.tif").exists()


def test_probabilities_and_classes_fit_together(command: Command, folder: Path) -> None:
    segment(command, folder, "p.tif", "--output-kind", "probabilities", "--rotations", 3)
    segment(command, folder, "c.tif", "--output-kind", "classes", "--rotations", 3)
    probabilities, classes = (tifffile.imread(folder / name) for name in ("p.tif", "c.tif"))
    assert probabilities.dtype == np.float32
    np.testing.assert_array_equal(probabilities.squeeze() >= 0.5, classes == 1)


def test_a_zarr_holds_the_same_labels_as_a_tiff(command: Command, folder: Path) -> None:
    segment(command, folder, "out.tif")
    segment(command, folder, "out.zarr")
    assert zarr.open_group(folder / "out.zarr", mode="r")
    stored = open_image(folder / "out.zarr")
    np.testing.assert_array_equal(stored.array[:], tifffile.imread(folder / "out.tif"))


def test_scores_are_those_of_the_measures(command: Command, folder: Path, sample: Sample) -> None:
    prediction = np.roll(sample.truth, 2, axis=2)
    save(folder / "moved.tif", prediction)
    scores = figures(command, "evaluate", folder / "moved.tif", folder / "truth.tif")
    every_plane = [seg_score(p, t) for p, t in zip(prediction, sample.truth, strict=True)]
    objects = [len(np.unique(t)) - 1 for t in sample.truth]
    assert scores["seg"] == pytest.approx(np.average(every_plane, weights=objects))
    one = figures(command, "evaluate", folder / "moved.tif", folder / "truth.tif", "--planes", "2")
    assert one["seg"] == pytest.approx(seg_score(prediction[2], sample.truth[2]))
    assert one["average_precision"] == pytest.approx(
        average_precision(prediction[2], sample.truth[2])
    )


def test_unlabelled_pixels_of_the_truth_do_not_count(
    command: Command, folder: Path, sample: Sample
) -> None:
    painted = np.where(sample.truth > 0, sample.truth + 1, 1).astype(np.int32)
    painted[:, :30] = 0  # unlabelled
    save(folder / "painted.tif", painted)
    prediction = sample.truth.copy()
    prediction[:, :30] = 999  # wrong, where nobody knows
    save(folder / "prediction.tif", prediction)
    scores = figures(
        command,
        *("evaluate", folder / "prediction.tif", folder / "painted.tif"),
        *("--unpainted", "ignored"),
    )
    assert (scores["seg"], scores["pixel_error"]) == (1.0, 0.0)


def test_classes_are_compared_class_by_class(command: Command, folder: Path) -> None:
    truth = np.array([[[1, 1, 2, 2], [0, 0, 3, 3]]] * 2, np.uint8)
    prediction = np.array([[[1, 2, 2, 2], [1, 2, 3, 3]]] * 2, np.uint8)
    save(folder / "t.tif", truth)
    save(folder / "p.tif", prediction)
    words = ("evaluate", folder / "p.tif", folder / "t.tif", "--task", "classes")
    ignored = figures(command, *words, "--unpainted", "ignored")
    assert ignored["iou"] == pytest.approx({"1": 1 / 2, "2": 2 / 3, "3": 1.0})
    counted = figures(command, *words)
    assert counted["mean_iou"] == pytest.approx(mean_iou(prediction, truth))


def test_models_are_imported_listed_shown_used_and_exported(
    command: Command, folder: Path, library: Path
) -> None:
    assert figures(command, "models", "list") == {"folder": str(library), "models": []}
    assert command("models", "import", folder / "tiny.safetensors", "--name", "mine").exit_code == 0
    (listed,) = figures(command, "models", "list")["models"]
    assert (listed["name"], listed["task"], listed["classes"]) == ("mine", "objects", 2)
    assert "mine" in command("models", "list").stdout
    assert figures(command, "models", "show", "mine")["network"]["base_channels"] == 4
    segmented = figures(
        command,
        *("segment", folder / "cells.tif", "--model", "mine", "--output", folder / "o.tif"),
    )
    assert segmented["planes"] == 4
    assert command("models", "export", "mine", folder / "copy.safetensors").exit_code == 0
    assert (folder / "copy.safetensors").read_bytes() == (folder / "tiny.safetensors").read_bytes()


def test_models_go_to_other_programs_and_come_back(command: Command, folder: Path) -> None:
    words = ("models", "export", folder / "tiny.safetensors")
    assert command(*words, folder, "--format", "torchscript").exit_code == 0
    named = ("--author", "Ada Lovelace", "--license", "CC-BY-4.0")
    assert command(*words, folder / "tiny.zip", *named).exit_code == 0
    assert zipfile.is_zipfile(folder / "tiny.pt")
    with zipfile.ZipFile(folder / "tiny.zip") as package:
        described = yaml.safe_load(package.read("rdf.yaml"))
    assert described["authors"] == [{"name": "Ada Lovelace"}]
    assert described["license"] == "CC-BY-4.0"
    assert command("models", "import", folder / "tiny.zip", "--name", "back").exit_code == 0
    assert figures(command, "models", "show", "back")["network"]["base_channels"] == 4
    assert "must end in .onnx" in sentence(command(*words, folder / "tiny.pb", "--format", "onnx"))
    assert "exists already" in sentence(command(*words, folder / "tiny.pt"))


@pytest.mark.skipif(sys.platform == "win32", reason="has no pipes and links as POSIX does")
def test_what_is_no_model_is_named_and_the_others_stay(
    command: Command, folder: Path, library: Path
) -> None:
    assert command("models", "import", folder / "tiny.safetensors").exit_code == 0
    os.mkfifo(library / "pipe.safetensors")
    (library / "folder.safetensors").mkdir()
    (library / "link.safetensors").symlink_to(library / "link.safetensors")
    tensors = safetensors.torch.load_file(folder / "tiny.safetensors")
    with safetensors.safe_open(folder / "tiny.safetensors", framework="pt") as file:
        texts = file.metadata()
    described = {**json.loads(texts["model"]), "pixel_size": [10**400, 1]}
    odd = {**texts, "model": json.dumps(described)}
    safetensors.torch.save_file(tensors, library / "odd.safetensors", odd)
    outcome = command("models", "list")
    assert outcome.exit_code == 0
    assert "tiny" in outcome.stdout
    for name in ("pipe", "folder", "link", "odd"):
        assert f"{name}.safetensors" in outcome.stderr


def test_models_do_not_overwrite_one_another(command: Command, folder: Path) -> None:
    assert command("models", "import", folder / "tiny.safetensors").exit_code == 0
    assert "exists already" in sentence(command("models", "import", folder / "tiny.safetensors"))
    assert "exists already" in sentence(
        command("models", "export", "tiny", folder / "tiny.safetensors")
    )


def test_only_models_are_imported(command: Command, folder: Path) -> None:
    (folder / "other.safetensors").write_bytes(b"no model")
    assert "is no safetensors file" in sentence(
        command("models", "import", folder / "other.safetensors")
    )
    assert "cannot name" in sentence(
        command("models", "import", folder / "tiny.safetensors", "--name", "../../up")
    )


def test_models_are_renamed_deleted_and_brought_back(
    command: Command, folder: Path, library: Path
) -> None:
    assert command("models", "import", folder / "tiny.safetensors").exit_code == 0
    assert command("models", "rename", "tiny", "HeLa").exit_code == 0
    (listed,) = figures(command, "models", "list")["models"]
    assert (listed["name"], listed["bundled"]) == ("HeLa", False)
    deleted = command("models", "delete", "HeLa")
    assert figures(command, "models", "list")["models"] == []
    words = shlex.split(" ".join(deleted.stderr.split()).partition("napari-unet ")[2])
    assert command(*words).exit_code == 0
    assert (library / "HeLa.safetensors").exists()


def test_only_ones_own_models_are_renamed_and_deleted(command: Command, folder: Path) -> None:
    file = folder / "tiny.safetensors"
    assert "none of your own models" in sentence(command("models", "delete", "tiny"))
    assert "none of your own models" in sentence(command("models", "rename", "tiny", "other"))
    assert "cannot name" in sentence(command("models", "delete", file))
    assert file.exists()


def test_bundled_models_are_listed_and_used_by_name(
    command: Command, folder: Path, weights: Path, tiny: Model
) -> None:
    bundled = save_model(tiny, weights / "light.safetensors", half=True)
    assert command("models", "import", folder / "tiny.safetensors").exit_code == 0
    listed = figures(command, "models", "list")["models"]
    assert [(row["name"], row["bundled"]) for row in listed] == [("light", True), ("tiny", False)]
    assert figures(command, "models", "show", "light")["network"]["base_channels"] == 4
    segmented = figures(
        command,
        *("segment", folder / "cells.tif", "--model", "light", "--output", folder / "o.tif"),
    )
    assert segmented["planes"] == 4
    for words in (("delete", "light"), ("rename", "light", "mine")):
        assert "comes with U-Net Paint and can be neither" in sentence(command("models", *words))
    assert bundled.is_file()
    assert command("models", "export", "light", folder / "mine.safetensors").exit_code == 0


def test_a_damaged_model_does_not_hide_the_others(
    command: Command, library: Path, tiny: Model
) -> None:
    library.mkdir()
    save_model(tiny, library / "good.safetensors")
    (library / "bad.safetensors").write_bytes(b"")
    outcome = command("models", "list")
    assert outcome.exit_code == 0
    assert "good" in outcome.stdout
    assert "bad.safetensors" in outcome.stderr


def test_the_demo_makes_every_file_and_scores_its_result(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny = NetworkConfig(name="light", base_channels=2, levels=2)
    monkeypatch.setattr(demo_module, "choose_start", lambda *_: tiny)
    made = figures(command, "demo", "--output", tmp_path / "a" / "b", "--seconds", 0.5)
    assert made["painted_cells"] == 15
    assert 0 <= made["seg"] <= 1
    for file in made["files"].values():
        assert Path(file).stat().st_size > 1000
    assert load_model(made["files"]["model"]).task is Task.OBJECTS
    segmentation: npt.NDArray[Any] = tifffile.imread(made["files"]["segmentation"])
    truth = tifffile.imread(made["files"]["truth"])
    every = [seg_score(p, t) for p, t in zip(segmentation, truth, strict=True)]
    cells = [len(np.unique(t)) - 1 for t in truth]
    assert made["seg"] == pytest.approx(np.average(every, weights=cells))


def test_help_comes_at_once_without_torch() -> None:
    code = (
        "import sys, time; from napari_unet.cli import main; sys.argv = ['napari-unet', '--help']\n"
        "try: main()\n"
        "except SystemExit:\n"
        "    print('loaded:', *{m.split('.')[0] for m in sys.modules})\n"
        "    print('seconds:', time.process_time())"
    )

    def run() -> tuple[set[str], float]:
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
        loaded, seconds = done.stdout.decode().partition("loaded:")[2].split("seconds:")
        return set(loaded.split()), float(seconds)

    runs = [run() for _ in range(3)]
    assert "typer" in runs[0][0]
    assert not {"torch", "napari", "qtpy", "numpy", "scipy"} & runs[0][0]
    assert min(seconds for _, seconds in runs) < 0.5


def test_choices_are_those_of_the_engine() -> None:
    assert tuple(DeviceName) == DEVICES
    assert set(NetworkName) == set(NETWORKS)


def test_too_little_memory_is_told_and_ends_nothing(
    command: Command, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    segment(command, folder, "expected.tif")
    short_of_memory(monkeypatch, 90)

    tiny = folder / "tiny.safetensors"
    trained = command(
        *("train", folder / "cells.tif", folder / "strokes.tif", "--from", tiny),
        *("--steps", 2, "--model", folder / "trained.safetensors"),
    )
    segmented = command(
        *("segment", folder / "cells.tif", "--model", tiny, "--output", folder / "found.tif")
    )

    for outcome in (trained, segmented):
        assert outcome.exit_code == 0, outcome.output
        assert "Memory is short" in outcome.stderr
    np.testing.assert_array_equal(
        tifffile.imread(folder / "found.tif"), tifffile.imread(folder / "expected.tif")
    )
