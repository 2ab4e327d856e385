"""The examples of docs/extend.md run as they stand there."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from napari.components import ViewerModel
from pytestqt.qtbot import QtBot

from napari_unet.engine.paint.label_scheme import IGNORED
from napari_unet.io.stack import Layout
from napari_unet.ui.workbench import Workbench

_PAGE = (Path(__file__).parents[1] / "docs" / "extend.md").read_text("utf-8")


def example(section: str) -> SimpleNamespace:
    """Run the code of a section; return what it defines."""
    text = _PAGE.split(f"## {section}\n")[1].split("\n## ")[0]
    (code,) = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
    names: dict[str, Any] = {"__name__": "example"}
    exec(compile(code, section, "exec"), names)
    return SimpleNamespace(**names)


def test_the_loss_counts_undecided_pixels_a_quarter_and_ignores_the_unpainted() -> None:
    focal = example("A loss").focal_cross_entropy
    classes = torch.tensor([[[0, IGNORED]]])

    loss = focal(torch.zeros(1, 2, 1, 2), classes, torch.ones(1, 1, 2))

    assert float(loss) == pytest.approx(0.25 * np.log(2))
    assert (
        float(focal(torch.tensor([[[[20.0, 0]], [[0, 0]]]]), classes, torch.ones(1, 1, 2))) < 1e-6
    )


def test_the_format_takes_rows_and_writes_a_whole_file(tmp_path: Path) -> None:
    made = example("An output format")
    planes = np.array([[[0, 1], [1, 1]], [[0, 0], [7, 0]]])
    writer = made.AreaWriter(Layout(planes.shape, "ZYX", {}))
    writer.write(planes[0, :1])
    writer.drop_rows()

    for rows in (planes[0, :1], planes[0, 1:], planes[1]):
        writer.write(rows)
    made.save_areas(writer, tmp_path / "areas.csv")

    assert (tmp_path / "areas.csv").read_text() == "plane,label,pixels\n0,1,3\n1,7,1\n"


def test_the_network_is_trained_and_used() -> None:
    made = example("A network")

    assert made.model.network.name == "slim"
    assert made.labels.shape == made.sample.image.shape


def test_the_step_tells_what_is_painted_and_what_is_missing(qtbot: QtBot) -> None:
    viewer = ViewerModel()
    workbench = Workbench(viewer)
    step = example("A step of the dock").PaintedStep(workbench)
    qtbot.addWidget(step)
    assert step.count.hint.text() == "Make labels first."

    labels = viewer.add_labels(np.zeros((3, 8, 8), np.int32))
    labels.data[1] = 2
    workbench.choose(labels=labels)
    step.refresh()
    step.count.button.click()

    assert step.status.text() == "Painted planes: 1"
    workbench.close()
