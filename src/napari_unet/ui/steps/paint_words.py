"""What is painted, in one line, and what is still missing."""

from __future__ import annotations

from napari_unet.config import MAX_CLASSES, Task, Unpainted
from napari_unet.ui.jobs.progress import count as several
from napari_unet.ui.layers.counting import PaintCount

__all__ = ["describe_paint"]

_HOW_TO_START = {
    (Task.OBJECTS, Unpainted.IGNORED): "paint some background (1) and some objects (2, 3, …).",
    (Task.OBJECTS, Unpainted.BACKGROUND): "paint all objects of a plane or more (1, 2, …).",
    (Task.CLASSES, Unpainted.IGNORED): "paint some of each class (1, 2, …).",
    (Task.CLASSES, Unpainted.BACKGROUND): "paint all of each class on a plane or more (1, 2, …).",
}


def describe_paint(
    count: PaintCount | None, task: Task, unpainted: Unpainted, held_out: int | None = None
) -> str:
    """Return "3 planes painted · background 1,204 px · …", and what to paint to go on.

    Parameters
    ----------
    held_out
        Blocks that training keeps to validate; None: not known yet.
    """
    if count is None:
        return "Counting what is painted…"
    if count.planes == 0:
        return f"Nothing is painted yet: {_HOW_TO_START[task, unpainted]}"
    kinds = count.kinds(task, unpainted)
    facts = [f"{several(count.planes, 'plane')} painted"]
    if task is Task.OBJECTS:
        facts += [f"background {count.background(unpainted):,} px", several(kinds, "object")]
    else:
        facts.append(f"{kinds:,} class" + ("" if kinds == 1 else "es"))
    if held_out is not None:
        facts.append(f"{several(held_out, 'block')} held out to validate")
    missing = _missing(count, task, unpainted)
    return " · ".join(facts) + (f". {missing}" if missing else "")


def _missing(count: PaintCount, task: Task, unpainted: Unpainted) -> str:
    """Return what is to be painted before training can begin; empty: nothing."""
    kinds, ignored = count.kinds(task, unpainted), unpainted is Unpainted.IGNORED
    cures = [(bool(count.numbers[0] < 0), "Labels below 0 have no meaning: erase them.")]
    if task is Task.CLASSES:
        too_many = f"{MAX_CLASSES} classes are the most: if each object has a number, take Objects."
        cures += [(kinds < 2, "Paint another class, too."), (kinds > MAX_CLASSES, too_many)]
    else:
        background = "Paint some background as 1, too." if ignored else "Leave some unpainted."
        cures += [
            (kinds == 0, "Paint at least one object (2, 3, …), too."),
            (count.background(unpainted) == 0, background),
        ]
    return next((cure for needed, cure in cures if needed), "")
