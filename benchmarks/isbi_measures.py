"""Score a stack of membrane maps as the ISBI 2012 challenge did.

    python -m benchmarks.isbi_measures MAP.tif TRUTH.tif [--membranes] [--reach PIXELS] [--json]

MAP holds the probability of cell (`--membranes`: of membrane), 0 to 1 or 8-bit, TRUTH 0 on
membranes; both (Z, Y, X) or (Y, X). Thresholds 0.0, 0.1, …, 0.9, the best for each measure;
`docs/method.md` says what each means. At most half a minute per ten sections of 512×512.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tifffile

from benchmarks.threshold_scan import Section, best_scores, scan_thresholds
from benchmarks.warping import near_borders


def sections(
    maps: npt.NDArray[Any], truths: npt.NDArray[Any], *, membranes: bool, reach: float | None
) -> Iterator[Section]:
    """Pair the sections of two stacks."""
    for values, truth in zip(maps, truths, strict=True):
        probability = values / np.float32(255) if values.dtype == np.uint8 else values
        cells = truth > 0
        yield Section(
            1 - probability if membranes else probability,
            cells,
            None if reach is None else near_borders(cells, reach),
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("map", type=Path)
    parser.add_argument("truth", type=Path)
    parser.add_argument("--membranes", action="store_true", help="the map is high on membranes")
    parser.add_argument("--reach", type=float, help="borders may move at most this far, pixels")
    parser.add_argument("--json", action="store_true", help="every threshold, as JSON")
    options = parser.parse_args()

    maps, truths = (tifffile.imread(path) for path in (options.map, options.truth))
    maps, truths = (stack[None] if stack.ndim == 2 else stack for stack in (maps, truths))
    scan = scan_thresholds(sections(maps, truths, membranes=options.membranes, reach=options.reach))
    best = best_scores(scan)
    if options.json:
        print(
            json.dumps(
                {
                    "best": {name: asdict(found) for name, found in best.items()},
                    "thresholds": [asdict(scores) for scores in scan],
                }
            )
        )
        return
    for name, found in best.items():
        print(f"{name:<20}{found.value:10.6f}   at {found.threshold:.1f}")


if __name__ == "__main__":
    main()
