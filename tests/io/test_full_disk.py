"""A disk that is full, read-only or gone: one sentence, and what was there stays."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from napari_unet.config import NetworkConfig, Task
from napari_unet.engine.errors import FileError
from napari_unet.engine.network.model import fresh_model
from napari_unet.engine.stack.normalization import Normalization
from napari_unet.io.checkpoints import load_model, save_model
from napari_unet.io.images import open_image
from napari_unet.io.labels import write_labels, write_probabilities
from napari_unet.io.tables import open_table_writer

BLOCK = 4096  # bytes; a file takes whole ones
SHAPE = (3, 64, 64)
ROWS = 2000


@dataclass(frozen=True)
class Disk:
    """A disk in memory, as large as a test wants it."""

    folder: Path

    def leave(self, size: int) -> None:
        """Make it so small that only so many bytes are free."""
        usage = shutil.disk_usage(self.folder)
        self._remount(f"size={usage.used + size}")

    def forbid(self) -> None:
        """Let nobody write."""
        self._remount("ro")

    def _remount(self, option: str) -> None:
        command = ["mount", "-o", f"remount,{option}", str(self.folder)]
        subprocess.run(command, check=True, capture_output=True)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(folder)]
    try:
        subprocess.run(command, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("only root on Linux can mount a small disk")
    yield Disk(folder)
    subprocess.run(["umount", "-l", str(folder)], check=True)


def labels(path: Path, version: int) -> None:
    noise = np.random.default_rng(version).integers(0, 255, SHAPE)  # does not pack
    write_labels(path, list(noise), shape=SHAPE, axes="ZYX", spacing={})


def probabilities(path: Path, version: int) -> None:
    noise = np.random.default_rng(version).random((1, *SHAPE[1:]), np.float32)
    shape = (2, 1, *SHAPE[1:])
    write_probabilities(path, [noise] * 2, shape=shape, axes="ZCYX", spacing={})


def model(path: Path, version: int) -> None:
    network = NetworkConfig(levels=2, base_channels=4)
    grey = Normalization((0.0,), (255.0,))
    save_model(fresh_model(network, grey, Task.OBJECTS, (0, 1), seed=version), path)


def table(path: Path, version: int) -> None:
    with open_table_writer(path, ["object", "area"]) as write_rows:
        write_rows({"object": np.arange(ROWS), "area": np.full(ROWS, version)})


def outlines(path: Path, version: int) -> None:
    objects = np.zeros(SHAPE, np.int32)
    objects[:, ::2] = np.arange(32)[:, np.newaxis] + version
    write_labels(path, list(objects), shape=SHAPE, axes="TYX", spacing={})


def content(path: Path) -> object:
    files = sorted(path.iterdir()) if path.is_dir() else [path]
    return [(file.name, file.read_bytes()) for file in files]


def pixels(path: Path) -> object:
    return np.asarray(open_image(path).array).tolist()


def weights(path: Path) -> object:
    return {name: weight.tolist() for name, weight in load_model(path).weights.items()}


def text(path: Path) -> object:
    return path.read_text()


FILES: list[tuple[str, Callable[[Path, int], None], Callable[[Path], object]]] = [
    ("labels.tif", labels, pixels),
    ("labels.zarr", labels, pixels),
    ("probabilities.tif", probabilities, pixels),
    ("model.safetensors", model, weights),
    ("table.csv", table, text),
    ("cells.zip", outlines, content),
    ("cells.geojson", outlines, content),
    ("01_RES", outlines, content),
]
EACH = pytest.mark.parametrize(("name", "write", "read"), FILES, ids=[file[0] for file in FILES])


@EACH
def test_a_disk_that_is_full_after_any_number_of_bytes_keeps_the_older_file(
    name: str, write: Callable[[Path, int], None], read: Callable[[Path], object], disk: Disk
) -> None:
    path = disk.folder / name
    write(path, 1)
    older = read(path)
    free = 0
    while read(path) == older:
        disk.leave(free)
        said = failure_of(lambda: write(path, 2))
        assert "disk is full" in said or (read(path) != older and free)
        assert [left.name for left in disk.folder.iterdir()] == [name]
        free += BLOCK


def failure_of(work: Callable[[], None]) -> str:
    """Return what is said when it fails; empty: it did not."""
    try:
        work()
    except FileError as error:
        return str(error)
    return ""


@EACH
def test_a_folder_that_is_read_only_is_told(
    name: str, write: Callable[[Path, int], None], read: Callable[[Path], object], disk: Disk
) -> None:
    path = disk.folder / name
    write(path, 1)
    older = read(path)
    disk.forbid()
    with pytest.raises(FileError, match="read-only"):
        write(path, 2)
    assert read(path) == older


@pytest.mark.parametrize("name", ["a.tif", "a.zarr"])
def test_a_folder_that_vanishes_in_the_middle_is_one_sentence(name: str, tmp_path: Path) -> None:
    folder = tmp_path / "share"
    folder.mkdir()

    def planes() -> Iterator[npt.NDArray[np.int_]]:
        for plane in range(SHAPE[0]):
            if plane == 1:
                shutil.rmtree(folder)
            yield np.full(SHAPE[1:], plane + 1)

    with pytest.raises(FileError, match=rf"{name}' cannot be written \(.*\); choose another"):
        write_labels(folder / name, planes(), shape=SHAPE, axes="ZYX", spacing={})
    assert not folder.exists()
