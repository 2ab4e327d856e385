"""Where results go: whether a file can be written there is learnt before hours of work."""

from __future__ import annotations

from pathlib import Path

from napari_unet.engine.errors import SettingsError
from napari_unet.io.replacing import check_writable


def check_output(path: Path, *, suffixes: tuple[str, ...], inputs: tuple[Path, ...] = ()) -> None:
    """Make sure, before hours of work, that a file can be written there.

    Raises
    ------
    SettingsError
        If the name ends otherwise, or is that of an input.
    FileError
        If the folder does not exist or is read-only, or the name is too long.
    """
    if path.suffix.lower() not in suffixes:
        raise SettingsError(f"'{path}' must end in {' or '.join(suffixes)}; rename the output.")
    if any(path.resolve() == other.resolve() for other in inputs):
        raise SettingsError(f"'{path}' is the input itself; give the output another name.")
    check_writable(path)
