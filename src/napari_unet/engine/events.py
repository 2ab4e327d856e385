"""What training and segmentation report: frozen snapshots, safe to hand to another thread."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Protocol

import numpy.typing as npt

from napari_unet.config import ObjectsConfig
from napari_unet.engine.counts import count
from napari_unet.engine.stack.planes import Planes
from napari_unet.engine.stack.run_labels import RunLabels
from napari_unet.engine.stack.tiles import Tile

if TYPE_CHECKING:  # the window knows the events before torch is loaded
    from napari_unet.engine.network.model import Model
    from napari_unet.engine.network.record import Diameter, HeldOut

_TOO_LITTLE = "Strokes tell too little to judge how well objects are found: paint two or three "

TOO_LITTLE = f"{_TOO_LITTLE}of them whole."
"""Held-out parts of strokes lie where it is easy, and say nothing of outlines."""

TOO_LITTLE_WHERE_THEY_TOUCH = f"{_TOO_LITTLE}touching ones whole, with what lies between them."

Stop = Callable[[], bool]
"""Asked after each step or tile; True ends the work, keeping what is done."""


def never() -> bool:
    """Return False: run to the end."""
    return False


@dataclass(frozen=True, slots=True)
class View:
    """The visible part of the shown plane."""

    plane: int
    y: slice  # inside the plane, pixels
    x: slice
    step: int = 1  # of so many pixels per side one is shown


class Live(Protocol):
    """What goes on beside a training run; asked between steps, from the training thread."""

    def view(self) -> View | None:
        """Return what to preview now; None: nothing is to be seen."""
        ...

    def take_painted(self) -> frozenset[int]:
        """Return the planes whose labels changed since this was asked last."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class PaintedPixels:
    """What was painted on one plane when training read it, to tell later what is new."""

    plane: int
    origin: tuple[int, int]  # of the array in the plane, pixels (Y, X)
    classes: npt.NDArray[Any]  # (y, x) uint8 per pixel of the plane, 255 where unlabelled


class FinishReason(StrEnum):
    """Why the work ended."""

    COMPLETED = "completed"  # every plane, or the full number of steps
    TIME = "time is up"
    LEARNED = "what is painted is learned"  # by a trained network: longer would not be better
    NO_IMPROVEMENT = "no improvement"
    STOPPED = "stopped"  # by the user
    FAILED = "failed"  # an error follows; what was done before is kept


@dataclass(frozen=True, slots=True)
class MemoryShort:
    """The device ran out of memory; the work goes on with smaller means."""

    device: str  # from now on
    side: int  # of patches or tiles from now on, pixels

    def __str__(self) -> str:
        return f"Memory is short: going on with {self.side} px at a time on {self.device}"


@dataclass(frozen=True, slots=True)
class TrainStarted:
    """Training is set up and the first step begins."""

    device: str
    planes: tuple[int, ...]  # painted planes
    labelled_pixels: int  # that carry loss
    held_out: tuple[HeldOut, ...]  # empty: too little is painted, or none is wanted
    values: tuple[int, ...]  # label value of each output channel
    parameters: int
    reduction: int = 1  # side of the blocks that the network sees, pixels of the plane
    enlargement: int = 1  # a pixel of the plane is seen as so many by so many
    whole_objects: int | None = None  # that are painted, not scribbled in; None: classes
    diameter: Diameter | None = None  # of the objects; None: classes, or unknown
    images: int = 1  # whose planes are numbered through
    notes: tuple[str, ...] = ()  # what people should know of the images, in a sentence each


@dataclass(frozen=True, slots=True)
class StepDone:
    """One gradient update."""

    step: int  # from 1
    loss: float  # of this step's patches
    seconds: float  # since the start
    progress: float  # 0 to 1 of the time or step limit


@dataclass(frozen=True, slots=True)
class Validated:
    """The held-out pixels were predicted."""

    step: int
    seconds: float
    loss: float
    iou: float  # mean over the classes present
    best: bool  # True: these weights are kept


@dataclass(frozen=True, slots=True)
class Previewed:
    """What is visible was segmented with the weights of this step."""

    view: View
    values: npt.NDArray[Any]  # (y, x) int32 shown pixels: objects keep their numbers; or classes
    step: int  # of the middle; the rest of a large view may be older, or 0 until it comes
    seconds: float  # since the start


@dataclass(frozen=True, slots=True)
class Corrected:
    """New strokes were held against the model as it was before it learned from them."""

    step: int
    seconds: float
    pixels: int  # newly painted, labelled
    wrong: float  # share of them that the model had wrong, 0 to 1


@dataclass(frozen=True, slots=True)
class LabelsTaken:
    """New strokes are in the training data; patience and limits start anew."""

    step: int
    seconds: float
    planes: tuple[int, ...]  # painted planes
    labelled_pixels: int  # that carry loss
    held_out: tuple[HeldOut, ...]
    whole_objects: int | None = None  # that are painted, not scribbled in; None: classes


@dataclass(frozen=True, slots=True)
class TrainResumed:
    """An interrupted run goes on; this is how it went until then."""

    step: int  # after which it was interrupted
    seconds: float  # since the start
    steps: tuple[StepDone, ...]
    validations: tuple[Validated, ...]
    is_same_paint: bool  # else it goes on with what is painted now, and its limits begin anew


class RunState(Protocol):
    """A training run between two steps; a tree of frozen dataclasses and arrays."""

    @property
    def step(self) -> int:
        """The last step."""
        ...

    @property
    def seconds(self) -> float:
        """Seconds since the start."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class StateReached:
    """All that is needed to go on from here; only told if the state is to be kept."""

    state: RunState
    is_last: bool  # the run ends


@dataclass(frozen=True, slots=True)
class Skipped:
    """Something beside the training could not be done; it goes on without."""

    step: int
    seconds: float
    reason: str  # what, why, and what to do


@dataclass(frozen=True, slots=True)
class TrainDone:
    """Training ended; the last event, whatever the reason. An error follows if it failed."""

    reason: FinishReason
    model: Model  # the best weights
    painted: tuple[PaintedPixels, ...] = ()  # what it was trained on


@dataclass(frozen=True, slots=True)
class Resume:
    """What an earlier segmentation of the same stack has left."""

    finished: frozenset[int] = frozenset()  # planes that are not done again
    largest: int = 0  # object number in use; new numbers go on above it
    labels: Planes | None = None  # of the finished planes, to link others to; read when needed


@dataclass(frozen=True, slots=True)
class SegmentStarted:
    """Planes and tiles are laid out and the first tile begins."""

    device: str
    planes: tuple[int, ...]  # still to do, in the order in which they are done
    tiles: int  # of these planes
    tile: int  # side, pixels
    backend: str = "PyTorch"  # what computes on the device
    note: str = ""  # what people should know of it, in a sentence


@dataclass(frozen=True, slots=True, eq=False)
class TileDone:
    """One tile, decoded; object numbers are provisional until `PlaneDone`, all else is final."""

    plane: int
    y: slice
    x: slice
    values: npt.NDArray[Any]  # (y, x) labels or classes; probabilities (K, y, x) float32
    done: int  # tiles finished
    total: int


class Uncut(Protocol):
    """A plane of objects before it is cut into them; a tree of frozen dataclasses and arrays."""

    @property
    def config(self) -> ObjectsConfig:
        """How it is cut."""
        ...

    def cut(self, *, neck: float | None = None) -> Cut:
        """Cut it, perhaps at another neck than the settings say."""
        ...


class Cut(Protocol):
    """A plane of objects that are cut and not finished."""

    @property
    def config(self) -> ObjectsConfig:
        """How it is cut."""
        ...

    def finish(self, missing: Sequence[Tile] = ()) -> tuple[RunLabels, int]:
        """Return the objects and their number, with tiles that are 0."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class PlaneUncut:
    """A whole plane of objects, to be kept by who may want it cut otherwise: see `recut`."""

    plane: int
    uncut: Uncut


@dataclass(frozen=True, slots=True)
class Judged:
    """How the objects that are painted whole on a plane were found, before paint overrode them."""

    right: int  # with an IoU of at least 0.5, neither split nor merged
    painted: int
    missed: tuple[tuple[slice, slice], ...] = ()  # boxes (y, x) of the others, pixels of the plane
    split: int = 0  # of the others
    merged: int = 0


@dataclass(frozen=True, slots=True)
class Reviewed:
    """How the network itself finds the painted objects, after training; as a text, one line."""

    right: int  # of those that are painted whole, neither split nor merged
    painted: int  # whole
    split: int
    merged: int
    missed: tuple[tuple[int, slice, slice], ...]  # plane, y and x of those that are not right
    touching: bool  # what it finds touches often, or two that are painted are in one
    tells: bool  # False: too little is painted whole to judge by

    def __str__(self) -> str:
        if not self.tells:
            return TOO_LITTLE_WHERE_THEY_TOUCH if self.touching else TOO_LITTLE
        found = f"It finds {self.right:,} of {count(self.painted, 'object')} painted whole"
        kinds = (
            (self.split, "split"),
            (self.merged, "merged"),
            (len(self.missed) - self.split - self.merged, "missed"),
        )
        wrong = ", ".join(f"{number:,} {kind}" for number, kind in kinds if number)
        return f"{found} ({wrong})." if wrong else f"{found}."


@dataclass(frozen=True, slots=True, eq=False)
class PlaneDone:
    """A whole plane is done."""

    plane: int
    labels: RunLabels | None  # final object numbers; None: the values of the tiles are final
    objects: int  # numbers that no other plane has
    missing: tuple[tuple[slice, slice], ...] = ()  # tiles (y, x) left out by a stop; labels 0
    judged: Judged | None = None  # None: no objects were overridden

    @property
    def complete(self) -> bool:
        """Whether every tile of the plane was computed."""
        return not self.missing


@dataclass(frozen=True, slots=True)
class SegmentDone:
    """Segmentation ended; the last event, whatever the reason."""

    reason: FinishReason
    planes: tuple[int, ...]  # finished now, not earlier
    seconds: float


@dataclass(frozen=True, slots=True)
class Place:
    """A window of a plane where the network is unsure of pixels, or of where an object ends."""

    plane: int
    y: slice  # inside the plane, pixels
    x: slice
    uncertainty: float  # mean entropy of the softmax: 0 = sure, 1 = all classes alike
    one_or_two: float = 0.0  # whether its middle is one object: 0 = clear, 1 = undecided


@dataclass(frozen=True, slots=True)
class PlaceLookedAt:
    """One tile was looked at, in search of a place to paint."""

    done: int  # tiles
    total: int


@dataclass(frozen=True, slots=True)
class Suggested:
    """Where to paint next; the last event, whatever the reason."""

    # The least sure first, those of one or two objects and the others in turns; empty: all that was
    # looked at is painted.
    places: tuple[Place, ...]


TrainEvent = (
    TrainStarted
    | StepDone
    | Validated
    | Previewed
    | Corrected
    | LabelsTaken
    | MemoryShort
    | Skipped
    | TrainResumed
    | StateReached
    | TrainDone
)
SegmentEvent = SegmentStarted | TileDone | PlaneUncut | PlaneDone | MemoryShort | SegmentDone
SuggestEvent = PlaceLookedAt | Suggested
