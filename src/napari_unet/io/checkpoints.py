"""Checkpoints: one safetensors file per model, with everything to use it again in its header.

The file holds the weights as plain numbers, and in its header texts only: the name and version
of the format, and the description of the model as JSON. Nothing in it can run.
"""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from napari_unet import __version__
from napari_unet.config import ENLARGED, MAX_REDUCTION, NetworkConfig, Task
from napari_unet.engine.errors import CheckpointError, reason_of
from napari_unet.engine.network import Model, TrainRecord, UNet
from napari_unet.engine.paint import OBJECT_VALUES
from napari_unet.engine.stack import Normalization
from napari_unet.io.plain import from_plain, to_plain
from napari_unet.io.replacing import replacing

FORMAT = "napari-unet-paint"
FORMAT_VERSION = 1  # raised when older versions of the package would misread a file

_LARGEST_VALUE = 2**31 - 1  # labels are int32
_WIDEST = 1024  # channels; nobody trains wider networks, and a damaged header may ask for any
_LARGEST_HEADER = 2**23  # bytes; those of trained models have some thousands
_PICKLES = {".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".joblib"}
_PICKLED = (
    b"PK\x03\x04",
    b"\x80\x02",
    b"\x80\x03",
    b"\x80\x04",
    b"\x80\x05",
)  # torch's zip, pickle
_STORED = ("F16", "F32")  # weights on disk

DAMAGED = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)
"""What a description raises that is not as it should be."""


@dataclass(frozen=True, slots=True)
class CheckpointHeader:
    """What a checkpoint says of its model; reading it takes no weights into memory."""

    version: str  # of napari-unet-paint that wrote it
    network: NetworkConfig
    normalization: Normalization
    task: Task
    values: tuple[int, ...]  # label value of each output channel
    pixel_size: tuple[float, float] | None = None  # (Y, X), µm/px
    record: TrainRecord = field(default_factory=TrainRecord)
    reduction: int | None = 1  # side of the blocks that the network sees, pixels; see `Model`
    enlargement: int = 1  # a pixel is seen as so many by so many

    def __post_init__(self) -> None:
        network, low, high = self.network, self.normalization.low, self.normalization.high
        if max(network.base_channels, network.in_channels) > _WIDEST:
            raise ValueError(f"the network is wider than {_WIDEST} channels")
        if not len(low) == len(high) == network.in_channels:
            raise ValueError(f"normalisation of {len(low)} channels for {network.in_channels}")
        if any(not a < b for a, b in zip(low, high, strict=True)):
            raise ValueError("the normalisation is empty")
        is_possible = all(0 <= value <= _LARGEST_VALUE for value in self.values)
        is_one_each = len(self.values) == len(set(self.values)) == network.classes
        if not is_one_each or not is_possible:
            raise ValueError(f"values {self.values!r:.40} for {network.classes} classes")
        if self.task is Task.OBJECTS and self.values != OBJECT_VALUES:
            raise ValueError(f"values {self.values!r:.40} for objects")
        if self.pixel_size is not None and min(self.pixel_size) <= 0:
            raise ValueError(f"pixel_size is {self.pixel_size}")
        if self.reduction is not None and not 1 <= self.reduction <= MAX_REDUCTION:
            raise ValueError(f"reduction is {self.reduction}")
        if self.enlargement not in (1, ENLARGED) or (self.enlargement > 1 and self.reduction != 1):
            raise ValueError(f"enlargement is {self.enlargement}")

    @classmethod
    def of(cls, model: Model) -> CheckpointHeader:
        """Return what is said of a model."""
        return cls(
            version=__version__,
            network=model.network,
            normalization=model.normalization,
            task=model.task,
            values=model.values,
            pixel_size=model.pixel_size,
            record=model.record,
            reduction=model.reduction,
            enlargement=model.enlargement,
        )

    def model(self, weights: Mapping[str, Tensor]) -> Model:
        """Return the model with these weights."""
        return Model(
            self.network,
            weights,
            self.normalization,
            self.task,
            self.values,
            self.pixel_size,
            self.record,
            self.reduction,
            self.enlargement,
        )


def save_model(
    model: Model, path: str | Path, *, half: bool = False, overwrite: bool = True
) -> Path:
    """Write a model to one safetensors file, which appears when it is whole.

    Parameters
    ----------
    model
        The model to keep.
    path
        The file.
    half
        Store the weights as float16: half the size, and differences of about 0.05 % per weight.

    overwrite
        Replace an existing file.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    FileError
        If it cannot be written, or exists and is not to be replaced.
    CheckpointError
        If weights are NaN or infinite (also: too large for float16).
    """
    path = Path(path)
    header = CheckpointHeader.of(model)
    stored = torch.float16 if half else torch.float32
    weights = {name: _stored(tensor, stored) for name, tensor in model.weights.items()}
    problem = _misfit(header.network, {name: tuple(t.shape) for name, t in weights.items()})
    if problem:
        raise ValueError(problem)
    if not _are_finite(weights):
        cure = (
            "save it with full precision"
            if half
            else "train it again, with a smaller learning rate"
        )
        raise CheckpointError(f"The weights of '{path.name}' hold NaN or infinite values; {cure}.")
    texts = {
        "format": FORMAT,
        "format_version": str(FORMAT_VERSION),
        "model": json.dumps(to_plain(header), allow_nan=False),
    }
    with replacing(path, overwrite=overwrite) as temporary:
        temporary.write_bytes(safetensors.torch.save(weights, texts))
    return path


def load_model(path: str | Path) -> Model:
    """Read a model; its weights come as float32 into memory.

    Raises
    ------
    CheckpointError
        If the file is missing, truncated, of another program or a newer version, or its tensors
        do not fit its own description.
    """
    path = Path(path)
    with _opened(path) as file:
        header = _parse_header(file, path)
        names = file.keys()
        weights = {name: file.get_tensor(name).to(torch.float32, copy=True) for name in names}
    if not _are_finite(weights):
        raise _damaged(path, "weights are NaN or infinite")
    return header.model(weights)


def read_header(path: str | Path) -> CheckpointHeader:
    """Read what a checkpoint says of its model, without its weights.

    Raises
    ------
    CheckpointError
        As `load_model`, but for the values of the weights.
    """
    path = Path(path)
    with _opened(path) as file:
        return _parse_header(file, path)


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """Open a safetensors file; what is wrong with it becomes a `CheckpointError`."""
    _check_file(path)
    try:
        with safe_open(path, framework="pt") as file:
            yield file
    except (SafetensorError, OSError) as error:
        raise CheckpointError(
            f"'{path}' is truncated or no safetensors file ({reason_of(error)}); copy it from its "
            "source once more, or train the model again."
        ) from error


def has_sane_header(path: Path) -> bool:
    """Return whether there is a plain file, with a header of a sane length.

    A pipe would keep whoever opens it waiting, and libraries read a header whole.

    Raises
    ------
    OSError, ValueError
        If there is no file, or it cannot be read.
    """
    if not stat.S_ISREG(path.stat().st_mode):
        return False
    return int.from_bytes(_first_bytes(path, 8), "little") <= _LARGEST_HEADER


def _is_pickled(path: Path) -> bool:
    return path.suffix.lower() in _PICKLES or _first_bytes(path, 8).startswith(_PICKLED)


def _first_bytes(path: Path, count: int) -> bytes:
    with path.open("rb") as file:
        return file.read(count)


def _check_file(path: Path) -> None:
    """Raise `CheckpointError` unless there is a file that can be one."""
    try:
        is_sane = has_sane_header(path)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise CheckpointError(
            f"'{path}' does not exist; check the path, or list the models there are with "
            "'napari-unet models list'."
        ) from error
    except (OSError, ValueError) as error:
        raise CheckpointError(f"'{path}' cannot be read ({reason_of(error)}).") from error
    if is_sane:
        return
    if path.suffix.lower() == ".zip" and path.is_file():
        raise CheckpointError(
            f"'{path}' may be a package; take it among your models first: napari-unet models "
            f"import '{path}'."
        )
    if path.is_file() and (
        path.suffix.lower() in _PICKLES or _first_bytes(path, 8).startswith(_PICKLED)
    ):
        raise CheckpointError(
            f"'{path}' holds Python objects, which may run any code when they are opened, and is "
            "not; ask for the model as .safetensors, or train one with napari-unet."
        )
    raise CheckpointError(
        f"'{path}' is no safetensors file; give a model that napari-unet trained."
    )


def _parse_header(file: Any, path: Path) -> CheckpointHeader:
    texts = file.metadata() or {}
    if texts.get("format") != FORMAT:
        raise CheckpointError(
            f"'{path}' is a safetensors file of another program; give a model that napari-unet "
            "trained."
        )
    try:
        version = int(texts.get("format_version", ""))
        if version > FORMAT_VERSION:
            raise CheckpointError(
                f"'{path}' was written by a newer version of napari-unet-paint; install it with "
                "'pip install --upgrade napari-unet-paint'."
            )
        described = json.loads(texts.get("model", ""))
        header = build_header(described)
    except DAMAGED as error:
        raise _damaged(path, reason_of(error)) from error
    names = file.keys()
    slices = {name: file.get_slice(name) for name in names}
    problem = _misfit(header.network, {name: tuple(s.get_shape()) for name, s in slices.items()})
    other = [name for name, s in slices.items() if s.get_dtype() not in _STORED]
    if other and not problem:
        problem = f"the tensor '{other[0]}' is not stored as float16 or float32"
    if problem:
        raise _damaged(path, problem)
    return header


def build_header(described: Any) -> CheckpointHeader:
    """Check the description; a training record may know more than this version does."""
    header = from_plain(CheckpointHeader, {**described, "record": {}})
    record = from_plain(TrainRecord, described.get("record", {}), ignore_unknown=True)
    return replace(header, record=record)


def shapes_of(network: NetworkConfig) -> dict[str, tuple[int, ...]]:
    """Return the shapes of a network's weights, by name."""
    with torch.device("meta"):
        return {name: tuple(t.shape) for name, t in UNet(network).state_dict().items()}


def _misfit(network: NetworkConfig, shapes: dict[str, tuple[int, ...]]) -> str | None:
    """Return what differs between the tensors and those of the network."""
    expected = shapes_of(network)
    for name in sorted(expected.keys() | shapes.keys()):
        if name not in shapes:
            return f"the tensor '{name:.60}' is missing"
        if name not in expected:
            return f"the tensor '{name:.60}' belongs to no part of the network"
        if shapes[name] != expected[name]:
            return f"the tensor '{name:.60}' is {shapes[name]}, not {expected[name]}"
    return None


def _stored(tensor: Tensor, dtype: torch.dtype) -> Tensor:
    return tensor.detach().to("cpu", dtype, copy=True).contiguous()


def _are_finite(weights: dict[str, Tensor]) -> bool:
    return all(bool(torch.isfinite(tensor).all()) for tensor in weights.values())


def _damaged(path: Path, reason: str) -> CheckpointError:
    return CheckpointError(
        f"The checkpoint '{path}' is damaged ({reason}); copy it from its source once more, or "
        "train the model again."
    )
