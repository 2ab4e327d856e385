"""How much memory a segmentation takes, seen from outside the process.

    python -m benchmarks.memory [--sides 2000 5000 20000] [--planes 10 100 1000] [--kind labels]
    python -m benchmarks.memory --network tiny      # the memory of everything but the network, soon
    python -m benchmarks.memory --sides --planes 1000 --window        # napari with the dock as well

Generated images (OME-Zarr, uint16, cells everywhere) are segmented by the command line into TIFF
and zarr. Every 20 ms the resident memory of the process is read; the figure is the highest reading
above that of the same command on one small plane, which loads the same libraries and network. In
the window, it is the highest reading above that when the image is shown and **Segment stack** not
pressed yet. The process computes in threads. Programs that it calls for a moment do not count:
until they begin, they seem to hold all the memory that they share with it.
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
from typing import TYPE_CHECKING

import numpy as np
import psutil  # type: ignore[import-untyped]
import zarr

from napari_unet.config import NetworkConfig, Task
from napari_unet.engine.network import fresh_model
from napari_unet.engine.stack import Normalization
from napari_unet.io.checkpoints import load_model, save_model
from napari_unet.io.images import open_image
from napari_unet.io.library import find_model
from napari_unet.io.samples import synthetic_cells
from napari_unet.io.stack import Layout
from napari_unet.io.zarr_pyramid import Pyramid, ome_metadata

if TYPE_CHECKING:
    from napari.layers import Labels

BLOCK = 1000  # pixels; the cells repeat
PLANE_SIDE = 512  # of stacks of many planes, pixels
SMALL = 256  # pixels; what the libraries take is measured on
PAUSE = 0.02  # seconds
BRIGHT = -0.2  # grey value, normalised: what is brighter is a cell to the tiny network
STEEPNESS = 20.0  # of its probability
MEGABYTE = 1 << 20
READY = "ready"


def make_image(folder: Path, planes: int, side: int) -> Path:
    """Write a stack of planes full of cells, and return its path."""
    path = folder / f"{planes}x{side}.zarr"
    cells = synthetic_cells(seed=1, planes=1, shape=(BLOCK, BLOCK)).image[0]
    group = zarr.open_group(str(path), mode="w", zarr_format=3)
    layout = Layout((planes, side, side), "ZYX")
    pyramid = Pyramid.full_size(layout)
    group.attrs.update(ome_metadata(layout, pyramid, path.stem, is_labels=False))
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


def measure(command: list[str], ready: str = "") -> tuple[float, float, dict[str, object]]:
    """Run a command that prints figures as JSON at its end; watch its memory.

    Returns
    -------
    start, highest, figures
        Resident memory, MB: when the line `ready` was printed (0 without it), and at most.
    """
    with (
        tempfile.TemporaryFile() as told,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=told) as process,
    ):
        assert process.stdout is not None
        watched = psutil.Process(process.pid)
        start = highest = 0
        try:
            while ready and process.poll() is None:
                if process.stdout.readline().decode().strip() == ready:
                    start = resident(watched)
                    break
            while process.poll() is None:
                highest = max(highest, resident(watched))
                time.sleep(PAUSE)
        finally:
            process.kill()  # after Ctrl-C: it would write into a folder that is being removed
        if process.returncode:
            told.seek(0)
            raise RuntimeError(f"{' '.join(command)} failed:\n{told.read().decode()}")
        figures = json.loads(process.stdout.read())
    return start / MEGABYTE, highest / MEGABYTE, figures


def on_command_line(image: Path, output: Path, arguments: argparse.Namespace) -> list[str]:
    """Return the command that segments an image into a file."""
    command = [str(Path(sys.executable).with_name("napari-unet")), "segment", str(image)]
    command += ["--model", arguments.model, "--output", str(output)]
    return [*command, "--output-kind", arguments.kind, "--device", "cpu", "--json"]


def in_window(image: Path, arguments: argparse.Namespace) -> list[str]:
    """Return the command that segments an image in napari."""
    command = [sys.executable, "-m", "benchmarks.memory", "--network", arguments.network]
    return [*command, "--in-window", str(image), arguments.model]


def segment_in_window(image: Path, model: str) -> None:
    """Show an image in napari with the dock, say so, press **Segment stack** and wait."""
    from benchmarks.live_window import Window, live  # noqa: PLC0415  # only here is a window
    from napari_unet.ui.workbench import CurrentModel  # noqa: PLC0415

    window = Window()
    layer = window.viewer.add_image(open_image(image).array, name="cells", multiscale=False)
    window.choose(layer)
    window.dock.workbench.choose(start=CurrentModel(model, load_model(find_model(model))))
    live(5)
    print(READY, flush=True)
    begin = time.perf_counter()
    window.press(window.segment.start)
    live(1)
    while not window.is_idle():
        live(60, window.is_idle)
    seconds = time.perf_counter() - begin
    live(2)
    found = largest_number(window.viewer.layers[-1])
    print(json.dumps({"seconds": seconds, "objects": found}), flush=True)


def largest_number(layer: Labels) -> int:
    """Return the largest number in a layer of labels, reading a few rows at a time."""
    result = layer.data[0] if layer.multiscale else layer.data
    planes, height = result.shape[:2]
    return max(
        int(np.asarray(result[plane, y : y + BLOCK]).max())
        for plane in range(planes)
        for y in range(0, height, BLOCK)
    )


def resident(process: psutil.Process) -> int:
    """Return the bytes of memory that a process holds; 0 when it has ended."""
    try:
        return int(process.memory_info().rss)
    except psutil.NoSuchProcess:
        return 0


def print_row(name: str, image: Path, start: float, arguments: argparse.Namespace) -> None:
    """Segment an image into both kinds of files, and print a line of the table as it comes."""
    print(f"| {name} |", end="", flush=True)
    for suffix in (".tif", ".zarr"):
        output = image.with_name(f"result{suffix}")
        _, highest, figures = measure(on_command_line(image, output, arguments))
        print_cell(highest - start, figures)
    if arguments.window:
        own_start, highest, figures = measure(in_window(image, arguments), READY)
        print_cell(highest - own_start, figures)
    print(f" {figures.get('objects', '')} |", flush=True)


def print_cell(megabytes: float, figures: dict[str, object]) -> None:
    print(f" {megabytes:.0f} MB, {float(str(figures['seconds'])):.0f} s |", end="", flush=True)


def main() -> None:
    """Measure and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--sides", type=int, nargs="*", default=[2000, 5000, 10_000, 20_000])
    parser.add_argument("--planes", type=int, nargs="*", default=[10, 100, 1000])
    parser.add_argument("--kind", choices=["labels", "classes", "probabilities"], default="labels")
    parser.add_argument("--network", choices=["light", "tiny"], default="light")
    parser.add_argument("--window", action="store_true", help="napari with the dock as well")
    parser.add_argument("--in-window", nargs=2, metavar=("IMAGE", "MODEL"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.in_window:
        segment_in_window(Path(arguments.in_window[0]), arguments.in_window[1])
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        tiny = arguments.network == "tiny"
        arguments.model = make_tiny_model(folder) if tiny else "light"
        small = make_image(folder, 1, SMALL)
        _, start, _ = measure(on_command_line(small, folder / "small.tif", arguments))
        print(f"Above the {start:.0f} MB of one plane of {SMALL}×{SMALL} px:\n")
        titles = ["planes", "into TIFF", "into zarr", *["napari"] * arguments.window, "objects"]
        print(f"| {' | '.join(titles)} |\n{'|---' * len(titles)}|")
        sizes = [(1, side) for side in arguments.sides]
        sizes += [(planes, PLANE_SIDE) for planes in arguments.planes]
        for planes, side in sizes:
            image = make_image(folder, planes, side)
            print_row(f"{planes:,} × {side:,}²", image, start, arguments)


if __name__ == "__main__":
    main()
