"""Set up everything that U-Net Paint needs on a fresh machine; do nothing where it is there.

Called by the Makefile with one word, what the environment is for, each including the one before:

    system  what windows need of the operating system
    run     the program: the package and napari with Qt, in `.venv`
    test    its tests
    check   lint, types and contracts

Only the standard library is used, and only syntax that old Pythons read, so that they can say
that they are too old.
"""

from __future__ import annotations

import ctypes
import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

OLDEST = (3, 11)
LEVELS = ("system", "run", "test", "check")

# The CPU build by its full version: found wherever a folder or mirror of wheels provides it,
# refused within a second elsewhere.
TORCH_CPU = "torch==2.13.0+cpu"

# What a window needs on Linux: the shared library, and its package on Debian and Ubuntu.
SYSTEM_LIBRARIES = {
    "libEGL.so.1": "libegl1",
    "libGL.so.1": "libgl1",
    "libGLX_mesa.so.0": "libglx-mesa0",  # software OpenGL; brings libgl1-mesa-dri
    "libX11-xcb.so.1": "libx11-xcb1",
    "libdbus-1.so.3": "libdbus-1-3",
    "libfontconfig.so.1": "libfontconfig1",
    "libglib-2.0.so.0": "libglib2.0-0",
    "libgssapi_krb5.so.2": "libgssapi-krb5-2",
    "libxcb-cursor.so.0": "libxcb-cursor0",
    "libxcb-icccm.so.4": "libxcb-icccm4",
    "libxcb-image.so.0": "libxcb-image0",
    "libxcb-keysyms.so.1": "libxcb-keysyms1",
    "libxcb-randr.so.0": "libxcb-randr0",
    "libxcb-render-util.so.0": "libxcb-render-util0",
    "libxcb-shape.so.0": "libxcb-shape0",
    "libxcb-sync.so.1": "libxcb-sync1",
    "libxcb-xfixes.so.0": "libxcb-xfixes0",
    "libxcb-xinerama.so.0": "libxcb-xinerama0",
    "libxcb-xkb.so.1": "libxcb-xkb1",
    "libxkbcommon-x11.so.0": "libxkbcommon-x11-0",
}

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
VENV_PYTHON = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
STAMP = VENV / "set-up.json"
PIP_INSTALL = (str(VENV_PYTHON), "-m", "pip", "install", "--quiet", "--no-input")


def main() -> None:
    """Bring the environment up to the level named on the command line."""
    if len(sys.argv) != 2 or sys.argv[1] not in LEVELS:
        sys.exit("usage: python tools/setup_environment.py " + "|".join(LEVELS))
    level = sys.argv[1]
    if sys.version_info < OLDEST:
        restart_with_a_newer_python()
    install_system_libraries()
    if level == "system" or is_done(level):
        return
    started = time.monotonic()
    make_venv()
    update_pip()
    install_torch()
    say("installing U-Net Paint and napari")
    if level == "run":
        pip_install("--editable", ".[all]")
    else:
        pip_install("--editable", ".[all,docs]", "--group", level)
    STAMP.write_text(json.dumps({"fingerprint": fingerprint(), "level": level}), "utf-8")
    say(f"ready after {time.monotonic() - started:.0f} s, in {VENV.name}")


def say(message: str) -> None:
    """Print one line about the set-up."""
    print(f"set-up: {message}", flush=True)


def run(*command: str) -> tuple[bool, str]:
    """Run a command in the project's folder; return whether it exits with 0, and its output."""
    try:
        done = subprocess.run(
            command,
            check=False,
            cwd=str(ROOT),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
    except OSError as error:
        return False, str(error)
    return done.returncode == 0, done.stdout.decode(errors="replace")


def succeeds(*command: str) -> bool:
    """Return whether a command exits with 0; nothing of it is shown."""
    return run(*command)[0]


def must_succeed(*command: str) -> None:
    """Run a command; where it fails, show what it printed and end with a sentence."""
    succeeded, output = run(*command)
    if not succeeded:
        print(output)
        sys.exit(f"set-up: this failed, see above; mend it and run make again: {' '.join(command)}")


def restart_with_a_newer_python() -> None:
    """Go on with another Python on the path that is new enough, or say that there is none."""
    is_too_old = f"import sys; sys.exit(sys.version_info < {OLDEST})"
    for minor in (13, 12, 11, 14):
        other = shutil.which(f"python3.{minor}")
        if other and succeeds(other, "-c", is_too_old):
            os.execv(other, [other, *sys.argv])
    sys.exit(
        f"set-up: Python {sys.version.split()[0]} is too old; install Python 3.11 or newer, or "
        "name one with 'make PYTHON=/path/to/python3'."
    )


# --- system libraries -------------------------------------------------------------------------


def install_system_libraries() -> None:
    """Install the X server, OpenGL and Qt's libraries where apt may, else say what to install."""
    if not sys.platform.startswith("linux"):
        return
    missing = [package for name, package in SYSTEM_LIBRARIES.items() if not loads(name)]
    if not shutil.which("Xvfb"):
        missing.insert(0, "xvfb")
    if missing and not apt_install(missing):
        say(
            "windows need these packages (Debian, Ubuntu names), please install: "
            + " ".join(missing)
        )


def loads(library: str) -> bool:
    """Return whether the system has this shared library."""
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


def apt_install(packages: list[str]) -> bool:
    """Install Debian or Ubuntu packages; return False where that is not possible."""
    if not shutil.which("apt-get"):
        return False
    as_root = [] if os.geteuid() == 0 else ["sudo", "-n"]
    if as_root and not succeeds(*as_root, "true"):
        return False
    say("installing with apt: " + " ".join(packages))
    apt = [*as_root, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get"]
    run(*apt, "update")  # where it fails in part, the rest may still do
    return succeeds(*apt, "install", "--yes", "--no-install-recommends", *packages)


# --- Python packages --------------------------------------------------------------------------


def make_venv() -> None:
    """Create `.venv`, or keep it if its Python still runs and is new enough."""
    is_unfit = f"import pip, sys; sys.exit(sys.version_info < {OLDEST})"
    if succeeds(str(VENV_PYTHON), "-c", is_unfit):
        return
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    if importlib.util.find_spec("ensurepip") is None:  # Debian keeps it in a package of its own
        package = f"python{version}-venv"
        if not apt_install([package]):
            sys.exit(f"set-up: Python cannot make environments; please install {package}.")
    say(f"making {VENV.name} with Python {version}")
    must_succeed(sys.executable, "-m", "venv", "--clear", str(VENV))


def update_pip() -> None:
    """Update pip to the first that knows dependency groups, or keep a newer one."""
    knows_groups = (
        "import pip, sys; sys.exit([*map(int, pip.__version__.split('.')[:2])] < [25, 1])"
    )
    if not succeeds(str(VENV_PYTHON), "-c", knows_groups):
        pip_install("--upgrade", "pip>=25.1")


def install_torch() -> None:
    """Install torch: the CPU build where there is no NVIDIA GPU, else what suits the machine."""
    imports_torch = (str(VENV_PYTHON), "-c", "import torch")
    if succeeds(*imports_torch):
        return
    if not sys.platform.startswith("linux") or succeeds("nvidia-smi", "-L"):
        say("installing torch")
        pip_install("torch")
    elif not install_cpu_torch():
        say("no CPU build of torch is to be had here; installing the full one, which is large")
        pip_install("torch")
    must_succeed(*imports_torch)


def install_cpu_torch() -> bool:
    """Install the CPU build of torch; return False where it is not to be had."""
    say("installing torch, CPU build, as there is no NVIDIA GPU")
    if succeeds(*PIP_INSTALL, TORCH_CPU):
        return True
    uv = (str(VENV_PYTHON), "-m", "uv", "pip", "install", "--python", str(VENV_PYTHON))
    return succeeds(*PIP_INSTALL, "uv") and succeeds(*uv, "torch", "--torch-backend=cpu")


def pip_install(*arguments: str) -> None:
    """Install packages into `.venv`, or end with pip's own words."""
    must_succeed(*PIP_INSTALL, *arguments)


# --- what is done already ---------------------------------------------------------------------


def fingerprint() -> str:
    """Return a hash of what the environment depends on: the project, its place, this file."""
    digest = hashlib.sha256(str(ROOT).encode())
    for path in (ROOT / "pyproject.toml", Path(__file__), VENV / "pyvenv.cfg"):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def is_done(level: str) -> bool:
    """Return whether the environment was set up for this level, or a higher one, before."""
    try:
        done = json.loads(STAMP.read_text("utf-8"))
        is_same = done["fingerprint"] == fingerprint()
    except (OSError, ValueError):
        return False
    return is_same and LEVELS.index(done["level"]) >= LEVELS.index(level) and VENV_PYTHON.exists()


if __name__ == "__main__":
    main()
