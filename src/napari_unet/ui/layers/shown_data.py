"""What layers show when something is made of them: a layer can be given other data."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from napari.layers import Layer

from napari_unet.ui.layers.geometry import full_resolution


@dataclass(frozen=True, slots=True, eq=False)
class ShownData:
    """The arrays of some layers, as they are now.

    What was found out about them holds for no others, which may be of another size, too. An array
    that is written into is still the same.
    """

    layers: tuple[Layer, ...]
    arrays: tuple[Any, ...] = field(init=False)  # at full resolution

    def __post_init__(self) -> None:
        object.__setattr__(self, "arrays", tuple(map(full_resolution, self.layers)))

    @property
    def is_shown(self) -> bool:
        """Whether the layers still have these arrays, in a viewer or not."""
        return self.is_same(ShownData(self.layers))

    def is_same(self, other: ShownData) -> bool:
        """Return True if both are of the same arrays."""
        return list(map(id, self.arrays)) == list(map(id, other.arrays))
