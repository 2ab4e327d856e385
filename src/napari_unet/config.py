"""Settings with their units and limits; frozen, checked once when made."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum

_FINEST_GRID = 64  # displacement vectors per side of a patch
_LARGEST_PATCH = 8192  # pixels
_LARGEST_BATCH = 1024  # patches
_LARGEST_GAP = 100  # pixels as the network sees them
MAX_CLASSES = 255
MAX_REDUCTION = 8  # objects of 256 px would be 32 px wide
ENLARGED = 2  # times that images of small objects are enlarged
MAX_DIAMETER = 10_000  # of an object, pixels


class Task(StrEnum):
    """What the labels mean."""

    OBJECTS = "objects"  # separate things of one kind, one number each
    CLASSES = "classes"  # regions of 2 to 255 kinds, one number per kind


class Unpainted(StrEnum):
    """What label 0 means in a painted layer."""

    IGNORED = "ignored"  # unlabelled: carries no loss
    BACKGROUND = "background"  # the usual label image


class OutputKind(StrEnum):
    """What segmentation writes."""

    LABELS = "labels"  # one number per object, or the class numbers
    CLASSES = "classes"  # the class number of each pixel (objects: 0 or 1)
    PROBABILITIES = "probabilities"  # float32, one channel per class (objects: foreground)


class Along(StrEnum):
    """Along which axes of a stack objects keep their numbers."""

    BOTH = "z and t"
    Z = "z"  # each time by itself
    T = "t"  # each z by itself


class Balance(StrEnum):
    """Whether classes are weighed by their inverse frequency (w_c of eq. 2)."""

    AUTOMATIC = "automatic"  # objects and background are; classes count as they are painted
    ALWAYS = "always"
    NEVER = "never"

    def weighs(self, task: Task) -> bool:
        """Return whether the classes of this task are."""
        return self is Balance.ALWAYS or (self is Balance.AUTOMATIC and task is Task.OBJECTS)


class Sampling(StrEnum):
    """Around which painted pixels patches are cut."""

    CLASSES = "classes"  # those of each class as often as those of the others
    PIXELS = "pixels"  # each as often as any other, as tiles of a wholly labelled image are


class Optimiser(StrEnum):
    """How the weights are updated."""

    SGD = "sgd"  # the paper's: stochastic gradient descent with momentum
    ADAM = "adam"


def _require(condition: object, message: str) -> None:
    if not condition:
        raise ValueError(message)


@dataclass(frozen=True, slots=True)
class NetworkConfig:
    """Size of a U-Net."""

    name: str = "light"
    in_channels: int = 1
    classes: int = 2  # output channels of the softmax
    base_channels: int = 24  # doubled at each level
    levels: int = 4  # resolutions, the bottom one included
    dropout: float = 0.0  # probability, at the end of the contracting path
    shape_field: bool = False  # one more output: how deep inside its object a pixel lies

    def __post_init__(self) -> None:
        _require(self.in_channels >= 1, f"in_channels must be >= 1, got {self.in_channels}")
        _require(
            2 <= self.classes <= MAX_CLASSES,
            f"classes must be 2 to {MAX_CLASSES}, got {self.classes}",
        )
        _require(self.base_channels >= 1, f"base_channels must be >= 1, got {self.base_channels}")
        _require(1 <= self.levels <= 7, f"levels must be 1 to 7, got {self.levels}")
        _require(0 <= self.dropout < 1, f"dropout must be in [0, 1), got {self.dropout}")

    @property
    def outputs(self) -> int:
        """Output channels: a logit per class, and after them the shape field."""
        return self.classes + self.shape_field

    def fitted_to(self, task: Task, *, in_channels: int, classes: int) -> NetworkConfig:
        """Return the same network for other numbers of channels and classes.

        Only objects have a shape.
        """
        field = self.shape_field and task is Task.OBJECTS
        return replace(self, in_channels=in_channels, classes=classes, shape_field=field)


@dataclass(frozen=True, slots=True)
class AugmentConfig:
    """Random changes of a training patch; 0 or False switches a part off."""

    elastic_sigma: float = 10.0  # standard deviation of a displacement vector, pixels
    elastic_grid: int = 3  # displacement vectors per side of the patch
    rotation: float = 180.0  # largest angle to either side, degrees
    flip: bool = True  # mirror left-right with probability 1/2
    shift: float = 16.0  # largest random offset of the patch, pixels per axis
    brightness: float = 0.2  # largest offset of the normalised grey values
    contrast: float = 0.2  # largest relative change of the grey value range
    gamma: float = 0.2  # largest relative change of the grey value curve's exponent
    noise: float = 0.0  # largest standard deviation of added Gaussian noise

    def __post_init__(self) -> None:
        _require(self.elastic_sigma >= 0, f"elastic_sigma must be >= 0, got {self.elastic_sigma}")
        _require(
            2 <= self.elastic_grid <= _FINEST_GRID,
            f"elastic_grid must be 2 to {_FINEST_GRID}, got {self.elastic_grid}",
        )
        _require(0 <= self.rotation <= 180, f"rotation must be 0 to 180, got {self.rotation}")
        _require(self.shift >= 0, f"shift must be >= 0, got {self.shift}")
        for name in ("brightness", "noise"):
            value = getattr(self, name)
            _require(value >= 0, f"{name} must be >= 0, got {value}")
        for name in ("contrast", "gamma"):
            value = getattr(self, name)
            _require(0 <= value < 1, f"{name} must be in [0, 1), got {value}")


@dataclass(frozen=True, slots=True)
class TrainConfig:
    """How a network is trained on painted labels."""

    seconds: float | None = 60.0  # time limit; None: no limit
    steps: int | None = None  # limit in gradient updates; None: no limit
    optimiser: Optimiser = Optimiser.ADAM
    learning_rate: float = 1e-3
    momentum: float = 0.9  # SGD momentum, Adam's first decay
    weight_decay: float = 0.0
    warm_up: int = 10  # steps until the full learning rate; 0: none
    anneal: bool = True  # lower the learning rate to zero along a cosine
    clip_gradient: float = 1.0  # largest norm of the gradient; 0: any
    # Side of the blocks that are averaged before the network sees the image, pixels; None: chosen
    # from the painted objects. Patch, gap and augmentation are in these blocks.
    reduction: int | None = None
    # Of a typical object, pixels of the plane; None: measured on objects that are painted whole, or
    # estimated from strokes. It chooses the reduction where that is None.
    diameter: float | None = None
    patch: int = 128  # output side of a training patch, pixels; rounded up to fit the network
    batch: int = 2  # patches per step
    w0: float = 10.0  # border weight, eq. 2
    sigma: float = 5.0  # border width, pixels of the plane, eq. 2
    gap: int = 1  # separation border: reach into each of two touching objects, pixels
    balance: Balance = Balance.AUTOMATIC
    most_weight: float = 10.0  # times an even share, or 1/this of it, that a class weighs; 0: any
    sampling: Sampling = Sampling.CLASSES
    validation_share: float = 0.2  # share of the painted pixels held out
    validate_every: float = 5.0  # seconds between validations, at least; with a step limit: 1/20
    # Validations without improvement before stopping; 0: never, nor when enough is learned.
    patience: int = 16
    mixed_precision: bool = True  # products of bfloat16 numbers where the device has them
    seed: int = 0
    augment: AugmentConfig = field(default_factory=AugmentConfig)

    def __post_init__(self) -> None:
        _require(
            self.seconds is not None or self.steps is not None,
            "either seconds or steps must limit the training",
        )
        _require(
            self.seconds is None or self.seconds > 0, f"seconds must be > 0, got {self.seconds}"
        )
        _require(self.steps is None or self.steps >= 1, f"steps must be >= 1, got {self.steps}")
        _require(self.learning_rate > 0, f"learning_rate must be > 0, got {self.learning_rate}")
        _require(0 <= self.momentum < 1, f"momentum must be in [0, 1), got {self.momentum}")
        _require(self.weight_decay >= 0, f"weight_decay must be >= 0, got {self.weight_decay}")
        _require(self.warm_up >= 0, f"warm_up must be >= 0, got {self.warm_up}")
        _require(
            self.most_weight == 0 or self.most_weight >= 1,
            f"most_weight must be 0 or >= 1, got {self.most_weight}",
        )
        _require(self.clip_gradient >= 0, f"clip_gradient must be >= 0, got {self.clip_gradient}")
        _require(
            self.reduction is None or 1 <= self.reduction <= MAX_REDUCTION,
            f"reduction must be 1 to {MAX_REDUCTION}, got {self.reduction}",
        )
        _require(
            self.diameter is None or 1 <= self.diameter <= MAX_DIAMETER,
            f"diameter must be 1 to {MAX_DIAMETER} pixels, got {self.diameter}",
        )
        _require(
            1 <= self.patch <= _LARGEST_PATCH,
            f"patch must be 1 to {_LARGEST_PATCH}, got {self.patch}",
        )
        _require(
            1 <= self.batch <= _LARGEST_BATCH,
            f"batch must be 1 to {_LARGEST_BATCH}, got {self.batch}",
        )
        _require(self.w0 >= 0, f"w0 must be >= 0, got {self.w0}")
        _require(self.sigma > 0, f"sigma must be > 0, got {self.sigma}")
        _require(0 <= self.gap <= _LARGEST_GAP, f"gap must be 0 to {_LARGEST_GAP}, got {self.gap}")
        _require(
            0 <= self.validation_share < 1,
            f"validation_share must be in [0, 1), got {self.validation_share}",
        )
        _require(self.validate_every > 0, f"validate_every must be > 0, got {self.validate_every}")
        _require(self.patience >= 0, f"patience must be >= 0, got {self.patience}")
        _require(self.seed >= 0, f"seed must be >= 0, got {self.seed}")


@dataclass(frozen=True, slots=True)
class TilingConfig:
    """How planes are cut into tiles for prediction."""

    tile: int | None = None  # side of a tile, pixels; None: chosen for the device
    rotations: int = 1  # rotated versions of the image that are averaged

    def __post_init__(self) -> None:
        _require(self.tile is None or self.tile >= 1, f"tile must be >= 1, got {self.tile}")
        _require(1 <= self.rotations <= 16, f"rotations must be 1 to 16, got {self.rotations}")


@dataclass(frozen=True, slots=True)
class ObjectsConfig:
    """How foreground probabilities are cut into objects."""

    threshold: float = 0.5  # foreground probability from which a pixel belongs to an object
    min_size: int | None = None  # smaller objects are dropped, pixels; None: by the painted ones
    fill_holes: bool = True
    largest_hole: int | None = None  # larger ones stay, pixels; None: those like painted ones
    # Objects are cut where they narrow to this share of their width, or where the shape field of a
    # network that has one falls to this share of its height. Lower: fewer pieces; 0: never.
    neck: float = 0.7
    gap: int = 1  # separation border given back to the objects, pixels (reduced) per side
    link: bool = False  # the same number for the same object on all planes
    link_along: Along = Along.BOTH  # where they are linked, the other axis is kept apart

    @property
    def linked(self) -> Along | None:
        """Along what objects are linked; None: no two planes share a number."""
        return self.link_along if self.link else None

    def __post_init__(self) -> None:
        _require(0 < self.threshold < 1, f"threshold must be in (0, 1), got {self.threshold}")
        _require(
            self.min_size is None or self.min_size >= 0,
            f"min_size must be >= 0, got {self.min_size}",
        )
        _require(
            self.largest_hole is None or self.largest_hole >= 0,
            f"largest_hole must be >= 0, got {self.largest_hole}",
        )
        _require(0 <= self.neck < 1, f"neck must be in [0, 1), got {self.neck}")
        widest = _LARGEST_GAP * MAX_REDUCTION  # on the plane
        _require(0 <= self.gap <= widest, f"gap must be 0 to {widest}, got {self.gap}")


@dataclass(frozen=True, slots=True)
class Preset:
    """A network of a name, and what goes with it unless people choose otherwise."""

    network: NetworkConfig
    train: TrainConfig
    tiling: TilingConfig = field(default_factory=TilingConfig)
    objects: ObjectsConfig = field(default_factory=ObjectsConfig)


PRESETS: dict[str, Preset] = {
    "light": Preset(
        NetworkConfig(name="light", base_channels=16, levels=4),
        # A patch is a quarter of the paper's, so the elastic grid is finer: a smaller sigma bends
        # it as much. Learning rate and network were chosen by benchmarks/network_size.py.
        TrainConfig(learning_rate=3e-3, augment=AugmentConfig(elastic_sigma=4.0)),
        objects=ObjectsConfig(neck=0.6),
    ),
    # The paper; docs/method.md names what it does not say.
    "2015": Preset(
        NetworkConfig(name="2015", base_channels=64, levels=5, dropout=0.5),
        TrainConfig(
            optimiser=Optimiser.SGD,
            learning_rate=1e-3,
            momentum=0.99,
            warm_up=0,
            anneal=False,
            clip_gradient=0.0,
            reduction=1,
            patch=388,
            batch=1,
            balance=Balance.ALWAYS,
            most_weight=0.0,
            sampling=Sampling.PIXELS,  # w_c balances already
            validation_share=0.0,
            patience=0,
            mixed_precision=False,
            augment=AugmentConfig(flip=False, gamma=0.0),
        ),
        TilingConfig(rotations=7),
        ObjectsConfig(neck=0.0),
    ),
}

NETWORKS = {name: preset.network for name, preset in PRESETS.items()}
RECIPES = {name: preset.train for name, preset in PRESETS.items()}


_WITH_FIELD = replace(PRESETS["light"], objects=ObjectsConfig())


def preset_of(network: NetworkConfig) -> Preset:
    """Return what goes with a network, that of `light` for one of another name.

    One with a shape field is cut at higher passes than the necks of one without.
    """
    return _WITH_FIELD if network.shape_field else PRESETS.get(network.name, PRESETS["light"])
