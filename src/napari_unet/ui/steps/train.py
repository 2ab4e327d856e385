"""The step Train on labels: the button, the time, the settings, and how it goes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any
from weakref import ref

from napari.layers import Labels
from qtpy.QtWidgets import QCheckBox
from superqt.utils import qthrottled

from napari_unet.config import NETWORKS, RECIPES, NetworkConfig, ObjectsConfig, TrainConfig
from napari_unet.engine.errors import SettingsError
from napari_unet.ui.control.training import Training
from napari_unet.ui.parts import words
from napari_unet.ui.parts.actions import Action
from napari_unet.ui.parts.folded import FoldedSettings
from napari_unet.ui.parts.plot import CorrectionsCurve, TrainingPlot
from napari_unet.ui.parts.settings import SettingsForm, narrow_form
from napari_unet.ui.readiness import Readiness
from napari_unet.ui.steps.step import Step
from napari_unet.ui.workbench import CurrentModel, Workbench

__all__ = ["TrainSettings", "TrainStep"]

_STATUS_MS = 250  # between two changes of the status line
_CUSTOM = "custom"  # name of a network of another size than the named ones


@dataclass(frozen=True, slots=True)
class _TimeLimit:
    """The setting that is in sight; None is no limit, as long as there is one in steps."""

    seconds: float | None


class TrainSettings:
    """The forms: time, training, augmentation, and the size of a new network.

    A network brings its own recipe. What was changed by hand stays until another network is
    chosen; a model brings the recipe of its network.
    """

    def __init__(self) -> None:
        recipe = RECIPES["light"]
        self.seconds = SettingsForm(_TimeLimit(recipe.seconds), {"seconds": words.SECONDS})
        self.train = SettingsForm(recipe, words.TRAIN)
        self.augment = SettingsForm(recipe.augment, words.AUGMENT)
        self.network = SettingsForm(NETWORKS["light"], words.NETWORK)
        self.advanced = FoldedSettings("Advanced", self.train, self.augment)
        self.new_network = FoldedSettings("Network", self.network)
        self._recipe = "light"  # whose values the forms were set to
        self._chosen = NETWORKS["light"]  # the new network that was chosen last

    def follow(self, start: NetworkConfig | CurrentModel) -> None:
        """Show the settings that go with this start."""
        self.new_network.setVisible(isinstance(start, NetworkConfig))
        if isinstance(start, NetworkConfig) and start != self._chosen:
            self._chosen = start
            self.network.set_value(start)
        name = (start.model.network if isinstance(start, CurrentModel) else start).name
        if name != self._recipe and name in RECIPES:
            self._recipe, recipe = name, RECIPES[name]
            self.seconds.set_value(_TimeLimit(recipe.seconds))
            self.train.set_value(recipe)
            self.augment.set_value(recipe.augment)

    def config(self) -> TrainConfig:
        """Return how to train.

        Raises
        ------
        SettingsError
            If neither time nor steps limit the training.
        """
        config, seconds = self.train.value(), self.seconds.value().seconds
        if seconds is None and config.steps is None:
            raise SettingsError("Set a time, or a number of steps in Advanced, to end training.")
        return replace(config, seconds=seconds, augment=self.augment.value())

    def leaves_reduction(self, config: TrainConfig) -> bool:
        """Whether nobody has chosen a reduction: then a model goes on with its own."""
        return config.reduction in (None, RECIPES[self._recipe].reduction)

    def network_of(self, start: NetworkConfig | CurrentModel) -> NetworkConfig:
        """Return the model's network, or the new one with the size and dropout of the form."""
        if isinstance(start, CurrentModel):
            return start.model.network
        network = self.network.value()
        same_size = (network.levels, network.base_channels) == (start.levels, start.base_channels)
        return network if same_size else replace(network, name=_CUSTOM)


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
        self.preview = QCheckBox("Live preview")
        self.action = Action("Train on labels", "Train a U-Net on what is painted.")
        self.plot = TrainingPlot()
        self.corrections = CorrectionsCurve()
        self._training = training
        self._objects = objects
        self._labels: ref[Labels] | None = None  # that the corrections are about
        self._tell_soon = qthrottled(self._tell_where, timeout=_STATUS_MS)
        self._build()
        for signal, slot in self._connections():
            signal.connect(slot)
        self.refresh()

    def refresh(self) -> None:
        """Show the settings of the chosen network, and whether training can begin."""
        self.settings.follow(self.workbench.choices.start)
        reason = Readiness.of(self.workbench).why_not_train()
        if reason is not None:
            reason = f"{reason} {self._training.takes_in()}".rstrip()
        self.action.show_readiness(reason, "You can go on painting meanwhile.")
        self._tell_where()

    def release(self) -> None:
        """Let go of the training."""
        for signal, slot in self._connections():
            signal.disconnect(slot)
        self._tell_soon.cancel()
        self.plot.release()

    def inspected(self) -> tuple[NetworkConfig, TrainConfig]:
        """Return the network and the settings with which training would begin now.

        Raises
        ------
        SettingsError
            If they do not go together.
        """
        start, config = self.workbench.choices.start, self.settings.config()
        if isinstance(start, CurrentModel) and self.settings.leaves_reduction(config):
            config = replace(config, reduction=start.model.reduction)
        return self.settings.network_of(start), config

    def _build(self) -> None:
        self.preview.setChecked(True)
        self.preview.setToolTip(
            "While training, segment what is visible every few seconds, as the layer 'preview'."
        )
        rows = narrow_form()
        self.settings.seconds.add_to(rows)
        self.body.addLayout(rows)
        for part in (
            self.preview,
            self.action,
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
            (self.preview.toggled, training.watch),
            (training.started, self.plot.begin),
            (training.stepped, self.plot.add_step),
            (training.stepped, self._tell_soon),
            (training.validated, self.plot.add_validation),
            (training.taken, self.plot.add_strokes),
            (training.corrected, self.corrections.add),
        ]

    def _tell_where(self) -> None:
        self.tell(self._training.where())

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

    def _begin_corrections(self) -> None:
        """Corrections of the same labels go on; a new network starts anew."""
        choices = self.workbench.choices
        assert choices.labels is not None
        same = self._labels is not None and self._labels() is choices.labels
        if not same or choices.model is None:
            self.corrections.clear()
        self._labels = ref(choices.labels)
