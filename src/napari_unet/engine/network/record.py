"""How a model came about: frozen facts that are kept with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


@dataclass(frozen=True, slots=True)
class ObjectSizes:
    """Areas of the painted objects, pixels of the plane."""

    smallest: int
    median: float

    def __post_init__(self) -> None:
        if not 0 < self.smallest <= self.median:
            raise ValueError(f"painted objects of {self.smallest} and {self.median} px")


class DiameterSource(StrEnum):
    """How it is known how wide objects are."""

    GIVEN = "given"
    PAINTED = "measured on painted objects"
    ESTIMATED = "estimated from strokes"


@dataclass(frozen=True, slots=True)
class Diameter:
    """How wide a typical object is: as a circle of its area."""

    pixels: float  # of the plane
    source: DiameterSource

    def __post_init__(self) -> None:
        if not self.pixels > 0:
            raise ValueError(f"objects are {self.pixels} px wide")


@dataclass(frozen=True, slots=True)
class HeldOut:
    """A block of painted pixels that was kept for validation, never trained on."""

    plane: int
    y: tuple[int, int]  # start, stop, pixels
    x: tuple[int, int]
    pixels: int  # painted pixels inside


@dataclass(frozen=True, slots=True)
class TrainedOn:
    """An image and the painted labels of one training, and what it began with."""

    image: str  # name
    labels: str  # name
    shape: tuple[int, ...]  # of the image, pixels along each axis
    axes: str
    unpainted: str  # what 0 means in the labels
    planes: tuple[int, ...]  # that were painted
    image_hash: str = ""  # of the first `hashed` of these planes; empty: not known
    labels_hash: str = ""  # of what was painted on them
    hashed: int = 0  # planes
    start_hash: str = ""  # of the model that it went on from; empty: from scratch
    is_further: bool = False  # another image of the training of the one before


@dataclass(frozen=True, slots=True)
class TrainRecord:
    """How a model came about, so that it can be reported and repeated."""

    started: str = ""  # UTC, ISO 8601
    version: str = ""  # of napari-unet-paint
    start: str = "scratch"  # what the weights were before
    device: str = ""
    steps: int = 0  # gradient updates done
    best_step: int = 0  # the update whose weights were kept
    seconds: float = 0.0
    finished: str = ""  # why training ended
    labelled_pixels: int = 0
    whole_objects: int | None = None  # that were painted, not scribbled in; None: classes, unknown
    painted_objects: ObjectSizes | None = None  # None: classes, or objects of unknown size
    diameter: Diameter | None = None  # of the objects; None: classes, or unknown
    smallest_hole: int | None = (
        None  # painted as background in objects, pixels; None: there is none
    )
    held_out: tuple[HeldOut, ...] = ()
    validation_loss: float | None = None  # of the kept weights
    validation_iou: float | None = None  # mean over the classes
    settings: Mapping[str, Any] = field(default_factory=dict)  # TrainConfig as plain values
    # The images of this training last, before them those of trainings that it went on from.
    trained_on: tuple[TrainedOn, ...] = ()

    @property
    def images(self) -> tuple[TrainedOn, ...]:
        """The images of this training; empty: unknown."""
        told = self.trained_on
        first = max((n for n, one in enumerate(told) if not one.is_further), default=0)
        return told[first:]
