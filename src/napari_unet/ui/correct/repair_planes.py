"""Where objects are repaired: the shown plane of the result and of the labels."""

from __future__ import annotations

import numpy as np
from napari.layers import Labels

from napari_unet.engine.errors import LabelsError
from napari_unet.io.unfinished import unfinished_in
from napari_unet.ui.correct.repair import LABEL_IMAGE, Plane
from napari_unet.ui.correct.take_over import find_overlap
from napari_unet.ui.layers.added import is_result
from napari_unet.ui.layers.geometry import focus, full_resolution, spatial_shape
from napari_unet.ui.runner import JobState
from napari_unet.ui.workbench import Workbench

_CLASSES = np.uint8  # what results of classes and masks are in
_WRITING = ("Segmenting", "Cutting")  # jobs that write into results


def shown_position(workbench: Workbench) -> tuple[int, ...]:
    """Return the shown plane of the labels."""
    labels = workbench.choices.labels
    assert labels is not None
    return focus(workbench.viewer, labels)[:-2]


def shown_planes(workbench: Workbench) -> list[Plane]:
    """Return the shown plane of the labels, and that of the result if it lies on them."""
    chosen, result = workbench.choices, shown_result(workbench)
    labels, position = chosen.labels, shown_position(workbench)
    assert labels is not None
    planes = [Plane(labels, position, chosen.scheme)]
    if result is None or result is labels:
        return planes
    overlap = find_overlap(result, labels, position)
    shape = spatial_shape(labels)[-2:]
    if overlap is not None and spatial_shape(result)[-2:] == shape:
        index = tuple(int(at) for at in overlap.source[:-2] if isinstance(at, int))
        planes.append(Plane(result, index, LABEL_IMAGE))
    return planes


def shown_result(workbench: Workbench) -> Labels | None:
    """Return the result that is repaired; None: none is shown."""
    result = workbench.choices.result
    if not isinstance(result, Labels) or not result.visible:
        return None
    if not is_result(result):
        return None if result.multiscale else result
    return None if full_resolution(result).dtype == _CLASSES else result


def require_writable(workbench: Workbench, plane: Plane) -> None:
    """Refuse what a job is about to overwrite, or would take for whole.

    Raises
    ------
    LabelsError
        If it is so.
    """
    runner, layer = workbench.runner, plane.layer
    if not is_result(layer):
        return
    if runner.state is not JobState.IDLE and runner.job_name in _WRITING:
        raise LabelsError(
            f"{runner.job_name}… wait before you repair '{layer.name}', or press Stop."
        )
    leading = spatial_shape(layer)[:-2]
    number = int(np.ravel_multi_index(plane.index, leading)) if leading else 0
    if number in unfinished_in(layer.metadata):
        raise LabelsError(
            f"This plane of '{layer.name}' is not segmented to its end; segment it first."
        )
