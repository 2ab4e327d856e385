"""What keeps a trained network from forgetting what it knows for a few strokes.

After each step, the weights go back a share of the way to the first answer, and after some steps
training ends. Both depend on how many pixels are labelled, as the network sees them.
"""

from __future__ import annotations

# The share is (_PULL / labelled pixels)², at most _STRONGEST, since a few strokes leave much
# unsaid; and at least _LASTING up to _MANY labelled pixels, since many on a few planes say little
# about the others.
_PULL = 200.0
_STRONGEST = 0.3
_LASTING, _MANY = 0.005, 40_000
# One more step for each so many labelled pixels. More with little paint make it worse
# (docs/stroke_budgets.md).
_ENOUGH, _PIXELS_PER_STEP = 100, 50


def pull_to_first_answer(labelled: int) -> float:
    """Return the share of the way that weights go back, for this many labelled pixels."""
    lasting = _LASTING * min(1.0, _MANY / max(1, labelled))
    return min(_STRONGEST, max(lasting, (_PULL / max(1, labelled)) ** 2))


def enough_steps(labelled: int) -> int:
    """Return in how many steps what is painted is learned."""
    return _ENOUGH + labelled // _PIXELS_PER_STEP
