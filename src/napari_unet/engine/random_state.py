"""Where a generator of random numbers stands, as plain numbers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_KIND = "PCG64"  # numpy's default generator


@dataclass(frozen=True, slots=True)
class RandomState:
    """The state of numpy's default generator: whoever has it draws the same numbers."""

    state: int  # 128 bits, as the next one
    increment: int
    has_half: int = 0  # 1: half of the last 64 bits is still to be used
    half: int = 0

    def __post_init__(self) -> None:
        is_wide = all(0 <= number < 2**128 for number in (self.state, self.increment))
        if not is_wide or self.has_half not in (0, 1) or not 0 <= self.half < 2**32:
            raise ValueError("the random state is none")

    @classmethod
    def of(cls, rng: np.random.Generator) -> RandomState:
        """Return where a generator stands."""
        found = rng.bit_generator.state
        inner = found["state"]
        return cls(inner["state"], inner["inc"], found["has_uint32"], found["uinteger"])

    def give(self, rng: np.random.Generator) -> None:
        """Let a generator go on from here."""
        rng.bit_generator.state = {
            "bit_generator": _KIND,
            "state": {"state": self.state, "inc": self.increment},
            "has_uint32": self.has_half,
            "uinteger": self.half,
        }
