"""Models are read, kept and chosen in the background, and none is forgotten silently."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from napari.components import ViewerModel
from pytestqt.qtbot import QtBot

from napari_unet.config import NETWORKS, Task
from napari_unet.engine.network.model import Model
from napari_unet.io.checkpoints import load_model, save_model
from napari_unet.io.library import FOLDER_VARIABLE
from napari_unet.ui.model import job as model_job
from napari_unet.ui.model.control import Models
from napari_unet.ui.runner import JobState
from napari_unet.ui.workbench import CurrentModel, Workbench
from tests.ui.conftest import CPU, endless_job, failing_job


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of one's own models, empty."""
    folder = tmp_path / "models"
    folder.mkdir()
    monkeypatch.setenv(FOLDER_VARIABLE, str(folder))
    return folder


@pytest.fixture
def filled(folder: Path, model: Model) -> Path:
    """Hold two models and a file that is none."""
    save_model(model, folder / "cells.safetensors")
    save_model(replace(model, task=Task.CLASSES, values=(1, 2)), folder / "kinds.safetensors")
    (folder / "broken.safetensors").write_bytes(b"no model")
    return folder


@pytest.fixture(autouse=True)
def _nothing_bundled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hide the package's own models; `bundled` brings some."""
    monkeypatch.setattr(model_job, "bundled_models", list)


@pytest.fixture
def bundled(tmp_path: Path, model: Model, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The default model, beside another one."""
    light, other = (
        save_model(model, tmp_path / f"{name}.safetensors") for name in ("light", "2015")
    )
    monkeypatch.setattr(model_job, "bundled_models", lambda: [other, light])
    return light


@pytest.fixture
def workbench(viewer: ViewerModel, folder: Path, qtbot: QtBot) -> Iterator[Workbench]:
    workbench = Workbench(viewer)
    yield workbench
    workbench.close()


@pytest.fixture
def models(workbench: Workbench) -> Iterator[Models]:
    models = Models(workbench)
    yield models
    models.release()


def settle(workbench: Workbench, models: Models, qtbot: QtBot) -> None:
    """Wait until nothing runs and nothing waits."""

    def idle() -> bool:
        return workbench.runner.state is JobState.IDLE and not models._queue._waiting

    qtbot.waitUntil(idle)


def named(models: Models) -> dict[str, model_job.ModelFile]:
    return {file.name: file for file in models.library.files}


def current(workbench: Workbench) -> CurrentModel:
    assert isinstance(workbench.choices.start, CurrentModel)
    return workbench.choices.start


def test_files_are_looked_for_once_torch_is_loaded(
    workbench: Workbench, models: Models, filled: Path, qtbot: QtBot
) -> None:
    models.library.refresh()
    assert workbench.runner.state is JobState.IDLE  # nothing to read them with
    workbench.use_device(CPU)
    settle(workbench, models, qtbot)
    assert list(named(models)) == ["broken", "cells", "kinds"]
    assert workbench.choices.start == NETWORKS["light"]


def test_a_file_that_cannot_be_read_is_listed_with_the_reason(
    workbench: Workbench, models: Models, filled: Path, qtbot: QtBot
) -> None:
    workbench.use_device(CPU)
    settle(workbench, models, qtbot)
    assert "no safetensors file" in named(models)["broken"].problem
    assert named(models)["cells"].problem == ""


def test_the_list_waits_for_the_job_that_runs(
    workbench: Workbench, models: Models, filled: Path, qtbot: QtBot
) -> None:
    workbench.run("Training", endless_job("step", last="end"))
    workbench.use_device(CPU)
    assert models.library.files == ()
    assert models.why_not_choose() == "Training… wait, or press Stop."
    workbench.stop()
    settle(workbench, models, qtbot)
    assert len(models.library.files) == 3


def test_the_list_leaves_the_line_about_the_last_job_as_it_is(
    workbench: Workbench, models: Models, qtbot: QtBot
) -> None:
    told: list[object] = []
    workbench.progressed.connect(told.append)
    workbench.use_device(CPU)
    settle(workbench, models, qtbot)
    assert told == []


def test_a_chosen_file_is_put_on_the_workbench_with_its_task(
    workbench: Workbench, models: Models, filled: Path, qtbot: QtBot
) -> None:
    workbench.use_device(CPU)
    settle(workbench, models, qtbot)
    models.choose(named(models)["kinds"])
    settle(workbench, models, qtbot)
    chosen = current(workbench)
    assert (chosen.name, chosen.path) == ("kinds", filled / "kinds.safetensors")
    assert chosen.model.values == (1, 2)
    assert workbench.choices.task is Task.CLASSES


def test_of_several_choices_the_last_one_counts(
    workbench: Workbench, models: Models, filled: Path, qtbot: QtBot
) -> None:
    workbench.use_device(CPU)
    settle(workbench, models, qtbot)
    for name in ("kinds", "cells", "kinds", "cells"):
        models.choose(named(models)[name])
    settle(workbench, models, qtbot)
    assert current(workbench).name == "cells"
    models.choose(named(models)["kinds"])
    models.choose(NETWORKS["2015"])  # while the file is being read
    settle(workbench, models, qtbot)
    assert workbench.choices.start == NETWORKS["2015"]


def test_the_default_bundled_model_is_chosen_at_the_start(
    workbench: Workbench, models: Models, bundled: Path, qtbot: QtBot
) -> None:
    workbench.choose(task=Task.CLASSES)
    workbench.use_device(CPU)
    settle(workbench, models, qtbot)
    assert current(workbench).path == bundled
    assert workbench.choices.task is Task.CLASSES  # nobody asked for the model


def test_another_bundled_model_is_no_default(
    workbench: Workbench, models: Models, bundled: Path, qtbot: QtBot
) -> None:
    bundled.write_bytes(b"damaged")
    workbench.use_device(CPU)
    settle(workbench, models, qtbot)
    assert workbench.choices.start == NETWORKS["light"]


@pytest.mark.parametrize("by", ["choosing", "training"])
def test_a_bundled_model_does_not_replace_what_was_chosen(
    workbench: Workbench, models: Models, bundled: Path, model: Model, by: str, qtbot: QtBot
) -> None:
    if by == "choosing":
        models.choose(NETWORKS["light"])
    else:
        workbench.choose(start=CurrentModel("mine", model))
    before = workbench.choices.start
    workbench.use_device(CPU)
    settle(workbench, models, qtbot)
    assert workbench.choices.start is before


def test_a_trained_model_is_remembered_until_the_next_one(
    workbench: Workbench, models: Models, model: Model, qtbot: QtBot
) -> None:
    first, second = CurrentModel("first", model), CurrentModel("second", model)
    workbench.choose(start=first)
    models.choose(NETWORKS["light"])
    assert models.trained is first
    workbench.choose(start=second)
    assert models.trained is second


def test_a_kept_model_is_among_ones_own_and_still_chosen(
    workbench: Workbench, models: Models, folder: Path, model: Model, qtbot: QtBot
) -> None:
    workbench.use_device(CPU)
    workbench.choose(start=CurrentModel("trained", model))
    models.keep("day 1")
    settle(workbench, models, qtbot)
    assert models.trained is None
    assert list(named(models)) == ["day 1"]
    assert current(workbench).name == "day 1"
    assert current(workbench).model is model
    assert load_model(folder / "day 1.safetensors").task is model.task


@pytest.mark.parametrize(
    ("name", "sentence"), [("a/b", "cannot name a model"), ("cells", "exists already")]
)
def test_a_name_that_cannot_be_is_said_and_the_model_is_not_lost(
    workbench: Workbench,
    models: Models,
    filled: Path,
    model: Model,
    name: str,
    sentence: str,
    qtbot: QtBot,
) -> None:
    workbench.use_device(CPU)
    workbench.choose(start=CurrentModel("trained", model))
    settle(workbench, models, qtbot)
    with qtbot.waitSignal(workbench.failed) as failed:
        models.keep(name)
    settle(workbench, models, qtbot)
    assert sentence in failed.args[0]
    assert models.trained is not None


def test_renaming_renames_the_chosen_model_too(
    workbench: Workbench, models: Models, filled: Path, qtbot: QtBot
) -> None:
    workbench.use_device(CPU)
    settle(workbench, models, qtbot)
    models.choose(named(models)["cells"])
    settle(workbench, models, qtbot)
    models.library.rename(named(models)["cells"], "HeLa")
    settle(workbench, models, qtbot)
    assert (current(workbench).name, current(workbench).path) == (
        "HeLa",
        filled / "HeLa.safetensors",
    )
    assert "HeLa" in named(models)
    assert "cells" not in named(models)


def test_a_refused_name_is_told_so_that_the_table_can_show_the_old_one(
    workbench: Workbench, models: Models, filled: Path, qtbot: QtBot
) -> None:
    workbench.use_device(CPU)
    settle(workbench, models, qtbot)
    with qtbot.waitSignals([workbench.failed, models.changed]):
        models.library.rename(named(models)["cells"], "a/b")
    with qtbot.waitSignals([workbench.failed, models.changed]):
        models.library.rename(named(models)["cells"], "kinds")
    settle(workbench, models, qtbot)
    assert "cells" in named(models)


def test_a_deleted_model_is_brought_back(
    workbench: Workbench, models: Models, filled: Path, qtbot: QtBot
) -> None:
    workbench.use_device(CPU)
    settle(workbench, models, qtbot)
    before = named(models)["cells"].path.read_bytes()
    models.library.delete(named(models)["cells"])
    settle(workbench, models, qtbot)
    assert "cells" not in named(models)
    assert models.library.deleted is not None
    models.library.undo_delete()
    settle(workbench, models, qtbot)
    assert named(models)["cells"].path.read_bytes() == before
    assert models.library.deleted is None


def test_an_imported_model_gets_a_free_name_and_is_chosen(
    workbench: Workbench, models: Models, filled: Path, tmp_path: Path, model: Model, qtbot: QtBot
) -> None:
    workbench.use_device(CPU)
    settle(workbench, models, qtbot)
    models.library.import_file(save_model(model, tmp_path / "Cells.safetensors"))
    settle(workbench, models, qtbot)
    assert current(workbench).name == "Cells 2"
    assert "Cells 2" in named(models)


def test_an_exported_model_is_the_same_file(
    workbench: Workbench, models: Models, filled: Path, tmp_path: Path, qtbot: QtBot
) -> None:
    workbench.use_device(CPU)
    settle(workbench, models, qtbot)
    (tmp_path / "old.safetensors").write_bytes(b"replaced")
    for name in ("old.safetensors", "v2.5"):
        models.library.export_file(named(models)["cells"], tmp_path / name, ".safetensors")
        settle(workbench, models, qtbot)
    for name in ("old.safetensors", "v2.5.safetensors"):
        assert (tmp_path / name).read_bytes() == (filled / "cells.safetensors").read_bytes()


def test_a_model_is_exported_as_what_its_name_or_the_dialog_says(
    workbench: Workbench, models: Models, filled: Path, tmp_path: Path, qtbot: QtBot
) -> None:
    workbench.use_device(CPU)
    settle(workbench, models, qtbot)
    for name, suffix in (("named.pt", ".safetensors"), ("chosen", ".pt")):
        models.library.export_file(named(models)["cells"], tmp_path / name, suffix)
        settle(workbench, models, qtbot)
    assert all(zipfile.is_zipfile(tmp_path / name) for name in ("named.pt", "chosen.pt"))


def test_a_failure_is_one_sentence_and_nothing_is_stuck(
    workbench: Workbench,
    models: Models,
    filled: Path,
    monkeypatch: pytest.MonkeyPatch,
    qtbot: QtBot,
) -> None:
    workbench.use_device(CPU)
    settle(workbench, models, qtbot)
    monkeypatch.setattr(model_job, "open_file", lambda _path: failing_job(MemoryError()))
    with qtbot.waitSignal(workbench.failed) as failed:
        models.choose(named(models)["cells"])
    settle(workbench, models, qtbot)
    assert "not enough memory" in failed.args[0]
    assert models.why_not_choose() is None
    assert workbench.choices.start == NETWORKS["light"]


def test_after_release_nothing_is_heard_of_the_workbench(
    workbench: Workbench, folder: Path, model: Model, qtbot: QtBot
) -> None:
    models = Models(workbench)
    models.release()
    workbench.use_device(CPU)
    workbench.choose(start=CurrentModel("trained", model))
    assert workbench.runner.state is JobState.IDLE
    assert models.trained is None
