"""Kills the window's export, which replaces older files, and looks at what is left.

python -m benchmarks.kill_exports FOLDER     # exports again and again, until it is killed
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import numpy as np

from benchmarks.killing import Killed, Victim
from napari_unet.engine.errors import UnetPaintError
from napari_unet.io.images import open_image
from napari_unet.io.stack import Layout
from napari_unet.ui.export.job import Export, export_files

EXPORTED = (4, 256, 256)
FILES = ("labels.tif", "labels.zarr")


def exporting(folder: Path, kills: int, rng: np.random.Generator) -> Iterator[Killed]:
    """Yield what each kill of an export has left: files of one version each."""
    at_least = dict.fromkeys(FILES, 0)
    for number in range(kills):
        with Victim(["-m", "benchmarks.kill_exports", str(folder)], folder / "said.txt") as victim:
            victim.wait_until((folder / "begun").exists)
            victim.live(victim.age + rng.uniform(0, 1.5))
            after = victim.age
            trouble = "" if victim.kill() else victim.last_words()
        broken = []
        for name in FILES:
            version = _version(folder / name)
            if version is None or version < at_least[name]:
                broken.append(f"{name}: {version} after {at_least[name]}")
            noted = folder / f"{name}.version"
            at_least[name] = int(noted.read_text()) if noted.exists() else 0
            if version is not None and version < at_least[name]:
                broken.append(f"{name}: {version}, but {at_least[name]} was told to be whole")
        (folder / "begun").unlink()
        if number == kills - 1:
            trouble = trouble or _swept(folder)
        yield Killed("exporting", after, broken, trouble=trouble)


def export_for_ever(folder: Path) -> None:
    """Export one version after the other over the last, and note which is said to be whole."""
    first = max(_version(folder / name) or 0 for name in FILES) + 1
    for version in count(first):
        _export(folder, version)
        (folder / "begun").touch()


def _export(folder: Path, version: int) -> None:
    labels = np.full(EXPORTED, version, np.uint16)
    for name in FILES:
        export = Export(folder / name, (labels,), Layout(EXPORTED, "ZYX", {}))
        for _ in export_files([export])(lambda: False):
            pass
        noted = folder / f"{name}.part"
        noted.write_text(str(version))
        noted.replace(folder / f"{name}.version")


def _version(path: Path) -> int | None:
    """Return the version that a file is whole of, 0 if there is none; None: it is mixed or cut."""
    try:
        stack = open_image(path).planes()
    except UnetPaintError:
        return None if path.exists() else 0
    try:
        whole = [stack.read(n, slice(0, EXPORTED[1]), slice(0, EXPORTED[2])) for n in range(4)]
    except UnetPaintError:
        return None
    values = np.unique(whole)
    return int(values[0]) if len(values) == 1 and stack.count == EXPORTED[0] else None


def _swept(folder: Path) -> str:
    """Export once more, and tell what is left beside the files."""
    _export(folder, 1 + max(_version(folder / name) or 0 for name in FILES))
    left = [path.name for path in folder.iterdir() if path.name.startswith(".")]
    return f"left behind: {', '.join(left)}" if left else ""


if __name__ == "__main__":
    export_for_ever(Path(sys.argv[1]))
