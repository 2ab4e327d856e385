"""The dialog of Export: name and kind of file together say what is written."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import zarr
from napari.layers import Image, Labels
from qtpy.QtWidgets import QFileDialog

from napari_unet.io.label_formats import label_format
from napari_unet.ui.export.dialogs import ask_export_path

LABELS = Labels(np.zeros((4, 4), np.int32), name="cells")
ROIS = "ImageJ ROIs (*.zip)"
INSIDE = "OME-Zarr, inside that of the image (*)"


class Dialog:
    """Answers with a name and a kind of file, and keeps what was offered."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.answer = ("", "")
        self.kinds: list[str] = []

    def save(self, _parent: Any, _title: str, _proposal: str, kinds: str) -> tuple[str, str]:
        self.kinds = kinds.split(";;")
        return str(self.folder / self.answer[0]), self.answer[1]

    def ask(self, name: str, kind: str, image: Any = None, layer: Any = LABELS) -> Path | None:
        self.answer = (name, kind)
        nobody: Any = None
        return ask_export_path(nobody, layer, image)


@pytest.fixture
def dialog(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Dialog:
    dialog = Dialog(tmp_path)
    monkeypatch.setattr(QFileDialog, "getSaveFileName", dialog.save)
    return dialog


@pytest.mark.parametrize(
    ("name", "kind", "expected"),
    [
        ("cells.tif", ROIS, "cells.zip"),  # the proposed ending gives way to the kind
        ("cells", "GeoJSON, for QuPath (*.geojson)", "cells.geojson"),
        ("01", "Cell Tracking Challenge, a folder (*_RES)", "01_RES"),
        ("01_RES", "Cell Tracking Challenge, a folder (*_RES)", "01_RES"),
        ("cells.geojson", ROIS, "cells.geojson"),  # what was typed stays
        ("cells.zip", "TIFF, for Fiji and napari (*.tif *.tiff)", "cells.zip"),
        ("HeLa 2.5", "", "HeLa 2.5.tif"),
        ("cells.TIFF", "", "cells.TIFF"),
    ],
)
def test_the_kind_counts_unless_another_ending_was_typed(
    name: str, kind: str, expected: str, dialog: Dialog
) -> None:
    path = dialog.ask(name, kind)
    assert path is not None
    assert path.name == expected
    assert label_format(path)  # it is known what that is


def test_a_file_that_the_dialog_has_not_asked_about_is_not_replaced(dialog: Dialog) -> None:
    (dialog.folder / "cells.zip").touch()
    assert dialog.ask("cells.tif", ROIS) == dialog.folder / "cells (2).zip"
    assert dialog.ask("cells.zip", ROIS) == dialog.folder / "cells.zip"  # it has asked


def test_probabilities_are_no_outlines(dialog: Dialog) -> None:
    dialog.ask("a.tif", "", layer=Image(np.zeros((4, 4))))
    assert [kind.partition(" (")[0] for kind in dialog.kinds] == [
        "TIFF, for Fiji and napari",
        "OME-Zarr, for large stacks",
    ]


def test_labels_can_go_inside_the_ome_zarr_of_their_image(dialog: Dialog) -> None:
    path = dialog.folder / "image.zarr"
    group = zarr.open_group(str(path), mode="w")
    group.create_array("0", shape=(4, 4), dtype=np.uint8)
    steps = [{"type": "scale", "scale": [1.0, 1.0]}]
    axes: Any = [{"name": name, "type": "space"} for name in "yx"]
    datasets: Any = [{"path": "0", "coordinateTransformations": steps}]
    group.attrs["ome"] = {"version": "0.5", "multiscales": [{"axes": axes, "datasets": datasets}]}
    image = SimpleNamespace(source=SimpleNamespace(path=str(path)))
    assert dialog.ask("image labels.tif", INSIDE, image) == path / "labels" / "image labels"
    assert dialog.kinds[-1] == INSIDE
    (path / "labels" / "image labels").mkdir(parents=True)
    assert dialog.ask("image labels.tif", INSIDE, image) == path / "labels" / "image labels (2)"
    image.source.path = str(dialog.folder)  # a folder of planes
    dialog.ask("a.tif", "", image)
    assert INSIDE not in dialog.kinds
