"""What is painted, in one line, and what is still missing."""

from __future__ import annotations

from napari_unet.config import Task, Unpainted
from napari_unet.ui.jobs.progress import count as several
from napari_unet.ui.layers.counting import PaintCount, why_not_enough

__all__ = ["describe_paint"]


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
    missing = why_not_enough(count, task, unpainted)
    if count.planes == 0:
        return str(missing)
    kinds = count.kinds(task, unpainted)
    facts = [f"{several(count.planes, 'plane')} painted"]
    if task is Task.OBJECTS:
        facts += [f"background {count.background(unpainted):,} px", several(kinds, "object")]
    else:
        facts.append(several(kinds, "class"))
    if held_out is not None:
        facts.append(f"{several(held_out, 'block')} held out to validate")
    return " · ".join(facts) + (f". {missing}" if missing else "")
