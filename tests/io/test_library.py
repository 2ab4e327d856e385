"""One's own models are found by name or by file, and never overwritten or half copied."""

from __future__ import annotations

import errno
import os
import shutil
import time
from pathlib import Path

import pytest

from napari_unet.engine.errors import FileError, SettingsError
from napari_unet.io import library
from napari_unet.io.library import (
    DAYS_KEPT,
    FOLDER_VARIABLE,
    add_model,
    bundled_models,
    copy_file,
    delete_model,
    empty_deleted,
    find_bundled,
    find_model,
    free_name,
    list_models,
    look_up_model,
    model_path,
    models_folder,
    rename_model,
    restore_model,
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


def test_an_unknown_name_is_answered_with_the_known_ones(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(library, "_WEIGHTS", tmp_path / "nothing bundled")
    with pytest.raises(FileError, match="none yet"):
        find_model("nuclei")
    add_model(file)
    with pytest.raises(FileError, match="cells"):
        find_model("nuclei")


@pytest.mark.parametrize("name", ["../up", "a/b", "", ".hidden", "a\\b", "c:d", "*", "x" * 250])
def test_a_name_cannot_leave_the_folder(name: str) -> None:
    with pytest.raises(SettingsError, match="cannot name"):
        model_path(name)


@pytest.mark.parametrize("name", ["con", "NUL", "com1", "lpt9.old", "cells.", "cells "])
def test_a_name_is_one_for_every_system(name: str) -> None:
    with pytest.raises(SettingsError, match="cannot name a model, for Windows has no files"):
        model_path(name)
    assert look_up_model(name) is None


def test_names_that_only_some_systems_tell_apart_are_one(folder: Path, file: Path) -> None:
    add_model(file)
    with pytest.raises(FileError, match="exists already"):
        add_model(file, "Cells")
    other = add_model(file, "nuclei")
    with pytest.raises(FileError, match="exists already"):
        rename_model(other, "CELLS")
    assert rename_model(folder / "cells.safetensors", "Cells").name == "Cells.safetensors"


@pytest.mark.parametrize("wish", [f"{'a' * 300}/b", f"b/{'a' * 300}", "a\0b"])
def test_a_name_that_no_file_can_have_is_no_model(wish: str) -> None:
    with pytest.raises(FileError, match="is neither a file nor one of your models"):
        find_model(wish)


def test_nothing_is_overwritten(folder: Path, file: Path) -> None:
    add_model(file)
    file.write_bytes(b"others")
    with pytest.raises(FileError, match="exists already"):
        add_model(file)
    assert (folder / "cells.safetensors").read_bytes() == b"weights"


def test_of_two_imports_of_one_name_at_once_none_vanishes(
    folder: Path, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "other.safetensors"
    other.write_bytes(b"others")
    copy = shutil.copyfile

    def copy_while_another_imports(source: Path, target: Path) -> None:
        monkeypatch.setattr(shutil, "copyfile", copy)
        add_model(other, "cells")
        copy(source, target)

    monkeypatch.setattr(shutil, "copyfile", copy_while_another_imports)
    with pytest.raises(FileError, match="exists already"):
        add_model(file)
    assert [path.read_bytes() for path in folder.iterdir()] == [b"others"]


@pytest.mark.parametrize("links", [True, False])
def test_a_name_that_is_taken_meanwhile_stays_taken(
    folder: Path,
    file: Path,
    links: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.EPERM, "no links on this disk")

    if not links:
        monkeypatch.setattr(os, "link", fail)
    one, two = add_model(file, "one"), add_model(file, "two")
    monkeypatch.setattr(library, "_refuse_taken", lambda *_, **__: None)  # both looked before
    rename_model(one, "both")
    with pytest.raises(FileError, match="exists already"):
        rename_model(two, "both")
    assert list_models() == [folder / "both.safetensors", two]


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


def test_a_name_that_is_free_is_much_like_the_wish() -> None:
    assert free_name("cells", []) == "cells"
    assert free_name("cells (1)", ["Cells 1", "cells 1 2"]) == "cells 1 3"
    assert free_name("../μ-scope: day 2.5", []) == "μ-scope day 2.5"
    assert free_name("***", ["model"]) == "model 2"


def test_a_name_that_is_too_long_for_a_file_is_shortened() -> None:
    first = free_name("細" * 300, [])
    second = free_name("細" * 300, [first])
    assert first != second
    assert all(len(model_path(name).name.encode()) < 255 for name in (first, second))


def test_a_renamed_model_is_found_under_its_new_name_only(folder: Path, file: Path) -> None:
    path = rename_model(add_model(file), "HeLa")
    assert list_models() == [path] == [folder / "HeLa.safetensors"]


def test_renaming_overwrites_nothing(folder: Path, file: Path) -> None:
    add_model(file, "other")
    with pytest.raises(FileError, match="exists already"):
        rename_model(add_model(file), "other")
    assert len(list_models()) == 2


def test_a_model_that_is_gone_is_said(folder: Path, file: Path) -> None:
    path = add_model(file)
    path.unlink()
    with pytest.raises(FileError, match="no longer there"):
        rename_model(path, "other")
    with pytest.raises(FileError, match="no longer there"):
        delete_model(path)


def test_a_deleted_model_comes_back_as_it_was(folder: Path, file: Path) -> None:
    path = add_model(file)
    aside = delete_model(path)
    assert list_models() == []
    assert restore_model(aside, path) == path
    assert path.read_bytes() == b"weights"
    assert not aside.exists()


def test_two_deleted_models_of_one_name_are_both_kept(folder: Path, file: Path) -> None:
    one = delete_model(add_model(file))
    file.write_bytes(b"others")
    two = delete_model(add_model(file))
    assert (one.read_bytes(), two.read_bytes()) == (b"weights", b"others")


def test_a_deleted_model_does_not_replace_the_one_that_took_its_name(
    folder: Path, file: Path
) -> None:
    path = add_model(file)
    aside = delete_model(path)
    add_model(file)
    with pytest.raises(FileError, match="exists already"):
        restore_model(aside, path)
    assert aside.exists()


def test_what_was_deleted_is_removed_after_thirty_days(folder: Path, file: Path) -> None:
    path = add_model(file)
    os.utime(path, (0, 0))  # trained long ago, deleted now
    aside = delete_model(path)
    day = 24 * 3600
    empty_deleted(now=time.time() + (DAYS_KEPT - 1) * day)
    assert aside.exists()
    empty_deleted(now=time.time() + (DAYS_KEPT + 1) * day)
    assert not aside.exists()
    empty_deleted()  # nothing to remove


@pytest.fixture
def weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of bundled models, with their cards."""
    folder = tmp_path / "weights"
    folder.mkdir()
    for name in ("2015.safetensors", "light.safetensors", "light.md"):
        (folder / name).write_bytes(b"bundled")
    monkeypatch.setattr(library, "_WEIGHTS", folder)
    return folder


def test_bundled_models_are_found_by_name_after_ones_own(weights: Path, file: Path) -> None:
    assert find_model("light") == find_model("light.safetensors") == weights / "light.safetensors"
    assert find_bundled("light") == weights / "light.safetensors"
    assert find_bundled("light.md") is look_up_model("other") is None
    with pytest.raises(FileError, match="light, 2015"):
        find_model("other")
    assert find_bundled("light") != add_model(file, "light") == find_model("light")


def test_the_default_of_the_bundled_models_comes_first(weights: Path) -> None:
    assert [path.stem for path in bundled_models()] == ["light", "2015"]


def test_a_bundled_model_is_neither_renamed_nor_deleted(weights: Path) -> None:
    light = find_model("light")
    with pytest.raises(FileError, match="'light' comes with U-Net Paint and can be neither"):
        rename_model(light, "mine")
    with pytest.raises(FileError, match="export it if you want a copy"):
        delete_model(light)
    assert light.is_file()
    assert list_models() == []


def test_a_package_without_weights_has_no_bundled_models(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(library, "_WEIGHTS", tmp_path / "nowhere")
    assert bundled_models() == []
    assert find_bundled("light") is None


def test_a_name_too_long_for_a_file_is_one_that_is_not_found() -> None:
    with pytest.raises(FileError, match="is neither a file nor one of your models"):
        find_model("x" * 300)
