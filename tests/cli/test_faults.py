"""What fails in the middle of a command: one sentence, and the work is not lost."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_unet.cli import evaluate as evaluate_module
from napari_unet.io import kept_segmentation
from napari_unet.io.images import open_image
from napari_unet.io.write_tiff import LabelTiff
from tests.cli.conftest import Command, sentence


def test_too_little_memory_anywhere_is_one_sentence(
    command: Command, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise MemoryError

    monkeypatch.setattr(evaluate_module, "compare", fail)
    outcome = command("evaluate", folder / "truth.tif", folder / "truth.tif")
    assert sentence(outcome).startswith("There is not enough memory; close other programs")


def test_a_disk_that_is_full_in_the_end_costs_no_tile(
    command: Command, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept_segmentation, "_WAIT", 0)
    words: list[Any] = ["segment", folder / "cells.tif", "--model", folder / "tiny.safetensors"]
    words += ["--device", "cpu", "--output"]
    assert command(*words, folder / "undisturbed.tif").exit_code == 0

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(LabelTiff, "finish", full)
        assert "disk is full" in sentence(command(*words, folder / "out.tif"))
    assert not (folder / "out.tif").exists()
    again = command(*words, folder / "out.tif")
    assert again.exit_code == 0, again.output
    assert "Going on: of 'out.tif', 4 of 4 planes were finished" in again.stderr
    found, right = (open_image(folder / name).array for name in ("out.tif", "undisturbed.tif"))
    np.testing.assert_array_equal(np.asarray(found), np.asarray(right))
