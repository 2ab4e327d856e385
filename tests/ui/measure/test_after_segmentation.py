"""A new segmentation is what is measured, and one that is made anew is noticed."""

from __future__ import annotations

import pytest
from pytestqt.qtbot import QtBot

from napari_unet.ui.dock import UNetPaint
from napari_unet.ui.measure.step import MeasureStep
from napari_unet.ui.segment import job as segment_job
from tests.ui.conftest import segmenting_job
from tests.ui.pressing import press, step


def test_a_result_is_measured_and_one_that_is_made_anew_is_noticed(
    with_model: UNetPaint, monkeypatch: pytest.MonkeyPatch, qtbot: QtBot
) -> None:
    measure = step(with_model, MeasureStep)
    monkeypatch.setattr(segment_job, "segment_images", segmenting_job(3))
    press(with_model, "segment", qtbot)
    assert measure.layer.value is with_model.workbench.choices.result
    press(with_model, "measure", qtbot)
    assert measure.results.table.model().rowCount() == 3  # type: ignore[union-attr]
    assert measure.status.text().startswith("'cells segmentation': 1 object, 3 rows")

    monkeypatch.setattr(segment_job, "segment_images", segmenting_job(4))
    press(with_model, "start over", qtbot)

    qtbot.waitUntil(lambda: measure.action.button.text() == "Measure again")
    assert measure.status.text() == "The labels have changed since: the table is of before."
