"""What the settings are called, in which unit, and what they do."""

from __future__ import annotations

from napari_unet.config import MAX_REDUCTION
from napari_unet.ui.parts.settings import SettingWords as Words

__all__ = ["AUGMENT", "NETWORK", "OBJECTS", "SECONDS", "TILING", "TRAIN"]

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
        "Patience", "Validations without improvement before training ends; 0: never.", 1
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

TILING = {
    "tile": Words(
        "Tile, px",
        "Side of a tile. The result is the same.",
        64,
        zero_is_none=True,
        zero_text="auto",
    ),
    "rotations": Words(
        "Rotations averaged", "7 is as in the paper of 2015, and 7 times slower.", 1, 1, 16
    ),
}

OBJECTS = {
    "threshold": Words(
        "Threshold", "Foreground probability from which a pixel is object.", 0.05, 0.01, 0.99
    ),
    "min_size": Words(
        "Smallest object, px",
        "Smaller objects are dropped. auto: by the size of the painted objects.",
        8,
        zero_is_none=True,
        zero_text="auto",
    ),
    "fill_holes": Words("Fill holes", "Fill holes inside objects."),
    "largest_hole": Words(
        "Largest hole, px",
        "Larger holes stay open. auto: all are filled, unless the painted objects have holes.",
        8,
        zero_is_none=True,
        zero_text="auto",
    ),
    "neck": Words(
        "Neck",
        "Cut objects where they narrow to this share of their width; 0: never.",
        0.05,
        0,
        0.95,
    ),
    "gap": Words("Grow, px", "Gives the trained gap back to the objects.", 1, 0, 10),
    "link": Words(
        "Link planes",
        "The same object keeps its number on all planes: through z, through t, and through both.",
    ),
}
