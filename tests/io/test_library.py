"""One's own models are found by name or by file, and never overwritten or half copied."""

from __future__ import annotations

from pathlib import Path

import pytest

from napari_unet.engine.errors import FileError, SettingsError
from napari_unet.io.library import (
    FOLDER_VARIABLE,
    add_model,
    copy_file,
    find_model,
    list_models,
    model_path,
    models_folder,
)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path / "models"))
    return tmp_path / "models"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "cells.safetensors"
    path.write_bytes(b"weights")
    return path


def test_the_folder_is_the_users_unless_another_is_set(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert models_folder() == folder
    monkeypatch.delenv(FOLDER_VARIABLE)
    assert "napari-unet-paint" in models_folder().parts


def test_an_empty_library_lists_nothing() -> None:
    assert list_models() == []


def test_a_model_is_found_by_its_name_and_by_its_file(folder: Path, file: Path) -> None:
    add_model(file, "HeLa, day 2".replace(",", ""))
    assert list_models() == [folder / "HeLa day 2.safetensors"]
    assert find_model("HeLa day 2") == folder / "HeLa day 2.safetensors"
    assert find_model("HeLa day 2.safetensors") == folder / "HeLa day 2.safetensors"
    assert find_model(str(file)) == file


def test_an_unknown_name_is_answered_with_the_known_ones(file: Path) -> None:
    with pytest.raises(FileError, match="none yet"):
        find_model("nuclei")
    add_model(file)
    with pytest.raises(FileError, match="cells"):
        find_model("nuclei")


@pytest.mark.parametrize("name", ["../up", "a/b", "", ".hidden", "a\\b", "c:d", "*"])
def test_a_name_cannot_leave_the_folder(name: str) -> None:
    with pytest.raises(SettingsError, match="cannot name"):
        model_path(name)


def test_nothing_is_overwritten(folder: Path, file: Path) -> None:
    add_model(file)
    file.write_bytes(b"others")
    with pytest.raises(FileError, match="exists already"):
        add_model(file)
    assert (folder / "cells.safetensors").read_bytes() == b"weights"


def test_a_missing_folder_is_said_and_nothing_is_left(tmp_path: Path, file: Path) -> None:
    with pytest.raises(FileError, match="does not exist"):
        copy_file(file, tmp_path / "nowhere" / "copy.safetensors")
    assert [path.name for path in tmp_path.iterdir()] == ["cells.safetensors"]


def test_a_folder_that_cannot_be_made_is_said(
    tmp_path: Path, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(FOLDER_VARIABLE, str(file / "models"))
    with pytest.raises(FileError, match="cannot be written"):
        add_model(file)
