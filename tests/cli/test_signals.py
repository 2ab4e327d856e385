"""Ctrl-C and SIGTERM, sent to a real process: finished work stays, and files are whole."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import typer
import zarr

from napari_unet.cli.console import Interruption
from napari_unet.cli.segment import segment_stack
from napari_unet.cli.settings import SegmentWishes
from napari_unet.config import OutputKind
from napari_unet.engine.errors import FileError
from napari_unet.io.checkpoints import load_model
from napari_unet.io.images import open_image
from napari_unet.io.unfinished import UNFINISHED
from tests.cli.stopping import StopAfter

real_signals = pytest.mark.skipif(
    sys.platform == "win32", reason="Windows sends Ctrl-C to a whole console only"
)

_PATIENCE = 300  # seconds, for slow machines


def _run_and_stop(
    words: tuple[str, ...], number: signal.Signals, log: Path, begun: Callable[[], bool]
) -> tuple[int, dict[str, Any]]:
    """Start the program, send the signal once `begun` says so; return its status and figures."""
    program = [sys.executable, "-c", "from napari_unet.cli import main; main()", *words, "--json"]
    with (
        log.open("w") as stderr,
        subprocess.Popen(program, stdout=subprocess.PIPE, stderr=stderr) as process,
    ):
        deadline = time.monotonic() + _PATIENCE
        while not begun() and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.01)
        process.send_signal(number)
        stdout, _ = process.communicate(timeout=_PATIENCE)
    assert "Stopping" in log.read_text(), log.read_text()
    return process.returncode, json.loads(stdout)


def _size(path: Path) -> int:
    """Return the bytes of a file that may be gone: whether a name can be written is tried first."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


@real_signals
def test_ctrl_c_keeps_finished_planes_in_a_whole_file(folder: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (1500, 64, 64)).astype(np.uint8)
    tifffile.imwrite(folder / "long.tif", noise, imagej=True, metadata={"axes": "TYX"})

    status, figures = _run_and_stop(
        (
            *("segment", str(folder / "long.tif"), "--model", str(folder / "tiny.safetensors")),
            *("--output", str(folder / "out.tif")),
        ),
        signal.SIGINT,
        folder / "log",
        lambda: any(_size(path) > 9000 for path in folder.glob(".out.tif.*.part")),
    )

    assert status == 130
    assert figures["finished"] == "stopped"
    done = figures["planes"]
    assert 0 < done < len(noise)
    written = tifffile.imread(folder / "out.tif")
    assert written.shape == noise.shape
    assert written[:done].any(axis=(1, 2)).all()
    assert not written[done:].any()
    assert list(folder.glob(".out.tif*")) == []


@real_signals
def test_sigterm_ends_training_and_saves_the_best_weights(folder: Path) -> None:
    log = folder / "log"
    status, figures = _run_and_stop(
        (
            *("train", str(folder / "cells.tif"), str(folder / "strokes.tif")),
            *("--from", str(folder / "tiny.safetensors"), "--seconds", "300"),
            *("--model", str(folder / "m.safetensors")),
        ),
        signal.SIGTERM,
        log,
        lambda: log.exists() and "step 0" in log.read_text(),
    )

    assert status == 143
    assert figures["finished"] == "stopped"
    record = load_model(folder / "m.safetensors").record
    assert record.finished == "stopped"
    assert record.best_step <= record.steps == figures["steps"]


@real_signals
@pytest.mark.parametrize("module", ["typer", "torch"])
def test_ctrl_c_while_libraries_are_imported_ends_without_a_traceback(
    module: str, folder: Path
) -> None:
    words = ("segment", str(folder / "cells.tif"), "--model", "light", "--output", "out.tif")
    # What is started in the background ignores Ctrl-C, and so would this.
    heed = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
    code = f"{heed}; from napari_unet.cli import main; main()"
    program = [sys.executable, "-X", "importtime", "-c", code, *words]
    with subprocess.Popen(program, stderr=subprocess.PIPE, text=True, cwd=folder) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if f" {module}." in line:
                break
        process.send_signal(signal.SIGINT)
        said = process.stderr.read()
    assert process.returncode == -signal.SIGINT
    assert "Traceback" not in said
    assert not (folder / "out.tif").exists()


def _segment(
    folder: Path,
    stop: Interruption,
    kind: OutputKind = OutputKind.LABELS,
    output: str = "out.tif",
) -> dict[str, Any]:
    return segment_stack(
        folder / "cells.tif",
        model=str(folder / "tiny.safetensors"),
        output=folder / output,
        selection=None,
        wishes=SegmentWishes(tile=40),  # 4 tiles per plane
        kind=kind,
        device="cpu",
        stop=stop,
    )


@pytest.mark.parametrize("kind", OutputKind)
@pytest.mark.parametrize("output", ["out.tif", "out.zarr"])
@pytest.mark.parametrize("tiles", [6, 7])
def test_a_plane_that_is_half_done_counts_as_not_done(
    folder: Path,
    kind: OutputKind,
    output: str,
    tiles: int,
    capsys: pytest.CaptureFixture[str],
) -> None:
    figures = _segment(folder, StopAfter(tiles=tiles), kind, output)
    told = capsys.readouterr().err
    assert f"Planes 1–3 are not segmented to their end and 0 in '{output}'." in told
    assert (figures["planes"], figures["empty_planes"]) == (1, 3)
    written = np.asarray(open_image(folder / output).array)
    assert written[0].any()
    assert not written[1:].any()
    if output == "out.zarr":
        noted = zarr.open_group(str(folder / output), mode="r").attrs[UNFINISHED]
    else:
        with tifffile.TiffFile(folder / output) as tif:
            noted = [int(n) for n in (tif.imagej_metadata or {})["unfinished"].split()]
    assert noted == [1, 2, 3]


@pytest.mark.parametrize("kind", OutputKind)
def test_tiff_and_zarr_hold_the_same(folder: Path, kind: OutputKind) -> None:
    tiff, store = (
        np.squeeze(open_image(folder / output).array)  # a TIFF has no axis of a single channel
        for output in ("out.tif", "out.zarr")
        if _segment(folder, Interruption(), kind, output)
    )
    np.testing.assert_array_equal(tiff, store)
    assert all(plane.any() for plane in tiff)


def test_nothing_is_written_when_nothing_is_finished(folder: Path) -> None:
    (folder / "out.tif").write_bytes(b"of yesterday")
    with pytest.raises(typer.Exit) as ended:
        _segment(folder, StopAfter(tiles=2))
    assert ended.value.exit_code == 130
    assert (folder / "out.tif").read_bytes() == b"of yesterday"


@pytest.mark.parametrize("output", ["out.tif", "out.ome.tif", "out.zarr"])
def test_an_older_result_stays_until_the_new_one_is_whole(
    folder: Path, output: str, capsys: pytest.CaptureFixture[str]
) -> None:
    _segment(folder, Interruption(), output=output)
    whole = np.asarray(open_image(folder / output).array)

    figures = _segment(folder, StopAfter(tiles=6), output=output)

    partial = Path(figures["output"])
    assert partial.name == output.replace("out.", "out.unfinished.")
    said = capsys.readouterr().err
    assert f"0 in '{partial.name}'. '{output}' is as it was. To go on, run the same" in said
    np.testing.assert_array_equal(np.asarray(open_image(folder / output).array), whole)
    np.testing.assert_array_equal(np.asarray(open_image(partial).array)[0], whole[0])

    assert _segment(folder, Interruption(), output=output)["output"] == str(folder / output)
    left = {output, partial.name}  # each with its record, and nothing else
    assert {p.name for p in folder.glob("*out*")} == left | {f"{name}.json" for name in left}
    if output == "out.zarr":
        ome: Any = zarr.open_group(str(folder / output), mode="r").attrs["ome"]
        assert ome["multiscales"][0]["name"] == "out"


def test_a_folder_of_other_files_is_refused_before_the_work(folder: Path) -> None:
    (folder / "out.zarr").mkdir()
    (folder / "out.zarr" / "thesis.txt").write_text("years")
    with pytest.raises(FileError, match="other files in it"):
        _segment(folder, Interruption(), output="out.zarr")
    assert (folder / "out.zarr" / "thesis.txt").read_text() == "years"
