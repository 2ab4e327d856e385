"""Trainings and segmentations that are kept on disk, changed, and gone on with as a window does."""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from itertools import islice
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

import numpy as np
import numpy.typing as npt
import torch

from benchmarks.fuzz_mutations import (
    Input,
    change_bytes,
    change_json,
    change_safetensors,
    number,
)
from napari_unet.config import (
    AugmentConfig,
    NetworkConfig,
    ObjectsConfig,
    OutputKind,
    Task,
    TilingConfig,
    TrainConfig,
    Unpainted,
)
from napari_unet.engine.events import Resume, SegmentStarted, StateReached
from napari_unet.engine.network import Model, fresh_model, pick_device
from napari_unet.engine.paint import LabelScheme, TrainingSet
from napari_unet.engine.prediction import Backend, SegmentationPlan, segment
from napari_unet.engine.stack import ArrayPlanes, Normalization
from napari_unet.engine.training import TrainingPlan, TrainingState, fit
from napari_unet.engine.training.schedule import Schedule
from napari_unet.io import kept_folders, kept_segmentation
from napari_unet.io.interrupted import About, read_interrupted, write_state
from napari_unet.io.kept_folders import find_kept, new_kept
from napari_unet.io.kept_record import Basis, KeptRecord
from napari_unet.io.record_log import RecordLog
from napari_unet.ui.segment.keeping import model_to_go_on

_NETWORK = NetworkConfig(levels=2, base_channels=2)
_RUN = "2026-12-01 10-00-00 0123abcd"
_LOG_HEAD = struct.Struct("<4sIQI")  # as of `io.record_log`
_TILING = TilingConfig(tile=16)


def _grey(height: int, width: int) -> npt.NDArray[np.uint16]:
    plane = np.arange(2 * height * width) * 37 % 400
    grey = plane.astype(np.uint16).reshape(2, height, width)
    grey[:, 8:20, 8:20] += 3000
    return grey


TRAINED_ON = _grey(40, 48)
SEGMENTED = _grey(24, 40)


def _strokes() -> npt.NDArray[np.uint8]:
    painted = np.zeros(TRAINED_ON.shape, np.uint8)
    painted[0, 8:20, 8:20] = 2
    painted[0, 24:36, 4:40] = 1
    return painted


def trainings() -> list[Input]:
    """Return trainings that were interrupted after some steps: of objects and of classes."""
    made = []
    config = TrainConfig(
        seconds=None,
        steps=9,
        patch=24,
        reduction=1,
        augment=AugmentConfig(elastic_sigma=2, shift=4),
    )
    for task, start in ((Task.OBJECTS, _NETWORK), (Task.CLASSES, _model(Task.CLASSES))):
        plan = _plan(start, LabelScheme(task, Unpainted.IGNORED), config)
        with patch.object(Schedule, "may_keep", lambda *_: True):
            reached = [e.state for e in _fit(plan, 7) if isinstance(e, StateReached)]
        state = reached[-1]
        assert isinstance(state, TrainingState)
        with TemporaryDirectory() as folder:
            path = Path(folder) / "m.unfinished"
            write_state(state, About(("cells",), ("strokes",)), path)
            made.append({path.name: path.read_bytes()})
    return made


def _plan(start: NetworkConfig | Model, scheme: LabelScheme, config: TrainConfig) -> TrainingPlan:
    return TrainingPlan(start=start, scheme=scheme, config=config, device=pick_device("cpu"))


def _fit(plan: TrainingPlan, steps: int, state: TrainingState | None = None) -> list[Any]:
    """Train until it was asked so often whether to stop."""
    torch.set_num_threads(1)
    asked = iter(range(steps))
    events = fit(
        TrainingSet.of((ArrayPlanes(TRAINED_ON), ArrayPlanes(_strokes()))),
        plan,
        stop=lambda: next(asked, None) is None,
        keep_every=0.0,
        interrupted=state,
    )
    return list(events)


def change_training(files: Input, rng: Random) -> Input:
    """Change what a training says of itself, or its numbers."""
    return {name: change_safetensors(data, rng) for name, data in files.items()}


def read_training(folder: Path) -> None:
    """Read a training, and go on with it on the image and the labels that it was on."""
    found = read_interrupted(folder / "m.unfinished")
    plan = found.record.plan
    _fit(_plan(plan.network, plan.scheme, plan.config), 1, found.load())


def segmentations() -> list[Input]:
    """Return segmentations that were ended in the middle, of all kinds."""
    wanted = (
        (Task.OBJECTS, OutputKind.LABELS, ObjectsConfig()),
        (Task.OBJECTS, OutputKind.LABELS, ObjectsConfig(link=True)),
        (Task.OBJECTS, OutputKind.PROBABILITIES, ObjectsConfig()),
        (Task.CLASSES, OutputKind.CLASSES, ObjectsConfig()),
    )
    return [_segmentation(*one) for one in wanted]


def _segmentation(task: Task, kind: OutputKind, objects: ObjectsConfig) -> Input:
    model, planes = _model(task), ArrayPlanes(SEGMENTED)
    plan, device = SegmentationPlan(model, objects, _TILING, kind), pick_device("cpu")

    def describe(started: Any) -> KeptRecord:
        basis = Basis.of(plan, planes, device=device)
        order, side = started.planes, started.tile
        return KeptRecord("cells", "mine", basis, 2, order, side, shape=SEGMENTED.shape[1:])

    with TemporaryDirectory() as place, _kept_in(Path(place)):
        kept = new_kept(describe, model)
        events = segment(plan, planes, device=device, kept=kept, backend=_backend(task))
        for event in islice(events, 13):  # a plane, and tiles of the next
            if isinstance(event, SegmentStarted):
                kept.begin(event)
        kept.leave()
        return {f"{_RUN}/{path.name}": path.read_bytes() for path in kept.folder.iterdir()}


@contextmanager
def _kept_in(folder: Path) -> Iterator[None]:
    """Keep in this folder, from the first tile on."""
    with (
        patch.object(kept_folders, "_folder", lambda: folder),
        patch.object(kept_segmentation, "_WAIT", 0),
    ):
        yield


@cache
def _model(task: Task) -> Model:
    values = (0, 1) if task is Task.OBJECTS else (1, 2)
    return fresh_model(_NETWORK, Normalization((0.0,), (3000.0,)), task, values, seed=1)


@cache
def _backend(task: Task) -> Backend:
    """Return the network, built once for all inputs."""
    return Backend.of(_model(task), pick_device("cpu"))


def change_segmentation(files: Input, rng: Random) -> Input:
    """Change the record, or a tile or plane with its check sum; or lose one, or mix some up."""
    changed = dict(files)
    name = rng.choice(sorted(changed))
    kind = rng.random()
    if kind < 0.1:
        del changed[name]
    elif kind < 0.2:
        to = rng.choice((f"tiles-{number(rng) % 10**20}", "tiles-000000", "tiles-x", "planes"))
        changed[f"{_RUN}/{to}"] = changed.pop(name)
    elif name.endswith(".json"):
        changed[name] = change_json(changed[name], rng)
    elif name.endswith(".safetensors"):
        changed[name] = change_safetensors(changed[name], rng)
    elif kind < 0.35:
        changed[name] = change_bytes(changed[name], rng)
    else:
        changed[name] = _change_log(changed[name], rng)
    return changed


def _change_log(data: bytes, rng: Random) -> bytes:
    """Change what a record says of its data, or these, and let the check sum be right."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "log"
        path.write_bytes(data)
        log = RecordLog(path)
        records = [(json.dumps(e.about).encode(), log.read(e)) for e in log.entries()]
    if not records:
        return change_bytes(data, rng)
    at = rng.randrange(len(records))
    about, body = records[at]
    kind = rng.random()
    if kind < 0.6:
        records[at] = (change_json(about, rng), body)
    elif kind < 0.8:
        records[at] = (about, change_bytes(body, rng))
    else:
        records.insert(rng.randrange(len(records)), (about, rng.choice(records)[1]))
    return b"".join(
        _LOG_HEAD.pack(b"UPr1", len(a), len(d), zlib.crc32(d, zlib.crc32(a))) + a + d
        for a, d in records
    )


def read_segmentation(folder: Path) -> None:
    """Find what was kept, compare the image, and segment what is missing."""
    planes, device = ArrayPlanes(SEGMENTED), pick_device("cpu")
    with _kept_in(folder):
        for run in find_kept():
            f"{run.finished} of {run.record.planes}"
            basis, order = run.record.basis, run.record.order
            model = model_to_go_on(run, planes, device).model
            rest = [plane for plane in range(planes.count) if plane not in order]
            with run.take() as kept:
                plan = SegmentationPlan(model, basis.objects, basis.tiling, basis.kind)
                events = segment(
                    plan.with_side(run.record.side),
                    planes,
                    device=device,
                    numbers=(*order, *rest),
                    resume=Resume(largest=run.record.largest),
                    kept=kept,
                    backend=_backend(model.task),
                )
                for event in events:
                    if isinstance(event, SegmentStarted):
                        kept.begin(event)
