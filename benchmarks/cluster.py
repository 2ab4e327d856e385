"""What a cluster costs, and that whoever dies changes nothing.

    python -m benchmarks.cluster                            # about five minutes on two cores
    python -m benchmarks.cluster --side 20000 --planes 1000 # about twenty
    python -m benchmarks.cluster --network tiny --side 3000 --planes 20

One plane and a stack of planes (OME-Zarr, uint16, cells everywhere) are segmented into OME-Zarr by
one process; by four workers, one of which is killed without a warning when a third is done; and by
a command that is killed and run again. All pixels are compared. Then follow the throughput of 1, 2
and 4 workers of one thread each, the bytes in the shared folder and of the result, the memory of
the largest worker, and the time that client and scheduler need for a task that does nothing; and
what all of that makes of a petavoxel.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.memory import make_image, make_tiny_model
from napari_unet.batch.cluster.connection import DaskPool, connected
from napari_unet.batch.cluster.orders import Order
from napari_unet.batch.cluster.window import Job, done_jobs
from napari_unet.batch.cluster.workers import Workers
from napari_unet.batch.events import FileSegmented, PartsDone
from napari_unet.batch.segmenter import Segmenter
from napari_unet.config import preset_of
from napari_unet.engine.network import pick_device
from napari_unet.engine.prediction import SegmentationPlan
from napari_unet.io.checkpoints import load_model
from napari_unet.io.images import open_image
from napari_unet.io.library import find_model
from napari_unet.io.shared_work import SHARED

KILLED_AT = 1 / 3  # of the tiles
PLANE_SIDE = 512  # of stacks of many planes, pixels
EMPTY_TASKS = 3000
ROWS = 1000  # compared at once
GIGA, PETA = 1e9, 1e15
JOB = 1 << 24  # pixels of a large image's jobs


def segmenter(model: str) -> Segmenter:
    path = find_model(model)
    loaded = load_model(path)
    preset = preset_of(loaded.network)
    return Segmenter(
        plan=SegmentationPlan(loaded, preset.objects, preset.tiling),
        name=path.stem,
        path=path,
        device=pick_device("cpu"),
        anew=True,
    )


def segment(how: Segmenter, image: Path, output: Path) -> Iterator[Any]:
    """Segment anew; yield what is told."""
    shutil.rmtree(output, ignore_errors=True)
    yield from how.segment(how.open(image), output)


def figures(how: Segmenter, image: Path, output: Path) -> dict[str, Any]:
    """Segment anew; return the figures."""
    began = time.monotonic()
    done = [told for told in segment(how, image, output) if isinstance(told, FileSegmented)]
    return {**done[-1].figures, "wall": time.monotonic() - began}


def different_pixels(one: Path, other: Path) -> int:
    """Return how many pixels of two results differ."""
    a, b = open_image(one).array, open_image(other).array
    assert a.shape == b.shape
    height = a.shape[-2]
    return sum(
        int((a[plane, top : top + ROWS] != b[plane, top : top + ROWS]).sum())
        for plane in range(a.shape[0])
        for top in range(0, height, ROWS)
    )


def size_of(folder: Path) -> int:
    """Return the bytes of all files in a folder, which may be written meanwhile."""
    total = 0
    for path, _, names in os.walk(folder):
        for name in names:
            try:
                total += Path(path, name).stat().st_size
            except FileNotFoundError:
                continue
    return total


def kill_a_worker(model: str, image: Path, output: Path) -> dict[str, Any]:
    """Let four workers segment an image, and kill one of them; return the figures."""
    killed, most = 0, 0
    with connected("local:4") as pool:
        client = pool._client  # noqa: SLF001  # to kill, one needs the process
        how = with_workers(segmenter(model), pool)
        for told in segment(how, image, output):
            if not isinstance(told, PartsDone):
                last = told
                continue
            most = max(most, size_of(output.with_name(output.name + SHARED)))
            if not killed and told.done >= KILLED_AT * told.total:
                killed = next(iter(client.run(os.getpid).values()))
                os.kill(killed, signal.SIGKILL)
    assert killed
    return {**last.figures, "shared_bytes": most}


def with_workers(how: Segmenter, pool: DaskPool) -> Segmenter:
    return replace(how, others=Workers(pool, "cpu"))


def kill_the_command(model: str, image: Path, output: Path) -> tuple[str, float]:
    """Kill the command line when some planes or tiles are there; return what it says run again."""
    command = [sys.executable, "-c", "from napari_unet.cli import main; main()", "segment"]
    command += [str(image), "--model", model, "--output", str(output), "--device", "cpu"]
    command += ["--cluster", "local:2", "--json"]
    shared = output.with_name(output.name + SHARED)
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        while process.poll() is None:
            files = [path for part in ("tiles", "planes") for path in (shared / part).rglob("*")]
            if sum(path.is_file() for path in files) > 5:
                process.kill()
            time.sleep(0.2)
        assert process.returncode == -signal.SIGKILL
    began = time.monotonic()
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    notes = [line for line in done.stderr.splitlines() if line.startswith("Going on")]
    return (notes or [done.stderr])[0], time.monotonic() - began


def nothing(order: Order) -> None:
    """Do nothing."""


class ManySlots(DaskPool):
    """Hands out as many jobs as for a cluster of 64 threads, so that no reply is waited for."""

    @property
    def slots(self) -> int:
        return 128


def seconds_per_task(pool: DaskPool, model: str, tasks: int) -> float:
    """Return what client and scheduler take for a task that does nothing."""
    order = Order.of(segmenter(model), "nothing", Path("model"), "cpu")
    jobs = iter(range(tasks + pool.slots))
    began, count = 0.0, 0

    def next_job() -> tuple[Job, bool] | None:
        return (Job(nothing, ()), False) if next(jobs, None) is not None else None

    for _, pending in done_jobs(next_job, pool, order):
        pool.result(pending)
        count += 1
        if count == pool.slots:
            began = time.monotonic()
    return (time.monotonic() - began) / (count - pool.slots)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--side", type=int, default=8000, help="of the one plane, pixels")
    parser.add_argument("--planes", type=int, default=200, help=f"of {PLANE_SIDE}x{PLANE_SIDE} px")
    parser.add_argument("--network", default="light", help="a model, or tiny")
    parser.add_argument("--workers", type=int, nargs="*", default=[1, 2, 4])
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="cluster-") as name:
        measure(Path(name), options)


def measure(folder: Path, options: argparse.Namespace) -> None:
    model = make_tiny_model(folder) if options.network == "tiny" else options.network
    images = [
        make_image(folder, planes, side)
        for planes, side in ((1, options.side), (options.planes, PLANE_SIDE))
        if planes and side
    ]
    print(f"{os.cpu_count()} cores", flush=True)
    for image in images:
        one_image(folder, model, image, options.workers)
    with connected("local:1") as pool:
        pool._client.wait_for_workers(1)  # noqa: SLF001
        overhead = seconds_per_task(ManySlots(pool._client), model, EMPTY_TASKS)  # noqa: SLF001
    print(f"client and scheduler: {1e3 * overhead:.2f} ms per task", flush=True)
    print(json.dumps({"seconds_per_task": overhead}))


def one_image(folder: Path, model: str, image: Path, workers: list[int]) -> None:
    """Measure one image."""
    alone, together = folder / "alone.zarr", folder / "together.zarr"
    pixels = math.prod(open_image(image).array.shape)
    print(f"\n{image.stem} px, {pixels / GIGA:.3f} gigapixels", flush=True)
    single = figures(segmenter(model), image, alone)
    tell(
        "one process",
        seconds=single["seconds"],
        mpx_s=pixels / single["seconds"] / 1e6,
        objects=single["objects"],
        result_bytes_px=size_of(alone) / pixels,
    )
    killed = kill_a_worker(model, image, together)
    tell(
        "four workers, one killed",
        seconds=killed["seconds"],
        different_pixels=different_pixels(alone, together),
        shared_bytes_px=killed["shared_bytes"] / pixels,
        worker_memory_mb=killed["worker_memory_mb"],
    )
    shutil.rmtree(together)
    note, again = kill_the_command(model, image, together)
    tell(
        "command killed and run again",
        says=note,
        seconds=again,
        different_pixels=different_pixels(alone, together),
    )
    for count in workers:
        with connected(f"local:{count}", threads=1) as pool:
            pool._client.wait_for_workers(count)  # noqa: SLF001
            found = figures(with_workers(segmenter(model), pool), image, together)
        busy = found["worker_seconds"]
        tell(
            f"{count} workers of one thread",
            seconds=found["seconds"],
            mpx_s=pixels / found["seconds"] / 1e6,
            worker_seconds_per_gigapixel=busy / pixels * GIGA,
            jobs=found["jobs"],
            worker_memory_mb=found["worker_memory_mb"],
        )


def tell(what: str, **found: Any) -> None:
    """Print a line."""
    values = (f"{n} {v:.3g}" if isinstance(v, float) else f"{n} {v}" for n, v in found.items())
    print(f"{what}: {', '.join(values)}", flush=True)


if __name__ == "__main__":
    main()
