"""The doctor finds what is in the way and names the command that mends it."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from typing import Any

import pytest

from napari_unet.cli.doctor import Environment, describe_prediction, examine, find_problems
from napari_unet.engine import network
from napari_unet.engine.network.device import DeviceChoice, pick_device
from tests.cli.conftest import Command

HEALTHY = Environment(
    system="Linux",
    python="3.12.0",
    device=DeviceChoice("cuda", "NVIDIA H100", "fastest found"),
    versions={"napari": "0.7.1", "PyQt6": "6.10.0", "torch": "2.9.0"},
    variables={"DISPLAY": ":0"},
    libraries={"GL": "libGL.so.1", "EGL": "libEGL.so.1", "xcb-cursor": "libxcb-cursor.so.0"},
    renderer="NVIDIA H100",
)
CASES: dict[str, tuple[dict[str, Any], str, str]] = {
    "no Qt": ({"versions": {"napari": "0.7.1"}}, "No Qt", "pip install"),
    "old Qt": ({"versions": {"PyQt5": "5.15"}}, "PyQt5 is Qt 5", "pip install PyQt6"),
    "two Qt": (
        {"versions": {"PyQt6": "6.10", "PyQt5": "5.15"}},
        "installed together",
        "pip uninstall --yes PyQt5",
    ),
    "other plugin": (
        {"versions": {"PyQt6": "6.10", "napari-unet": "0.2"}},
        "another plugin",
        "pip uninstall --yes napari-unet ",
    ),
    "CPU torch": (
        {"device": DeviceChoice("cpu", "CPU", "torch is a CPU build", "uv pip install torch")},
        "torch is a CPU build",
        "uv pip install torch",
    ),
    "no display": ({"variables": {}}, "no display", "xvfb-run"),
    "offscreen": (
        {"variables": {"DISPLAY": ":0", "QT_QPA_PLATFORM": "offscreen"}},
        "without OpenGL",
        "unset QT_QPA_PLATFORM",
    ),
    "no OpenGL": (
        {"libraries": {"GL": None, "EGL": "libEGL.so.1", "xcb-cursor": None}},
        "GL, xcb-cursor",
        "apt-get install libgl1 libxcb-cursor0",
    ),
}


def test_a_healthy_machine_has_no_problems() -> None:
    assert list(find_problems(HEALTHY)) == []


@pytest.mark.parametrize("case", CASES)
def test_each_problem_has_its_cure(case: str) -> None:
    change, expected, cure = CASES[case]
    (found,) = find_problems(replace(HEALTHY, **change))
    assert expected in found.problem
    assert cure in found.cure


def test_other_systems_are_not_told_about_x_servers() -> None:
    assert list(find_problems(replace(HEALTHY, system="Darwin", variables={}, libraries={}))) == []


def test_on_the_cpu_it_says_what_predicts_and_what_would_be_faster() -> None:
    cpu = replace(HEALTHY, device=DeviceChoice("cpu", "CPU", "no GPU found"))
    assert describe_prediction(HEALTHY) == {}
    assert "pip install" in describe_prediction(cpu)["prediction"]
    with_it = replace(cpu, versions={**cpu.versions, "openvino": "2026.4"})
    assert describe_prediction(with_it) == {"prediction": "OpenVINO 2026.4"}


def test_this_machine_is_examined() -> None:
    environment = examine()
    assert environment.device == pick_device()
    assert {"napari-unet-paint", "torch", "numpy"} <= set(environment.versions)


def test_the_report_is_one_json_object(command: Command) -> None:
    outcome = command("doctor", "--json")
    assert outcome.exit_code == 0
    report = json.loads(outcome.stdout)
    assert report["versions"]["torch"]
    assert all(set(problem) == {"problem", "cure"} for problem in report["problems"])
    assert "device" in command("doctor").stdout


def test_a_torch_that_cannot_be_loaded_is_a_problem_with_a_cure(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "napari_unet.engine.network.device", None)  # its import fails
    monkeypatch.delitem(vars(network), "pick_device", raising=False)  # as before the first use
    environment = examine()
    problem = next(p for p in find_problems(environment) if "PyTorch" in p.problem)
    assert problem.cure.startswith("pip install")
