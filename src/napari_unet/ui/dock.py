"""The dock widget: the steps in the order of the work, above a line that says how it goes."""

from __future__ import annotations

import atexit
from typing import Protocol, runtime_checkable

from napari.components import ViewerModel
from napari.utils.notifications import show_error
from qtpy.QtCore import QEvent, QObject, QSize, Qt
from qtpy.QtGui import QCloseEvent, QEnterEvent
from qtpy.QtWidgets import QFrame, QScrollArea, QVBoxLayout, QWidget

from napari_unet.engine.errors import printable
from napari_unet.ui.canvas import CanvasContext, StrokeEvents
from napari_unet.ui.compare.control import Comparing
from napari_unet.ui.compare.step import CompareStep
from napari_unet.ui.correct.control import Correcting
from napari_unet.ui.correct.repairing import Repairing
from napari_unet.ui.correct.step import CorrectStep
from napari_unet.ui.correct.suggesting import Suggesting
from napari_unet.ui.device.badge import DeviceBadge
from napari_unet.ui.device.control import Devices
from napari_unet.ui.export.control import Exporting
from napari_unet.ui.export.step import ExportStep
from napari_unet.ui.image.step import ImageStep
from napari_unet.ui.inspect.control import Inspecting
from napari_unet.ui.inspect.step import InspectStep
from napari_unet.ui.labels.step import LabelsStep
from napari_unet.ui.measure.control import Measuring
from napari_unet.ui.measure.step import MeasureStep
from napari_unet.ui.model.control import Models
from napari_unet.ui.model.step import ModelStep
from napari_unet.ui.parts.progress_panel import ProgressPanel
from napari_unet.ui.parts.step import Step
from napari_unet.ui.preferences import use_models_folder
from napari_unet.ui.runner import JobState
from napari_unet.ui.segment.control import Segmentation
from napari_unet.ui.segment.files_control import SegmentingFiles
from napari_unet.ui.segment.recovery import SegmentRecovery
from napari_unet.ui.segment.step import SegmentStep
from napari_unet.ui.train.control import Training
from napari_unet.ui.train.step import TrainStep
from napari_unet.ui.workbench import Workbench

_BETWEEN_STEPS = 8  # pixels
_FOOTER = (9, 2, 9, 4)  # pixels around it: left, top, right, bottom
_WITHIN_FOOTER = 3  # pixels
_WIDTH = 28  # of the dock at first, in widths of the letter M
_WHY_NOT_STOP = {
    JobState.IDLE: "Nothing is running.",
    JobState.CANCELLING: "Stopping; the current step or tile is being finished.",
}


@runtime_checkable
class _HoldsOn(Protocol):
    """Holds connections to the viewer, or timers, until it is released."""

    def release(self) -> None: ...


class Controls:
    """What the steps start; one of each kind for a workbench."""

    def __init__(self, workbench: Workbench) -> None:
        self.devices = Devices(workbench)
        self.models = Models(workbench)
        self.training = Training(workbench)
        self.inspecting = Inspecting(workbench)
        self.segmentation = Segmentation(workbench)
        self.segment_recovery = SegmentRecovery(workbench, self.segmentation)
        self.segmenting_files = SegmentingFiles(workbench)
        self.correcting = Correcting(workbench)
        self.suggesting = Suggesting(workbench)
        self.repairing = Repairing(workbench)
        self.comparing = Comparing(workbench)
        self.measuring = Measuring(workbench)
        self.exporting = Exporting(workbench)
        self.segmentation.began.connect(self.training.preview.remove)

    def held(self) -> list[_HoldsOn]:
        """Return those that must be let go of."""
        return [control for control in vars(self).values() if isinstance(control, _HoldsOn)]


class _Column(QScrollArea):
    """Scrolls up and down only: it is never narrower than what is open in it needs."""

    def __init__(self, content: QWidget) -> None:
        super().__init__()
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setWidget(content)
        self._fit_width()

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:  # noqa: N802 Qt
        """Widen when something in it has become wider, as Qt tells the area."""
        if event is not None and event.type() == QEvent.Type.LayoutRequest:
            self._fit_width()
        return super().eventFilter(watched, event)

    def _fit_width(self) -> None:
        content, bar = self.widget(), self.verticalScrollBar()
        if content is not None and bar is not None:
            self.setMinimumWidth(content.minimumSizeHint().width() + bar.sizeHint().width())


class _LetGo:
    """Stops the job and leaves no connection to the viewer; called once or more.

    Python calls it, too, if it ends while the window is open (a script, a notebook): Qt deletes
    what is left in any order.
    """

    def __init__(self, workbench: Workbench, held: list[_HoldsOn]) -> None:
        self._workbench = workbench
        self._held = held
        atexit.register(self._at_exit)

    def __call__(self) -> None:
        if not self._held:
            return
        atexit.unregister(self._at_exit)
        self._workbench.runner.abandon()
        while self._held:
            self._held.pop(0).release()
        self._workbench.close()

    def _at_exit(self) -> None:
        self._workbench.runner.abandon(patience=None)
        self()


class UNetPaint(QWidget):
    """Paint, train, segment, correct, export: one column in the order of the work.

    Closing the widget, its dock or the viewer stops a running job, keeps what is done, and lets
    go of the viewer. A closed widget is not opened again; napari makes a new one.
    """

    def __init__(self, napari_viewer: ViewerModel) -> None:
        super().__init__()
        use_models_folder()
        self.workbench = Workbench(napari_viewer)
        self.controls = Controls(self.workbench)
        self.steps = _steps(self.workbench, self.controls)
        self.progress = ProgressPanel()
        self.badge = DeviceBadge(self.controls.devices)
        self._canvas = CanvasContext(napari_viewer, self), StrokeEvents(napari_viewer)
        self._let_go = _LetGo(self.workbench, self._held())
        self._build()
        self._connect()
        self._refresh()
        self.controls.devices.find()

    def sizeHint(self) -> QSize:  # noqa: N802 Qt
        """Return a width at which most names and lines need not be cut or broken."""
        hint = super().sizeHint()
        return hint.expandedTo(QSize(_WIDTH * self.fontMetrics().horizontalAdvance("M"), 0))

    def closeEvent(self, event: QCloseEvent | None) -> None:  # noqa: N802 Qt
        """Stop and let go."""
        self._let_go()
        super().closeEvent(event)

    def enterEvent(self, event: QEnterEvent | None) -> None:  # noqa: N802 Qt
        """Tell that people turn to it."""
        self.workbench.entered.emit()
        super().enterEvent(event)

    def event(self, event: QEvent | None) -> bool:
        """Close when napari takes the widget out of its dock: Qt sends no close event then."""
        taken_out = event is not None and event.type() == QEvent.Type.ParentChange
        if taken_out and self.parent() is None:
            self.close()
            self.deleteLater()
        return super().event(event)

    def _held(self) -> list[_HoldsOn]:
        """Return what must be let go of, those that listen before those that they listen to."""
        return [*self.steps, self.badge, self.progress, *self._canvas, *self.controls.held()]

    def _build(self) -> None:
        steps = QWidget()
        column = QVBoxLayout(steps)
        column.setSpacing(_BETWEEN_STEPS)
        for step in self.steps:
            column.addWidget(step)
        column.addStretch(1)
        footer = QWidget()  # in sight however far the steps are scrolled
        column = QVBoxLayout(footer)
        column.setContentsMargins(*_FOOTER)
        column.setSpacing(_WITHIN_FOOTER)
        column.addWidget(self.progress)
        column.addWidget(self.badge)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(_Column(steps), stretch=1)
        outer.addWidget(footer)

    def _connect(self) -> None:
        workbench = self.workbench
        for step in self.steps:
            workbench.changed.connect(step.refresh)
        workbench.changed.connect(self._refresh)
        workbench.progressed.connect(self.progress.show_progress)
        workbench.failed.connect(self.progress.show_failure)
        workbench.failed.connect(_show_error)
        workbench.ended.connect(self.progress.show_end)
        self.progress.stop_clicked.connect(workbench.stop)
        self.destroyed.connect(self._let_go)  # the viewer's window is closed

    def _refresh(self) -> None:
        self.progress.show_readiness(_WHY_NOT_STOP.get(self.workbench.runner.state))


def _show_error(sentence: str) -> None:
    show_error(printable(sentence))  # napari would take tags in it at their word


def _steps(workbench: Workbench, controls: Controls) -> list[Step]:
    """Return the steps in the order of the work."""
    segment = SegmentStep(
        workbench, controls.segmentation, controls.segment_recovery, controls.segmenting_files
    )
    train = TrainStep(workbench, controls.training, segment.objects.value)
    segment.objects.when_changed(train.cut_previews)
    return [
        ImageStep(workbench),
        LabelsStep(workbench),
        ModelStep(workbench, controls.models),
        train,
        InspectStep(workbench, controls.inspecting, train.inspected),
        segment,
        CorrectStep(
            workbench,
            controls.correcting,
            controls.suggesting,
            controls.repairing,
            segment.objects.value,
        ),
        CompareStep(workbench, controls.comparing),
        MeasureStep(workbench, controls.measuring),
        ExportStep(workbench, controls.exporting),
    ]
