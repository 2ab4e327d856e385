"""Label images into the formats of other programs, plane by plane, all files in one pass."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from napari_unet.batch.events import Note
from napari_unet.batch.measuring import MASKS, MeasureWishes, open_stack, stack_layout
from napari_unet.engine.errors import SettingsError
from napari_unet.engine.events import Stop, never
from napari_unet.engine.stack import bands
from napari_unet.io.image_labels import lies_in_image
from napari_unet.io.labels import LabelFormat, PlaneWriter, label_format, open_label_writer
from napari_unet.io.pairing import LabelPlanes, open_labels_for
from napari_unet.io.provenance import Provenance, to_text
from napari_unet.io.provenance_files import find_provenance, write_beside
from napari_unet.io.replacing import check_writable
from napari_unet.io.stack import AS_IT_IS, View


@dataclass(frozen=True, slots=True)
class PlaneConverted:
    """One more plane is in all files."""

    done: int
    total: int


@dataclass(frozen=True, slots=True)
class LabelsConverted:
    """The files are whole."""

    outputs: tuple[Path, ...]
    planes: int


def convert_labels(
    labels: Path,
    outputs: Sequence[Path],
    *,
    wish: LabelFormat | None = None,
    image: Path | None = None,
    view: View = AS_IT_IS,
    stop: Stop = never,
) -> Iterator[Note | PlaneConverted | LabelsConverted]:
    """Write labels once more, in other formats.

    Parameters
    ----------
    labels
        As of `open_labels_for`.
    outputs
        As of `open_label_writer`; each appears once all are whole.
    wish
        The format of the output, where its name does not say it.
    image
        That of the labels: it gives axes and pixel size, and grey values that are measured.
    view
        Of the image, or of the labels if there is none.
    stop
        Asked after each part of a plane; then nothing is written.

    Raises
    ------
    UnetPaintError
        Whatever is wrong with the input or the outputs; the text says what to do.
    """
    _check(outputs, wish, labels, image)
    stack = open_stack(labels, image, view)
    planes = open_labels_for(stack, labels)
    layout = stack_layout(stack, None if image is None else labels, MeasureWishes(view=view))
    grey = None if image is None else stack
    made = find_provenance(labels)
    seen, is_whole = _Seen(), False
    with suppress(_Stopped), ExitStack() as opened:
        writers = [
            opened.enter_context(open_label_writer(path, layout, wish=wish, image=grey))
            for path in outputs
        ]
        for plane in range(planes.count):
            for rows in _rows(planes, plane):
                if stop():
                    raise _Stopped  # the writers remove what they have written
                seen.add(rows)
                for writer in writers:
                    writer.write(rows)
            yield PlaneConverted(plane + 1, planes.count)
        if made is not None:
            _note(made, writers, outputs)
        is_whole = True
    if not is_whole:
        return
    if made is not None:
        _write_beside(made, outputs)
    if note := seen.oddity(labels):
        yield Note(note)
    yield LabelsConverted(tuple(outputs), planes.count)


def _check(
    outputs: Sequence[Path], wish: LabelFormat | None, labels: Path, image: Path | None
) -> None:
    """Make sure that each output can be written, and is nothing else that is needed."""
    taken = {path.resolve() for path in (labels, image) if path is not None}
    for path in outputs:
        label_format(path, wish)
        if path.resolve() in taken:
            raise SettingsError(f"'{path}' is named twice; give each output a name of its own.")
        taken.add(path.resolve())
        if not lies_in_image(path):
            check_writable(path)


def _rows(planes: LabelPlanes, plane: int) -> Iterator[npt.NDArray[np.int32]]:
    height, width = planes.shape
    for rows in bands((height, width)):
        yield planes.read(plane, rows, slice(0, width))[0]


def _note(made: Provenance, writers: Sequence[PlaneWriter], outputs: Sequence[Path]) -> None:
    for path, writer in zip(outputs, writers, strict=True):
        writer.note_provenance(to_text(made, path.absolute().parent))


def _write_beside(made: Provenance, outputs: Sequence[Path]) -> None:
    for path in outputs:
        write_beside(path, made)


class _Stopped(Exception):  # noqa: N818 no error
    """The user stopped the work."""


class _Seen:
    """Which numbers objects have."""

    def __init__(self) -> None:
        self._lowest = self._highest = 0  # 0: there was none

    def add(self, rows: npt.NDArray[np.int32]) -> None:
        objects = rows[rows > 0]
        if objects.size:
            lowest, highest = int(objects.min()), int(objects.max())
            self._lowest = min(self._lowest or lowest, lowest)
            self._highest = max(self._highest, highest)

    def oddity(self, labels: Path) -> str:
        """Return what may not be as one thinks."""
        if not self._highest:
            return f"There are no objects in '{labels.name}': what is written has none either."
        if (self._lowest, self._highest) in MASKS:
            return (
                f"All objects in '{labels.name}' have the number {self._highest}, as in a mask, "
                "and are one object in what is written; to part them, number them first (in "
                "Python: skimage.measure.label)."
            )
        return ""
