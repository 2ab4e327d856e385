"""What people install works without anything of this folder: wheel, weights, manifest, commands."""

from __future__ import annotations

import os
import shutil
import site
import subprocess
import sys
import sysconfig
from collections.abc import Mapping
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[1]
_NEEDED = ("src", "pyproject.toml", "README.md", "LICENSE")
_LOOK = """
import json, napari_unet
from importlib.metadata import version
from npe2 import PluginManifest
from napari_unet.io.library import bundled_models
manifest = PluginManifest.from_distribution("napari-unet-paint")
print(json.dumps({
    "file": napari_unet.__file__,
    "version": version("napari-unet-paint"),
    "models": sorted(path.stem for path in bundled_models()),
    "widgets": len(manifest.contributions.widgets),
    "is_typed": (bundled_models()[0].parents[1] / "py.typed").exists(),
}))
"""


def _run(*words: str | Path, folder: Path, more: Mapping[str, str] | None = None) -> str:
    own = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    done = subprocess.run(
        [*map(str, words)],
        cwd=folder,
        env={**own, **(more or {})},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The commands of an environment with the wheel in it, and with all that it depends on."""
    folder = tmp_path_factory.mktemp("wheel")
    source, wheels, there = (folder / name for name in ("source", "wheels", "environment"))
    source.mkdir()
    for name in _NEEDED:
        copy = shutil.copytree if (_ROOT / name).is_dir() else shutil.copy
        copy(_ROOT / name, source / name)
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check")
    building = ("wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", wheels, source)
    _run(*pip, *building, folder=folder, more={"SETUPTOOLS_SCM_PRETEND_VERSION": "0.0.1.dev1"})
    _run(sys.executable, "-m", "venv", "--without-pip", there, folder=folder)
    paths = sysconfig.get_paths(vars={"base": str(there), "platbase": str(there)})
    (wheel,) = wheels.glob("*.whl")
    _run(*pip, "--python", there, "install", "--no-deps", wheel, folder=folder)
    # Only a path: links to other folders, such as this one, are not followed from there.
    borrowed = Path(paths["purelib"]) / "borrowed.pth"
    borrowed.write_text("\n".join(site.getsitepackages()))
    return Path(paths["scripts"])


def test_the_wheel_holds_all_that_is_needed(environment: Path, tmp_path: Path) -> None:
    told = _run(environment / "python", "-c", _LOOK, folder=tmp_path)

    assert str(environment.parent) in told
    assert '"version": "0.0.1.dev1"' in told
    assert '"models": ["large", "light"]' in told
    assert '"widgets": 1' in told
    assert '"is_typed": true' in told


def test_the_command_paints_trains_segments_and_exports(environment: Path, tmp_path: Path) -> None:
    _run(environment / "napari-unet", "demo", "--seconds", "1", "--output", "out", folder=tmp_path)

    assert (tmp_path / "out" / "segmentation.tif").stat().st_size > 0
