"""What is printed, and what a signal does."""

from __future__ import annotations

import json
import math
import signal

import pytest
import typer

from napari_unet.cli.console import show, show_table, stop_on_signal


def test_json_knows_no_nan(capsys: pytest.CaptureFixture[str]) -> None:
    show({"seg": math.nan, "iou": {1: 0.5}, "planes": (0, 2), "path": None}, as_json=True)
    printed = capsys.readouterr().out
    assert json.loads(printed) == {"seg": None, "iou": {"1": 0.5}, "planes": [0, 2], "path": None}


def test_figures_line_up(capsys: pytest.CaptureFixture[str]) -> None:
    show(
        {"seg": 0.123456, "mean_iou": math.nan, "planes": [0, 2], "files": {"a": "x", "bc": "y"}},
        as_json=False,
    )
    assert capsys.readouterr().out.splitlines() == [
        "seg       0.1235",
        "mean iou  –",
        "planes    0, 2",
        "files",
        "  a   x",
        "  bc  y",
    ]


def test_figures_of_classes_bear_their_numbers(capsys: pytest.CaptureFixture[str]) -> None:
    show({"iou": {1: 0.5, 2: 0.25}}, as_json=False)
    assert capsys.readouterr().out.splitlines() == ["iou", "  1  0.5", "  2  0.25"]


def test_a_table_has_a_heading(capsys: pytest.CaptureFixture[str]) -> None:
    show_table([{"name": "cells", "n": 12}, {"name": "x", "n": None}])
    assert capsys.readouterr().out.splitlines() == ["name   n", "cells  12", "x      –"]


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_the_first_signal_asks_and_a_second_ends(number: signal.Signals, status: int) -> None:
    before = signal.getsignal(number)
    with stop_on_signal("all is saved.") as stop:
        stop.exit_if_requested()
        assert not stop()
        signal.raise_signal(number)
        assert stop()
        assert signal.getsignal(number) == before
        with pytest.raises(typer.Exit) as ended:
            stop.exit_if_requested()
    assert ended.value.exit_code == status
    assert signal.getsignal(number) == before
