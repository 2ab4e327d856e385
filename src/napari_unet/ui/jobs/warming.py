"""Loads beforehand what napari and PyTorch load only when they first need it.

Otherwise the window would stand still for a second when the first layer of labels is made, and the
first training would begin a second and a half later, with stalls while modules are loaded.
"""

from __future__ import annotations

import logging
from functools import cache

from napari_unet.engine.errors import LIBRARY_FAILURES

__all__ = ["warm_up"]

_log = logging.getLogger(__name__)


@cache
def warm_up() -> None:
    """Load it, once; takes about two seconds, in any thread.

    Notes
    -----
    Measured on two cores: 1.4 s for what PyTorch's optimisers load, and for labels 0.4 s for
    numba's compiler, 0.2 s for pandas and 0.1 s for the dash patterns of lines. None of it is
    needed by name, so what is not installed, or has moved, is left out. A library that is broken
    harms nothing yet: it is noted in the log, and whatever needs it will say so.
    """
    for load in (_load_training, _load_tables, _load_compiler, _load_lines):
        try:
            load()
        except ModuleNotFoundError:
            continue
        except LIBRARY_FAILURES as error:
            _log.warning("A library cannot be loaded beforehand (%s)", error, exc_info=error)


def _load_training() -> None:
    import torch  # noqa: PLC0415

    import napari_unet.engine.prediction.segmentation  # noqa: PLC0415
    import napari_unet.engine.training.fine_tuning  # noqa: F401, PLC0415

    weight = torch.nn.Parameter(torch.zeros(1))
    optimiser = torch.optim.Adam([weight])
    weight.grad = torch.zeros(1)
    optimiser.step()


def _load_tables() -> None:
    import pandas  # type: ignore[import-untyped]  # noqa: F401, ICN001, PLC0415


def _load_compiler() -> None:
    import numba  # noqa: PLC0415

    # Not napari's own function: it is parallel, and may not be safe beside the main thread.
    numba.njit()(_same)(1)


def _load_lines() -> None:
    from vispy.visuals.line.dash_atlas import DashAtlas  # noqa: PLC0415

    DashAtlas()  # its patterns are kept for all lines


def _same(value: int) -> int:
    return value
