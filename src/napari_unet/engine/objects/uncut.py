"""A plane's foreground before it is cut into objects, so that it can be cut again otherwise."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from napari_unet.config import ObjectsConfig
from napari_unet.engine.objects.basins import Basins, FieldRows, find_basins
from napari_unet.engine.objects.components import fill_enclosed, find_objects
from napari_unet.engine.objects.finishing import finish_objects, without
from napari_unet.engine.paint.smallest import smallest_object
from napari_unet.engine.stack.bitmap import Bitmap
from napari_unet.engine.stack.run_labels import RunLabels
from napari_unet.engine.stack.tiles import Tile

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class UncutPlane:
    """What of a plane does not depend on where its objects are cut.

    It is all that cutting needs, and about as small as the labels: the shape field is not in it.
    """

    parts: Basins | tuple[RunLabels, int]  # of a network without a shape field, whole pieces
    config: ObjectsConfig

    @staticmethod
    def of(
        foreground: Iterable[Mask],
        shape: tuple[int, int],
        config: ObjectsConfig,
        field_rows: FieldRows | None = None,
    ) -> UncutPlane:
        """Return the plane of a foreground.

        Parameters
        ----------
        foreground
            The plane in bands of rows (y, X), from the top.
        shape
            Of the plane, pixels (Y, X).
        config
            Holes, smallest size, necks, and the separation border that is given back.
        field_rows
            The shape field, at whose passes objects are cut; None: the network has none, so they
            are cut at necks, and the separation border is given back.
        """
        smallest = smallest_object(config)
        if field_rows is not None:
            # Without a border between them, touching cells in a ring would enclose background: so
            # holes are filled once they are cut.
            pieces, _ = find_objects(foreground, shape, fill_holes=False, smallest=smallest)
            large_enough = Bitmap.of(pieces)
            del pieces  # which take more memory
            return UncutPlane(find_basins(large_enough, field_rows), config)
        found = find_objects(
            foreground,
            shape,
            fill_holes=config.fill_holes,
            smallest=smallest,
            largest_hole=config.largest_hole,
        )
        return UncutPlane(found, config)

    def cut(self, *, neck: float | None = None) -> CutPlane:
        """Cut the plane; it may be asked again.

        Parameters
        ----------
        neck
            In place of that of the settings.
        """
        config = self.config if neck is None else replace(self.config, neck=neck)
        if isinstance(self.parts, Basins):
            labels, count = self.parts.cut(config.neck, smallest_object(config))
            return CutPlane(labels, count, config, by_shape=True)
        return CutPlane(*self.parts, config, by_shape=False)


@dataclass(frozen=True, slots=True, eq=False)
class CutPlane:
    """A plane that is cut by its field, or is about to be cut at necks.

    It does not hold what it was cut from, which so can be let go of before it is finished.
    """

    labels: RunLabels
    count: int
    config: ObjectsConfig
    by_shape: bool

    def finish(self, missing: Sequence[Tile] = ()) -> tuple[RunLabels, int]:
        """Return the objects, 1 to `count`, with tiles that are 0."""
        labels, count, config = self.labels, self.count, self.config
        if self.by_shape:
            if config.fill_holes:
                labels = fill_enclosed(labels, count, config.largest_hole)
            return without(labels, missing), count
        if not missing and config.neck == 0 and (config.gap == 0 or count < 2):
            return labels, count
        smallest = smallest_object(config)
        return finish_objects(labels, count, config, smallest=smallest, missing=missing)
