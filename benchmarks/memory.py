"""How much memory a segmentation takes, seen from outside the process.

    python -m benchmarks.memory [--sides 2000 5000 20000] [--planes 10 100 1000] [--kind labels]
    python -m benchmarks.memory --network tiny      # the memory of everything but the network, soon

Generated images (OME-Zarr, uint16, cells everywhere) are segmented by the command line into TIFF
and zarr. Every 20 ms the resident memory of the process and its children is read; the figure is
the highest reading above that of the same command on one small plane, which loads the same
libraries and network.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil  # type: ignore[import-untyped]
import zarr

from napari_unet.config import NetworkConfig, Task
from napari_unet.engine.model import fresh_model
from napari_unet.engine.normalize import Normalization
from napari_unet.io.checkpoints import save_model
from napari_unet.io.samples import synthetic_cells
from napari_unet.io.write_zarr import ome_metadata

BLOCK = 1000  # pixels; the cells repeat
PLANE_SIDE = 512  # of stacks of many planes, pixels
SMALL = 256  # pixels; what the libraries take is measured on
PAUSE = 0.02  # seconds
BRIGHT = -0.2  # grey value, normalised: what is brighter is a cell to the tiny network
STEEPNESS = 20.0  # of its probability
MEGABYTE = 1 << 20


def make_image(folder: Path, planes: int, side: int) -> Path:
    """Write a stack of planes full of cells, and return its path."""
    path = folder / f"{planes}x{side}.zarr"
    cells = synthetic_cells(seed=1, planes=1, shape=(BLOCK, BLOCK)).image[0]
    group = zarr.open_group(str(path), mode="w", zarr_format=3)
    group.attrs["ome"] = ome_metadata("ZYX", {}, path.stem, is_labels=False)
    array = group.create_array(
        "0",
        shape=(planes, side, side),
        chunks=(1, min(side, BLOCK), min(side, BLOCK)),
        dtype=np.uint16,
    )
    for plane in range(planes):
        for y in range(0, side, BLOCK):
            for x in range(0, side, BLOCK):
                rows, columns = min(BLOCK, side - y), min(BLOCK, side - x)
                array[plane, y : y + rows, x : x + columns] = cells[:rows, :columns]
    return path


def make_tiny_model(folder: Path) -> str:
    """Write a network that costs next to nothing and finds the cells by their brightness."""
    network = NetworkConfig(name="tiny", base_channels=2, levels=2)
    model = fresh_model(network, Normalization((0.0,), (1.0,)), Task.OBJECTS, (0, 1), seed=0)
    weights = {name: weight * 0 for name, weight in model.weights.items()}
    for name in ("down.0.0", "down.0.2", "merge.0.0", "merge.0.2"):
        weights[f"{name}.weight"][0, 0, 1, 1] = 1  # of the merged features the skipped come first
    weights["down.0.0.bias"][0] = 1  # grey values begin at -1, and ReLU cuts at 0
    weights["head.weight"][1, 0] = STEEPNESS
    weights["head.bias"][1] = -STEEPNESS * (1 + BRIGHT)
    path = folder / "tiny.safetensors"
    save_model(replace(model, weights=weights), path)
    return str(path)


def measure(image: Path, output: Path, model: str, kind: str) -> tuple[float, dict[str, object]]:
    """Segment from the command line; return the highest resident memory, MB, and the figures."""
    command = [str(Path(sys.executable).with_name("napari-unet")), "segment", str(image)]
    command += ["--model", model]
    command += ["--output", str(output), "--output-kind", kind, "--device", "cpu", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        highest = 0
        watched = psutil.Process(process.pid)
        while process.poll() is None:
            highest = max(highest, resident(watched))
            time.sleep(PAUSE)
        assert process.stdout is not None
        figures = json.loads(process.stdout.read())
    assert process.returncode == 0, process.returncode
    return highest / MEGABYTE, figures


def resident(process: psutil.Process) -> int:
    """Return the bytes of memory that a process and its children hold."""
    try:
        family = [process, *process.children(recursive=True)]
        return sum(int(member.memory_info().rss) for member in family)
    except psutil.NoSuchProcess:
        return 0


def row(name: str, image: Path, start: float, arguments: argparse.Namespace) -> str:
    """Segment an image into both kinds of files, and return a line of the table."""
    cells = []
    for suffix in (".tif", ".zarr"):
        output = image.with_name(f"result{suffix}")
        highest, figures = measure(image, output, arguments.model, arguments.kind)
        seconds = float(str(figures["seconds"]))
        cells.append(f"{highest - start:.0f} MB, {seconds:.0f} s")
        found = figures.get("objects", "")
    return f"| {name} | {' | '.join(cells)} | {found} |"


def main() -> None:
    """Measure and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--sides", type=int, nargs="*", default=[2000, 5000, 10_000, 20_000])
    parser.add_argument("--planes", type=int, nargs="*", default=[10, 100, 1000])
    parser.add_argument("--kind", choices=["labels", "classes", "probabilities"], default="labels")
    parser.add_argument("--network", choices=["light", "tiny"], default="light")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        tiny = arguments.network == "tiny"
        arguments.model = make_tiny_model(folder) if tiny else "light"
        small = make_image(folder, 1, SMALL)
        start, _ = measure(small, folder / "small.tif", arguments.model, arguments.kind)
        print(f"Above the {start:.0f} MB of one plane of {SMALL}×{SMALL} px:\n")
        print("| planes | into TIFF | into zarr | objects |\n|---|---|---|---|")
        sizes = [(1, side) for side in arguments.sides]
        sizes += [(planes, PLANE_SIDE) for planes in arguments.planes]
        for planes, side in sizes:
            image = make_image(folder, planes, side)
            print(row(f"{planes:,} × {side:,}²", image, start, arguments), flush=True)


if __name__ == "__main__":
    main()
