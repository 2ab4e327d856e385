"""What many small files take beside their network, and that a kill half-way changes nothing.

    python -m benchmarks.many_files                         # under ten minutes on two cores
    python -m benchmarks.many_files --files 20 --turns 2 --mixed 40
    xvfb-run -a python -m benchmarks.many_files --turns 0 --window

First, in turns, some files of one size are segmented into a folder, together and one at a time, the
same planes as one stack, and the network alone computes them; told are the medians. Then files of
mixed shapes, types and numbers of planes, two of them broken, go through the command line, or
through the window: once undisturbed, with the resident memory as it goes on; once killed without a
warning when half of the results are there, and run again. All results of both are compared: every
pixel, every table.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple
from unittest.mock import patch

import numpy as np
import psutil  # type: ignore[import-untyped]
import tifffile

from napari_unet.batch import files as batch
from napari_unet.batch.segmenter import Segmenter
from napari_unet.config import ObjectsConfig
from napari_unet.engine.network import pick_device
from napari_unet.engine.network.unet import stride
from napari_unet.engine.prediction import SegmentationPlan
from napari_unet.engine.stack import ArrayPlanes, cut_plane
from napari_unet.engine.stack.normalization import measure
from napari_unet.engine.stack.tiles import read_mirrored
from napari_unet.io.checkpoints import load_model
from napari_unet.io.input_files import InputFile, find_inputs
from napari_unet.io.library import find_model
from napari_unet.io.provenance_files import read_provenance
from napari_unet.io.samples import synthetic_cells

BROKEN = 2  # files among those of mixed shapes
SAMPLE = 0.1  # seconds between two looks at the memory
LONG = 400  # seconds for a run at most


def make_alike(folder: Path, count: int, side: int) -> None:
    """Write files of one plane of touching cells each."""
    folder.mkdir()
    cells = synthetic_cells(seed=1, planes=4, shape=(side, side)).image
    for number in range(count):
        plane = np.roll(cells[number % len(cells)], 7 * number, axis=0)
        tifffile.imwrite(folder / f"{number:04}.tif", plane, photometric="minisblack")


def make_mixed(folder: Path, count: int, seed: int) -> None:
    """Write stacks of 1 to 4 planes, 60 to 900 pixels per side; some are packed, two broken."""
    rng = np.random.default_rng(seed)
    cells = synthetic_cells(seed=2, planes=4, shape=(900, 900)).image
    for number in range(count):
        height, width = (int(n) for n in np.exp(rng.uniform(np.log(60), np.log(900), 2)))
        stack = cells[: rng.integers(1, 5), :height, :width] // int(rng.integers(1, 4))
        if number % 3 == 0:
            stack = (stack // 16).astype(np.uint8)
        path = folder / f"day {number % 3}" / f"{number:04}.tif"
        path.parent.mkdir(parents=True, exist_ok=True)
        packed = "zlib" if number % 2 else None
        tifffile.imwrite(path, stack, photometric="minisblack", compression=packed)
        if number < BROKEN:
            path.write_bytes(path.read_bytes()[: 40 * number])


class Spent(NamedTuple):
    """What some work took, seconds."""

    time: float
    processor: float  # of all threads: it says more than the time where others compute, too


@dataclass(slots=True)
class Turns:
    """What each way to do it took in each turn."""

    together: list[Spent] = field(default_factory=list)
    one_by_one: list[Spent] = field(default_factory=list)
    one_stack: list[Spent] = field(default_factory=list)
    network: list[Spent] = field(default_factory=list)


class Watch:
    """Tells what was spent since it was made."""

    def __init__(self) -> None:
        self._begun = time.perf_counter(), time.process_time()

    def spent(self) -> Spent:
        return Spent(time.perf_counter() - self._begun[0], time.process_time() - self._begun[1])


def measure_overhead(folder: Path, count: int, side: int, turns: int, model: str) -> Turns:
    """Segment files of one size in turns with what else takes time; the network is warm."""
    path = find_model(model)
    segmenter = Segmenter(
        plan=SegmentationPlan(load_model(path), ObjectsConfig()),
        name=path.stem,
        path=path,
        device=pick_device("auto"),
    )
    make_alike(folder / "in", count, side)
    files = find_inputs([folder / "in"], folder / "out")
    planes = np.stack([tifffile.imread(file.path) for file in files])
    tifffile.imwrite(folder / "stack.tif", planes, photometric="minisblack")
    alone(segmenter, planes[:1])
    found = Turns()
    for _ in range(turns):
        found.network.append(alone(segmenter, planes))
        found.together.append(into_folder(segmenter, files, folder))
        with patch.object(batch, "files_at_once", lambda: 1):
            found.one_by_one.append(into_folder(segmenter, files, folder))
        found.one_stack.append(as_stack(segmenter, folder))
    return found


def alone(segmenter: Segmenter, planes: np.ndarray) -> Spent:
    """Let the network compute planes that are normalised already."""
    model, backend = segmenter.plan.model, segmenter.backend
    assert backend is not None
    ready = []
    for plane in planes:
        whole = ArrayPlanes(plane[np.newaxis])
        seen = model.seen(whole).image(whole)
        range_ = measure(seen, trained=model.normalization)
        rows, columns = (slice(0, n) for n in seen.shape)
        grey = range_.apply(seen.read(0, rows, columns))  # (1, Y, X)
        ready.append(ArrayPlanes(grey[:, np.newaxis], channel_axis=0))
    step = stride(model.network.levels)
    tiles = cut_plane(ready[0].shape, max(step, backend.usual_side // step * step), step)
    watch = Watch()
    for one in ready:
        for tile in tiles:
            backend.tiler.predict(lambda wanted, one=one: read_mirrored(one, 0, wanted), tile)  # type: ignore[misc]
    return watch.spent()


def into_folder(segmenter: Segmenter, files: list[InputFile], folder: Path) -> Spent:
    """Segment the files into a new folder."""
    watch = Watch()
    for _ in batch.segment_files(files, folder / "out", segmenter):
        pass
    spent = watch.spent()
    shutil.rmtree(folder / "out")
    return spent


def as_stack(segmenter: Segmenter, folder: Path) -> Spent:
    """Segment the same planes as one file."""
    watch = Watch()
    opened = segmenter.open(folder / "stack.tif")
    for _ in segmenter.segment(opened, folder / "out.tif", backend=segmenter.backend):
        pass
    spent = watch.spent()
    for path in folder.glob("out.tif*"):
        path.unlink()
    return spent


class Job(NamedTuple):
    """What is segmented by what."""

    folder: Path  # its "in" holds the images
    model: str
    in_window: bool

    def command(self, output: Path) -> list[str]:
        """Return how a process of its own is started."""
        images = str(self.folder / "in")
        if self.in_window:
            words = ["-m", "benchmarks.files_in_window", images, str(output)]
        else:
            main = "from napari_unet.cli import main; main()"
            words = ["-c", main, "segment", images, "--output", str(output), "--tables"]
        return [sys.executable, *words, "--model", self.model]


@contextmanager
def process_of(job: Job, output: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Segment a folder in a process of its own, whose unfinished work lies below the folder."""
    folder = job.folder
    with (folder / "said.txt").open("ab") as said:
        process = subprocess.Popen(
            job.command(output),
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            env={**os.environ, "XDG_DATA_HOME": str(folder / "data")},
        )
        try:
            yield process
        finally:
            process.kill()
            process.wait()


def run_through(job: Job, output: Path) -> list[tuple[int, float]]:
    """Run to the end; return the results that were there, and megabytes resident, as it went on."""
    seen: list[tuple[int, float]] = []
    with process_of(job, output) as process:
        watched = psutil.Process(process.pid)
        until = time.monotonic() + LONG
        while process.poll() is None and time.monotonic() < until:
            try:
                seen.append((results_in(output), watched.memory_info().rss / 1e6))
            except psutil.NoSuchProcess:
                break
            time.sleep(SAMPLE)
        status = process.wait(LONG)
    assert status == 1, f"status {status}: see {job.folder / 'said.txt'}"  # two files are broken
    return seen


def kill_half_way(job: Job, output: Path, count: int) -> int:
    """Kill a run when half of the results are there; return how many there were."""
    with process_of(job, output) as process:
        until = time.monotonic() + LONG
        while results_in(output) < count // 2 and time.monotonic() < until:
            assert process.poll() is None, f"it has ended: see {job.folder / 'said.txt'}"
            time.sleep(SAMPLE / 10)
        process.kill()
    return results_in(output)


def results_in(output: Path) -> int:
    """Return the number of results that have their names."""
    return sum(1 for path in output.rglob("*.tif") if not path.name.startswith("."))


def differences(one: Path, other: Path) -> list[str]:
    """Return the files of two folders that differ: pixels, tables, what made them, or at all."""
    names = [{p.relative_to(f) for p in f.rglob("*") if p.is_file()} for f in (one, other)]
    found = [f"{name}: only in one" for name in sorted(names[0] ^ names[1])]
    for name in sorted(names[0] & names[1]):
        first, second = one / name, other / name
        if name.suffix == ".tif":
            same = np.array_equal(tifffile.imread(first), tifffile.imread(second))
            same &= _made(first) == _made(second)
        elif name.suffix == ".csv" and name.stem != "summary":
            same = first.read_bytes() == second.read_bytes()
        else:
            continue  # when, and in how many seconds
        found += [] if same else [f"{name}: differs"]
    return found


def _made(path: Path) -> tuple[object, ...]:
    own = read_provenance(path)
    beside = read_provenance(path.with_name(f"{path.name}.json"))
    assert own == beside, path
    return own.image.hash, own.model.hash, own.planes, own.objects, own.tiling


def tell_overhead(found: Turns, count: int, side: int) -> None:
    """Print seconds per file, and by how much they are more than the network's."""
    print(f"{count} files of {side}×{side} px, medians of {len(found.network)} turns, per plane:")
    rows = {
        "network alone": found.network,
        f"into a folder, {batch.files_at_once()} at once": found.together,
        "into a folder, one by one": found.one_by_one,
        "as one stack": found.one_stack,
    }
    usual = _medians(found.network)
    for name, spent in rows.items():
        each = _medians(spent)
        more = [
            f"{1e3 * s / count:7.1f} ms {s / u - 1:+7.1%}" for s, u in zip(each, usual, strict=True)
        ]
        print(f"  {name:<28} {more[0]}, processor {more[1]}")


def _medians(spent: list[Spent]) -> Spent:
    return Spent(*(statistics.median(part) for part in zip(*spent, strict=True)))


def tell_memory(seen: list[tuple[int, float]], count: int) -> None:
    """Print the memory of each tenth of the files: the most that was seen meanwhile."""
    tenths = [[mb for done, mb in seen if done * 10 // max(1, count) == t] for t in range(10)]
    told = " ".join(f"{max(tenth):.0f}" if tenth else "–" for tenth in tenths)
    print(f"resident MB, the most in each tenth of {count} files: {told}")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--files", type=int, default=40, help="of one size")
    parser.add_argument("--side", type=int, default=512, help="of these, pixels")
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--mixed", type=int, default=200, help="files of mixed shapes; 0: none")
    parser.add_argument("--model", default="light")
    parser.add_argument("--window", action="store_true", help="not through the command line")
    arguments = parser.parse_args()
    print(f"load {os.getloadavg()[0]:.1f}, {os.cpu_count()} cores, {time.strftime('%Y-%m-%d')}")
    if arguments.turns:
        with tempfile.TemporaryDirectory() as name:
            found = measure_overhead(
                Path(name), arguments.files, arguments.side, arguments.turns, arguments.model
            )
            tell_overhead(found, arguments.files, arguments.side)
    if not arguments.mixed:
        return
    with tempfile.TemporaryDirectory() as name:
        job = Job(Path(name), arguments.model, arguments.window)
        sys.exit(not is_same_after_a_kill(job, arguments.mixed))


def is_same_after_a_kill(job: Job, count: int) -> bool:
    """Segment files undisturbed, and killed and run again; tell whether both gave the same."""
    folder = job.folder
    make_mixed(folder / "in", count, seed=0)
    begun = time.monotonic()
    seen = run_through(job, folder / "undisturbed")
    where = "in the window" if job.in_window else "on the command line"
    print(f"{count} files of mixed shapes {where} in {time.monotonic() - begun:.0f} s")
    tell_memory(seen, count)
    there = kill_half_way(job, folder / "killed", count)
    run_through(job, folder / "killed")
    different = differences(folder / "undisturbed", folder / "killed")
    print(f"killed after {there} results and run again: {len(different)} files differ")
    print("\n".join(f"  {line}" for line in different))
    return not different


if __name__ == "__main__":
    main()
