"""Failures that a person can mend: one sentence that says what is wrong and what to do."""

from __future__ import annotations

import platform
import re

LIBRARY_FAILURES = (
    *(ImportError, OSError, AttributeError, LookupError, NameError),
    *(RuntimeError, SystemError, TypeError, ValueError),
)
"""What a library raises that is broken, or made for other versions of those that it needs."""

NO_MEMORY = "There is not enough memory; close other programs, or take a smaller part of the image."
"""What is said of it, whatever was to be done."""

_LONGEST = 2000  # characters of a sentence; paths can have 1000 on some systems
_LONGEST_REASON = 200
# Control characters but tab and new line, those that turn the direction of a text, and halves of
# characters, which names of files may hold and no terminal can print.
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")

_TAG = re.compile(r"<(?=[A-Za-z/!?])")


def printable(text: str, longest: int = _LONGEST) -> str:
    """Return a text, which may come from a file, as terminals and windows show it letter by letter.

    It is shortened, and without what controls a terminal; Qt takes no tag in it at its word.

    Examples
    --------
    >>> printable("cells" + chr(27) + "[2J")
    'cells�[2J'
    >>> printable("1 < 2 <b>") == "1 < 2 <\N{WORD JOINER}b>"
    True
    """
    return _TAG.sub("<\N{WORD JOINER}", without_controls(text, longest))


def without_controls(text: str, longest: int = _LONGEST) -> str:
    """Return a text shortened, and without what controls a terminal; tags stay as they are."""
    short = text if len(text) <= longest else f"{text[: longest - 1]}…"
    return _CONTROLS.sub("�", short)


def reason_of(error: BaseException | str) -> str:
    """Return what a library says of a file, in one short line; the name of the error if nothing."""
    text = str(error)[: 4 * _LONGEST_REASON]
    return printable(" ".join(text.split()), _LONGEST_REASON) or type(error).__name__


class UnetPaintError(Exception):
    """Base of every failure that is shown to the user; its text names the cure."""

    def __init__(self, sentence: str = "") -> None:
        super().__init__(printable(sentence))


class ImageError(UnetPaintError):
    """The image cannot be used as it is."""


class LabelsError(UnetPaintError):
    """The painted labels cannot be trained on as they are."""


class SettingsError(UnetPaintError, ValueError):
    """A setting lies outside its limits."""


class FileError(UnetPaintError):
    """A file or folder cannot be read or written."""


class CheckpointError(FileError):
    """A checkpoint file cannot be used."""


class EngineError(UnetPaintError):
    """The computation failed on the device, for example for want of memory."""


class OutOfMemoryError(EngineError):
    """The device has too little memory for this."""


def first_line(error: BaseException) -> str:
    """Return what went wrong, without the pages that may follow."""
    return str(error).partition("\n")[0] or type(error).__name__


def torch_cure(error: BaseException) -> str:
    """Return the command that mends an import of torch that failed like this."""
    if isinstance(error, ModuleNotFoundError):
        return "pip install torch"
    if isinstance(error, OSError) and platform.system() == "Windows":
        return "winget install Microsoft.VCRedist.2015+.x64"  # which torch's libraries need
    return "pip install --force-reinstall torch"
