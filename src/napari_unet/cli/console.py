"""Results on standard output, everything else on standard error; Ctrl-C ends work in order."""

from __future__ import annotations

import json
import math
import signal
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Any

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from napari_unet.engine.errors import printable
from napari_unet.io.failures import FileWarning

_SIGNAL_STATUS = 128  # exit status of a program that a signal ended: this plus its number

Update = Callable[[float, str], None]
"""Takes the finished share (0 to 1) and what is going on."""


def say(text: str) -> None:
    """Print a line on standard error."""
    typer.echo(printable(text), err=True)


@contextmanager
def saying_warnings() -> Iterator[None]:
    """Say what is odd about a file in a line of its own, without where in the code it was seen."""
    with warnings.catch_warnings():
        warnings.simplefilter("always", FileWarning)
        plain = warnings.showwarning

        def show_warning(message: Warning | str, category: type[Warning], *where: Any) -> None:
            if issubclass(category, FileWarning):
                say(f"Note: {message}")
            else:
                plain(message, category, *where)

        warnings.showwarning = show_warning  # type: ignore[assignment]  # where it was is passed on
        yield


def show(figures: Mapping[str, Any], *, as_json: bool) -> None:
    """Print results on standard output: one JSON object, or a line for each figure."""
    if as_json:
        typer.echo(json.dumps(_plain(figures), indent=2, allow_nan=False))
        return
    for line in _lines(figures):
        typer.echo(printable(line))


def show_table(rows: Sequence[Mapping[str, Any]]) -> None:
    """Print rows that have the same keys as a table with a heading, on standard output."""
    if not rows:
        return
    cells = [[name.replace("_", " ") for name in rows[0]]]
    cells += [[printable(_readable(value)) for value in row.values()] for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for line in cells:
        typer.echo("  ".join(f"{c:<{w}}" for c, w in zip(line, widths, strict=True)).rstrip())


def _plain(value: Any) -> Any:
    """Return the value as JSON knows it; a figure that does not exist (NaN) is null."""
    if isinstance(value, Mapping):
        return {str(key): _plain(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(entry) for entry in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, (bool, int, str)) else str(value)


def _lines(figures: Mapping[str, Any]) -> Iterator[str]:
    """Yield a line for each figure; those that hold figures themselves have theirs below."""
    names = [str(name).replace("_", " ") for name in figures]
    width = max(map(len, names), default=0)
    for name, value in zip(names, figures.values(), strict=True):
        if isinstance(value, Mapping) and value:
            yield name
            yield from (f"  {line}" for line in _lines(value))
        else:
            yield f"{name:<{width}}  {_readable(value)}"


def _readable(value: Any) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, Mapping):
        return " ".join(f"{key} {_readable(entry)}" for key, entry in value.items())
    if isinstance(value, (list, tuple)):
        nested = any(isinstance(entry, (Mapping, list, tuple)) for entry in value)
        return ("; " if nested else ", ").join(map(_readable, value)) or "–"
    return str(value)


@contextmanager
def progress_bar(title: str) -> Iterator[Update]:
    """Show a progress bar on standard error, if that is a terminal."""
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[state]}"),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task(title, total=1.0, state="")
        yield lambda share, state: bar.update(task, completed=share, state=state)


class Interruption:
    """Whether Ctrl-C (SIGINT) or SIGTERM asked for the work to end; call it to know."""

    def __init__(self) -> None:
        self._signal: int | None = None

    def __call__(self) -> bool:
        """Return True from the first signal on."""
        return self._signal is not None

    def request(self, number: int) -> None:
        """Remember the signal."""
        self._signal = number

    def exit_if_requested(self) -> None:
        """End the program as one that a signal ended: status 130 (SIGINT) or 143 (SIGTERM)."""
        if self._signal is not None:
            raise typer.Exit(_SIGNAL_STATUS + self._signal)


@contextmanager
def stop_on_signal(what_stays: str) -> Iterator[Interruption]:
    """Let the first signal ask for the end; a second one ends the program at once."""
    interruption = Interruption()
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    def ask_to_stop(number: int, _frame: FrameType | None) -> None:
        restore()
        if before[signal.SIGINT] is signal.SIG_DFL:  # a second one still removes what is half done
            signal.signal(signal.SIGINT, signal.default_int_handler)
        interruption.request(number)
        sys.stderr.write(f"\nStopping: {what_stays} Once more to end at once.\n")

    for number in before:
        signal.signal(number, ask_to_stop)
    try:
        yield interruption
    finally:
        restore()
