"""Which side of tiles is fastest on this machine, kept from one run to the next."""

from __future__ import annotations

import json
from collections import UserDict
from contextlib import suppress
from pathlib import Path

import platformdirs

from napari_unet.engine.errors import FileError
from napari_unet.io.replacing import replacing

__all__ = ["KeptSides"]


class KeptSides(UserDict[str, int]):
    """The fastest side of tiles for each way to compute, pixels; see `engine.tile_trial`.

    They are read from a file of the user's cache and written to it whenever one is found. A file
    that cannot be read counts as empty, and where none can be written they are kept in memory:
    what is lost is a short trial.
    """

    def __init__(self) -> None:
        super().__init__()
        self._path = platformdirs.user_cache_path("napari-unet-paint") / "tiles.json"
        self.data.update(_read(self._path))

    def __setitem__(self, way: str, side: int) -> None:
        """Keep a side, beside those that other programs have found meanwhile."""
        self.data.update({**_read(self._path), way: side})
        with suppress(OSError, FileError):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with replacing(self._path) as file:
                file.write_text(json.dumps(self.data, indent=1), encoding="utf-8")


def _read(path: Path) -> dict[str, int]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    if not isinstance(found, dict):
        return {}
    return {way: side for way, side in found.items() if isinstance(side, int) and side > 0}
