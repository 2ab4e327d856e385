"""Trainings on their way: kept on disk while they run, and found after an interruption.

Each is one safetensors file: plain numbers, and JSON in its header; nothing in it can run. In
contrast to a model's it holds what the optimiser remembers, and where the random numbers stand.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError, safe_open

from napari_unet.engine.errors import FileError, reason_of
from napari_unet.engine.events import Skipped, StateReached, TrainEvent
from napari_unet.engine.training import RunRecord, TrainingState, dtype_of, find_misfit
from napari_unet.io.checkpoints import (
    DAMAGED,
    CheckpointHeader,
    build_header,
    has_sane_header,
    shapes_of,
)
from napari_unet.io.claims import Claim, claim, claimed, is_claimed
from napari_unet.io.plain import from_plain, to_plain
from napari_unet.io.replacing import replacing
from napari_unet.io.training_places import find_places, remove_place

_log = logging.getLogger(__name__)

FORMAT = "napari-unet-paint training"
FORMAT_VERSION = 1  # raised when older versions of the package would misread a file

KEEP_EVERY = 5.0
"""Seconds until a training is kept again; more where that would take over 1.5 % of its time."""

_AT_WORK = 600  # seconds without a state, after which another computer's is taken to have ended
_WHAT = "This training"  # goes on where it is kept
_START = "start"  # weights: "start/name"
_STORED = {torch.float32: "F32", torch.float64: "F64", torch.int32: "I32", torch.uint8: "U8"}


@dataclass(frozen=True, slots=True)
class About:
    """What people know a training by."""

    images: tuple[str, ...]  # names
    labels: tuple[str, ...]  # of each image


class KeptTraining:
    """The state of one training on disk; nothing is there until the first one is reached.

    Parameters
    ----------
    path
        The file.
    about
        What people know the training by.
    """

    def __init__(self, path: Path, about: About) -> None:
        self.path = path
        self._about = about
        self._has_failed = False
        self._held: Claim | None = None

    def claim(self) -> None:
        """Make the place this training's, to go on with what is there or to replace it.

        Raises
        ------
        FileError
            If another one is at work there, or the folder cannot be written.
        """
        if self._held is None:
            self._held = claim(self.path, _WHAT, quiet=_AT_WORK)

    def follow(self, events: Iterator[TrainEvent]) -> Iterator[TrainEvent]:
        """Pass the events of `fit` on, but for the states, which are kept.

        Where one cannot be kept, `Skipped` says so, once; training goes on. What is kept is there
        for others when the events have ended, however they do.
        """
        try:
            for event in events:
                if not isinstance(event, StateReached):
                    yield event
                    continue
                failure = self._keep(event)
                if failure and not self._has_failed:
                    self._has_failed = True
                    reason = f"The training is not kept for after a crash: {failure}"
                    yield Skipped(event.state.step, event.state.seconds, reason)
        finally:
            self.release()

    def remove(self) -> None:
        """Remove the file: the training has ended whole. Another one's stays."""
        with suppress(FileError):
            self.claim()
            remove_place(self.path)
            self.release()

    def release(self) -> None:
        """Let others go on with what is kept."""
        if self._held is not None:
            self._held.release()
            self._held = None

    def _keep(self, event: StateReached) -> str:
        """Write a state; return why it could not be."""
        assert isinstance(event.state, TrainingState)
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.claim()
            write_state(event.state, self._about, self.path)
        except (FileError, OSError) as error:
            return str(error)
        except MemoryError:
            return "there is too little memory; close other programs."
        return ""


@dataclass(frozen=True, slots=True)
class Interrupted:
    """A training that has not ended whole."""

    path: Path
    about: About
    header: CheckpointHeader  # of the model as it was at the start
    record: RunRecord
    saved: float  # seconds since the epoch

    def load(self) -> TrainingState:
        """Return the state to go on from.

        Raises
        ------
        FileError
            If the file has gone or changed since, or holds no numbers to go on with.
        """
        with _opened(self.path) as file:
            names = list(file.keys())
            about, header, record = _read_header(file)
            if (about, header, record) != (self.about, self.header, self.record):
                raise ValueError("another training has just taken its place")
            arrays = {name: file.get_tensor(name) for name in names}
            weights = {name: arrays.pop(f"{_START}/{name}") for name in shapes_of(header.network)}
            state = TrainingState(header.model(weights), record, arrays)
            if not state.is_finite:
                raise ValueError("numbers are NaN or infinite")
        return state

    def remove(self) -> None:
        """Remove it: nobody wants it.

        Raises
        ------
        FileError
            If it goes on in another window.
        """
        with claimed(self.path, _WHAT, quiet=_AT_WORK):
            remove_place(self.path)


def write_state(state: TrainingState, about: About, path: Path) -> None:
    """Write a state to one file, which is replaced in one step.

    Raises
    ------
    FileError
        If it cannot be written.
    """
    texts = {
        "format": FORMAT,
        "format_version": str(FORMAT_VERSION),
        "about": json.dumps(to_plain(about)),
        "model": json.dumps(to_plain(CheckpointHeader.of(state.model)), allow_nan=False),
        "run": json.dumps(to_plain(state.record), allow_nan=False),
    }
    start = {f"{_START}/{name}": weight for name, weight in state.model.weights.items()}
    arrays = {name: array.contiguous() for name, array in (start | {**state.arrays}).items()}
    with replacing(path) as temporary:
        temporary.write_bytes(safetensors.torch.save(arrays, texts))


def read_interrupted(path: Path) -> Interrupted:
    """Return what a file says of its training, without the numbers.

    Raises
    ------
    FileError
        If it is missing, damaged, or of another program or a newer version.
    """
    with _opened(path) as file:
        about, header, record = _read_header(file)
        return Interrupted(path, about, header, record, path.stat().st_mtime)


def find_interrupted() -> list[Interrupted]:
    """Return what ended windows have left, the newest first; what is damaged is left alone."""
    found = []
    for path in find_places():
        try:
            interrupted = read_interrupted(path)
        except FileError as error:
            _log.warning("%s", error)
            continue
        if not is_claimed(path, quiet=_AT_WORK):
            found.append(interrupted)
    return found


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """Open a file; whatever is wrong with it becomes a `FileError`."""
    try:
        if not has_sane_header(path):
            raise ValueError("it is no safetensors file")
        with safe_open(path, framework="pt") as file:
            yield file
    except (SafetensorError, OSError, *DAMAGED) as error:
        raise FileError(
            f"'{path}' holds no training that can go on ({reason_of(error)}) and is left as it is; "
            "train anew, under another name."
        ) from error


def _read_header(file: Any) -> tuple[About, CheckpointHeader, RunRecord]:
    """Return what a file says of a training, once its arrays are known to be as it says.

    Raises
    ------
    Exception
        One of `DAMAGED`.
    """
    texts = file.metadata() or {}
    if texts.get("format") != FORMAT:
        raise ValueError("it is of another program")
    if int(texts["format_version"]) > FORMAT_VERSION:
        raise ValueError("it was written by a newer version of napari-unet-paint")
    about = from_plain(About, json.loads(texts["about"]))
    header = build_header(json.loads(texts["model"]))
    record = from_plain(RunRecord, json.loads(texts["run"]))
    if (record.size.reduction, record.size.enlargement) != (header.reduction, header.enlargement):
        raise ValueError("it contradicts itself about the reduction")
    weights = shapes_of(header.network)
    shapes = {}
    for name in file.keys():  # noqa: SIM118 no mapping
        part = file.get_slice(name)
        shapes[name] = tuple(part.get_shape())
        if part.get_dtype() != _STORED[dtype_of(name)]:
            raise ValueError(f"the array '{name:.60}' is stored as {part.get_dtype()}")
    start = {name: shapes.pop(f"{_START}/{name}", ()) for name in weights}
    problem = find_misfit(record, weights, shapes)
    if start != weights or problem:
        raise ValueError(problem or "the weights at the start are of another network")
    return about, header, record
