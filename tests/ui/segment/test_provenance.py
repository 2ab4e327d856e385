"""A result knows what made it, until it is exported and made again from its record."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from napari.components import ViewerModel
from napari.layers import Image, Labels
from pytestqt.qtbot import QtBot
from qtpy.QtGui import QGuiApplication

from napari_unet.cli.console import Interruption
from napari_unet.cli.repeat import Inputs, repeat_segmentation
from napari_unet.config import ObjectsConfig, OutputKind, TilingConfig
from napari_unet.engine.network.device import pick_device
from napari_unet.engine.network.model import Model
from napari_unet.io.checkpoints import save_model
from napari_unet.io.hashes import model_hash, stack_hash
from napari_unet.io.provenance_files import read_provenance
from napari_unet.ui.export.control import Exporting
from napari_unet.ui.export.step import ExportStep
from napari_unet.ui.layers.inputs import image_planes
from napari_unet.ui.layers.paint_count import PaintCount
from napari_unet.ui.layers.provenance import provenance_of
from napari_unet.ui.runner import JobState
from napari_unet.ui.segment.control import Scope, Segmentation
from napari_unet.ui.workbench import CurrentModel, Workbench
from tests.engine.tiny import tiny_model

Run = Callable[..., Labels]


@pytest.fixture
def model() -> Model:
    return tiny_model()


@pytest.fixture
def workbench(
    viewer: ViewerModel, image: Image, labels: Labels, model: Model, tmp_path: Path
) -> Iterator[Workbench]:
    bench = Workbench(viewer)
    bench.use_device(pick_device("cpu"))
    path = save_model(model, tmp_path / "mine.safetensors")
    bench.choose(images=(image,), labels=labels, start=CurrentModel("mine", model, path))
    yield bench
    bench.close()


@pytest.fixture
def segmentation(workbench: Workbench) -> Iterator[Segmentation]:
    control = Segmentation(workbench)
    yield control
    control.release()


@pytest.fixture
def run(segmentation: Segmentation, qtbot: QtBot) -> Run:
    """Segment with the engine itself, and return the result."""

    def run(scope: Scope = Scope.STACK, **objects: Any) -> Labels:
        settings = OutputKind.LABELS, TilingConfig(), ObjectsConfig(**objects)
        with qtbot.waitSignal(segmentation.workbench.ended, timeout=60_000):
            segmentation.start(scope, *settings)
        result = segmentation.workbench.choices.result
        assert isinstance(result, Labels)
        return result

    return run


def test_a_result_says_what_made_it(run: Run, image: Image, model: Model, tmp_path: Path) -> None:
    made = provenance_of(run(min_size=3))
    assert made is not None
    assert made.image.name == "cells"
    assert made.image.hash == stack_hash(image_planes([image]))
    assert (made.image.shape, made.image.axes) == ((3, 64, 48), "ZYX")
    assert made.image.spacing == {"Z": 2.0, "Y": 0.5, "X": 0.25}
    assert (made.model.name, made.model.hash) == ("mine", model_hash(model))
    assert made.model.path == str(tmp_path / "mine.safetensors")
    assert made.objects.min_size == 3
    assert sorted(made.planes) == [0, 1, 2]
    assert made.painted is None
    assert made.corrected == ()
    assert "CPU" in made.device
    assert made.started <= made.finished


def test_strokes_on_a_result_are_corrections(run: Run) -> None:
    result = run()
    result.data_setitem((np.array([2]), np.array([5]), np.array([5])), 77)
    made = provenance_of(result)
    assert made is not None
    assert made.corrected == (2,)


def test_other_data_in_the_layer_are_corrections_of_everything(run: Run) -> None:
    result = run()
    result.data = np.zeros_like(result.data)
    made = provenance_of(result)
    assert made is not None
    assert made.corrected == (0, 1, 2)


def test_nothing_is_known_of_a_copy(run: Run) -> None:
    data, settings, _ = run().as_layer_data_tuple()
    copy = Labels(data, metadata=settings["metadata"])
    assert provenance_of(copy) is None


def test_a_plane_made_with_other_settings_is_the_only_one_that_they_made(
    run: Run, workbench: Workbench
) -> None:
    run()
    workbench.viewer.dims.set_current_step(0, 1)
    made = provenance_of(run(Scope.PLANE, min_size=9))
    assert made is not None
    assert (made.planes, made.objects.min_size) == ((1,), 9)


def test_pieces_are_of_the_record(run: Run, segmentation: Segmentation, qtbot: QtBot) -> None:
    result = run()
    with qtbot.waitSignal(segmentation.workbench.ended, timeout=60_000):
        segmentation.pieces.cut_at(0.3)
    qtbot.waitUntil(lambda: segmentation.workbench.runner.state is JobState.IDLE)
    made = provenance_of(result)
    assert made is not None
    assert (made.objects.neck, len(made.planes)) == (0.3, 3)


def test_an_exported_result_is_made_again_from_the_image_and_paint_on_disk(
    run: Run, workbench: Workbench, labels: Labels, image: Image, tmp_path: Path, qtbot: QtBot
) -> None:
    labels.data[1, 8:16, 8:16] = 2
    labels.data[1, :4] = 1
    workbench.painted = PaintCount(planes=1, ones=192, unpainted=3000, numbers=np.array([1, 2]))
    result = run()
    result.data_setitem((np.array([0]), np.array([5]), np.array([5])), 77)
    exporting = Exporting(workbench)
    out = tmp_path / "out.tif"
    with qtbot.waitSignal(workbench.ended, timeout=60_000):
        exporting.export([(result,)], [out])
    made = read_provenance(tmp_path / "out.tif.json")
    assert made == read_provenance(out)
    assert made.corrected == (0,)
    assert made.painted is not None
    assert made.model.path == "mine.safetensors"  # from where the result is

    tifffile.imwrite(tmp_path / "cells.tif", image.data, photometric="minisblack")
    tifffile.imwrite(tmp_path / "strokes.tif", labels.data, photometric="minisblack")
    figures = repeat_segmentation(
        tmp_path / "out.tif.json",
        Inputs(image=tmp_path / "cells.tif", painted=tmp_path / "strokes.tif"),
        output=None,
        device="cpu",
        stop=Interruption(),
    )
    assert figures["identical"]
    assert (figures["compared_planes"], figures["corrected_planes"]) == (2, 1)


def test_the_methods_text_can_be_copied(run: Run, workbench: Workbench, qtbot: QtBot) -> None:
    step = ExportStep(workbench, Exporting(workbench))
    qtbot.addWidget(step)
    assert step.methods.isHidden()
    run()
    assert not step.methods.isHidden()
    step.methods.click()
    assert step.status.text().startswith("Copied")
    step.release()
    clipboard = QGuiApplication.clipboard()
    assert clipboard is not None
    assert "segmented with a U-Net (Ronneberger et al., 2015)" in clipboard.text()
