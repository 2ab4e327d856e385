"""The job that writes results to files, plane by plane, and its progress in words."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_unet.engine.counts import count
from napari_unet.engine.errors import FileError
from napari_unet.engine.events import Stop
from napari_unet.engine.stack import ArrayPlanes, bands
from napari_unet.io.provenance import Provenance, to_text
from napari_unet.io.stack import Layout
from napari_unet.io.unfinished import tell_unfinished
from napari_unet.ui.progress import Progress
from napari_unet.ui.worker import Job

if TYPE_CHECKING:
    from napari_unet.io.labels import PlaneWriter


@dataclass(frozen=True, slots=True, eq=False)
class Export:
    """One file to write."""

    path: Path  # its ending says the format
    arrays: tuple[Any, ...]  # one of labels, or one per class of probabilities
    layout: Layout  # of one array
    are_probabilities: bool = False
    unfinished: tuple[int, ...] = ()  # planes that are not segmented to their end
    provenance: Provenance | None = None  # what made them; None: it is not known
    features: Any = None  # of the layer, a pandas table

    @property
    def planes(self) -> int:
        """Number of planes; those of all classes at one place are one."""
        return math.prod(self.layout.leading_shape)

    def open(self) -> AbstractContextManager[PlaneWriter]:
        """Open the file; it appears when the block ends well.

        Raises
        ------
        FileError
            If the file cannot be written, or an axis C leaves no room for that of the classes.
        """
        from napari_unet.io.label_features import LabelFeatures  # noqa: PLC0415
        from napari_unet.io.labels import (  # noqa: PLC0415 loads the writers
            open_label_writer,
            open_probability_writer,
        )

        if not self.are_probabilities:
            features = None if self.features is None else LabelFeatures.of(self.features)
            return open_label_writer(self.path, self.layout, features=features)
        shape, axes = self.layout.shape, self.layout.axes
        if "C" in axes:
            raise FileError(
                f"'{self.path.name}' would have two channel axes; export labels or classes instead."
            )
        layout = Layout(
            (*shape[:-2], len(self.arrays), *shape[-2:]), f"{axes[:-2]}CYX", self.layout.spacing
        )
        return open_probability_writer(self.path, layout)


@dataclass(frozen=True, slots=True)
class PlaneWritten:
    """One more plane is in its file."""

    done: int  # of all files
    total: int


@dataclass(frozen=True, slots=True)
class Exported:
    """A file is whole."""

    path: Path
    unfinished: tuple[int, ...] = ()  # planes that are not segmented to their end


def export_files(exports: Sequence[Export]) -> Job:
    """Write files one after the other; one that is stopped half-way is removed."""

    def run(stop: Stop) -> Iterator[PlaneWritten | Exported]:
        from napari_unet.io.provenance_files import write_beside  # noqa: PLC0415 loads the readers

        total = sum(export.planes for export in exports)
        done = 0
        with suppress(_Stopped):
            for export in exports:
                with export.open() as writer:
                    for rows, ends_plane in _rows(export):
                        if stop():
                            raise _Stopped  # the writer removes what it has written
                        writer.write(rows)
                        if ends_plane:
                            done += 1
                            yield PlaneWritten(done, total)
                    writer.note_unfinished(export.unfinished)
                    if export.provenance is not None:
                        folder = export.path.absolute().parent
                        writer.note_provenance(to_text(export.provenance, folder))
                if export.provenance is not None:
                    write_beside(export.path, export.provenance)
                yield Exported(export.path, export.unfinished)

    return run


def tell_plane(event: PlaneWritten) -> Progress:
    """Return how far the export is."""
    return Progress(f"Writing plane {event.done:,} of {event.total:,}", event.done / event.total)


def describe_end(written: Sequence[Exported], asked: int) -> str:
    """Return which files there are, and what is missing in them."""
    if not written:
        return "Nothing was written."
    return " ".join([_describe_files(written, asked), *_describe_gaps(written)])


def _describe_files(written: Sequence[Exported], asked: int) -> str:
    first = written[0].path
    if asked == 1:
        return f"Saved {first.name} in {first.parent}."
    if len(written) < asked:
        return f"Saved {len(written)} of {count(asked, 'file')} in {first.parent}."
    return f"Saved {count(asked, 'file')} in {first.parent}."


def _describe_gaps(written: Sequence[Exported]) -> Iterator[str]:
    for file in written:
        if file.unfinished:
            yield f"{tell_unfinished(file.unfinished)} in {file.path.name}."


class _Stopped(Exception):  # noqa: N818 no error
    """The user stopped the export."""


def _rows(export: Export) -> Iterator[tuple[Any, bool]]:
    """Yield labels (y, X) or probabilities (C, y, X), plane by plane, and whether a plane ends."""
    stacks = [ArrayPlanes(array, name=export.path.name) for array in export.arrays]
    plane = height, width = export.layout.plane_shape
    for number, rows in product(range(export.planes), bands(plane)):
        channels = np.concatenate([stack.read(number, rows, slice(0, width)) for stack in stacks])
        yield channels if export.are_probabilities else channels[0], rows.stop == height
