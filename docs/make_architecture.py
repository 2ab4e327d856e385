"""Draw the rooms of the code and the imports between them: `python -m docs.make_architecture`.

Each contract of `pyproject.toml` becomes a picture, `docs/images/rooms-NUMBER.svg`: a row for each
floor, a box for each room, and a line to each lower room that it imports from.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from xml.sax.saxutils import escape

import grimp

from benchmarks.session import PICTURES
from tools.rooms import PACKAGE, Floors, read_floors

_WIDTH, _ROW, _HEIGHT = 880, 74, 34  # pixels: of the picture, from floor to floor, of a box
_LETTER = 7.6  # width of a letter, pixels
_STYLE = (
    "text{font:13px sans-serif;fill:#24292f;text-anchor:middle}"
    "rect{fill:#eef3fa;stroke:#5b7db1}path{stroke:#5b7db1;fill:none;opacity:.45}"
)

Box = tuple[float, float, float]
"""Middle x, top y, width; pixels."""


def main() -> None:
    """Draw all of them."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--pictures", type=Path, default=PICTURES)
    wish = parser.parse_args()
    for name, picture in pictures():
        (wish.pictures / name).write_text(picture, "utf-8")


def pictures() -> Iterator[tuple[str, str]]:
    """Yield the name of each file, and what it holds."""
    graph = grimp.build_graph(PACKAGE)
    for number, floors in enumerate(read_floors(), start=1):
        yield f"rooms-{number}.svg", draw(floors, sorted(arrows(floors, graph)))


def arrows(floors: Floors, graph: grimp.ImportGraph) -> set[tuple[str, str]]:
    """Return the rooms that import from another: (above, below)."""
    found = set()
    for module in graph.modules:
        above = floors.room(module)
        for other in graph.find_modules_directly_imported_by(module):
            below = floors.room(other)
            if above and below and above != below:
                found.add((above, below))
    return found


def draw(floors: Floors, lines: list[tuple[str, str]]) -> str:
    """Return the picture, SVG."""
    boxes = dict(_boxes(floors))
    height = _ROW * len(floors.floors)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}">',
        f"<style>{_STYLE}</style>",
        '<rect width="100%" height="100%" style="fill:#fff;stroke:none"/>',  # on dark pages, too
    ]
    for above, below in lines:
        (x, y, _), (to_x, to_y, _) = boxes[above], boxes[below]
        bend = (y + _HEIGHT + to_y) / 2
        parts.append(
            f'<path d="M{x:.0f} {y + _HEIGHT:.0f} C{x:.0f} {bend:.0f} {to_x:.0f} {bend:.0f} '
            f'{to_x:.0f} {to_y:.0f}"/>'
        )
    for room, (x, y, width) in boxes.items():
        parts.append(
            f'<rect x="{x - width / 2:.0f}" y="{y:.0f}" width="{width:.0f}" height="{_HEIGHT}" '
            'rx="5"/>'
        )
        name = escape(room.rpartition(".")[2])
        parts.append(f'<text x="{x:.0f}" y="{y + 22:.0f}">{name}</text>')
    return "\n".join([*parts, "</svg>", ""])


def _boxes(floors: Floors) -> Iterator[tuple[str, Box]]:
    for level, rooms in enumerate(floors.floors):
        share = _WIDTH / len(rooms)
        for index, room in enumerate(rooms):
            width = min(share - 8, _LETTER * len(room.rpartition(".")[2]) + 22)
            yield room, (share * (index + 0.5), level * _ROW + 4, width)


if __name__ == "__main__":
    main()
