"""What every test stands on: one thread, folders of its own, and an X server or a clear reason.

The environment is set here, before Qt, torch and napari read it.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from uuid import uuid4

import numpy as np
import platformdirs
import pytest
from hypothesis import settings

from napari_unet.io.library import FOLDER_VARIABLE

os.environ.setdefault("OMP_NUM_THREADS", "1")  # torch: repeatable sums, and room beside Qt
os.environ["NAPARI_CONFIG"] = ""  # never read or write the settings of whoever runs the tests
os.environ["NAPARI_ENSURE_PLUGIN_MAIN_THREAD"] = "1"

# On a busy machine a first example may take long; what must be fast has a test of its own.
settings.register_profile("unhurried", settings.default, deadline=None)
settings.load_profile("unhurried")

_VIEWER_FIXTURES = {"make_napari_viewer", "make_napari_viewer_proxy"}
_ROOT = Path(__file__).parents[1]


@pytest.hookimpl(trylast=True)  # pytest-xvfb has started its X server by then
def pytest_configure() -> None:
    """Let Qt draw on the X server with software OpenGL; without one, on no screen at all."""
    if sys.platform.startswith("linux"):
        os.environ["LIBGL_ALWAYS_SOFTWARE"] = "1"
        os.environ["QT_QPA_PLATFORM"] = "xcb" if "DISPLAY" in os.environ else "offscreen"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark each test that opens a real viewer; skip it where that would end the interpreter."""
    for item in items:
        if _VIEWER_FIXTURES.intersection(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.viewer)


def pytest_runtest_setup(item: pytest.Item) -> None:
    if not item.get_closest_marker("viewer") or os.environ.get("QT_QPA_PLATFORM") != "offscreen":
        return
    reason = "no X server: install Xvfb (Debian, Ubuntu: apt install xvfb libgl1) and run again"
    if os.environ.get("CI"):
        pytest.fail(reason, pytrace=False)  # a viewer test must not go missing unseen
    pytest.skip(reason)


@pytest.fixture(autouse=True)
def without_openvino(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let PyTorch compute, as it does for most people; OpenVINO has tests of its own."""
    # By name: an import above would load torch before it is told how many threads it has.
    name = "napari_unet.engine.network.openvino_network.find_spec"
    monkeypatch.setattr(name, lambda _: None)


@pytest.fixture(autouse=True)
def user_data(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Folder in place of the user's data: models and large labels; it is not there yet."""
    folder = tmp_path_factory.getbasetemp() / f"user data {uuid4().hex}"
    monkeypatch.setenv(FOLDER_VARIABLE, str(folder / "models"))  # in other processes, too
    monkeypatch.setattr(platformdirs, "user_data_path", lambda app, *_: folder / app)
    monkeypatch.setattr(platformdirs, "user_cache_path", lambda app, *_: folder / "cache" / app)
    return folder


@pytest.fixture
def rng() -> np.random.Generator:
    """Random numbers that are the same in every run."""
    return np.random.default_rng(seed=2015)


@pytest.fixture(scope="session")
def microscopy() -> Path:
    """Folder of real annotated microscopy (`$NAPARI_UNET_DATA`, else beside the project)."""
    folder = Path(os.environ.get("NAPARI_UNET_DATA", _ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip("no real microscopy here; set NAPARI_UNET_DATA to its folder")
    return folder
