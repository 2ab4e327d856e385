"""In which numbers products are computed, and how the network lies in memory for it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from threading import Lock

import torch

# bfloat16 without one of these is computed in float32 and only rounded: slower than float32.
_CPU_INSTRUCTIONS = ("avx512_bf16", "amx_bf16")


def multiplies_faster_in_bfloat16(device: torch.device) -> bool:
    """Return whether a device has instructions for products of bfloat16 numbers.

    Their sums are kept in float32, and their range is that of float32, so that no gradient
    vanishes and none has to be scaled (Micikevicius et al. 2018; Kalamkar et al. 2019).
    """
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device.type == "cpu":
        if not hasattr(torch.cpu, "get_capabilities"):
            return False  # older versions do not tell
        known = torch.cpu.get_capabilities()
        return any(known.get(name, False) for name in _CPU_INSTRUCTIONS)
    return False


def arrange(network: torch.nn.Module, device: torch.device, *, mixed: bool) -> None:
    """Lay the weights out channels last where convolutions are faster for it."""
    if mixed or device.type == "cpu":
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


class _Switch:
    """TensorFloat-32 is switched for the whole process: off while any thread wants it off."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._users = 0
        self._before = ExitStack()  # puts it back as it was

    @contextmanager
    def off(self) -> Iterator[None]:
        """Switch it off; the last user to leave puts it back."""
        with self._lock:
            if self._users == 0:
                self._before.enter_context(
                    torch.backends.cudnn.flags(enabled=True, allow_tf32=False)
                )
            self._users += 1
        try:
            yield
        finally:
            with self._lock:
                self._users -= 1
                if self._users == 0:
                    self._before.close()


without_tensor_float = _Switch().off
"""Let a GPU convolve in float32, in any number of threads; a context."""
