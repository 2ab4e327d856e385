"""Failures that a person can mend: one sentence that says what is wrong and what to do."""

from __future__ import annotations

import platform

LIBRARY_FAILURES = (
    *(ImportError, OSError, AttributeError, LookupError, NameError),
    *(RuntimeError, SystemError, TypeError, ValueError),
)
"""What a library raises that is broken, or made for other versions of those that it needs."""


class UnetPaintError(Exception):
    """Base of every failure that is shown to the user; its text names the cure."""


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
