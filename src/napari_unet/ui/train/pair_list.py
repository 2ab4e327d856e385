"""The images that training learns from, with a tick each; hidden while there is only one."""

from __future__ import annotations

from functools import partial

from qtpy.QtWidgets import QCheckBox, QVBoxLayout, QWidget

from napari_unet.config import Task
from napari_unet.engine.counts import count
from napari_unet.engine.paint import LabelScheme
from napari_unet.ui.parts.text import PlainLabel
from napari_unet.ui.train.pairs import PairRow, TrainingPairs
from napari_unet.ui.workbench import Workbench

_TITLE = "Train on"
_LONGEST = 24  # letters of a name; the tooltip has it whole


class PairList(QWidget):
    """A line for each image with labels: its name, what is painted, and a tick."""

    def __init__(self, workbench: Workbench, pairs: TrainingPairs, parent: QWidget) -> None:
        super().__init__(parent)
        self.boxes: list[QCheckBox] = []
        self._workbench = workbench
        self._pairs = pairs
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(2)
        self._column.addWidget(PlainLabel(_TITLE))
        pairs.changed.connect(self.refresh)
        self.refresh()

    def refresh(self) -> None:
        """Show the pairs as they are now."""
        rows = () if self._pairs.is_one else self._pairs.rows
        self.setVisible(bool(rows))
        while len(self.boxes) > len(rows):
            box = self.boxes.pop()
            self._column.removeWidget(box)
            box.deleteLater()
        while len(self.boxes) < len(rows):
            box = QCheckBox()
            box.clicked.connect(partial(self._on_clicked, len(self.boxes)))
            self.boxes.append(box)
            self._column.addWidget(box)
        for box, row in zip(self.boxes, rows, strict=True):
            self._fill(box, row)

    def _fill(self, box: QCheckBox, row: PairRow) -> None:
        scheme = self._workbench.choices.scheme
        image = row.pair.image.name
        box.setText(f"{_short(image)} · {describe_pair(row, scheme)}".replace("&", "&&"))
        box.setChecked(row.is_ticked)
        tip = f"Image '{image}', labels '{row.pair.labels.name}'"
        if row.found.other:
            tip += (
                f", which were made on '{row.found.other}': tick it only if both show the same "
                "things"
            )
        box.setToolTip(f"{tip}.")
        box.setAccessibleName(f"{_TITLE} {image}")

    def _on_clicked(self, index: int, on: bool) -> None:  # noqa: FBT001 Qt's signal
        self._pairs.tick(self._pairs.rows[index].pair, on)


def describe_pair(row: PairRow, scheme: LabelScheme) -> str:
    """Return "3 planes, 12 objects", or what is odd about the pair."""
    if row.found.other:
        return f"labels of {_short(row.found.other)}"
    if row.count is None:
        return "counting…"
    if not row.count.planes:
        return "nothing painted"
    kinds = count(row.count.kinds(scheme), "object" if scheme.task is Task.OBJECTS else "class")
    return f"{count(row.count.planes, 'plane')}, {kinds}"


def _short(name: str) -> str:
    if len(name) <= _LONGEST:
        return name
    half = _LONGEST // 2
    return f"{name[: half - 1]}…{name[-half:]}"
