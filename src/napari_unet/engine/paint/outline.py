"""Where objects end: the value that the shape field must have, by what it was learned from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_unet.engine.paint.shape_bounds import tell_of_objects

if TYPE_CHECKING:
    from napari_unet.engine.network.model import Model

# Measured, see docs/pretraining.md. Strokes say little about where an object ends, so the
# foreground reaches over its halo; the field, which knows shapes, ends before.
_OF_STROKES = 0.12
_UNKNOWN = 0.08


def outline_level(whole_objects: int | None, diameter: float | None) -> float:
    """Return from which value of the shape field pixels belong to objects.

    Parameters
    ----------
    whole_objects
        That were painted, see `tell_of_objects`.
    diameter
        Of the objects as the network sees them, pixels; None: unknown.

    Notes
    -----
    In a disc the field is 1 - (r/R)², so that of the outermost pixels is 1.2 to 4 / diameter. Where
    such pixels were painted the foreground knows them, and the field must not take them away.
    """
    if not tell_of_objects(whole_objects):
        return _OF_STROKES
    if whole_objects is None or diameter is None:
        return _UNKNOWN
    return min(_UNKNOWN, 1 / diameter)


def outline_of(model: Model) -> float:
    """Return from which value of its shape field pixels belong to a model's objects."""
    diameter, reduction = model.record.diameter, model.reduction or 1
    seen = None if diameter is None else diameter.pixels * model.enlargement / reduction
    return outline_level(model.record.whole_objects, seen)
