"""`segment` that was killed or stopped goes on when it is run again, and says so."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import platformdirs
import pytest
import tifffile

from napari_unet.cli.console import Interruption
from napari_unet.cli.segment import segment_stack
from napari_unet.cli.settings import SegmentWishes
from napari_unet.config import OutputKind
from napari_unet.io import kept_segmentation
from napari_unet.io.images import open_image
from napari_unet.io.kept_folders import find_kept
from tests.cli.stopping import StopAfter

KILLED = """
import sys
from pathlib import Path
import platformdirs
from napari_unet.io import kept_segmentation

data = Path(sys.argv.pop(1))
platformdirs.user_data_path = lambda app, *_: data / app
kept_segmentation._WAIT = 0
from napari_unet.cli import main
main()
"""


def _segment(folder: Path, stop: Interruption | None = None, **options: Any) -> dict[str, Any]:
    arguments: dict[str, Any] = {
        "model": str(folder / "tiny.safetensors"),
        "output": folder / "out.tif",
        "selection": None,
        "wishes": SegmentWishes(tile=40),  # 4 tiles per plane
        "kind": OutputKind.LABELS,
        "device": "cpu",
        "stop": stop or Interruption(),
        **options,
    }
    return segment_stack(folder / "cells.tif", **arguments)


def _pixels(folder: Path) -> np.ndarray:
    return np.asarray(open_image(folder / "out.tif").array)


@pytest.mark.skipif(sys.platform == "win32", reason="kills as POSIX does")
def test_killed_and_run_again_the_file_is_that_of_a_run_that_was_not(
    folder: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    data = platformdirs.user_data_path("")
    words = [
        *("segment", folder / "cells.tif", "--model", folder / "tiny.safetensors", "--tile", "16"),
        *("--link", "--device", "cpu", "--output", folder / "out.tif"),
    ]
    command = [sys.executable, "-c", KILLED, str(data), *map(str, words)]
    with subprocess.Popen(command) as process:
        while process.poll() is None and not list(data.glob("*/segmenting/*/planes")):
            time.sleep(0.002)
        process.kill()
    assert not (folder / "out.tif").exists()

    subprocess.run(command, check=True)
    assert "Going on: of 'out.tif', " in capfd.readouterr().err
    found = _pixels(folder)
    assert list(data.glob("*/segmenting/*")) == []
    options: dict[str, Any] = {
        "wishes": SegmentWishes(tile=16, link=True),
        "output": folder / "whole.tif",
    }
    _segment(folder, **options)
    whole = np.asarray(open_image(folder / "whole.tif").array)
    np.testing.assert_array_equal(found, whole)
    assert list(folder.glob(".*")) == []


@pytest.mark.parametrize("kind", OutputKind)
def test_stopped_and_run_again_it_goes_on(
    folder: Path, kind: OutputKind, capsys: pytest.CaptureFixture[str]
) -> None:
    _segment(folder, kind=kind)
    whole = _pixels(folder)
    (folder / "out.tif").unlink()
    _segment(folder, StopAfter(tiles=6), kind=kind)
    assert "To go on, run the same command again." in capsys.readouterr().err
    figures = _segment(folder, kind=kind)
    assert "Going on: of 'out.tif', " in capsys.readouterr().err
    assert (figures["planes"], figures["finished"]) == (4, "completed")
    np.testing.assert_array_equal(_pixels(folder), whole)
    assert find_kept() == []


def test_what_has_changed_is_said_and_the_work_begins_anew(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _segment(folder, StopAfter(tiles=6))
    for wishes, word in [
        (SegmentWishes(tile=40, min_size=9), "how objects are cut is"),
        (SegmentWishes(tile=32), "how it is predicted is"),
    ]:
        capsys.readouterr()
        assert _segment(folder, wishes=wishes)["planes"] == 4
        said = capsys.readouterr().err
        assert f"but {word} not as then: this begins anew." in said
        assert "Of 'out.tif', 1 of 4 planes were finished on" in said
    (kept,) = find_kept()  # what was made otherwise waits for its like

    image = tifffile.imread(folder / "cells.tif")
    tifffile.imwrite(folder / "cells.tif", image + 1, imagej=True, metadata={"axes": "ZYX"})
    _segment(folder)
    assert "but the image is not as then" in capsys.readouterr().err
    assert find_kept() == [kept]


def test_anew_forgets_what_was_finished(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _segment(folder, StopAfter(tiles=6))
    capsys.readouterr()
    _segment(folder, anew=True)
    assert "Going on" not in capsys.readouterr().err
    assert find_kept() == []


def test_what_another_output_has_is_left_alone(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _segment(folder, StopAfter(tiles=6))
    capsys.readouterr()
    _segment(folder, output=folder / "other.tif")
    assert "Going on" not in capsys.readouterr().err
    assert len(find_kept()) == 1


def test_nothing_is_kept_of_a_run_that_is_over_soon(folder: Path) -> None:
    assert kept_segmentation._WAIT >= 1
    _segment(folder)
    assert not (platformdirs.user_data_path("napari-unet-paint") / "segmenting").exists()
