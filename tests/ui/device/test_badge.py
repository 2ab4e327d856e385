"""The badge says where it is computed and what would mend it; torch may be missing."""

from __future__ import annotations

import builtins
import gc
import platform
import weakref
from collections.abc import Iterator
from typing import Any

import pytest
from napari.components import ViewerModel
from pytestqt.qtbot import QtBot
from qtpy.QtGui import QColor, QGuiApplication, QPalette

from napari_unet.engine.errors import SettingsError
from napari_unet.engine.events import never
from napari_unet.engine.network.device import DeviceChoice
from napari_unet.ui.device import job as device_job
from napari_unet.ui.device.badge import DeviceBadge, Dot, Light
from napari_unet.ui.device.control import Devices
from napari_unet.ui.workbench import Workbench
from tests.ui.conftest import endless_job, failing_job, job_of

GPU = DeviceChoice("cuda", "NVIDIA RTX 4090", "fastest found")
SLOW = DeviceChoice("cpu", "CPU, 2 threads", "torch is a CPU build", "pip install better-torch")
PLAIN = DeviceChoice("cpu", "CPU, 2 threads", "no GPU found")


@pytest.fixture
def workbench(viewer: ViewerModel, qtbot: QtBot) -> Iterator[Workbench]:
    workbench = Workbench(viewer)
    yield workbench
    workbench.close()


@pytest.fixture
def devices(workbench: Workbench) -> Iterator[Devices]:
    devices = Devices(workbench)
    yield devices
    devices.release()


@pytest.fixture
def badge(devices: Devices, qtbot: QtBot) -> Iterator[DeviceBadge]:
    badge = DeviceBadge(devices)
    qtbot.addWidget(badge)
    yield badge
    badge.release()


def find(
    devices: Devices, event: object, monkeypatch: pytest.MonkeyPatch, qtbot: QtBot
) -> list[str | None]:
    """Let the search end with this event; return what is looked for from now on."""
    wishes: list[str | None] = []

    def fake(wish: str | None) -> Any:
        wishes.append(wish)
        return job_of(event)

    monkeypatch.setattr(device_job, "find_device", fake)
    with qtbot.waitSignal(devices.workbench.ended):
        devices.find()
    return wishes


def test_it_waits_for_torch(badge: DeviceBadge) -> None:
    assert badge.name.text() == "Looking for the device…"
    assert badge.dot.light is Light.WAITING
    assert badge.picker.isHidden()


@pytest.mark.parametrize(
    ("device", "light", "why"),
    [
        (GPU, Light.FAST, "Fastest found."),
        (PLAIN, Light.PLAIN, "No GPU found."),
        (SLOW, Light.SLOW, "Torch is a CPU build."),
    ],
)
def test_the_device_is_named_with_its_reason(
    badge: DeviceBadge,
    devices: Devices,
    device: DeviceChoice,
    light: Light,
    why: str,
    monkeypatch: pytest.MonkeyPatch,
    qtbot: QtBot,
) -> None:
    find(devices, device_job.DeviceFound(device, "auto", ("cpu",)), monkeypatch, qtbot)
    assert devices.workbench.device is device
    assert badge.name.text() == device.name
    assert badge.name.toolTip() == why
    assert badge.dot.light is light
    assert badge.mend.isHidden() is (device.cure is None)
    assert badge.picker.isHidden()  # nothing to choose between


def test_the_command_that_mends_it_is_copied(
    badge: DeviceBadge, devices: Devices, monkeypatch: pytest.MonkeyPatch, qtbot: QtBot
) -> None:
    find(devices, device_job.DeviceFound(SLOW, "auto", ("cpu",)), monkeypatch, qtbot)
    badge.show()
    assert not badge.copy.isVisible()
    badge.mend.click()
    assert badge.copy.isVisible()
    assert "pip install better-torch" in badge.cure.text()
    badge.copy.click()
    clipboard = QGuiApplication.clipboard()
    assert clipboard is not None
    assert clipboard.text() == "pip install better-torch"


def test_without_torch_it_says_so_and_how_to_mend_it(
    badge: DeviceBadge, devices: Devices, monkeypatch: pytest.MonkeyPatch, qtbot: QtBot
) -> None:
    find(devices, device_job.TorchMissing("no module", "pip install torch"), monkeypatch, qtbot)
    badge.show()
    assert badge.name.text() == "PyTorch could not be loaded"
    assert badge.dot.light.name == "BROKEN"
    assert badge.copy.isVisible()
    assert "no module" in badge.cure.text()
    assert devices.workbench.device is None
    find(devices, device_job.DeviceFound(PLAIN, "auto", ("cpu",)), monkeypatch, qtbot)  # mended
    assert badge.dot.light.name == "PLAIN"
    assert not badge.copy.isVisible()


def test_the_device_that_is_insisted_on_is_looked_for(
    badge: DeviceBadge, devices: Devices, monkeypatch: pytest.MonkeyPatch, qtbot: QtBot
) -> None:
    found = device_job.DeviceFound(GPU, "auto", ("cuda", "cpu"))
    wishes = find(devices, found, monkeypatch, qtbot)
    assert [badge.picker.itemText(n) for n in range(badge.picker.count())] == [
        *("Fastest", "NVIDIA GPU", "CPU")
    ]
    assert not badge.picker.isHidden()
    with qtbot.waitSignal(devices.workbench.ended):
        badge.picker.value = "cpu"
    assert wishes == [None, "cpu"]


def test_a_device_that_cannot_be_had_leaves_the_one_before(
    badge: DeviceBadge, devices: Devices, monkeypatch: pytest.MonkeyPatch, qtbot: QtBot
) -> None:
    find(devices, device_job.DeviceFound(GPU, "auto", ("cuda", "cpu")), monkeypatch, qtbot)
    monkeypatch.setattr(device_job, "find_device", lambda _wish: failing_job(SettingsError("gone")))
    with qtbot.waitSignals([devices.workbench.failed, devices.workbench.ended]):
        badge.picker.value = "cpu"
    assert badge.picker.value == "auto"
    assert badge.name.text() == GPU.name


def test_the_device_is_not_changed_under_a_job(
    badge: DeviceBadge, devices: Devices, monkeypatch: pytest.MonkeyPatch, qtbot: QtBot
) -> None:
    find(devices, device_job.DeviceFound(GPU, "auto", ("cuda", "cpu")), monkeypatch, qtbot)
    workbench = devices.workbench
    workbench.run("Training", endless_job("step", last="end"))
    assert not badge.picker.isEnabled()
    assert "Training…" in badge.picker.toolTip()
    with qtbot.waitSignal(workbench.ended):
        workbench.stop()
    assert badge.picker.isEnabled()


@pytest.mark.parametrize("text", ["#202020", "#f0f0f0"])
def test_the_dot_stands_out_on_light_and_dark(text: str, qtbot: QtBot) -> None:
    dot = Dot()
    qtbot.addWidget(dot)
    palette = dot.palette()
    palette.setColor(QPalette.ColorRole.WindowText, QColor(text))
    dot.setPalette(palette)
    for light in (Light.FAST, Light.SLOW, Light.BROKEN, Light.PLAIN):
        dot.show_light(light)
        difference = dot._colour().lightness() - QColor(text).lightness()
        assert abs(difference) < 128  # like the text, far from the background


def test_this_machine_is_found() -> None:
    (found,) = device_job.find_device()(never)
    assert isinstance(found, device_job.DeviceFound)
    assert found.device.device in found.available
    (cpu,) = device_job.find_device("cpu")(never)
    assert isinstance(cpu, device_job.DeviceFound)
    assert (cpu.device.device, cpu.wish) == ("cpu", "cpu")


@pytest.mark.parametrize(
    ("error", "system", "cure"),
    [
        (ModuleNotFoundError("No module named 'torch'"), "Linux", "pip install torch"),
        (ImportError("libcudart.so: not found"), "Linux", "--force-reinstall"),
        (AttributeError("module 'torch' has no attribute"), "Linux", "--force-reinstall"),
        (OSError("[WinError 126] c10.dll\nand more"), "Windows", "VCRedist"),
    ],
)
def test_torch_that_does_not_load_is_told_with_a_cure(
    error: Exception, system: str, cure: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = builtins.__import__

    def fail(name: str, *rest: Any) -> Any:
        if name == "napari_unet.engine.network" and "pick_device" in rest[2]:
            raise error
        return original(name, *rest)

    monkeypatch.setattr(builtins, "__import__", fail)
    monkeypatch.setattr(platform, "system", lambda: system)
    (missing,) = device_job.find_device()(never)
    assert isinstance(missing, device_job.TorchMissing)
    assert cure in missing.cure
    assert "\n" not in missing.reason


def test_a_released_badge_is_let_go_of(workbench: Workbench, qtbot: QtBot) -> None:
    devices = Devices(workbench)
    badge = DeviceBadge(devices)
    badge.release()
    devices.release()
    gone = weakref.ref(badge), weakref.ref(devices)
    badge.deleteLater()
    del badge, devices
    qtbot.wait(1)
    gc.collect()
    assert [ref() for ref in gone] == [None, None]
    workbench.use_device(PLAIN)
