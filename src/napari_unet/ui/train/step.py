"""The step Train on labels: the button, the time, the settings, and how it goes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from weakref import ref

from napari.layers import Labels
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QCheckBox
from superqt.utils import qthrottled

from napari_unet.config import NetworkConfig, ObjectsConfig, TrainConfig
from napari_unet.engine.counts import duration
from napari_unet.engine.errors import SettingsError
from napari_unet.engine.events import (
    Corrected,
    LabelsTaken,
    StepDone,
    TrainResumed,
    TrainStarted,
    Validated,
)
from napari_unet.ui.parts.action import Action
from napari_unet.ui.parts.missed import MissedButton
from napari_unet.ui.parts.offer_line import OfferLine
from napari_unet.ui.parts.settings import narrow_form
from napari_unet.ui.parts.step import Step
from napari_unet.ui.readiness import Readiness
from napari_unet.ui.train.control import NOT_TRAINED, Training
from napari_unet.ui.train.pair_list import PairList
from napari_unet.ui.train.plot import CorrectionsCurve, TrainingPlot
from napari_unet.ui.train.settings import TrainSettings
from napari_unet.ui.train.size_part import SizePart
from napari_unet.ui.workbench import CurrentModel, Workbench

if TYPE_CHECKING:
    from napari_unet.io.interrupted import Interrupted

_STATUS_MS = 250  # between two changes of the status line
_PREVIEW = "Live preview"
_AGE_MS = 1000  # between two looks at how old the preview is
_CUSTOM = "custom"  # name of a network of another size than the named ones


class TrainStep(Step):
    """Train on labels, and see how it goes.

    Parameters
    ----------
    workbench, training
        What is chosen, and what trains on it.
    objects
        Gives the settings by which previews are cut into objects.
    """

    def __init__(
        self,
        workbench: Workbench,
        training: Training,
        objects: Callable[[], ObjectsConfig] = ObjectsConfig,
    ) -> None:
        super().__init__(workbench, "Train")
        self.settings = TrainSettings()
        self.object_size = SizePart(workbench, training.sizing, self.inspected, self)
        self.preview = QCheckBox(_PREVIEW)
        self.action = Action("Train on labels", "Train a U-Net on what is painted.")
        self.missed = MissedButton(workbench.viewer, lambda: training.missed)
        self.plot = TrainingPlot()
        self.corrections = CorrectionsCurve()
        self._training = training
        self._objects = objects
        self._labels: ref[Labels] | None = None  # that the corrections are about
        self._tell_soon = qthrottled(self._tell_where, timeout=_STATUS_MS)
        self._look = QTimer(self)
        self._look.setInterval(_AGE_MS)
        self._look.timeout.connect(self._tell_age)
        self._build()
        for signal, slot in self._connections():
            signal.connect(slot)
        self.refresh()

    def refresh(self) -> None:
        """Show the settings of the chosen network, and whether training can begin."""
        self.settings.follow(self.workbench.choices.start)
        self.object_size.refresh()
        reason = Readiness.of(self.workbench).why_not_train()
        if reason is not None:
            reason = f"{reason} {self._training.takes_in()}".rstrip()
        self.action.show_readiness(reason, "You can go on painting meanwhile.")
        self.missed.refresh()
        self._tell_where()
        if self._training.is_running:
            self._look.start()
        else:
            self._look.stop()
        self._tell_age()

    def cut_previews(self) -> None:
        """Cut the previews of the run that is on by the settings as they are now."""
        self._training.cut_previews(self._objects())

    def release(self) -> None:
        """Let go of the training."""
        for signal, slot in self._connections():
            signal.disconnect(slot)
        self._tell_soon.cancel()
        self.object_size.release()
        self._look.stop()
        self.plot.release()

    def inspected(self) -> tuple[NetworkConfig, TrainConfig]:
        """Return the network and the settings with which training would begin now.

        Raises
        ------
        SettingsError
            If they do not go together.
        """
        start = self.workbench.choices.start
        config = replace(self.settings.config(), diameter=self.object_size.given)
        if self.settings.leaves_reduction(config):
            if config.diameter is not None:
                config = replace(config, reduction=None)
            elif isinstance(start, CurrentModel):
                config = replace(config, reduction=start.model.reduction)
        return self.settings.network_of(start), config

    def _build(self) -> None:
        self.preview.setChecked(True)
        self.preview.setToolTip(
            "While training, segment what is visible every few seconds, as the layer 'preview'."
        )
        rows = narrow_form()
        self.settings.seconds.add_to(rows)
        self.object_size.field.add_to(rows)
        self.body.addWidget(OfferLine(self._training.recovery))
        self.body.addWidget(self.action)  # first: in sight on a small screen, however much follows
        self.body.addLayout(rows)
        for part in (
            PairList(self.workbench, self._training.pairs, self),
            self.preview,
            self.missed,
            self.plot,
            self.corrections,
            self.settings.new_network,
            self.settings.advanced,
        ):
            self.body.addWidget(part)

    def _connections(self) -> list[tuple[Any, Any]]:
        training = self._training
        return [
            (self.action.clicked, self._on_train_clicked),
            (training.recovery.resumed, self._on_resumed),
            (self.preview.toggled, training.watch),
            (training.reported, self._on_reported),
        ]

    def _on_reported(self, event: object) -> None:
        """Draw how it goes."""
        match event:
            case TrainStarted():
                self.plot.begin()
                self.plot.judge(event.whole_objects)
            case TrainResumed():
                for step in event.steps:
                    self.plot.add_step(step)
                for validated in event.validations:
                    self.plot.add_validation(validated)
            case StepDone():
                self.plot.add_step(event)
                self._tell_soon()
            case Validated():
                self.plot.add_validation(event)
            case LabelsTaken():
                self.plot.judge(event.whole_objects)
                self.plot.add_strokes(event)
            case Corrected():
                self.corrections.add(event)

    def _tell_where(self) -> None:
        self.tell(self._training.where())
        self.status.setHidden(self.status.text() == NOT_TRAINED)  # the button says as much

    def _tell_age(self) -> None:
        """Tell how old the preview is, while training should renew it."""
        age = self._training.preview.age if self._training.is_running else None
        self.preview.setText(_PREVIEW if age is None else f"{_PREVIEW}: {duration(age)} old")

    def _on_train_clicked(self) -> None:
        self.refresh()  # layers may have changed without a word since
        if not self.action.button.isEnabled():
            return
        try:
            network, config = self.inspected()
        except SettingsError as error:
            self.workbench.fail(error)
            return
        self._begin_corrections()
        self._training.start(
            config, self._objects(), network=network, preview=self.preview.isChecked()
        )

    def _on_resumed(self, interrupted: Interrupted) -> None:
        self._training.resume(interrupted, self._objects(), preview=self.preview.isChecked())

    def _begin_corrections(self) -> None:
        """Corrections of the same labels go on; a new network starts anew."""
        labels = self.workbench.pairs[0].labels
        same = self._labels is not None and self._labels() is labels
        if not same or self.workbench.choices.model is None:
            self.corrections.clear()
        self._labels = ref(labels)
