"""A result is made again from its record, and it is said whether it is the same."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from napari_unet.config import ObjectsConfig
from napari_unet.engine.network import pick_device
from napari_unet.engine.network.model import Model
from napari_unet.engine.prediction import SegmentationPlan, segment, whole_planes
from napari_unet.io.checkpoints import load_model, save_model
from napari_unet.io.images import open_image
from napari_unet.io.labels import write_labels
from napari_unet.io.making import Making, hashing
from napari_unet.io.provenance import Source, UsedModel
from napari_unet.io.provenance_files import read_provenance, write_beside
from tests.cli.conftest import Command, save, sentence


@pytest.fixture
def result(command: Command, folder: Path) -> Path:
    """Return the labels of cells.tif, with their record."""
    outcome = command(
        *("segment", folder / "cells.tif", "--model", folder / "tiny.safetensors"),
        *("--output", folder / "labels.tif", "--device", "cpu", "--planes", "0,2"),
    )
    assert outcome.exit_code == 0, outcome.output
    return folder / "labels.tif"


def repeated(command: Command, *words: object, status: int = 0) -> dict[str, Any]:
    outcome = command("repeat", *words, "--device", "cpu", "--json")
    assert outcome.exit_code == status, outcome.output
    figures: dict[str, Any] = json.loads(outcome.stdout)
    figures["said"] = outcome.stderr.splitlines()[-1]
    return figures


def test_a_result_is_made_again_and_is_identical(command: Command, result: Path) -> None:
    figures = repeated(command, f"{result}.json")
    assert figures["identical"]
    assert (figures["compared_planes"], figures["different_pixels"]) == (2, 0)
    assert figures["said"] == "Identical: every pixel of 2 planes."


def test_the_result_itself_says_it_and_the_new_one_can_be_kept(
    command: Command, result: Path
) -> None:
    Path(f"{result}.json").unlink()
    again = result.with_name("again.zarr")
    assert repeated(command, result, "--output", again)["output"] == str(again)
    np.testing.assert_array_equal(open_image(again).array[...], open_image(result).array[...])
    one, other = read_provenance(result), read_provenance(again)
    assert (one.image, one.model.hash, one.planes) == (other.image, other.model.hash, other.planes)


def test_probabilities_are_compared_exactly(command: Command, folder: Path) -> None:
    made = command(
        *("segment", folder / "cells.tif", "--model", folder / "tiny.safetensors"),
        *("--output", folder / "p.zarr", "--output-kind", "probabilities", "--device", "cpu"),
    )
    assert made.exit_code == 0, made.output
    assert repeated(command, folder / "p.zarr")["identical"]


def test_a_changed_result_is_told_with_its_planes(command: Command, result: Path) -> None:
    labels = tifffile.imread(result)
    labels[2, :3, :2] += 1
    save(result, labels)
    figures = repeated(command, f"{result}.json", status=1)
    assert not figures["identical"]
    assert (figures["different_planes"], figures["different_pixels"]) == ([2], 6)
    assert "Not identical: 1 of 2 planes differ" in figures["said"]


def test_other_numbers_of_the_same_objects_are_told_apart(command: Command, result: Path) -> None:
    labels = tifffile.imread(result)
    save(result, np.where(labels > 0, labels + 7, 0).astype(np.uint16))
    figures = repeated(command, f"{result}.json", status=1)
    assert figures["only_numbers_differ"]
    assert "the objects are the same" in figures["said"]


def test_everything_may_have_moved_together(command: Command, result: Path) -> None:
    moved = result.parent.with_name("moved")
    result.parent.rename(moved)
    assert repeated(command, moved / "labels.tif.json")["identical"]


def test_the_image_is_found_where_it_is_now(command: Command, folder: Path, result: Path) -> None:
    (folder / "cells.tif").rename(folder / "elsewhere.tif")
    assert "give --image" in sentence(command("repeat", f"{result}.json"))
    assert repeated(command, f"{result}.json", "--image", folder / "elsewhere.tif")["identical"]


def test_another_image_is_refused(command: Command, folder: Path, result: Path) -> None:
    image = tifffile.imread(folder / "cells.tif")
    image[1] += 1  # was not segmented
    save(folder / "cells.tif", image)
    image[2, 0, 0] += 1
    save(folder / "other.tif", image)
    told = sentence(command("repeat", f"{result}.json", "--image", folder / "other.tif"))
    assert "is not the image that was segmented" in told


def test_the_model_is_found_by_its_hash(
    command: Command, folder: Path, result: Path, library: Path, tiny: Model
) -> None:
    library.mkdir()
    shutil.move(folder / "tiny.safetensors", library / "tiny.safetensors")
    assert repeated(command, f"{result}.json")["identical"]
    weights = {name: 2 * weight for name, weight in tiny.weights.items()}
    other = Model(tiny.network, weights, tiny.normalization, tiny.task, tiny.values)
    save_model(other, library / "tiny.safetensors")
    told = sentence(command("repeat", f"{result}.json"))
    assert "is not the one that segmented" in told
    save_model(tiny, library / "renamed.safetensors")
    assert repeated(command, f"{result}.json")["identical"]
    (library / "renamed.safetensors").unlink()
    (library / "tiny.safetensors").unlink()
    assert "neither in your library" in sentence(command("repeat", f"{result}.json"))


def test_a_bundled_model_is_recorded_without_where_it_is_installed(
    command: Command, folder: Path, weights: Path, tiny: Model
) -> None:
    save_model(tiny, weights / "light.safetensors")
    made = command(
        *("segment", folder / "cells.tif", "--model", "light", "--device", "cpu"),
        *("--output", folder / "out.tif", "--planes", 0),
    )
    assert made.exit_code == 0, made.output
    assert read_provenance(folder / "out.tif").model.path is None
    assert repeated(command, folder / "out.tif")["identical"]


def test_a_record_alone_has_nothing_to_compare_with(command: Command, result: Path) -> None:
    result.unlink()
    assert "put it beside its record" in sentence(command("repeat", f"{result}.json"))


def test_another_computer_is_not_asked_for_files(command: Command, result: Path) -> None:
    path = Path(f"{result}.json")
    told = json.loads(path.read_text())
    told["image"]["path"] = "//stranger/share/cells.tif"
    path.write_text(json.dumps(told))
    assert "cannot be found" in sentence(command("repeat", path))


def test_paint_and_corrections_are_taken_into_account(command: Command, folder: Path) -> None:
    """As the window does it: planes from the middle, paint over them, one corrected by hand."""
    image, model = folder / "cells.tif", load_model(folder / "tiny.safetensors")
    stack, painted = open_image(image), open_image(folder / "strokes.tif").planes()
    planes, plan = stack.planes(), SegmentationPlan(model, ObjectsConfig())
    making = Making(model=UsedModel.of(model, "tiny", folder / "tiny.safetensors"))
    events = segment(
        plan,
        planes,
        device=pick_device("cpu"),
        numbers=(2, 1, 3, 0),
        painted=painted,
    )
    noted = []
    for event in hashing(events, planes, painted):
        making.note(event)
        noted.append(event)
    by_number = dict(whole_planes(noted))  # type: ignore[arg-type]
    labels = np.stack([by_number[number] for number in range(4)])
    labels[3, :9] = 0
    result = folder / "window.tif"
    write_labels(result, labels, shape=labels.shape, axes="ZYX", spacing={})
    made = making.provenance(
        planes,
        Source.of(stack, image),
        plan,
        painted=Source("strokes", "", labels.shape),
    )
    assert made is not None
    write_beside(result, made.corrected_on((3,)))

    told = sentence(command("repeat", f"{result}.json"))
    assert "give --painted" in told
    told = sentence(command("repeat", f"{result}.json", "--painted", folder / "truth.tif"))
    assert "does not hold what was painted" in told
    figures = repeated(command, f"{result}.json", "--painted", folder / "strokes.tif")
    assert (figures["compared_planes"], figures["corrected_planes"]) == (3, 1)


def test_the_methods_paragraph_is_printed_without_any_work(command: Command, result: Path) -> None:
    outcome = command("repeat", f"{result}.json", "--methods")
    assert outcome.exit_code == 0
    assert outcome.stdout.startswith("Objects were segmented with a U-Net (Ronneberger et al., 20")
    assert "https://doi.org/10.1007/978-3-319-24574-4_28" in outcome.stdout
