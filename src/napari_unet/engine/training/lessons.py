"""What a run learns from: the painted planes, which may be painted on while it trains."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from napari_unet.config import Task, Unpainted
from napari_unet.engine.errors import FileError, OutOfMemoryError, UnetPaintError
from napari_unet.engine.network.record import HeldOut
from napari_unet.engine.paint.held_out import Split, SplitRecord
from napari_unet.engine.paint.label_scheme import IGNORED
from napari_unet.engine.paint.painted_planes import PaintedPlane, PaintedReader, PaintedStack
from napari_unet.engine.training.plan import TrainingPlan
from napari_unet.engine.training.sampling import patch_context
from napari_unet.engine.training.seen_set import SeenSet
from napari_unet.engine.training.state import TrainingState


class Lessons:
    """The painted planes, divided into pixels that train and pixels that validate.

    Parameters
    ----------
    reader
        Reads the labels, again and again.
    split
        Decides what is held out, for good.
    seen
        The images and labels, as the network sees them.
    unpainted
        What label 0 means.

    Raises
    ------
    LabelsError, ImageError, FileError
        If nothing can be learned from the labels, or image or labels cannot be read.
    """

    def __init__(
        self, reader: PaintedReader, split: Split, seen: SeenSet, unpainted: Unpainted
    ) -> None:
        self.seen = seen
        self.unpainted = unpainted
        self._reader = reader
        self._split = split
        self._pending: frozenset[int] = frozenset()  # changed, but not usable yet
        self.hindrance: UnetPaintError | None = None  # why some of them are not
        self.stack: PaintedStack  # whole
        self.training: PaintedStack  # without the held-out pixels
        self.held_out: tuple[HeldOut, ...]
        self._use(reader.read(range(seen.pairs.count)))

    @property
    def labelled_pixels(self) -> int:
        """Number of pixels that carry loss, of the planes as they were given."""
        return round(
            sum(
                self.seen.on_plane(plane.number, int((plane.classes != IGNORED).sum()))
                for plane in self.training.planes
            )
        )

    @property
    def may_be_read_by_now(self) -> bool:
        """Whether planes are missing for a reason that may pass by itself, as a network's does."""
        return isinstance(self.hindrance, FileError | OutOfMemoryError)

    def split(self) -> tuple[SplitRecord, dict[int, npt.NDArray[np.uint8]]]:
        """Return what is held out for good; see `Split.record`."""
        return self._split.record()

    def take(self, changed: frozenset[int]) -> bool:
        """Read these planes again; return whether there is anything new to learn from.

        Planes that cannot be read, or whose image holds NaN, stay as they were; so do all while
        nothing can be learned from the labels (half painted), or there is no memory for it. They
        are tried again the next time, and `hindrance` says why they were not taken.
        """
        self._pending |= changed
        try:
            return self._take()
        except UnetPaintError as error:
            self.hindrance = error
        except MemoryError:
            self.hindrance = OutOfMemoryError(
                "There is too little memory for what is painted; close other programs."
            )
        return False

    def _take(self) -> bool:
        stack, failures = self._reader.read_what_can_be(sorted(self._pending))
        is_new = _differ(self.stack, stack, self._pending - failures.keys())
        if is_new:
            self._use(stack)
        self._pending = frozenset(failures)
        self.hindrance = next(iter(failures.values()), None)
        return is_new

    def _use(self, stack: PaintedStack) -> None:
        self.training, self.held_out = self._split.divide(stack)
        self.stack = stack


def read_lessons(
    seen: SeenSet, plan: TrainingPlan, interrupted: TrainingState | None = None
) -> Lessons:
    """Read what is painted, as the plan has it; all in pixels as the network sees them.

    Parameters
    ----------
    seen
        Images and labels.
    plan
        How the labels are read, and for which network.
    interrupted
        A run that goes on: what it has held out stays held out.

    Raises
    ------
    LabelsError, ImageError, FileError
        As `Lessons`.
    """
    config, scheme = plan.config, plan.scheme
    reader = PaintedReader(
        seen.pairs,
        scheme,
        config,
        context=patch_context(config, plan.network.levels),
        known=plan.values,
        shape_field=plan.network.shape_field and scheme.task is Task.OBJECTS,
    )
    split = Split(seen.pairs.shape, config.validation_share, np.random.default_rng(config.seed))
    if interrupted is not None:
        sides = {n: cells for n, cells in interrupted.sides().items() if n < seen.pairs.count}
        split.restore(interrupted.record.split, sides)
    return Lessons(reader, split, seen, scheme.unpainted)


def _differ(before: PaintedStack, after: PaintedStack, numbers: frozenset[int]) -> bool:
    """Return whether these planes are painted otherwise than before."""
    if before.numbers != after.numbers or before.values != after.values:
        return True
    return any(
        not _same(old, new)
        for old, new in zip(before.planes, after.planes, strict=True)
        if new.number in numbers
    )


def _same(one: PaintedPlane, other: PaintedPlane) -> bool:
    return one.origin == other.origin and all(
        np.array_equal(mine, theirs)
        for mine, theirs in (
            (one.painted, other.painted),
            (one.classes, other.classes),
            (one.weights, other.weights),
        )
    )
