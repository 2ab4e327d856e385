"""Training multiplies in bfloat16 where that is faster, and nothing else does."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace

import pytest
import torch

from napari_unet.config import TrainConfig
from napari_unet.engine.events import Validated
from napari_unet.engine.network.precision import (
    arrange,
    multiplies_faster_in_bfloat16,
    without_tensor_float,
)
from napari_unet.engine.network.unet import UNet
from napari_unet.engine.training import trainer
from tests.engine.scenes import QUICK, TINY, result, run

CPU = torch.device("cpu")


def validations(config: TrainConfig) -> list[Validated]:
    return [event for event in run(config) if isinstance(event, Validated)]


@pytest.fixture
def has_bfloat16(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any processor computes in bfloat16, if slowly."""
    monkeypatch.setattr(trainer, "multiplies_faster_in_bfloat16", lambda _: True)


@pytest.fixture
def has_no_bfloat16(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trainer, "multiplies_faster_in_bfloat16", lambda _: False)


@pytest.mark.usefixtures("has_bfloat16")
def test_mixed_precision_learns_as_well_from_other_products() -> None:
    config = replace(QUICK, steps=60, validation_share=0.3)

    mixed, plain = validations(config), validations(replace(config, mixed_precision=False))

    assert mixed[0].iou < 0.5 < mixed[-1].iou
    assert mixed[-1].iou == pytest.approx(plain[-1].iou, abs=0.02)
    assert mixed[-1].loss == pytest.approx(plain[-1].loss, abs=0.05)
    assert mixed[-1].loss != plain[-1].loss


@pytest.mark.usefixtures("has_bfloat16")
def test_validation_stays_in_float32() -> None:
    before, *_ = validations(QUICK)
    plain, *_ = validations(replace(QUICK, mixed_precision=False))

    assert (before.step, before.loss) == (0, plain.loss)


@pytest.mark.usefixtures("has_bfloat16")
def test_weights_stay_in_float32() -> None:
    trained = result().model.weights

    assert {tensor.dtype for tensor in trained.values()} == {torch.float32}
    rounded = [torch.equal(tensor, tensor.bfloat16().float()) for tensor in trained.values()]
    assert not any(rounded)


@pytest.mark.usefixtures("has_no_bfloat16")
def test_other_devices_multiply_in_float32() -> None:
    wanted, unwanted = (
        result().model.weights,
        result(replace(QUICK, mixed_precision=False)).model.weights,
    )

    assert all(torch.equal(wanted[name], unwanted[name]) for name in wanted)


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        ({"avx512_bf16": True}, True),
        ({"avx512_bf16": False, "amx_bf16": True}, True),
        ({"avx512_f": True, "avx512_bf16": False}, False),
        ({"neon": True}, False),
    ],
)
def test_processors_tell_whether_they_multiply_in_bfloat16(
    known: dict[str, bool], expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: known, raising=False)

    assert multiplies_faster_in_bfloat16(CPU) is expected


def test_an_older_torch_tells_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)

    assert not multiplies_faster_in_bfloat16(CPU)


def test_graphics_cards_that_only_emulate_bfloat16_do_without(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def only_emulates(*, including_emulation: bool) -> bool:
        return including_emulation

    monkeypatch.setattr(torch.cuda, "is_bf16_supported", only_emulates)

    assert not multiplies_faster_in_bfloat16(torch.device("cuda"))
    assert not multiplies_faster_in_bfloat16(torch.device("mps"))


def test_a_network_that_is_arranged_gives_the_same() -> None:
    network, image = UNet(TINY).eval(), torch.randn(1, 1, 60, 60)
    with torch.inference_mode():
        before = network(image)
        arrange(network, CPU, mixed=False)
        after = network(image)

    inner = [layer for layer in network.modules() if isinstance(layer, torch.nn.Conv2d)][1]
    assert inner.weight.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(after, before, atol=1e-5, rtol=0)


def test_tensor_float_stays_off_while_any_thread_predicts() -> None:
    """It is one switch for the process, and the first thread to begin is the first to end."""

    def is_on() -> bool:
        return bool(torch.backends.cudnn.allow_tf32)

    assert is_on()  # as PyTorch has it
    first, second = ExitStack(), ExitStack()
    first.enter_context(without_tensor_float())
    second.enter_context(without_tensor_float())
    first.close()
    assert not is_on()
    second.close()
    assert is_on()


def test_an_error_leaves_tensor_float_as_it_was() -> None:
    with pytest.raises(RuntimeError, match="failed"), without_tensor_float():
        raise RuntimeError("failed")
    assert torch.backends.cudnn.allow_tf32
