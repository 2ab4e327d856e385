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

from napari_unet.io.checkpoints import load_model

pytestmark = pytest.mark.skipif(
    sys.platform == "win32", reason="Windows sends Ctrl-C to a whole console only"
)

_PATIENCE = 120  # seconds, for slow machines


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
        lambda: any(path.stat().st_size > 9000 for path in folder.glob(".out.tif.*.part")),
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
