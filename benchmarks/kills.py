"""What is left when the program is killed at any moment? SIGKILL, then a new start, and a look.

    python -m benchmarks.kills --kills 200 --seed 0 --output kills.jsonl
    xvfb-run -s "-screen 0 1600x1200x24" python -m benchmarks.kills      # without a screen
    python -m benchmarks.kills --kinds exporting segmenting --kills 20
    python -m benchmarks.kills --tell kills.jsonl                        # the table

painting    a real window in which a person paints, trains, segments and exports; the next window
            brings the strokes back, and none that is older than five seconds may be missing
windows     a window that trains or segments, and the next one, in which *Resume* or *Continue* is
            pressed: the weights and the labels must be those of a window that was left alone
training    `napari-unet train`; resumed, it must end with the weights of a run that was left alone
segmenting  `napari-unet segment` into TIFF and OME-Zarr; continued, it must give the same labels
exporting   the window's export, which replaces older files; each must be the older or the new one

A kill comes at a random moment of the work, some of them while the program starts. No file may have
its final name and be half-written. What is in the file of `--output` is not done again.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np

from benchmarks.kill_commands import segmenting, training
from benchmarks.kill_exports import exporting
from benchmarks.kill_jobs import windows_segmenting, windows_training
from benchmarks.kill_painting import painting
from benchmarks.killing import Killed

Kind = Callable[[Path, int, np.random.Generator], Iterator[Killed]]

KINDS: dict[str, Kind] = {
    "painting": painting,
    "training": training,
    "segmenting": segmenting,
    "exporting": exporting,
    "training in a window": windows_training,
    "segmenting in a window": windows_segmenting,
}
OLDEST = 5.0  # seconds: an older stroke must not be lost


def campaign(kinds: Sequence[str], kills: int, seed: int, output: Path) -> None:
    """Kill so often, each kind the same number of times; write a line for each."""
    done = read(output) if output.exists() else []
    with output.open("a") as lines:
        for kind in kinds:
            before = sum(killed.kind == kind for killed in done)
            left = kills // len(kinds) - before
            if left <= 0:
                continue
            rng = np.random.default_rng([seed, before, *kind.encode()])
            with tempfile.TemporaryDirectory() as folder:
                for killed in KINDS[kind](Path(folder), left, rng):
                    lines.write(json.dumps(asdict(killed)) + "\n")
                    lines.flush()
                    print(killed, flush=True)


def tell(kills: Sequence[Killed]) -> int:
    """Print the table; return how many kills have done harm."""
    print(
        "| | kills | at, s | strokes lost, oldest | half-written | went on | equal after | other |"
    )
    print("|---|---|---|---|---|---|---|---|")
    for kind in KINDS:
        mine = [killed for killed in kills if killed.kind == kind]
        if not mine:
            continue
        at = [killed.after for killed in mine]
        lost = [killed.lost for killed in mine if killed.lost is not None]
        equal = [killed.equal for killed in mine if killed.equal is not None]
        oldest = f"{sum(x > OLDEST for x in lost)}, {max(lost):.1f} s" if lost else ""
        print(
            f"| {kind} | {len(mine)} | {min(at):.1f} to {max(at):.1f} | {oldest} "
            f"| {sum(bool(killed.broken) for killed in mine)} "
            f"| {sum(killed.went_on for killed in mine) or ''} "
            f"| {f'{sum(equal)} of {len(equal)}' if equal else ''} "
            f"| {sum(bool(killed.trouble) for killed in mine)} |"
        )
    return sum(does_harm(killed) for killed in kills)


def does_harm(killed: Killed) -> bool:
    """Return whether a kill has cost more than it may."""
    is_lost = killed.lost is not None and killed.lost > OLDEST
    return is_lost or bool(killed.broken) or killed.equal is False or bool(killed.trouble)


def read(path: Path) -> list[Killed]:
    """Return the kills of a file."""
    return [Killed(**json.loads(line)) for line in path.read_text().splitlines()]


def main() -> None:
    assert __doc__ is not None
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=200, help="of all kinds together")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=list(KINDS))
    parser.add_argument("--output", type=Path, default=Path("kills.jsonl"), help="a line per kill")
    parser.add_argument("--tell", type=Path, help="only print the table of such a file")
    wish = parser.parse_args()
    if wish.tell is None:
        campaign(wish.kinds, wish.kills, wish.seed, wish.output)
    harm = tell(read(wish.tell or wish.output))
    raise SystemExit(f"{harm} kills have done harm." if harm else 0)


if __name__ == "__main__":
    main()
