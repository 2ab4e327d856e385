"""The jobs: what runs in the background, each an iterator of events.

The engine is imported here inside the jobs, that is in the worker's thread: loading torch takes
seconds, and the window is not to wait for it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_unet.config import (
    NetworkConfig,
    ObjectsConfig,
    Task,
    TilingConfig,
    TrainConfig,
    Unpainted,
)
from napari_unet.engine.errors import EngineError
from napari_unet.engine.events import Stop
from napari_unet.engine.planes import ArrayPlanes, Planes
from napari_unet.io.stack import Layout
from napari_unet.ui.jobs.runner import Job

if TYPE_CHECKING:
    from napari_unet.engine.device import DeviceChoice
    from napari_unet.engine.model import Model

__all__ = [
    "DeviceFound",
    "Exported",
    "ModelOpened",
    "ModelSaved",
    "PlaneWritten",
    "export_labels",
    "find_device",
    "read_model",
    "segment_stack",
    "train_on_labels",
    "write_model",
]


@dataclass(frozen=True, slots=True)
class DeviceFound:
    """The engine is loaded and knows where it will compute."""

    device: DeviceChoice


@dataclass(frozen=True, slots=True)
class PlaneWritten:
    """One more plane is in the file."""

    done: int
    total: int


@dataclass(frozen=True, slots=True)
class Exported:
    """The label TIFF is whole."""

    path: Path


@dataclass(frozen=True, slots=True)
class ModelSaved:
    """The model's file is whole."""

    path: Path


@dataclass(frozen=True, slots=True, eq=False)
class ModelOpened:
    """A model was read from a file."""

    path: Path
    model: Model


def find_device() -> Job:
    """Load the engine and find the fastest device."""

    def run(_stop: Stop) -> Iterator[DeviceFound]:
        try:
            # On Windows torch's libraries load only if Qt's have not been loaded before them
            # (some versions). napari starts Qt, so all that can be done is to say what helps.
            from napari_unet.engine.device import pick_device  # noqa: PLC0415
        except (ImportError, OSError) as error:
            raise EngineError(
                f"PyTorch cannot be loaded ({error}). Run 'napari-unet doctor' in a terminal to "
                "see how to mend it, then start napari again."
            ) from error
        yield DeviceFound(pick_device())

    return run


def train_on_labels(
    planes: Planes,
    labels: Planes,
    *,
    start: NetworkConfig | Model,
    task: Task,
    unpainted: Unpainted,
    config: TrainConfig,
    device: DeviceChoice,
    pixel_size: tuple[float, float] | None,
) -> Job:
    """Train; the events are those of `napari_unet.engine.train.fit`."""

    def run(stop: Stop) -> Iterator[object]:
        from napari_unet.engine.train import fit  # noqa: PLC0415

        yield from fit(
            planes,
            labels,
            start=start,
            task=task,
            unpainted=unpainted,
            config=config,
            device=device,
            pixel_size=pixel_size,
            stop=stop,
        )

    return run


def segment_stack(
    model: Model,
    planes: Planes,
    *,
    device: DeviceChoice,
    tiling: TilingConfig,
    objects: ObjectsConfig,
    focus: tuple[int, int, int],
) -> Job:
    """Segment; the events are those of `napari_unet.engine.predict.segment`."""

    def run(stop: Stop) -> Iterator[object]:
        from napari_unet.engine.predict import segment  # noqa: PLC0415

        yield from segment(
            model, planes, device=device, tiling=tiling, objects=objects, focus=focus, stop=stop
        )

    return run


def write_model(model: Model, path: Path) -> Job:
    """Write the model to a file."""

    def run(_stop: Stop) -> Iterator[ModelSaved]:
        from napari_unet.io.checkpoints import save_model  # noqa: PLC0415

        save_model(model, path)
        yield ModelSaved(path)

    return run


def read_model(path: Path) -> Job:
    """Read a model from a file."""

    def run(_stop: Stop) -> Iterator[ModelOpened]:
        from napari_unet.io.checkpoints import load_model  # noqa: PLC0415

        yield ModelOpened(path, load_model(path))

    return run


def export_labels(array: Any, layout: Layout, path: Path) -> Job:
    """Write an array of labels to a TIFF; a stopped export leaves no file."""

    def run(stop: Stop) -> Iterator[PlaneWritten | Exported]:
        from napari_unet.io.labels import open_label_writer  # noqa: PLC0415

        planes = ArrayPlanes(array, name=path.name)
        whole = slice(0, planes.shape[0]), slice(0, planes.shape[1])
        with suppress(_Stopped):
            with open_label_writer(path, layout) as writer:
                for number in range(planes.count):
                    if stop():
                        raise _Stopped  # the writer removes what it has written
                    writer.write(planes.read(number, *whole)[0])
                    yield PlaneWritten(number + 1, planes.count)
            yield Exported(path)

    return run


class _Stopped(Exception):  # noqa: N818 no error
    """The user stopped the export."""
