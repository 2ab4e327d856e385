"""Programs that are killed: started, waited for, killed without a warning."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO

LONG = 180.0  # seconds; nothing that is waited for takes as long


@dataclass(frozen=True, slots=True)
class Killed:
    """A kill, and what there was after it."""

    kind: str
    after: float  # seconds since the program was started
    broken: Sequence[str] = ()  # files that were half-written under their final names
    lost: float | None = None  # age of the oldest stroke that was missing, seconds; of painting
    equal: bool | None = None  # to what a run that was left alone gives; None: not ended yet
    went_on: bool = False  # with what an earlier kill had left
    trouble: str = ""  # anything else that should not be


class Victim:
    """A program in a process of its own; what it says goes to a file."""

    def __init__(
        self, command: Sequence[str], said: Path, environment: Mapping[str, str] | None = None
    ) -> None:
        self._said = said
        self._file: IO[bytes] = said.open("wb")
        self._process = subprocess.Popen(
            [sys.executable, *command],
            stdin=subprocess.DEVNULL,
            stdout=self._file,
            stderr=subprocess.STDOUT,
            env={**os.environ, "OMP_NUM_THREADS": "1", **(environment or {})},
        )
        self._begun = time.monotonic()

    def __enter__(self) -> Victim:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._process.kill()  # after Ctrl-C
        self._process.wait()
        self._file.close()

    @property
    def age(self) -> float:
        """Seconds since it was started."""
        return time.monotonic() - self._begun

    @property
    def has_ended(self) -> bool:
        """Whether it has ended by itself."""
        return self._process.poll() is not None

    def wait_until(self, done: Callable[[], bool]) -> None:
        """Wait until something has happened.

        Raises
        ------
        RuntimeError
            With the last words of the program, if it ends before, or takes too long.
        """
        until = time.monotonic() + LONG
        while not done():
            if self.has_ended or time.monotonic() > until:
                raise RuntimeError(f"It ended with {self._process.poll()}: {self.last_words()}")
            time.sleep(0.01)

    def live(self, seconds: float) -> None:
        """Let it live until it is so old, or has ended."""
        while self.age < seconds and not self.has_ended:
            time.sleep(0.002)

    def kill(self) -> bool:
        """Kill it; return whether it was still alive."""
        self._process.send_signal(signal.SIGKILL)
        return self._process.wait() == -signal.SIGKILL

    def end(self) -> int:
        """Wait until it has ended by itself; return its exit status."""
        return self._process.wait(LONG)

    def last_words(self, letters: int = 1500) -> str:
        """Return the end of what it has said."""
        return self._said.read_text(errors="replace")[-letters:]


def places(folder: Path) -> dict[str, str]:
    """Return an environment in which a program keeps its data in this folder, not the user's."""
    return {
        "XDG_DATA_HOME": str(folder / "data"),
        "XDG_CACHE_HOME": str(folder / "cache"),
        "NAPARI_UNET_MODELS": str(folder / "models"),
        "QT_API": "pyqt6",
    }
