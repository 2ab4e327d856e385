"""The models that come with the package: safetensors files in its folder `weights`."""

from __future__ import annotations

from pathlib import Path

DEFAULT = "light"
"""Name of the bundled model that training starts from if nobody chooses another."""

_WEIGHTS = Path(__file__).parents[1] / "weights"


def bundled_models() -> list[Path]:
    """Return the files of the models in the package, the default one first; there may be none."""
    paths = _WEIGHTS.glob("*.safetensors")
    return sorted(paths, key=lambda path: (path.stem != DEFAULT, path.stem))


def find_bundled(name: str) -> Path | None:
    """Return the file of the bundled model of this name, None if there is none."""
    return next((path for path in bundled_models() if name in (path.stem, path.name)), None)
