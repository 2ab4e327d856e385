"""What people choose in napari's preferences holds in the dock."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace

import pytest
from npe2 import PluginManifest

import napari_unet
from napari_unet.config import RECIPES
from napari_unet.engine.events import never
from napari_unet.io.library import FOLDER_VARIABLE, models_folder
from napari_unet.io.model_formats import LICENSE, Credits
from napari_unet.ui.device.job import DeviceFound, find_device
from napari_unet.ui.model.job import export_file
from napari_unet.ui.preferences import (
    package_credits,
    preferences,
    training_seconds,
    use_models_folder,
    wished_device,
)
from napari_unet.ui.train.settings import TrainSettings


@pytest.fixture
def chosen(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> SimpleNamespace:
    """What people chose."""
    parts = SimpleNamespace(
        computing=SimpleNamespace(device="mps", seconds=240),
        models=SimpleNamespace(folder=str(tmp_path), authors="Ada Lovelace, ", license="MIT"),
    )
    monkeypatch.setattr(
        "napari.settings.get_plugin_settings",
        lambda name: {"napari-unet-paint": parts}[name],
        raising=False,
    )
    return parts


def test_what_is_asked_for_is_in_the_manifest() -> None:
    manifest = PluginManifest.from_file(Path(napari_unet.__file__).with_name("napari.yaml"))
    offered = getattr(manifest.contributions, "configurations", None)
    if not offered:
        pytest.skip("this npe2 knows no preferences of plugins")

    defaults = {
        (part, name): one.default
        for part, about in offered.items()
        for name, one in about.properties.items()
    }

    assert defaults == {
        ("computing", "device"): "auto",
        ("computing", "seconds"): 0,
        ("models", "folder"): "",
        ("models", "authors"): "",
        ("models", "license"): LICENSE,
        ("strokes", "kept"): True,
        ("strokes", "folder"): "",
    }


def test_without_preferences_all_is_as_usual(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr("napari.settings.get_plugin_settings", raising=False)
    monkeypatch.delenv(FOLDER_VARIABLE, raising=False)

    use_models_folder()

    assert preferences("computing") is None
    assert (wished_device(), training_seconds(60.0)) == ("auto", 60.0)
    assert FOLDER_VARIABLE not in os.environ


@pytest.mark.usefixtures("qapp")
def test_a_training_takes_as_long_as_people_want(chosen: SimpleNamespace) -> None:
    assert TrainSettings().config().seconds == 240
    chosen.computing.seconds = 0
    assert TrainSettings().config().seconds == RECIPES["light"].seconds


def test_a_device_that_is_not_there_is_not_insisted_on(
    chosen: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert wished_device() == chosen.computing.device
    monkeypatch.setattr("napari_unet.ui.device.job.preload", lambda: None)
    monkeypatch.setattr("napari_unet.engine.network.available_devices", lambda: ("cpu",))

    (found,) = find_device()(never)

    assert isinstance(found, DeviceFound)
    assert found.wish == "auto"


def test_models_are_kept_where_people_want_them(
    chosen: SimpleNamespace, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv(FOLDER_VARIABLE, "/elsewhere")
    use_models_folder()
    assert models_folder() == Path("/elsewhere")

    monkeypatch.delenv(FOLDER_VARIABLE)
    use_models_folder()
    assert models_folder() == tmp_path


@pytest.mark.usefixtures("chosen")
def test_packages_from_the_window_name_authors_and_licence(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def export(source: Path, target: Path, *, named: Credits, overwrite: bool) -> Path:
        found.append((named, overwrite))
        return target

    found: list[tuple[Credits, bool]] = []
    monkeypatch.setattr("napari_unet.io.exchange.export_model", export)

    list(export_file(tmp_path / "a.safetensors", tmp_path / "a.zip", ".zip")(never))

    assert found == [(Credits(authors=("Ada Lovelace",), license="MIT"), True)]
    assert package_credits() == found[0][0]
