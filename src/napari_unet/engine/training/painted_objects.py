"""How large painted objects and their holes are, while more may be painted."""

from __future__ import annotations

from contextlib import suppress

from napari_unet.config import Task
from napari_unet.engine.network.record import ObjectSizes
from napari_unet.engine.paint.holes import measure_holes
from napari_unet.engine.paint.painted_planes import PaintedStack
from napari_unet.engine.paint.smallest import measure_objects
from napari_unet.engine.training.lessons import Lessons


class PaintedObjects:
    """Measures the painted objects, anew when something else is painted.

    Parameters
    ----------
    lessons, task
        What is painted, and what it means.
    pixels
        Of the plane that each of the stack's stands for.
    estimated
        How large objects are that are scribbled in; None: they are as large as they are painted.
    """

    def __init__(
        self, lessons: Lessons, task: Task, pixels: float, estimated: ObjectSizes | None
    ) -> None:
        self._lessons = lessons
        self._task = task
        self._pixels = pixels
        self._estimated = estimated
        self._measured: PaintedStack | None = None
        self._found: tuple[ObjectSizes | None, int | None] = (None, None)

    def measure(self) -> tuple[ObjectSizes | None, int | None]:
        """Return their sizes, and the size of their holes; None: classes, or there are none.

        Where there is too little memory to look, what was found before is returned: the weights,
        which are told with it, must not be lost for it.
        """
        stack = self._lessons.stack
        if self._task is Task.OBJECTS and stack is not self._measured:
            with suppress(MemoryError):
                self._found = (
                    self._estimated or measure_objects(stack, pixels=self._pixels),
                    measure_holes(stack, pixels=self._pixels),
                )
                self._measured = stack
        return self._found
