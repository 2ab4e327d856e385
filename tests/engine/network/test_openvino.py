"""Prediction by OpenVINO: PyTorch's numbers, and PyTorch wherever OpenVINO does not serve."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from importlib.util import find_spec
from typing import Any

import numpy as np
import pytest
import torch

from napari_unet.config import NETWORKS, OutputKind, Task, TilingConfig
from napari_unet.engine.events import Previewed, Suggested, TrainDone, View
from napari_unet.engine.network import openvino_network
from napari_unet.engine.network.device import DeviceChoice
from napari_unet.engine.network.model import Model
from napari_unet.engine.network.openvino_network import OPENVINO, openvino_probabilities
from napari_unet.engine.network.unet import UNet, answers
from napari_unet.engine.prediction import backend
from napari_unet.engine.prediction.predictor import Predictor
from napari_unet.engine.prediction.segmentation import whole_planes
from napari_unet.engine.prediction.suggestions import suggest
from napari_unet.engine.stack.planes import ArrayPlanes
from tests.engine.scenes import bright_squares, run, strokes
from tests.engine.short_memory import short_of_memory
from tests.engine.tiny import CPU, noise, plane_values, segment, tiny_model

pytestmark = pytest.mark.skipif(find_spec(OPENVINO) is None, reason="needs OpenVINO")

IMAGE, COLOUR = noise(150, 171), noise(2, 90, 80)


@pytest.fixture(autouse=True)
def with_openvino(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openvino_network, "find_spec", find_spec)


@pytest.fixture
def used(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Whether OpenVINO served, for each network that was built."""
    served: list[bool] = []

    def remember(network: UNet, channels: slice) -> Any:
        compute = openvino_probabilities(network, channels)
        served.append(compute is not None)
        return compute

    monkeypatch.setattr(backend, "openvino_probabilities", remember)
    return served


def test_the_paper_s_network_gives_what_pytorch_gives() -> None:
    torch.manual_seed(0)
    for name, side in (("2015", 188), ("light", 108)):
        network = UNet(NETWORKS[name]).eval()
        compute = openvino_probabilities(network, slice(None))
        assert compute is not None
        image = torch.randn(1, side, side + 16)
        with torch.inference_mode():
            expected = network(image[None]).softmax(dim=1)[0].numpy()
        np.testing.assert_allclose(compute(image.numpy()), expected, atol=1e-5)


_FIRST_USE = """
import sys
started = []
sys.addaudithook(lambda event, _: started.append(event) if event == "os.fork" else None)
from napari_unet.config import NETWORKS
from napari_unet.engine.network.openvino_network import openvino_probabilities
from napari_unet.engine.network.unet import UNet
assert openvino_probabilities(UNet(NETWORKS["light"]).eval(), slice(None)) is not None
assert not started, "a copy of the process"
assert "openvino_telemetry" not in sys.modules
"""


def test_nothing_is_reported_to_a_server() -> None:
    done = subprocess.run(  # where nothing has imported OpenVINO before
        [sys.executable, "-c", _FIRST_USE], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def probabilities(model: Model, tile: int | None = None, rotations: int = 1) -> Any:
    channels = model.network.in_channels
    planes = ArrayPlanes(IMAGE) if channels == 1 else ArrayPlanes(COLOUR, channel_axis=0)
    tiling = TilingConfig(tile=tile, rotations=rotations)
    events = segment(model, planes, device=CPU, tiling=tiling, kind=OutputKind.PROBABILITIES)
    ((_, values),) = whole_planes(events)
    return values


@pytest.mark.parametrize("levels", range(1, 6))
@pytest.mark.parametrize("channels", [1, 2])
def test_no_probability_depends_on_who_computes(
    levels: int, channels: int, used: list[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    model = tiny_model(levels=levels, channels=channels, task=Task.CLASSES, values=(1, 2, 3))
    found = probabilities(model)
    monkeypatch.setattr(openvino_network, "find_spec", lambda _: None)
    np.testing.assert_allclose(found, probabilities(model), atol=1e-5)
    assert used == [True, False]


@pytest.mark.parametrize("rotations", [1, 3])
def test_no_probability_depends_on_the_tiles(rotations: int, used: list[bool]) -> None:
    model = tiny_model(levels=4)
    whole = probabilities(model, rotations=rotations)
    for tile in (16, 56, 104):
        np.testing.assert_allclose(probabilities(model, tile, rotations), whole, atol=1e-5)
    assert used == [True] * 4


def test_other_probabilities_are_not_used(
    used: list[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    model = tiny_model(levels=3)
    expected = probabilities(model)
    compile_network = openvino_network._compile

    def wrong(network: UNet, channels: slice) -> Any:
        compute = compile_network(network, channels)
        return lambda image: compute(image) + np.float32(2e-4)

    monkeypatch.setattr(openvino_network, "_compile", wrong)
    np.testing.assert_allclose(probabilities(model), expected, atol=1e-6)
    assert used == [True, False]


@pytest.mark.parametrize("failure", [ImportError, OSError, AttributeError, TypeError, ValueError])
def test_a_broken_installation_is_left_alone(
    failure: type[Exception], used: list[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(name: str) -> Any:
        raise failure(f"{name}: a library is missing")

    of_network = "napari_unet.engine.network.openvino_network.importlib.import_module"
    monkeypatch.setattr(of_network, broken)
    assert probabilities(tiny_model(levels=2)).shape == (1, 150, 171)
    assert used == [False]


def test_a_gpu_computes_by_itself(used: list[bool], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Model, "build", lambda model, _: UNet(model.network))
    Predictor(tiny_model(), ArrayPlanes(IMAGE), DeviceChoice("cuda", "GPU", "test"))
    assert used == []


def test_threads_that_predict_at_once_get_their_own_probabilities() -> None:
    network = tiny_model(levels=3).build(torch.device("cpu"))
    compute = openvino_probabilities(network, slice(None))
    assert compute is not None
    images = [np.asarray(noise(1, 92, 92 + 8 * n, seed=n), np.float32) for n in range(8)]
    alone = [compute(image) for image in images]
    with ThreadPoolExecutor(2) as threads:
        together = list(threads.map(compute, images * 10))
    for found, expected in zip(together, alone * 10, strict=True):
        np.testing.assert_array_equal(found, expected)


def test_tiles_that_fall_back_to_the_cpu_together_are_right(
    used: list[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where a GPU, for which two tiles are predicted at once, runs out of memory half-way."""
    model, kind = tiny_model(levels=3), OutputKind.PROBABILITIES
    planes, tiling = ArrayPlanes(noise(3, 150, 171)), TilingConfig(tile=24)
    expected = plane_values(segment(model, planes, device=CPU, tiling=tiling, kind=kind))
    gpu = DeviceChoice("cpu:0", "Small GPU", "test")
    short_of_memory(monkeypatch, 0, only=gpu)
    monkeypatch.setattr(Predictor, "at_once", 2)
    found = plane_values(segment(model, planes, device=gpu, tiling=tiling, kind=kind))
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert used == [True, False, True]


class Watcher:
    """Looks at a plane while the network is trained."""

    def view(self) -> View | None:
        return View(1, slice(0, 64), slice(0, 64))

    def take_painted(self) -> frozenset[int]:
        return frozenset()


def session() -> tuple[Any, Any, list[tuple[int, slice, slice]]]:
    """Train with previews, segment and look for what to paint; return what is seen of each."""
    image, truth = bright_squares()
    planes, labels = ArrayPlanes(image), ArrayPlanes(strokes(truth))
    *events, end = run(image=image, live=Watcher(), device=CPU)
    assert isinstance(end, TrainDone)
    tiling = TilingConfig(tile=24, rotations=2)
    segmented = plane_values(segment(end.model, planes, device=CPU, tiling=tiling))
    *_, suggested = suggest(end.model, planes, labels, device=CPU, focus=None, count=3)
    assert isinstance(suggested, Suggested)
    preview = next(event.values for event in events if isinstance(event, Previewed))
    return preview, segmented, [(place.plane, place.y, place.x) for place in suggested.places]


def test_all_that_a_user_sees_is_the_same_with_openvino(
    used: list[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    preview, segmented, places = session()
    assert used == [True, True]
    assert len(np.unique(segmented)) > 4
    monkeypatch.setattr(openvino_network, "find_spec", lambda _: None)
    expected = session()
    assert used == [True, True, False, False]
    np.testing.assert_array_equal(preview, expected[0])
    np.testing.assert_array_equal(segmented, expected[1])
    assert places == expected[2]


def test_the_shape_field_is_what_pytorch_gives() -> None:
    torch.manual_seed(0)
    network = UNet(replace(NETWORKS["light"], shape_field=True)).eval()
    image = torch.randn(1, 108, 124)
    with torch.no_grad():
        network.get_parameter("head.bias").zero_()
        field = network(image[None])[0, -1]
        scale = 1 / field.std()  # so that some of the field lies beyond 0 and 1
        network.get_parameter("head.weight")[-1] *= scale
        network.get_parameter("head.bias")[-1] = 0.5 - scale * field.mean()
    compute = openvino_probabilities(network, slice(1, None))
    assert compute is not None

    found = compute(image.numpy())

    with torch.inference_mode():
        expected = answers(network(image[None]), network.config)[0, 1:].numpy()
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert found[1].min() == 0
    assert found[1].max() == 1
    assert ((found[1] > 0) & (found[1] < 1)).any()


def test_what_openvino_remembers_of_shapes_is_limited_where_it_can_be(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    openvino = pytest.importorskip(OPENVINO)
    given: list[dict[str, object]] = []
    compile_model = openvino.Core.compile_model

    def note(core: Any, model: Any, device: str, settings: dict[str, object]) -> Any:
        given.append(settings)
        if len(given) == 2:
            raise RuntimeError("no such setting")  # as of another version
        return compile_model(core, model, device, settings)

    monkeypatch.setattr(openvino.Core, "compile_model", note)
    network = UNet(replace(NETWORKS["light"], levels=2, base_channels=4)).eval()
    assert openvino_probabilities(network, slice(None)) is not None
    assert openvino_probabilities(network, slice(None)) is not None
    limits = [settings.get("CPU_RUNTIME_CACHE_CAPACITY") for settings in given]
    assert limits == [256, 256, None]
