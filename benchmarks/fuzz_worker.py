"""The process that reads inputs, with limits, and says what became of each."""

from __future__ import annotations

import faulthandler
import json
import os
import re
import resource
import shutil
import signal
import sys
import tempfile
import traceback
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from benchmarks.fuzz_mutations import Input
from benchmarks.fuzz_readers import READERS, Refusal, make_input
from napari_unet.engine.errors import UnetPaintError, printable
from napari_unet.io.failures import FileWarning
from napari_unet.io.process import MARK

LIMIT = 10  # seconds of an input on the processor
_PATIENCE = 60  # seconds on the clock: others may be at work
MOST = 600  # MB of an input
_ADDRESSES = 6 * 2**30  # bytes above what the process has at its start: it must not take them all
_LONGEST = 2100  # characters of a sentence, as `engine.errors` cuts them
_PROGRAMS = ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.fork")
_REACHING = ("socket.connect", "socket.getaddrinfo", "pickle.find_class", *_PROGRAMS)
# What is opened where ".." in a command line asks for it: the summaries, before the work, to learn
# whether another program has locked them; files on their way to their names; and, to wait until the
# disk knows these names, the folder itself.
_ASKED_FOR = {"words": rf"(/(summary\.(json|csv)|\.[^/]+\.{MARK}-[0-9a-f]{{8}}\.part))?"}
_SYSTEM = ("/usr", "/lib", "/etc/ld", "/etc/local", "/proc", "/sys", "/dev", "/etc/mime")


@dataclass(frozen=True)
class Outcome:
    """What became of an input.

    Parameters
    ----------
    kind
        "opened", "refused", or a fault.
    where
        What faults of one kind have in common.
    """

    number: int
    kind: str
    where: str = ""
    details: str = ""

    def told(self) -> dict[str, str]:
        """Return it for a fault's report."""
        return {"kind": self.kind, "where": self.where, "details": self.details}


def work(name: str, seed: int, start: int, stop: int, writer: int, last_words: IO[str]) -> None:
    """Read inputs, tell each outcome, and end this process; one that hangs ends with its stack."""
    os.dup2(last_words.fileno(), 2)
    faulthandler.enable(last_words)
    faulthandler.register(signal.SIGPROF, last_words, chain=True)  # and then it ends
    limit_memory()
    with os.fdopen(writer, "w") as tell, tempfile.TemporaryDirectory() as folder:
        for number in range(start, stop):
            signal.setitimer(signal.ITIMER_PROF, LIMIT)
            faulthandler.dump_traceback_later(_PATIENCE, exit=True, file=last_words)
            place = Path(folder) / str(number)
            outcome = read_input(name, make_input(name, seed, number), place, number)
            faulthandler.cancel_dump_traceback_later()
            signal.setitimer(signal.ITIMER_PROF, 0)
            shutil.rmtree(place, ignore_errors=True)
            tell.write(json.dumps(vars(outcome)) + "\n")
            tell.flush()
            if outcome.kind == "memory":
                break  # the next input is measured from a fresh start
    os._exit(0)


def limit_memory() -> None:
    """Let this process take some gigabytes more than it has, and leave no core when it dies."""
    resource.setrlimit(resource.RLIMIT_AS, (_used("VmSize") + _ADDRESSES,) * 2)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def read_input(name: str, files: Input, folder: Path, number: int) -> Outcome:
    """Put an input into a folder, read it there, and say what became of it."""
    _put(files, folder)
    os.chdir(folder)
    before = _peak()
    watch = _Watch(folder, _ASKED_FOR.get(name))
    warned: list[warnings.WarningMessage] = []
    try:
        with warnings.catch_warnings(record=True, action="always") as warned:
            watch.on = True
            READERS[name].read(folder)
        outcome = Outcome(number, "opened")
    except (UnetPaintError, Refusal) as error:
        outcome = _refused(number, error)
    except Exception as error:  # noqa: BLE001 whatever it is, it is a fault
        outcome = Outcome(number, "traceback", _place(error), traceback.format_exc()[-4000:])
    finally:
        watch.on = False
    strange = [told for told in warned if not issubclass(told.category, FileWarning)]
    if strange and outcome.kind in ("opened", "refused"):
        outcome = Outcome(
            number, outcome.kind, f"{strange[0].category.__name__}: {strange[0].message!s:.90}"
        )
    if watch.seen:
        return Outcome(number, "reach", watch.seen[0])
    if outcome.kind in ("opened", "refused") and (grown := _peak() - before) > MOST:
        return Outcome(number, "memory", outcome.where or outcome.kind, f"{grown:.0f} MB")
    return outcome


def _put(files: Input, folder: Path) -> None:
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def _refused(number: int, error: Exception) -> Outcome:
    """Return a refusal, or the fault that its sentence is none or that memory ran out before it."""
    text = str(error)
    is_sentence = (
        text.endswith((".", ")", "…")) and "\n" not in text.strip() and len(text) <= _LONGEST
    )
    if not is_sentence or printable(text) != text:
        return Outcome(number, "sentence", f"{type(error).__name__}: {text[:300]!r}")
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, MemoryError):
            return Outcome(number, "memory", _place(cause), text)
        cause = cause.__cause__ or cause.__context__
    return Outcome(number, "refused")


def _place(error: BaseException) -> str:
    """Return the error and the last line of this package that it went through."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if "napari_unet" in frame.filename]
    last = [f"{Path(frame.filename).name}:{frame.lineno}" for frame in (*ours[-1:], *frames[-1:])]
    return f"{type(error).__name__} at {' < '.join(last)}"


def _peak() -> float:
    """Return the most memory that this process has had, MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _used(key: str) -> int:
    """Return a figure of this process, bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(key))


class _Watch:
    """Sees files elsewhere, sockets and programs that are opened while an input is read."""

    _current: _Watch | None = None

    def __init__(self, folder: Path, asked_for: str | None = None) -> None:
        self.on = False
        self._asked_for = asked_for and re.escape(os.path.realpath(folder.parent)) + asked_for
        self.seen: list[str] = []
        self._own = (str(folder), *map(os.path.realpath, (sys.prefix, sys.base_prefix, *sys.path)))
        if _Watch._current is None:
            sys.addaudithook(_Watch._note)
        _Watch._current = self

    def _may_open(self, path: str) -> bool:
        is_asked_for = self._asked_for is not None and re.fullmatch(self._asked_for, path)
        return path.startswith((*self._own, *_SYSTEM)) or bool(is_asked_for)

    @staticmethod
    def _note(event: str, told: tuple[Any, ...]) -> None:
        watch = _Watch._current
        if watch is None or not watch.on:
            return
        if event in _REACHING:
            watch.seen.append(f"{event} {told!r:.200}")
        elif event == "open" and isinstance(told[0], str | bytes):
            path = os.path.realpath(os.fsdecode(told[0]))
            if not watch._may_open(path):  # noqa: SLF001 its own hook
                watch.seen.append(f"open {path} {told[1]}")
