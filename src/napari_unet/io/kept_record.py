"""What a segmentation that is kept on disk is of, how it is made, and what has changed since."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np

from napari_unet.config import ObjectsConfig, OutputKind, TilingConfig
from napari_unet.engine.stack import Planes
from napari_unet.io.hashes import PlaneHashes, model_hash, stack_hash
from napari_unet.io.provenance import versions

if TYPE_CHECKING:
    from napari_unet.engine.network import DeviceChoice
    from napari_unet.engine.prediction import SegmentationPlan

_MOST = 1 << 31  # objects
_COMPARED = 1 << 32  # bytes of the image that are read, unless a plane has more
_WORDS = {
    "image": "the image",
    "model": "the model",
    "kind": "what is written",
    "tiling": "how it is predicted",
    "objects": "how objects are cut",
    "series": "the axes of the image",
    "device": "the device",
    "seen": "the pixel size of the image",
    "program": "the version of this program or of what it computes with",
}


@dataclass(frozen=True, slots=True)
class Basis:
    """Everything that decides what a segmentation looks like."""

    image: str  # hash
    model: str  # hash
    kind: OutputKind
    tiling: TilingConfig
    objects: ObjectsConfig
    series: tuple[int, int]  # planes that follow one another, and series that do
    device: str
    program: str
    seen: tuple[int, int] = (1, 1)  # pixels as one, or one as so many: by the pixel size

    @classmethod
    def of(
        cls,
        plan: SegmentationPlan,
        planes: Planes,
        *,
        device: DeviceChoice,
        hashes: PlaneHashes | None = None,
    ) -> Basis:
        """Return how `engine.prediction.segment` makes it of these.

        All of the image is read, unless its `hashes` are known; of more than 4 GB, planes spread
        evenly over the stack.

        Raises
        ------
        FileError
            If the image cannot be read.
        """
        seen = plan.model.seen(planes)
        return cls(
            image=stack_hash(planes, _compared(planes), hashes),
            model=model_hash(plan.model),
            kind=plan.kind,
            tiling=plan.tiling,
            objects=plan.objects,
            series=(planes.run, planes.runs),
            device=f"{device.device} {device.name}",
            program=told_versions(),
            seen=(seen.factor, seen.enlargement),
        )

    def changed(self, before: Basis) -> str:
        """Return in words what is another one than before, empty: nothing."""
        names = (part.name for part in fields(self))
        words = [_WORDS[name] for name in names if getattr(self, name) != getattr(before, name)]
        return " and ".join(filter(None, (", ".join(words[:-1]), *words[-1:])))


@dataclass(frozen=True, slots=True)
class KeptRecord:
    """What is known of a segmentation beside its tiles."""

    name: str  # of the image
    model_name: str
    basis: Basis
    planes: int  # of the whole image
    order: tuple[int, ...]  # in which they are done
    side: int  # of the tiles, pixels
    output: str = ""  # file that it is written to; empty: a layer
    shape: tuple[int, int] = (0, 0)  # of a plane, pixels
    largest: int = 0  # object number in use when it began
    painted: bool = False  # what is painted overrides what is predicted
    model_path: str = ""  # file of the model; empty: none that is known

    def __post_init__(self) -> None:
        TilingConfig(tile=self.side)
        is_possible = (
            all(0 <= plane < self.planes for plane in self.order)
            and len(set(self.order)) == len(self.order) > 0
            and min(self.shape) >= 0
            and 0 <= self.largest < _MOST
        )
        if not is_possible:
            raise ValueError(f"planes {self.order!r:.60} of {self.planes}")


def told_versions() -> str:
    """Return the versions of what computes here, in one line."""
    return " ".join(f"{name} {number}" for name, number in versions().items())


def _compared(planes: Planes) -> list[int]:
    """Return the planes by which an image is told from others."""
    size = math.prod(planes.shape) * planes.channels * planes.dtype.itemsize  # bytes
    most = min(planes.count, max(1, _COMPARED // size))
    return sorted({round(place) for place in np.linspace(0, planes.count - 1, most)})
