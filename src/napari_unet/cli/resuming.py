"""A training that was interrupted: found beside the output, and gone on with if asked for."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from napari_unet.cli.console import say
from napari_unet.engine.counts import count
from napari_unet.engine.errors import FileError, SettingsError
from napari_unet.engine.training import Planned, TrainingPlan, TrainingState
from napari_unet.io.interrupted import About, Interrupted, KeptTraining, read_interrupted
from napari_unet.io.plain import to_plain

_ENDING = ".unfinished"


class Leftover:
    """The place beside an output where its training is kept, and what is there already.

    Parameters
    ----------
    output
        The model's file.
    about
        What people know the training by.
    """

    def __init__(self, output: Path, about: About) -> None:
        self._output = output
        self._kept = KeptTraining(output.with_suffix(_ENDING), about)

    def look(self, *, resume: bool) -> tuple[Interrupted | None, KeptTraining | None]:
        """Return what to go on with, and where to keep the training; None: nothing, nowhere.

        Raises
        ------
        FileError
            If it is to go on and cannot.
        """
        path = self._kept.path
        if not path.exists():
            if resume:
                say(f"There is no '{path.name}' to go on with: the training begins anew.")
            return None, self._kept
        try:
            self._kept.claim()
            found = read_interrupted(path)
        except FileError as error:
            self._kept.release()
            if resume:
                raise
            say(f"Note: in '{path.name}': {error} This training is not kept for after a crash.")
            return None, None
        if resume:
            return found, self._kept
        say(
            f"Note: '{path.name}' holds a training {_describe(found)}. This one begins anew and "
            "takes its place; to go on with that one, stop this one now and add --resume."
        )
        return None, self._kept


def load_same(found: Interrupted, plan: TrainingPlan) -> TrainingState:
    """Return the state to go on from, and say so.

    Raises
    ------
    SettingsError
        If the training was begun with other settings.
    FileError
        If it cannot be read.
    """
    before = found.record.plan
    now = Planned.of(plan, before.start)
    if (before.network, before.weights) != (now.network, now.weights):
        differences = [f"from {before.start}"]
    else:
        differences = list(_differences(to_plain(before), to_plain(now)))
    if differences:
        raise SettingsError(
            f"The interrupted training was begun with other settings ({differences[0]}); give "
            "them as they were, or leave out --resume and begin anew."
        )
    state = found.load()
    say(f"Going on with the training {_describe(found)}.")
    return state


def _differences(before: Any, now: Any, name: str = "") -> Iterator[str]:
    if isinstance(before, dict) and isinstance(now, dict):
        for key in before:
            yield from _differences(before[key], now.get(key), key)
    elif before != now:
        yield f"{name.replace('_', ' ')} {before}, not {now}"


def _describe(found: Interrupted) -> str:
    when = time.strftime("%d %b, %H:%M", time.localtime(found.saved)).lstrip("0")
    return f"that was interrupted after {count(found.record.trainer.step, 'step')} ({when})"
