"""The settings of a training: what each is called and does, and their forms."""

from __future__ import annotations

from dataclasses import dataclass, replace

from napari_unet.config import (
    MAX_REDUCTION,
    NETWORKS,
    RECIPES,
    NetworkConfig,
    TrainConfig,
)
from napari_unet.engine.errors import SettingsError
from napari_unet.ui.parts.folded import FoldedSettings
from napari_unet.ui.parts.settings import SettingsForm
from napari_unet.ui.parts.settings import SettingWords as Words
from napari_unet.ui.preferences import training_seconds
from napari_unet.ui.workbench import CurrentModel

SECONDS = Words(
    "Time, s",
    "Training ends after this time, or earlier if it no longer improves. 0: no limit; then set "
    "Steps in Advanced.",
    15,
    zero_is_none=True,
)

NETWORK = {
    "levels": Words(
        "Levels", "Resolutions, each half as fine as the one before; 5 in the paper.", 1, 1, 7
    ),
    "base_channels": Words(
        "Channels", "Of the finest level, doubled at each coarser one; 64 in the paper.", 4, 1, 256
    ),
    "dropout": Words(
        "Dropout",
        "Share of the values at the end of the contracting path that is set to 0 in a step.",
        0.05,
        0,
        0.95,
    ),
}

TRAIN = {
    "steps": Words(
        "Steps", "Largest number of gradient updates; 0: no limit.", 50, zero_is_none=True
    ),
    "optimiser": Words("Optimiser", "adam: good in short runs. sgd: as in the paper of 2015."),
    "learning_rate": Words("Learning rate", "Size of a gradient update.", 1e-5, 1e-5, 1),
    "momentum": Words(
        "Momentum", "Share of the last update in the next; of adam, its first decay.", 0.01, 0, 0.99
    ),
    "weight_decay": Words(
        "Weight decay", "Pulls the weights towards 0; 0: not at all.", 1e-5, 0, 1
    ),
    "warm_up": Words("Warm-up, steps", "Steps until the full learning rate; 0: none.", 5),
    "anneal": Words("Anneal", "Lower the learning rate to 0 along a cosine."),
    "clip_gradient": Words("Clip gradient", "Largest norm of the gradient; 0: any.", 0.1),
    "reduction": Words(
        "Shrink image, ×",
        "The network sees the mean of so many × so many pixels as one; patch and gap count "
        "these. auto: a model goes on as it was trained; a new one sees objects at a width "
        "of about 32 px, judged by the larger painted ones, and classes as they are.",
        high=MAX_REDUCTION,
        zero_is_none=True,
        zero_text="auto",
    ),
    "patch": Words(
        "Patch, px", "Side of a training patch; rounded up to fit the network.", 16, 4, 4096
    ),
    "batch": Words("Batch, patches", "Patches in each step.", 1, 1, 64),
    "w0": Words("w0", "Weight of the border between two touching objects (eq. 2); 0: none.", 0.5),
    "sigma": Words("σ, px", "Width of that border's weight (eq. 2).", 0.5, 0.5, 100),
    "gap": Words("Gap, px", "Background put between touching objects, into each.", 1, 0, 10),
    "balance": Words(
        "Balance",
        "Weigh classes by their inverse frequency (eq. 2). automatic: objects and background; "
        "classes count as much as is painted of them.",
    ),
    "most_weight": Words(
        "Most weight, ×",
        "How many times an even share a rare class weighs at most, where classes are balanced; "
        "0: any.",
        1,
    ),
    "sampling": Words(
        "Patches around",
        "classes: painted pixels of each class as often as of the others. pixels: all painted "
        "pixels alike, as in the paper.",
    ),
    "validation_share": Words(
        "Validation share",
        "Share of the painted pixels that is held out to measure the IoU; 0: none.",
        0.05,
        0,
        0.9,
    ),
    "validate_every": Words(
        "Validate every, s",
        "Time between two validations, at least; with a step limit, 1/20 of the steps.",
        1,
        0.5,
        3600,
    ),
    "patience": Words(
        "Patience",
        "Validations without improvement before training ends. "
        "0: neither then, nor when what is painted has been learned.",
        1,
    ),
    "mixed_precision": Words(
        "Mixed precision",
        "Multiply in bfloat16 where the device has instructions for it: faster, as good. "
        "Predictions are in float32.",
    ),
    "seed": Words("Seed", "Of all random numbers.", 1, 0, 2**31 - 1),
}

AUGMENT = {
    "elastic_sigma": Words(
        "Elastic σ, px", "Standard deviation of the elastic displacements; 0: none.", 0.5
    ),
    "elastic_grid": Words("Elastic grid", "Displacement vectors per side of a patch.", 1, 2, 32),
    "rotation": Words("Rotation, °", "Largest angle to either side; 0: none.", 15, 0, 180),
    "flip": Words("Flip", "Mirror half of the patches."),
    "shift": Words("Shift, px", "Largest random offset along each axis.", 1),
    "brightness": Words(
        "Brightness", "Largest offset of the grey values, which go from 0 to 1.", 0.05
    ),
    "contrast": Words(
        "Contrast", "Largest change of the grey value range, as a share of it.", 0.05, 0, 0.95
    ),
    "gamma": Words(
        "Gamma", "Largest change of the grey value curve's exponent, as a share.", 0.05, 0, 0.95
    ),
    "noise": Words(
        "Noise", "Largest standard deviation of added noise; grey values go from 0 to 1.", 0.05
    ),
}


_CUSTOM = "custom"  # name of a network of another size than the named ones


@dataclass(frozen=True, slots=True)
class _TimeLimit:
    """The setting that is in sight; None is no limit, as long as there is one in steps."""

    seconds: float | None


def _usual_time(recipe: TrainConfig) -> _TimeLimit:
    return _TimeLimit(training_seconds(recipe.seconds))


class TrainSettings:
    """The forms: time, training, augmentation, and the size of a new network.

    A network brings its own recipe. What was changed by hand stays until another network is
    chosen; a model brings the recipe of its network.
    """

    def __init__(self) -> None:
        recipe = RECIPES["light"]
        self.seconds = SettingsForm(_usual_time(recipe), {"seconds": SECONDS})
        self.train = SettingsForm(recipe, TRAIN)
        self.augment = SettingsForm(recipe.augment, AUGMENT)
        self.network = SettingsForm(NETWORKS["light"], NETWORK)
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
            self.seconds.set_value(_usual_time(recipe))
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
