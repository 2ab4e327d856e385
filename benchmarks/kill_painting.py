"""Kills windows in which a person paints, and compares what the next window brings back."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import tifffile

from benchmarks.kill_window import RESULT, START, Expected, read_journal
from benchmarks.killing import Killed, Victim, places
from napari_unet.engine.errors import UnetPaintError
from napari_unet.io.checkpoints import load_model

STARTING = 0.2  # share of the kills that come while the program starts and brings strokes back
START_SECONDS = 10.0  # that this takes
LONGEST = 14.0  # seconds for which a person paints


@dataclass(slots=True)
class _Waiting:
    """Kills of which nobody knows yet what was lost."""

    kills: list[dict[str, Any]]
    expected: Expected | None = None  # by the next window
    killed: float = 0.0  # when, seconds since the epoch
    exported: list[Path] = field(default_factory=list)

    def compare(self, journal: Path) -> Iterator[Killed]:
        """Tell of all that wait, once a window has noted what it got."""
        found = read_journal(journal)
        if found is None:
            return
        lost: float | None = 0.0
        if self.expected is not None:
            labels = [found.states[0]]
            if found.is_new:
                labels += [tifffile.imread(path) for path in self.exported]
            lost = self._least([self.expected.lost(each, self.killed) for each in labels])
        for kill in self.kills:  # all of them had these strokes
            yield Killed(
                **kill, lost=lost, trouble="" if lost is not None else "strokes nobody painted"
            )
        self.kills = []

    @staticmethod
    def _least(losses: list[float | None]) -> float | None:
        return min((loss for loss in losses if loss is not None), default=None)


def painting(folder: Path, kills: int, rng: np.random.Generator) -> Iterator[Killed]:
    """Yield what each kill of a window cost."""
    waiting = _Waiting([])
    for number in range(kills + 1):
        journal = folder / f"journal {number}"
        journal.mkdir()
        command = ["-m", "benchmarks.kill_window", str(folder), str(journal), str(rng.integers(99))]
        with Victim(command, folder / "said.txt", places(folder)) as victim:
            if number == kills or rng.random() >= STARTING or number == 0:
                victim.wait_until((journal / START).exists)
                yield from waiting.compare(journal)
                if number == kills:
                    return
                victim.live(victim.age + rng.uniform(0.3, LONGEST))
            else:
                victim.live(rng.uniform(0.2, START_SECONDS))
            after, killed = victim.age, time.time()
            was_alive = victim.kill()
            ended = "" if was_alive else victim.last_words()
        yield from waiting.compare(journal)
        expected = read_journal(journal)
        if expected is not None:
            waiting.expected, waiting.killed = expected, killed
            waiting.exported = sorted(journal.glob(RESULT.format("*")))
        broken = _broken(folder / "models", sorted(journal.glob(RESULT.format("*"))))
        if ended:
            yield Killed("painting", after, broken, trouble=ended)
        else:
            waiting.kills.append({"kind": "painting", "after": after, "broken": broken})


def _broken(models: Path, exported: list[Path]) -> list[str]:
    """Return the models and exported files that cannot be read."""
    broken = []
    for path in models.glob("[!.]*.safetensors") if models.is_dir() else ():
        try:
            load_model(path)
        except UnetPaintError as error:
            broken.append(f"{path.name}: {error}")
    for path in exported:
        try:
            tifffile.imread(path)
        except (ValueError, OSError) as error:
            broken.append(f"{path.name}: {error}")
    return broken
