"""What of the program reads files and words of strangers, and how an input for it is made."""

from __future__ import annotations

import contextlib
import io
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from random import Random
from unittest.mock import patch

import numpy as np

from benchmarks import fuzz_drawn as drawn
from benchmarks import fuzz_kept as kept
from benchmarks import fuzz_mutations as mutations
from benchmarks import fuzz_samples as samples
from benchmarks.fuzz_mutations import Input
from napari_unet.cli.app import app
from napari_unet.cli.console import Interruption
from napari_unet.io.checkpoints import load_model, read_header
from napari_unet.io.images import open_image
from napari_unet.io.napari_hooks import get_reader, read_layers
from napari_unet.io.provenance import to_text
from napari_unet.io.provenance_files import read_provenance
from napari_unet.io.unsaved import find_leftovers
from napari_unet.ui.model.description import describe_model, tell_story

_CORNER = 8  # pixels that are read of the first and the last plane
_SMALL = 2**22  # bytes of an image that is read whole, as labels are
_DRAWN = 0.2  # share of the inputs that are drawn from nothing, where they can be


class Refusal(Exception):  # noqa: N818 it is no error: the command line has refused a word
    """What the command line says when it does not run."""


@dataclass(frozen=True)
class Reader:
    """A way into the program.

    Parameters
    ----------
    share
        Of all inputs.
    samples
        Makes valid inputs.
    mutate
        Changes one of them.
    read
        Lets the program read an input; gets the folder, which is also the current one.
    draw
        Draws an input from nothing.
    """

    share: float
    samples: Callable[[], list[Input]]
    mutate: Callable[[Input, Random], Input]
    read: Callable[[Path], None]
    draw: Callable[[Random], Input] | None = None

    def make(self, rng: Random) -> Input:
        """Make an input."""
        if self.draw is not None and rng.random() < _DRAWN:
            return self.draw(rng)
        return self.mutate(rng.choice(_known(self.samples)), rng)


@cache
def _known(make: Callable[[], list[Input]]) -> list[Input]:
    return make()


def _one_file(change: Callable[[bytes, Random], bytes]) -> Callable[[Input, Random], Input]:
    def mutate(files: Input, rng: Random) -> Input:
        name = rng.choice(sorted(files))
        return files | {name: change(files[name], rng)}

    return mutate


def _any_file(files: Input, rng: Random) -> Input:
    """Change a file by what its name says that it is."""
    if len(files) > 1:
        return mutations.change_folder(files, rng)
    (name,) = files
    change = mutations.change_json if name.endswith(".json") else mutations.change_tiff
    return {name: change(files[name], rng)}


def _planes(files: Input, rng: Random) -> Input:
    """Change one plane of a folder, or its name."""
    changed = dict(files)
    name = rng.choice(sorted(changed))
    if rng.random() < 0.3:
        words = ("t", "z2_t1", "c", "_mask", "labels", " ", "t99999999999999999999", "é", "1" * 200)
        new = f"a/{rng.choice(words)}{rng.choice(('', '1', '_2'))}{Path(name).suffix}"
        changed[new] = changed.pop(name)
        return changed
    change = mutations.change_png if name.endswith(".png") else mutations.change_tiff
    return changed | {name: change(changed[name], rng)}


def read_image(folder: Path) -> None:
    """Open what lies there as an image, look at two planes, and at all of it if that is little."""
    (path,) = [p for p in folder.iterdir() if p.name.startswith("a")]
    get_reader(str(path))
    stack = open_image(path)
    array = stack.array
    stack.layout()
    ends = [(0, n - 1) for n in array.shape]
    for which in (0, 1):
        leading = [end[which] for end in ends[: stack.axes.index("Y")]]
        np.asarray(array[(*leading, slice(0, _CORNER), slice(-_CORNER, None))])
    planes = stack.planes()
    planes.read(planes.count - 1, slice(0, _CORNER), slice(0, min(_CORNER, planes.shape[1])))
    if array.nbytes < _SMALL:
        for data, _, _ in read_layers(str(path)):
            np.asarray(data)


def read_model(folder: Path) -> None:
    """Read a checkpoint as the library and a training do, and say how it came about."""
    path = folder / "a.safetensors"
    header = read_header(path)
    f"{describe_model(path.stem, header)}\n{tell_story(header)}".encode("utf-8", "replace")
    load_model(path)


def read_record(folder: Path) -> None:
    """Read what a file says of the segmentation that it holds, and write it again."""
    (path,) = folder.iterdir()
    to_text(read_provenance(path), folder)


def read_strokes(folder: Path) -> None:
    """Find strokes that were kept on disk, take them over and read them."""
    for left in find_leftovers(folder):
        left.take().read()


COMMANDS = (
    "segment cells.tif --model tiny.safetensors --output out.tif --tile 64 --device cpu",
    "segment cells.tif --model tiny.safetensors --output out.zarr --planes 0:1 --rotations 4 "
    "--output-kind probabilities --device cpu",
    "segment cells.tif --model light --output out.tif --min-size 9 --link --json --device cpu",
    "train cells.tif strokes.tif --model m.safetensors --from tiny.safetensors --steps 1 "
    "--planes 0 --device cpu --seed 3",
    "train cells.tif strokes.tif --model m.safetensors --from scratch --network light --steps 1 "
    "--task classes --unpainted background --reduction 2 --diameter 9 --device cpu",
    "train cells.tif strokes.tif --model m.safetensors --from tiny.safetensors --seconds 1 "
    "--learning-rate 0.1 --validation-share 0.5 --reduction auto --json --device cpu",
    "evaluate strokes.tif cells.tif --task classes --unpainted ignored --planes 0,2 --json",
    "models list --json",
    "models show tiny.safetensors",
    "models import tiny.safetensors --name mine",
    "models export light copy.safetensors",
    "models rename mine yours",
    "models delete mine",
)


def commands() -> list[Input]:
    """Return command lines beside the files that they name."""
    cells, strokes = samples.GREY, (samples.GREY % 3).astype(np.uint8)
    files = {
        "cells.tif": samples.tiff(cells),
        "strokes.tif": samples.tiff(strokes),
        "tiny.safetensors": samples.models()[0]["a.safetensors"],
    }
    files["models/mine.safetensors"] = files["tiny.safetensors"]
    return [files | {"words": json.dumps(line.split()).encode()} for line in COMMANDS]


def change_words(files: Input, rng: Random) -> Input:
    """Put other words in the place of some, leave some out, add some or mix them up."""
    words: list[str] = json.loads(files["words"])
    for _ in range(rng.choice((1, 1, 2, 3))):
        at = rng.randrange(len(words) + 1)
        new = str(mutations.number(rng)) if rng.random() < 0.4 else mutations.word(rng)
        new = rng.choice((new, new, *words, "--help", "--json", "--", "-", ".", "..", "models"))
        new = new.replace("\0", "")
        kind = rng.random()
        if kind < 0.6 and at < len(words):
            words[at] = new
        elif kind < 0.75:
            words.insert(at, new)
        elif kind < 0.9 and at < len(words):
            del words[at]
        else:
            rng.shuffle(words)
    return files | {"words": json.dumps(words).encode()}


def read_words(folder: Path) -> None:
    """Run a command line, which is stopped at once when the work itself begins."""
    words = json.loads((folder / "words").read_bytes())
    if any(word in ("demo", "doctor") for word in words):
        raise Refusal("Too long.")
    said = io.StringIO()
    told = {"NAPARI_UNET_MODELS": str(folder / "models"), "XDG_DATA_HOME": str(folder)}
    try:
        with (
            contextlib.redirect_stdout(io.StringIO()),
            contextlib.redirect_stderr(said),
            patch.dict(os.environ, told),
            patch.object(Interruption, "__call__", lambda self: self.request(2) or True),
        ):
            app(args=words, prog_name="napari-unet")
    except SystemExit as end:
        text = said.getvalue()
        if "Warning:" in text or "Traceback" in text:
            raise RuntimeError(text[-500:]) from None
        if end.code in (None, 0, 130):
            return
        line = text.strip().rpartition("\n")[2]
        raise Refusal(line if end.code == 1 else "Wrong usage.") from None


READERS: dict[str, Reader] = {
    "tiff": Reader(
        0.2, samples.tiffs, _one_file(mutations.change_tiff), read_image, drawn.draw_tiff
    ),
    "ome-tiff": Reader(0.1, samples.ome_tiffs, _one_file(mutations.change_tiff), read_image),
    "imagej-tiff": Reader(0.08, samples.imagej_tiffs, _one_file(mutations.change_tiff), read_image),
    "png": Reader(0.12, samples.pngs, _one_file(mutations.change_png), read_image, drawn.draw_png),
    "folder": Reader(0.05, samples.folders, _planes, read_image),
    "zarr": Reader(0.12, samples.zarrs, mutations.change_folder, read_image, drawn.draw_zarr),
    "ome-zarr": Reader(0.08, samples.ome_zarrs, mutations.change_folder, read_image),
    "model": Reader(
        0.12,
        samples.models,
        _one_file(mutations.change_safetensors),
        read_model,
        drawn.draw_model,
    ),
    "record": Reader(0.07, samples.records, _any_file, read_record),
    "strokes": Reader(0.03, samples.strokes, mutations.change_folder, read_strokes),
    "training": Reader(0.1, kept.trainings, kept.change_training, kept.read_training),
    "segmentation": Reader(
        0.1, kept.segmentations, kept.change_segmentation, kept.read_segmentation
    ),
    "words": Reader(0.03, commands, change_words, read_words),
}
"""By their names."""


def make_input(name: str, seed: int, number: int) -> Input:
    """Make the input of this number: the same each time."""
    return READERS[name].make(Random(f"{name}:{seed}:{number}"))
