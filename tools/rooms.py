"""List the rooms of the code, top floor first, and the arrows between them; fail if one goes up.

    python tools/rooms.py

A room is a layer of a contract in `pyproject.toml`; an arrow is an import, counted by importing
files. Imports for types only count, too: a reader follows them all the same. Exit status
1: an arrow leads to a higher room, or to another one on the same floor.
"""

from __future__ import annotations

import sys
import tomllib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grimp

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = "napari_unet"


@dataclass(frozen=True, slots=True)
class Floors:
    """The rooms of one contract: each floor holds one or several that do not know each other."""

    title: str
    floors: tuple[tuple[str, ...], ...]  # full names, top first

    def level(self, module: str) -> int | None:
        """Return the floor of a module, None if it is in none of the rooms."""
        room = self.room(module)
        return next((i for i, floor in enumerate(self.floors) if room in floor), None)

    def room(self, module: str) -> str | None:
        """Return the room of a module, None if it is in none."""
        rooms = [r for floor in self.floors for r in floor if f"{module}.".startswith(f"{r}.")]
        return max(rooms, key=len, default=None)


def main() -> None:
    """Print every contract's rooms and arrows."""
    graph = grimp.build_graph(PACKAGE)
    wrong = [line for floors in read_floors() for line in show(floors, graph)]
    print("\n".join(["", *wrong] if wrong else ["", "No arrow goes up."]))
    sys.exit(bool(wrong))


def read_floors() -> Iterator[Floors]:
    """Yield the layered contracts of `pyproject.toml`."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    for contract in settings["tool"]["importlinter"]["contracts"]:
        if contract["type"] != "layers":
            continue
        for container in contract.get("containers", [""]):
            prefix = f"{container}." if container else ""
            floors = tuple(
                tuple(prefix + name.strip() for name in layer.replace("|", ":").split(":"))
                for layer in contract["layers"]
            )
            yield Floors(contract["name"], floors)


def show(floors: Floors, graph: Any) -> Iterator[str]:
    """Print the rooms of one contract; yield the arrows that go up, or to the side."""
    arrows = count_arrows(floors, graph)
    print(f"\n{floors.title}\n")
    for floor in floors.floors:
        for room in floor:
            files, lines = measure(room)
            below = [f"{short(to)} ({n})" for (own, to), n in sorted(arrows.items()) if own == room]
            size = f"{files:3} files {lines:6} lines"
            print(f"  {short(room):14} {size}  → {', '.join(below) or '–'}")
    for own, target in arrows:
        upper, lower = floors.level(own), floors.level(target)
        if upper is not None and lower is not None and upper >= lower:
            yield f"This arrow does not go down: {own} → {target}"


def count_arrows(floors: Floors, graph: Any) -> Counter[tuple[str, str]]:
    """Return how many files of a room import another room of the same contract."""
    importers = {
        (module, floors.room(module), floors.room(imported))
        for module in graph.modules
        for imported in graph.find_modules_directly_imported_by(module)
    }
    return Counter(
        (own, target) for _, own, target in importers if own and target and own != target
    )


def measure(room: str) -> tuple[int, int]:
    """Return files and lines of a room."""
    path = ROOT / "src" / Path(*room.split("."))
    files = sorted(path.rglob("*.py")) if path.is_dir() else [path.with_suffix(".py")]
    return len(files), sum(len(file.read_text("utf-8").splitlines()) for file in files)


def short(room: str) -> str:
    """Return the last word of a room's name."""
    return room.rpartition(".")[2]


if __name__ == "__main__":
    main()
