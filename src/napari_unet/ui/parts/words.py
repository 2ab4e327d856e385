"""What the settings are called, in which unit, and what they do."""

from __future__ import annotations

from napari_unet.ui.parts.settings import SettingWords as Words

__all__ = ["AUGMENT", "OBJECTS", "SECONDS", "TILING", "TRAIN"]

SECONDS = Words(
    "Time, s", "Training ends after this time, or earlier if it no longer improves.", 15, 1
)

TRAIN = {
    "steps": Words(
        "Steps", "Largest number of gradient updates; 0: no limit.", 50, zero_is_none=True
    ),
    "optimiser": Words("Optimiser", "adam: good in short runs. sgd: as in the paper of 2015."),
    "learning_rate": Words("Learning rate", "Size of a gradient update.", 1e-5, 1e-5, 1),
    "momentum": Words("Momentum", "Of sgd; the first decay of adam.", 0.01, 0, 0.99),
    "weight_decay": Words("Weight decay", "Pulls the weights towards zero.", 1e-5, 0, 1),
    "anneal": Words("Anneal", "Lower the learning rate to zero along a cosine."),
    "clip_gradient": Words("Clip gradient", "Largest norm of the gradient; 0: any.", 0.1),
    "patch": Words("Patch, px", "Side of a training patch; rounded up to fit.", 16, 4, 4096),
    "batch": Words("Batch", "Patches per step.", 1, 1, 64),
    "w0": Words("w0", "Weight of the border between two objects (eq. 2).", 0.5),
    "sigma": Words("σ, px", "Width of that border's weight (eq. 2).", 0.5, 0.5, 100),
    "gap": Words("Gap, px", "Background put between touching objects, per side.", 1, 0, 10),
    "balance": Words("Balance", "Weigh classes by their inverse frequency."),
    "validation_share": Words(
        "Validation share", "Share of the painted pixels that is held out.", 0.05, 0, 0.9
    ),
    "validate_every": Words("Validate every, s", "Time between two validations.", 1, 0.5, 3600),
    "patience": Words(
        "Patience", "Validations without improvement before training ends; 0: never.", 1
    ),
    "seed": Words("Seed", "Of all random numbers.", 1, 0, 2**31 - 1),
}

AUGMENT = {
    "elastic_sigma": Words("Elastic σ, px", "Size of the elastic deformation; 0: none.", 0.5),
    "elastic_grid": Words("Elastic grid", "Displacement vectors per side of a patch.", 1, 2, 32),
    "rotation": Words("Rotation, °", "Largest angle to either side.", 15, 0, 180),
    "flip": Words("Flip", "Mirror half of the patches."),
    "shift": Words("Shift, px", "Largest random offset.", 1),
    "brightness": Words("Brightness", "Largest offset of the normalised grey values.", 0.05),
    "contrast": Words("Contrast", "Largest change of the grey value range.", 0.05, 0, 0.95),
    "gamma": Words("Gamma", "Largest change of the grey value curve.", 0.05, 0, 0.95),
    "noise": Words("Noise", "Largest standard deviation of added noise.", 0.05),
}

TILING = {
    "tile": Words(
        "Tile, px", "Side of a tile; 0: automatic. The result is the same.", 64, zero_is_none=True
    ),
    "rotations": Words(
        "Rotations averaged", "7 is as in the paper of 2015, and 7 times slower.", 1, 1, 16
    ),
}

OBJECTS = {
    "threshold": Words(
        "Threshold", "Foreground probability from which a pixel is object.", 0.05, 0.01, 0.99
    ),
    "min_size": Words("Smallest object, px", "Smaller objects are dropped.", 8),
    "fill_holes": Words("Fill holes", "Fill holes inside objects."),
    "neck": Words(
        "Neck",
        "Cut objects where they narrow to this share of their width; 0: never.",
        0.05,
        0,
        0.95,
    ),
    "gap": Words("Grow, px", "Gives the trained gap back to the objects.", 1, 0, 10),
}
