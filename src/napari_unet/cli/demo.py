"""The whole path on a made-up stack: paint, train, segment, export, compare with the truth."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tifffile

from napari_unet.batch.plane_selection import PlaneSelection
from napari_unet.cli.console import Interruption, say
from napari_unet.cli.evaluate import compare
from napari_unet.cli.picture import Row, draw_overview
from napari_unet.cli.segment import segment_stack
from napari_unet.cli.settings import SegmentWishes, TrainWishes, choose_start, train_config
from napari_unet.cli.train import train_model
from napari_unet.config import OutputKind, Task, Unpainted
from napari_unet.engine.counts import count
from napari_unet.engine.errors import EngineError
from napari_unet.engine.paint import PAINTED_BACKGROUND
from napari_unet.io.failures import cannot_write
from napari_unet.io.labels import write_labels
from napari_unet.io.samples import Sample, paint_strokes, save_image, synthetic_cells
from napari_unet.io.training_pairs import PairFiles

_FILES = {
    "image": "cells.tif",
    "strokes": "strokes.tif",
    "truth": "truth.tif",
    "model": "cells.safetensors",
    "segmentation": "segmentation.tif",
    "overview": "overview.png",
}


def run_demo(output: Path, *, seconds: float, device: str, stop: Interruption) -> dict[str, Any]:
    """Make the files of the demo in a folder and return the scores and the files.

    Raises
    ------
    UnetPaintError
        If the folder cannot be written, for example; the text says what to do.
    """
    begun = time.monotonic()
    start = choose_start(None, None)
    config = train_config(start, seconds=seconds, steps=None, seed=0)
    files = {name: output / file for name, file in _FILES.items()}
    sample = synthetic_cells()
    strokes = paint_strokes(sample.truth)
    _save_inputs(files, sample, strokes)
    say(f"Made {count(len(sample.image), 'plane')} of touching cells and painted on some of them.")
    trained = train_model(
        [PairFiles(files["image"], files["strokes"])],
        TrainWishes(start, config, Task.OBJECTS, Unpainted.IGNORED, device),
        output=files["model"],
        selection=None,
        stop=stop,
    )
    stop.exit_if_requested()
    segmented = segment_stack(
        files["image"],
        model=str(files["model"]),
        output=files["segmentation"],
        selection=None,
        wishes=SegmentWishes(),
        kind=OutputKind.LABELS,
        device=device,
        stop=stop,
    )
    stop.exit_if_requested()
    everywhere = _scores(files, None)
    fresh = [plane for plane in range(len(strokes)) if plane not in trained["planes"]]
    unpainted = _scores(files, PlaneSelection("unpainted", tuple(fresh)))
    _draw(files, sample, strokes, f"SEG {everywhere['seg']:.3f}", trained)
    return {
        "seg": everywhere["seg"],
        "seg_of_unpainted_planes": unpainted["seg"],
        "average_precision": everywhere["average_precision"],
        "foreground_iou": everywhere["foreground_iou"],
        "cells_in_truth": everywhere["reference_objects"],
        "cells_found": everywhere["predicted_objects"],
        "painted_cells": int(strokes.max()) - PAINTED_BACKGROUND,
        "training_steps": trained["steps"],
        "training_seconds": trained["seconds"],
        "segmentation_seconds": segmented["seconds"],
        "seconds": round(time.monotonic() - begun, 1),
        "device": trained["device"],
        "files": {name: str(path) for name, path in files.items()},
    }


def _save_inputs(files: Mapping[str, Path], sample: Sample, strokes: npt.NDArray[np.int32]) -> None:
    folder = files["image"].parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_write(folder, error) from error
    save_image(sample, files["image"])
    for name, labels in (("strokes", strokes), ("truth", sample.truth)):
        write_labels(
            files[name], labels, shape=labels.shape, axes=sample.axes, spacing=sample.spacing
        )


def _scores(files: Mapping[str, Path], selection: PlaneSelection | None) -> dict[str, Any]:
    return compare(
        files["segmentation"],
        files["truth"],
        task=Task.OBJECTS,
        unpainted=Unpainted.BACKGROUND,
        selection=selection,
    )


def _draw(
    files: Mapping[str, Path],
    sample: Sample,
    strokes: npt.NDArray[np.int32],
    score: str,
    trained: Mapping[str, Any],
) -> None:
    """Draw one painted plane, and the one that is farthest from any painted one."""
    painted = np.array(trained["planes"])
    distance = abs(np.arange(len(strokes))[:, None] - painted).min(axis=1)
    segmentation = tifffile.imread(files["segmentation"])
    shown = [(int(painted[len(painted) // 2]), "painted")]
    shown += [(int(distance.argmax()), "nothing painted")]
    draw_overview(
        files["overview"],
        "U-Net Paint on touching cells",
        f"{count(int(strokes.max()) - PAINTED_BACKGROUND, 'cell')} painted on {len(painted)} of "
        f"{count(len(strokes), 'plane')}; {trained['seconds']:.0f} s of training on "
        f"{trained['device']}.  "
        f"{score} over the whole stack.",
        [
            Row(f"plane {z}: {how}", sample.image[z], strokes[z], segmentation[z], sample.truth[z])
            for z, how in shown
        ],
        pixel_size=sample.pixel_size[0],
    )


def open_viewer(files: Mapping[str, str]) -> None:
    """Show the demo's layers and the dock widget in napari until its window is closed.

    Raises
    ------
    EngineError
        If napari has no Qt to draw with.
    """
    try:
        import napari  # noqa: PLC0415  # seconds, and only for those who want to see it

        viewer = napari.Viewer(title="U-Net Paint demo")
    except ImportError as error:
        raise EngineError(
            f"napari cannot open a window ({error}); run 'napari-unet doctor' to see what is "
            "missing. The files of the demo are made."
        ) from error
    plugin = "napari-unet-paint"
    viewer.open(files["image"], plugin=plugin)
    for name in ("truth", "segmentation", "strokes"):
        viewer.open(files[name], plugin=plugin, layer_type="labels", visible=name != "truth")
    viewer.window.add_plugin_dock_widget(plugin)
    napari.run()
