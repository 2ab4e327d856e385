"""A result compared with its truth: the job, and the layer of mistakes."""

from __future__ import annotations

from napari.layers import Labels
from qtpy.QtCore import QObject, Signal  # type: ignore[attr-defined]

from napari_unet.config import Unpainted
from napari_unet.engine.counts import shape_text
from napari_unet.io.unfinished import unfinished_in
from napari_unet.ui.compare import job
from napari_unet.ui.compare.mistakes_layer import MistakesLayer, blank_mistakes
from napari_unet.ui.layers.geometry import focus, has_other_order, long_shape, stated_axes
from napari_unet.ui.layers.inputs import labels_planes
from napari_unet.ui.progress import Progress
from napari_unet.ui.readiness import Readiness
from napari_unet.ui.workbench import Workbench


class Comparing(QObject):
    """Scores a labels layer against another one, and shows where it is wrong."""

    began = Signal()
    compared = Signal(object)  # CompareDone

    def __init__(self, workbench: Workbench) -> None:
        super().__init__()
        self._workbench = workbench
        self._mistakes = MistakesLayer(workbench.viewer)

    def why_not_compare(self, result: Labels | None, truth: Labels | None) -> str | None:
        """Return why these layers cannot be compared now and what to do, None if they can."""
        reason = Readiness.of(self._workbench).why_not_start()
        if reason is not None:
            return reason
        if result is None or truth is None:
            return "Open or make a labels layer with the truth, and one with a result."
        if result is truth:
            return "Choose two different layers: a result, and the truth to judge it by."
        have, want = long_shape(result), long_shape(truth)
        if have != want:
            return (
                f"'{result.name}' has {shape_text(have)} pixels, but '{truth.name}' has "
                f"{shape_text(want)}; choose layers of one size."
            )
        if has_other_order(result, truth):
            return (
                f"'{result.name}' has the axes {stated_axes(result)}, but '{truth.name}' has "
                f"{stated_axes(truth)}; save one of them in the order of the other."
            )
        return None

    def start(
        self, result: Labels, truth: Labels, *, unpainted: Unpainted, all_planes: bool
    ) -> None:
        """Compare the shown plane, or all planes that have a truth, the shown one first.

        Parameters
        ----------
        result, truth
            Layers of one shape.
        unpainted
            What 0 means in the truth. Background: the usual label image. Ignored: not judged;
            of objects, 1 is background then.
        all_planes
            False: only the shown plane.
        """
        planes, array = labels_planes(result), blank_mistakes(result)
        shown = planes.number(focus(self._workbench.viewer, result)[:-2])
        numbers = sorted(range(planes.count), key=lambda number: abs(number - shown))
        task = self._workbench.choices.task
        comparison = job.compare(
            planes,
            labels_planes(truth),
            array,
            task=task,
            unpainted=unpainted,
            planes=numbers if all_planes else [shown],
            unfinished=frozenset(unfinished_in(result.metadata)),
        )
        self._mistakes.begin(array, result, job.KINDS[task])
        self.began.emit()
        self._workbench.run("Comparing", comparison, self._on_event)

    def release(self) -> None:
        """Let go of the layer of mistakes, which stays in the viewer."""
        self._mistakes.release()

    def _on_event(self, event: job.ComparePlane | job.CompareDone) -> None:
        match event:
            case job.ComparePlane(position=position, judged=judged):
                if judged:
                    self._mistakes.show(position)
                self._workbench.progressed.emit(job.tell_plane(event))
            case job.CompareDone():
                self._workbench.progressed.emit(Progress(job.tell_end(event), 1))
                self.compared.emit(event)
