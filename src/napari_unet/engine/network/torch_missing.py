"""What to do when PyTorch cannot be loaded; knows nothing of torch itself."""

from __future__ import annotations

import platform


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
