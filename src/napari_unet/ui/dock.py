"""The dock widget: builds the panels, wires them to the session, and shows what can be done."""

from __future__ import annotations

from functools import partial

from napari.components import ViewerModel
from napari.layers import Labels
from napari.utils.notifications import show_error
from qtpy.QtCore import QEvent, Qt
from qtpy.QtGui import QCloseEvent
from qtpy.QtWidgets import QFrame, QLabel, QScrollArea, QVBoxLayout, QWidget

from napari_unet.ui.choices import ChoicesForm
from napari_unet.ui.layers.inputs import new_labels
from napari_unet.ui.model_row import ModelRow
from napari_unet.ui.parts.actions import Action
from napari_unet.ui.parts.files import ask_export_path, ask_model_to_open, ask_model_to_save
from napari_unet.ui.parts.pickers import LayerPicker
from napari_unet.ui.parts.progress import ProgressPanel
from napari_unet.ui.parts.settings import narrow_form
from napari_unet.ui.readiness import Readiness
from napari_unet.ui.session import Session

__all__ = ["UNetPaint"]

_BETWEEN_STEPS = 8  # pixels


class UNetPaint(QWidget):
    """Paint, train, segment, export: one column in the order of the work.

    Closing the widget, its dock or the viewer stops a running job, keeps what is done, and lets
    go of the viewer. A closed widget is not opened again; napari makes a new one.
    """

    def __init__(self, napari_viewer: ViewerModel) -> None:
        super().__init__()
        self._viewer = napari_viewer
        self._session = Session(napari_viewer)
        self._form = ChoicesForm(napari_viewer)
        self._train = Action("Train on labels", "Train a U-Net on what is painted.")
        self._model = ModelRow()
        self._segment = Action("Segment stack", "Segment all planes into a new layer.")
        self._result = LayerPicker(napari_viewer, Labels, "The labels layer to export.")
        self._export = Action("Export label TIFFs", "Write the labels to a TIFF file.")
        self._progress = ProgressPanel()
        self._device = QLabel("Looking for the device…")
        self._build()
        self._connect()
        self._refresh()
        self._session.find_device()

    def closeEvent(self, event: QCloseEvent | None) -> None:  # noqa: N802 Qt
        """Stop and let go."""
        _let_go(self._session, self._form, self._result, self._progress)
        super().closeEvent(event)

    def event(self, event: QEvent | None) -> bool:
        """Close when napari takes the widget out of its dock: Qt sends no close event then."""
        taken_out = event is not None and event.type() == QEvent.Type.ParentChange
        if taken_out and self.parent() is None:
            self.close()
            self.deleteLater()
        return super().event(event)

    def _build(self) -> None:
        self._device.setWordWrap(True)
        self._device.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        result = QWidget()
        narrow_form(result).addRow("Result", self._result)
        steps = QWidget()
        column = QVBoxLayout(steps)
        for step in (
            (self._form, self._train, self._model),
            (self._form.segmentation, self._segment),
            (result, self._export),
        ):
            for part in step:
                column.addWidget(part)
            column.addSpacing(_BETWEEN_STEPS)
        column.addStretch(1)
        footer = QWidget()  # in sight however far the steps are scrolled
        column = QVBoxLayout(footer)
        column.addWidget(self._progress)
        column.addWidget(self._device)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(_scrolled(steps), stretch=1)
        outer.addWidget(footer)

    def _connect(self) -> None:
        self._form.changed.connect(self._refresh)
        self._form.new_labels_clicked.connect(self._on_new_labels_clicked)
        self._result.picked.connect(self._refresh)
        self._train.clicked.connect(self._on_train_clicked)
        self._segment.clicked.connect(self._on_segment_clicked)
        self._export.clicked.connect(self._on_export_clicked)
        self._model.open_clicked.connect(self._on_open_clicked)
        self._model.save_clicked.connect(self._on_save_clicked)
        self._progress.stop_clicked.connect(self._session.stop)
        self._session.changed.connect(self._refresh)
        self._session.progressed.connect(self._progress.show_progress)
        self._session.failed.connect(self._progress.show_failure)
        self._session.failed.connect(show_error)
        self._session.ended.connect(self._progress.show_end)
        self._session.model_changed.connect(self._on_model_changed)
        self._session.result_changed.connect(self._on_result_changed)
        let_go = partial(_let_go, self._session, self._form, self._result, self._progress)
        self.destroyed.connect(let_go)  # the viewer's window is closed

    def _refresh(self) -> None:
        """Show what can be done now."""
        ready = self._readiness()
        self._train.show_readiness(ready.why_not_train(), "You can go on painting meanwhile.")
        self._segment.show_readiness(ready.why_not_segment(), "All planes, the shown one first.")
        self._export.show_readiness(ready.why_not_export(), "With its axes and pixel size.")
        self._model.show_readiness(ready.why_not_open(), ready.why_not_save())
        self._progress.show_readiness(ready.why_not_stop())
        self._form.show_readiness(ready.why_not_new_labels())
        if self._session.device is not None:
            device = self._session.device
            cure = f"\nFaster: {device.cure}" if device.cure else ""
            self._device.setText(f"Runs on {device}.{cure}")

    def _readiness(self) -> Readiness:
        choices = self._form.choices()
        return Readiness(
            state=self._session.runner.state,
            job=self._session.runner.job_name,
            image=choices.image,
            labels=choices.labels,
            result=self._result.value,
            has_device=self._session.device is not None,
            has_model=self._session.model is not None,
        )

    def _on_new_labels_clicked(self) -> None:
        image = self._form.choices().image
        if image is not None:
            self._form.choose_labels(self._viewer.add_layer(new_labels(image)))

    def _on_train_clicked(self) -> None:
        self._refresh()  # layers may have changed without a word since
        if self._train.button.isEnabled():
            self._session.train(self._form.choices())

    def _on_segment_clicked(self) -> None:
        self._refresh()
        if self._segment.button.isEnabled():
            self._session.segment(self._form.choices())

    def _on_export_clicked(self) -> None:
        layer = self._result.value
        path = ask_export_path(self, layer, self._form.choices().image)
        if path is not None:
            self._session.export(layer, path)

    def _on_open_clicked(self) -> None:
        path = ask_model_to_open(self)
        if path is not None:
            self._session.open_model(path)

    def _on_save_clicked(self) -> None:
        path = ask_model_to_save(self)
        if path is not None:
            self._session.save_model(path)

    def _on_model_changed(self) -> None:
        assert self._session.model is not None
        self._model.show_model(*self._session.model_text)
        self._form.offer_current_model(self._session.model.task)
        self._refresh()

    def _on_result_changed(self, layer: Labels) -> None:
        self._result.value = layer


def _let_go(
    session: Session, form: ChoicesForm, result: LayerPicker, progress: ProgressPanel
) -> None:
    """Stop the job and leave no connection to the viewer; called once or more."""
    session.close()
    form.release()
    result.release()
    progress.release()


def _scrolled(content: QWidget) -> QScrollArea:
    """Return a vertical scroll area that cuts nothing off on the right."""
    area = QScrollArea()
    area.setWidget(content)
    area.setWidgetResizable(True)
    area.setFrameShape(QFrame.Shape.NoFrame)
    area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    bar = area.verticalScrollBar()
    assert bar is not None
    area.setMinimumWidth(content.minimumSizeHint().width() + bar.sizeHint().width())
    return area
