"""Some planes of a stack, as people write them."""

from __future__ import annotations

from dataclasses import dataclass

from napari_unet.engine.errors import SettingsError


@dataclass(frozen=True, slots=True)
class PlaneSelection:
    """Some planes of a stack, counted from 0: "2,67", "0:10", "::5", "-1"."""

    text: str
    parts: tuple[int | slice, ...]

    def numbers(self, count: int) -> tuple[int, ...]:
        """Return the plane numbers in ascending order.

        Raises
        ------
        SettingsError
            If a plane is not among the `count` planes, or none is left.
        """
        every = range(count)
        chosen: set[int] = set()
        for part in self.parts:
            if isinstance(part, slice):
                chosen.update(every[part])
            elif -count <= part < count:
                chosen.add(every[part])
            else:
                raise SettingsError(
                    f"Plane {part} does not exist; the stack has the planes 0 to {count - 1}."
                )
        if not chosen:
            raise SettingsError(
                f"'{self.text}' leaves no plane; the stack has the planes 0 to {count - 1}."
            )
        return tuple(sorted(chosen))
