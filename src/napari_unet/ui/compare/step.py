"""The step that scores a result against the truth, and shows where it is wrong."""

from __future__ import annotations

from typing import Any

from napari.layers import Labels, Layer
from qtpy.QtCore import QSignalBlocker
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_unet.config import Unpainted
from napari_unet.ui.compare.control import Comparing
from napari_unet.ui.compare.job import CompareDone, figures, tell_mistakes
from napari_unet.ui.compare.mistakes_layer import COLOURS
from napari_unet.ui.compare.table import ScoreTable
from napari_unet.ui.layers.added import Purpose, is_overridden_by, purpose
from napari_unet.ui.parts.action import Action
from napari_unet.ui.parts.folded import Folded
from napari_unet.ui.parts.pickers import LayerPicker, Picker
from napari_unet.ui.parts.settings import narrow_form
from napari_unet.ui.parts.step import Step
from napari_unet.ui.workbench import Workbench

_ZEROS = {"0 is background": Unpainted.BACKGROUND, "0 is not judged": Unpainted.IGNORED}
_MISTAKES = "Mistakes are shown in a layer of their own."
_ITSELF = (
    "Where you painted, this result is your paint. To judge the network there, segment without "
    "Paint overrides (Segment, Advanced)."
)
_WHAT = {"All planes": True, "This plane": False}
_ONLY_SHOWN = (Purpose.MISTAKES, Purpose.PREVIEW, Purpose.PLACE)


class CompareStep(Step):
    """A result and the truth, a table of scores, and the mistakes in numbers and colours."""

    def __init__(self, workbench: Workbench, comparing: Comparing) -> None:
        super().__init__(workbench, "Compare")
        viewer = workbench.viewer
        self.result = LayerPicker(viewer, Labels, "The layer to be judged.", _can_be_compared)
        self.truth = LayerPicker(viewer, Labels, "The layer that is right.", _can_be_compared)
        self.zeros = Picker(
            "What 0 means in the truth. Not judged: what you left unpainted does not count, and "
            "of objects 1 is background."
        )
        self.what = Picker("All planes that have a truth, from the shown one outwards, or one.")
        self.action = Action("Co&mpare", "Score the result, and show where it is wrong.")
        self.table = ScoreTable()
        self._comparing = comparing
        self._seen: Any = None  # the last result that the workbench told of
        self._build()
        self._connect()
        self.refresh()

    def refresh(self) -> None:
        """Take over a new result, and show whether it can be compared."""
        result = self.workbench.choices.result
        if result is not self._seen:
            self._seen = result
            if isinstance(result, Labels):
                self.result.value = result
                self._propose_truth()
        reason = self._comparing.why_not_compare(self.result.value, self.truth.value)
        is_itself = is_overridden_by(self.result.value, self.truth.value)
        self.action.show_readiness(reason, _ITSELF if is_itself else _MISTAKES)

    def release(self) -> None:
        """Let go of the viewer and of the control."""
        self.result.release()
        self.truth.release()
        self._comparing.began.disconnect(self._on_began)
        self._comparing.compared.disconnect(self._on_compared)

    def _build(self) -> None:
        self.zeros.offer(_ZEROS)
        self.what.offer(_WHAT)
        self.title.hide()  # it is that of the fold
        rows = QWidget()
        form = narrow_form(rows)
        form.addRow("&Result", self.result)
        form.addRow("&Truth", self.truth)
        form.addRow("&Zeros", self.zeros)
        form.addRow("&Planes", self.what)
        self.table.hide()
        content = QWidget()
        column = QVBoxLayout(content)
        for part in (self.status, rows, self.action, self.table):
            column.addWidget(part)
        self.fold = Folded(self.title.text(), content)
        self.body.addWidget(self.fold)
        self._propose_truth()

    def _connect(self) -> None:
        self.result.picked.connect(self.refresh)
        self.truth.picked.connect(self._on_truth_picked)
        self.action.clicked.connect(self._on_clicked)
        self._comparing.began.connect(self._on_began)
        self._comparing.compared.connect(self._on_compared)

    def _propose_truth(self) -> None:
        """Offer what is painted, or else another layer than the result."""
        painted = self.workbench.choices.labels
        layers = reversed(self.workbench.viewer.layers)  # the topmost first
        others = [
            layer for layer in layers if _can_be_compared(layer) and layer is not self.result.value
        ]
        if others:
            with QSignalBlocker(self.truth):
                self.truth.value = painted if painted in others else others[0]
            self._propose_zeros()

    def _propose_zeros(self) -> None:
        choices = self.workbench.choices
        is_painted = self.truth.value is not None and self.truth.value is choices.labels
        self.zeros.value = choices.unpainted if is_painted else Unpainted.BACKGROUND

    def _on_truth_picked(self) -> None:
        self._propose_zeros()
        self.refresh()

    def _on_clicked(self) -> None:
        self.refresh()  # layers may have changed without a word since
        if self.action.button.isEnabled():
            self._comparing.start(
                self.result.value,
                self.truth.value,
                unpainted=self.zeros.value,
                all_planes=self.what.value,
            )

    def _on_began(self) -> None:
        self.table.hide()
        self.tell("")

    def _on_compared(self, event: CompareDone) -> None:
        words = tell_mistakes(event.mistakes, event.task)
        self.status.set_html(" · ".join(_legend(kind, words[kind]) for kind in words))
        self.status.show()
        self.table.show_figures(figures(event))
        self.table.show()


def _legend(kind: int, words: str) -> str:
    """Return a square in the colour of the mistake, and how many there are, never parted."""
    square = f'<font color="{COLOURS[kind]}">■</font>'
    return f"{square}&nbsp;{words.replace(' ', '&nbsp;')}"


def _can_be_compared(layer: Layer) -> bool:
    return isinstance(layer, Labels) and purpose(layer) not in _ONLY_SHOWN
