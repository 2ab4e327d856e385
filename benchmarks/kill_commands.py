"""Kills the commands and the window's export, and looks at their files; then lets them end.

python -m benchmarks.kill_commands FOLDER     # exports again and again, until it is killed
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tifffile

from benchmarks.killing import Killed, Victim, places
from benchmarks.memory import make_tiny_model
from napari_unet.config import NetworkConfig, Task
from napari_unet.engine.errors import UnetPaintError
from napari_unet.engine.network import fresh_model
from napari_unet.engine.stack import Normalization
from napari_unet.io.checkpoints import load_model, save_model
from napari_unet.io.images import open_image
from napari_unet.io.samples import paint_strokes, synthetic_cells

KEEPING = """from napari_unet.io import interrupted, kept_segmentation
kept_segmentation._WAIT = 0  # kept from the first tile on, so that a small stack will do
interrupted.KEEP_EVERY = 0.1  # seconds; and so will a short training
from napari_unet.cli import main
main()"""
COMMAND = ["-c", KEEPING]
ALL = 1_000_000  # letters
GOES_ON = "Going on"  # says a command that has found what a killed one left
CONTINUED = 0.5  # share of the kills after which it is started again and killed once more
SOONEST = 0.2  # seconds after the start that a kill comes
PLANES, SIDE = 30, 256
STEPS = 200

Array = npt.NDArray[Any]
Same = Callable[[Path], bool]


def segmenting(folder: Path, kills: int, rng: np.random.Generator) -> Iterator[Killed]:
    """Yield what each kill of `napari-unet segment` has left, and whether it ends as it should."""
    image = folder / "image.tif"
    tifffile.imwrite(image, synthetic_cells(1, PLANES, (SIDE, SIDE)).image)
    model = make_tiny_model(folder)
    command = [*COMMAND, "segment", str(image), "--model", model, "--device", "cpu", "--output"]
    for name, share in (("result.tif", kills - kills // 2), ("result.zarr", kills // 2)):
        wanted = folder / f"undisturbed {name}"
        seconds, _ = _let_end([*command, str(wanted)], folder)
        right = _labels(wanted)
        same = _same_as(right, _labels)
        yield from _kill(
            "segmenting", [*command, str(folder / name)], folder / name, share, seconds, same, rng
        )


def training(folder: Path, kills: int, rng: np.random.Generator) -> Iterator[Killed]:
    """Yield what each kill of `napari-unet train` has left, and whether it ends as it should."""
    sample = synthetic_cells(1, 2, (128, 128))
    tifffile.imwrite(folder / "image.tif", sample.image)
    tifffile.imwrite(folder / "labels.tif", paint_strokes(sample.truth))
    network = NetworkConfig(name="tiny", base_channels=4, levels=2)
    start = save_model(
        fresh_model(network, Normalization((0.0,), (1.0,)), Task.OBJECTS, (0, 1), seed=0),
        folder / "start.safetensors",
    )
    command = [*COMMAND, "train", str(folder / "image.tif"), str(folder / "labels.tif")]
    command += ["--from", str(start), "--steps", str(STEPS), "--device", "cpu", "--resume"]
    command += ["--model"]
    wanted = folder / "undisturbed.safetensors"
    seconds, _ = _let_end([*command, str(wanted)], folder)
    output = folder / "model.safetensors"
    same = _same_as(_weights(wanted), _weights)
    yield from _kill("training", [*command, str(output)], output, kills, seconds, same, rng)


def _kill(
    kind: str,
    command: list[str],
    output: Path,
    kills: int,
    seconds: float,
    same: Same,
    rng: np.random.Generator,
) -> Iterator[Killed]:
    """Kill a command so often, at moments within the seconds that it takes; at times let it end.

    Parameters
    ----------
    same
        Whether the output is what a run that was left alone gives.
    """
    done = 0
    while done < kills:
        with Victim(command, output.with_name("said.txt"), places(output.parent)) as victim:
            victim.live(rng.uniform(SOONEST, seconds))
            after, was_alive = victim.age, victim.kill()
            went_on = GOES_ON in victim.last_words(ALL)
        broken = [output.name] if output.exists() and not same(output) else []
        equal = None
        if was_alive and (done + 1 == kills or rng.random() > CONTINUED):
            went_on = GOES_ON in _let_end(command, output.parent)[1]
            equal = same(output)
        if was_alive:
            done += 1
            yield Killed(kind, after, broken, equal=equal, went_on=went_on)
        _remove(output)


def _let_end(command: list[str], folder: Path) -> tuple[float, str]:
    """Run a command to its end; return the seconds that it took, and what it said."""
    with Victim(command, folder / "said.txt", places(folder)) as victim:
        if victim.end():
            raise RuntimeError(victim.last_words())
        return victim.age, victim.last_words(ALL)


def _same_as(right: Array | None, read: Callable[[Path], Array | None]) -> Same:
    assert right is not None

    def is_same(path: Path) -> bool:
        found = read(path)
        return found is not None and np.array_equal(found, right)

    return is_same


def _labels(path: Path) -> Array | None:
    try:
        planes = open_image(path).planes()
        whole = slice(0, SIDE), slice(0, SIDE)
        return np.stack([planes.read(number, *whole) for number in range(planes.count)])
    except UnetPaintError:
        return None


def _weights(path: Path) -> Array | None:
    try:
        weights = load_model(path).weights
    except UnetPaintError:
        return None
    return np.concatenate([weights[name].numpy().ravel() for name in sorted(weights)])


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
