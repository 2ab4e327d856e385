"""What computes, what is installed, what is in the way, and the command that mends it."""

from __future__ import annotations

import ctypes.util
import os
import platform
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from napari_unet.cli.console import say, show
from napari_unet.engine.errors import LIBRARY_FAILURES, first_line, torch_cure

if TYPE_CHECKING:
    from napari_unet.engine.network import DeviceChoice

_QT_BINDINGS = ("PyQt6", "PySide6", "PyQt5", "PySide2")
_OLD_QT = ("PyQt5", "PySide2")
_DISTRIBUTIONS = (
    *("napari-unet-paint", "napari", "npe2", "qtpy", *_QT_BINDINGS, "vispy", "torch", "numpy"),
    *("scipy", "scikit-image", "tifffile", "zarr", "safetensors", "openvino", "napari-unet"),
)
_LIBRARIES = {"GL": "libgl1", "EGL": "libegl1", "xcb-cursor": "libxcb-cursor0"}
"""System libraries that napari's window needs on Linux, and the packages that hold them."""


@dataclass(frozen=True, slots=True)
class Environment:
    """All that is looked at."""

    system: str  # as `platform.system()`
    python: str
    device: DeviceChoice | Problem  # a problem if torch cannot be loaded
    versions: Mapping[str, str]  # of what is installed
    variables: Mapping[str, str]  # of the process's environment
    libraries: Mapping[str, str | None]  # file of each system library; None: not found
    renderer: str | None  # OpenGL, as told without opening a window


@dataclass(frozen=True, slots=True)
class Problem:
    """Something in the way, and the command that mends it."""

    problem: str
    cure: str


def run_doctor(*, as_json: bool) -> None:
    """Print the environment and what is wrong with it."""
    environment = examine()
    problems = list(find_problems(environment))
    figures = {
        **_describe(environment.device),
        **describe_prediction(environment),
        "system": platform.platform(),
        "python": environment.python,
        **({"versions": environment.versions} if as_json else environment.versions),
        "OpenGL": environment.renderer or "known once a window opens",
        "libraries": environment.libraries,
    }
    if as_json:
        show({**figures, "problems": [asdict(problem) for problem in problems]}, as_json=True)
        return
    show(figures, as_json=False)
    for problem in problems:
        show({"\nproblem": problem.problem, "cure": problem.cure}, as_json=False)
    if not problems:
        say("No problems found.")


def _describe(device: DeviceChoice | Problem) -> dict[str, str]:
    if isinstance(device, Problem):
        return {"device": "none", "device_reason": device.problem}
    return {
        "device": device.device,
        "device_name": device.name,
        "device_reason": device.reason,
    }


def describe_prediction(environment: Environment) -> dict[str, str]:
    """Return what computes predictions on the CPU, and what would be faster."""
    device = environment.device
    if isinstance(device, Problem) or device.device != "cpu":
        return {}
    found = environment.versions.get("openvino")
    faster = 'PyTorch (faster with OpenVINO: pip install "napari-unet-paint[fast]")'
    return {"prediction": f"OpenVINO {found}" if found else faster}


def examine() -> Environment:
    """Look at this machine; nothing is imported or opened but torch."""
    on_linux = platform.system() == "Linux"
    return Environment(
        system=platform.system(),
        python=platform.python_version(),
        device=_device(),
        versions=dict(_installed()),
        variables=dict(os.environ),
        libraries={name: ctypes.util.find_library(name) for name in _LIBRARIES if on_linux},
        renderer=_renderer(),
    )


def _device() -> DeviceChoice | Problem:
    """Load torch, which is the first thing that can be broken."""
    try:
        from napari_unet.engine.network import pick_device  # noqa: PLC0415
    except LIBRARY_FAILURES as error:
        return Problem(f"PyTorch cannot be loaded: {first_line(error)}.", torch_cure(error))
    return pick_device()


def _installed() -> Iterator[tuple[str, str]]:
    for name in _DISTRIBUTIONS:
        try:
            yield name, version(name)
        except PackageNotFoundError:
            continue


def _renderer() -> str | None:
    """Ask glxinfo, where there is one; it draws nothing."""
    program = shutil.which("glxinfo")
    if program is None or "DISPLAY" not in os.environ:
        return None
    try:
        answer = subprocess.run(  # noqa: S603
            [program, "-B"], capture_output=True, text=True, timeout=10, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    lines = (line.partition(":") for line in answer.stdout.splitlines())
    return next((value.strip() for key, _, value in lines if "renderer string" in key), None)


def find_problems(environment: Environment) -> Iterator[Problem]:
    """Yield what is in the way, the gravest first."""
    yield from _qt_problems(environment)
    device = environment.device
    if isinstance(device, Problem):
        yield device
    elif device.cure:
        yield Problem(f"Training runs on the CPU: {device.reason}.", device.cure)
    if "napari-unet" in environment.versions:
        yield Problem(
            "'napari-unet' is another plugin, which overwrites parts of this one.",
            "pip uninstall --yes napari-unet && "
            "pip install --force-reinstall --no-deps napari-unet-paint",
        )
    if environment.system == "Linux":
        yield from _display_problems(environment)


def _qt_problems(environment: Environment) -> Iterator[Problem]:
    bindings = [name for name in _QT_BINDINGS if name in environment.versions]
    current = [name for name in bindings if name not in _OLD_QT]
    if not bindings:
        yield Problem(
            "No Qt binding is installed, so napari cannot open a window.",
            'pip install "napari-unet-paint[all]"',
        )
    if bindings and not current:
        yield Problem(
            f"{bindings[0]} is Qt 5, which is no longer maintained; this is tested with Qt 6.",
            f"pip uninstall --yes {' '.join(bindings)} && pip install PyQt6",
        )
    spare = [name for name in bindings if name not in current[:1]]
    if current and spare and "QT_API" not in environment.variables:
        yield Problem(
            f"{', '.join(bindings)} are installed together, and can crash one another.",
            f"pip uninstall --yes {' '.join(spare)}",
        )


def _display_problems(environment: Environment) -> Iterator[Problem]:
    missing = [name for name, file in environment.libraries.items() if file is None]
    if missing:
        yield Problem(
            f"System libraries for napari's window are missing: {', '.join(missing)}.",
            f"sudo apt-get install {' '.join(_LIBRARIES[name] for name in missing)}",
        )
    if environment.variables.get("QT_QPA_PLATFORM") in ("offscreen", "minimal"):
        yield Problem(
            "QT_QPA_PLATFORM asks for a platform without OpenGL, on which napari cannot draw.",
            "unset QT_QPA_PLATFORM",
        )
    if not any(name in environment.variables for name in ("DISPLAY", "WAYLAND_DISPLAY")):
        yield Problem(
            "There is no display, so napari cannot open a window here; the command line can work.",
            "xvfb-run --auto-servernum napari   # or log in with: ssh -X",
        )
