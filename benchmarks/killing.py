"""Programs that are killed: started, waited for, killed without a warning."""

from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Protocol

LONG = 600.0  # seconds; nothing that is waited for takes as long


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


class Process(Protocol):
    """What a victim needs of its process."""

    def poll(self) -> int | None:
        """Return its exit status; None: it lives."""
        ...

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end, and return its exit status."""
        ...

    def kill(self) -> None:
        """Kill it."""
        ...


class Victim:
    """A program in a process of its own; what it says goes to a file."""

    def __init__(
        self, command: Sequence[str], said: Path, environment: Mapping[str, str] | None = None
    ) -> None:
        self._said = said
        self._file: IO[bytes] = said.open("wb")
        told = {"OMP_NUM_THREADS": "1", **(environment or {})}
        self._process = self._start(command, told)
        self._begun = time.monotonic()

    def _start(self, command: Sequence[str], environment: Mapping[str, str]) -> Process:
        return subprocess.Popen(
            [sys.executable, *command],
            stdin=subprocess.DEVNULL,
            stdout=self._file,
            stderr=subprocess.STDOUT,
            env={**os.environ, **environment},
        )

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
        self._process.kill()
        return self._process.wait() == -signal.SIGKILL

    def end(self) -> int:
        """Wait until it has ended by itself; return its exit status."""
        return self._process.wait(LONG)

    def last_words(self, letters: int = 1500) -> str:
        """Return the end of what it has said."""
        return self._said.read_text(errors="replace")[-letters:]


class Forked(Victim):
    """A function in a copy of this process, with the libraries that are loaded here."""

    def __init__(
        self, work: Callable[[], None], said: Path, environment: Mapping[str, str] | None = None
    ) -> None:
        self._work = work
        super().__init__((), said, environment)

    def _start(self, _command: Sequence[str], environment: Mapping[str, str]) -> Process:
        number = os.fork()
        if number:
            return _Copy(number)
        os.environ.update(environment)
        for stream in (1, 2):
            os.dup2(self._file.fileno(), stream)
        try:
            self._work()
        except BaseException:  # noqa: BLE001  # the copy must not go on as its parent does
            traceback.print_exc()
            sys.stderr.flush()
            os._exit(1)
        os._exit(0)


class _Copy:
    """A copy of this process."""

    def __init__(self, number: int) -> None:
        self._number = number
        self._status: int | None = None

    def poll(self) -> int | None:
        if self._status is None:
            ended, status = os.waitpid(self._number, os.WNOHANG)
            self._status = os.waitstatus_to_exitcode(status) if ended else None
        return self._status

    def wait(self, timeout: float | None = None) -> int:
        until = math.inf if timeout is None else time.monotonic() + timeout
        while (status := self.poll()) is None:
            if time.monotonic() > until:
                raise TimeoutError(f"it has not ended in {timeout} s")
            time.sleep(0.01)
        return status

    def kill(self) -> None:
        if self.poll() is None:
            os.kill(self._number, signal.SIGKILL)


def places(folder: Path) -> dict[str, str]:
    """Return an environment in which a program keeps its data in this folder, not the user's."""
    return {
        "XDG_DATA_HOME": str(folder / "data"),
        "XDG_CACHE_HOME": str(folder / "cache"),
        "NAPARI_UNET_MODELS": str(folder / "models"),
        "QT_API": "pyqt6",
    }
