"""What a segmentation is told before it begins."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from napari_unet.config import ObjectsConfig, OutputKind, Task, TilingConfig, preset_of

if TYPE_CHECKING:  # the window makes plans before torch is loaded
    from napari_unet.engine.network.model import Model


@dataclass(frozen=True, slots=True, eq=False)
class SegmentationPlan:
    """What decides the pixels of a result, but for the image and what is painted on it.

    Parameters
    ----------
    model
        Network, weights and the meaning of its outputs.
    objects
        How foreground is cut into objects, and whether they are linked from plane to plane.
    tiling
        Side of the tiles and rotated averaging; the result does not depend on the side.
    kind
        Labels, classes or probabilities.
    """

    model: Model
    objects: ObjectsConfig
    tiling: TilingConfig = TilingConfig()  # noqa: RUF009 frozen
    kind: OutputKind = OutputKind.LABELS

    @classmethod
    def usual(
        cls,
        model: Model,
        *,
        tiling: TilingConfig = TilingConfig(),  # noqa: B008 frozen
        kind: OutputKind = OutputKind.LABELS,
    ) -> SegmentationPlan:
        """Return a plan that cuts objects as is usual for the network."""
        return cls(model, preset_of(model.network).objects, tiling, kind)

    def with_side(self, side: int) -> SegmentationPlan:
        """Return the same plan with tiles of another side, pixels."""
        return replace(self, tiling=replace(self.tiling, tile=side))

    @property
    def is_numbered(self) -> bool:
        """Whether labels of objects come out; else what is settled of a tile is final."""
        return self.kind is OutputKind.LABELS and self.model.task is Task.OBJECTS
