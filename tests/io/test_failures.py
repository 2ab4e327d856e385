"""Bad files and full disks: one sentence that names the file and says what to do about it."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import imageio.v3 as iio
import numpy as np
import pytest
import tifffile
import zarr

from napari_unet.engine.errors import FileError, ImageError, UnetPaintError
from napari_unet.io.images import open_image
from napari_unet.io.labels import Layout, open_label_writer, open_probability_writer, write_labels
from napari_unet.io.replacing import replacing

PLANE = np.arange(40 * 52, dtype=np.uint16).reshape(40, 52)


@dataclass(frozen=True)
class Case:
    """A bad input: how it is made in an empty folder, and what is said of it."""

    name: str
    make: Callable[[Path], Path]  # returns the path that is opened
    error: type[UnetPaintError]
    says: str
    cure: str
    read: bool = False  # True: opens well, and fails when the pixels are read


def cut_tiff(folder: Path) -> Path:
    tifffile.imwrite(folder / "cut.tif", np.stack([PLANE] * 5), photometric="minisblack")
    data = (folder / "cut.tif").read_bytes()
    (folder / "cut.tif").write_bytes(data[: len(data) // 2])
    return folder / "cut.tif"


def garbled_strip(folder: Path) -> Path:
    tifffile.imwrite(folder / "bad.tif", PLANE, compression="zlib")
    with tifffile.TiffFile(folder / "bad.tif") as tif:
        offset = tif.pages.first.dataoffsets[0]
    data = bytearray((folder / "bad.tif").read_bytes())
    data[offset : offset + 40] = bytes(40)
    (folder / "bad.tif").write_bytes(data)
    return folder / "bad.tif"


def written(name: str, data: bytes) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        (folder / name).write_bytes(data)
        return folder / name

    return make


def mixed_folder(second: Any) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        iio.imwrite(folder / "p1.tif", PLANE)
        iio.imwrite(folder / "p2.tif", second)
        return folder

    return make


def folder_of_stacks(folder: Path) -> Path:
    tifffile.imwrite(folder / "s1.tif", np.stack([PLANE] * 3), photometric="minisblack")
    return folder


def folder_with_a_broken_plane(folder: Path) -> Path:
    iio.imwrite(folder / "p1.tif", PLANE)
    (folder / "p2.tif").write_bytes(b"not a TIFF")
    return folder


def cut_png(folder: Path) -> Path:
    iio.imwrite(folder / "cut.png", PLANE)
    data = (folder / "cut.png").read_bytes()
    (folder / "cut.png").write_bytes(data[: len(data) // 2])
    return folder / "cut.png"


def empty_zarr(folder: Path) -> Path:
    (folder / "a.zarr").mkdir()
    return folder / "a.zarr"


def garbled_zarr(folder: Path) -> Path:
    (folder / "a.zarr").mkdir()
    (folder / "a.zarr" / "zarr.json").write_text("{")
    return folder / "a.zarr"


def zarr_without_images(folder: Path) -> Path:
    group = zarr.open_group(str(folder / "a.zarr"), mode="w")
    group.create_group("first")
    return folder / "a.zarr"


def zarr_without(key: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        path = write_labels(folder / "a.zarr", [PLANE], shape=PLANE.shape, axes="YX", spacing={})
        group = zarr.open_group(str(path), mode="r+")
        ome: Any = group.attrs["ome"]
        del ome["multiscales"][0][key]
        group.attrs["ome"] = ome
        return path

    return make


def zarr_with_a_broken_chunk(folder: Path) -> Path:
    path = write_labels(folder / "a.zarr", [PLANE], shape=PLANE.shape, axes="YX", spacing={})
    (path / "0" / "c" / "0" / "0").write_bytes(b"broken")
    return path


READING = [
    Case("missing", lambda f: f / "no.tif", FileError, "no.tif' does not exist", "check the path"),
    Case("truncated TIFF", cut_tiff, FileError, "cut.tif' is truncated", "once more"),
    Case("no TIFF", written("a.tif", b"PK\3\4 zip"), FileError, "a.tif' is no TIFF", "save it as"),
    Case("text", written("a.csv", b"x,y\n1,2\n"), FileError, "a.csv' is no TIFF", "save it as"),
    Case("empty file", written("a.tif", b""), FileError, "a.tif' is empty", "once more"),
    Case(
        "header only", written("a.tif", b"II*\0\0\0\0\0"), FileError, "a.tif' holds no", "once more"
    ),
    Case(
        "garbled strip", garbled_strip, FileError, "bad.tif' cannot be read", "once more", read=True
    ),
    Case("empty folder", lambda f: f, FileError, "holds no TIFF or PNG files", "choose the folder"),
    Case(
        "folder of other files",
        lambda f: written("notes.txt", b"hello")(f).parent,
        FileError,
        "holds no TIFF or PNG files",
        "choose the folder",
    ),
    Case(
        "mixed shapes",
        mixed_folder(PLANE[:30]),
        ImageError,
        "p2.tif' is 30×52 uint16 and 'p1.tif' is 40×52 uint16",
        "different folders",
    ),
    Case(
        "mixed types",
        mixed_folder(PLANE.astype(np.uint8)),
        ImageError,
        "p2.tif' is 40×52 uint8 and 'p1.tif' is 40×52 uint16",
        "different folders",
    ),
    Case(
        "folder of stacks",
        folder_of_stacks,
        ImageError,
        "s1.tif' holds a stack (3×40×52)",
        "open that file itself",
    ),
    Case(
        "folder with a broken plane",
        folder_with_a_broken_plane,
        FileError,
        "p2.tif' is no TIFF",
        "save it as",
    ),
    Case("truncated PNG", cut_png, FileError, "cut.png' cannot be read", "once more", read=True),
    Case("no PNG", written("a.png", b"hello"), FileError, "a.png' cannot be read", "once more"),
    Case("empty zarr", empty_zarr, FileError, "a.zarr' holds no zarr data", "choose the folder"),
    Case("garbled zarr", garbled_zarr, FileError, "a.zarr' cannot be read", "once more"),
    Case(
        "zarr without images",
        zarr_without_images,
        FileError,
        "a.zarr' holds no OME-Zarr image",
        "choose the folder of an image",
    ),
    Case("zarr without axes", zarr_without("axes"), FileError, "a.zarr' cannot be", "once more"),
    Case(
        "zarr without data", zarr_without("datasets"), FileError, "a.zarr' cannot be", "once more"
    ),
    Case(
        "zarr with a broken chunk",
        zarr_with_a_broken_chunk,
        FileError,
        "a.zarr' cannot be read",
        "once more",
        read=True,
    ),
]


@pytest.mark.parametrize("case", READING, ids=lambda case: case.name)
def test_bad_input_gets_one_sentence_with_the_cure(case: Case, tmp_path: Path) -> None:
    path = case.make(tmp_path)
    if case.read:
        array = open_image(path).array
        with pytest.raises(case.error) as raised:
            np.asarray(array)
    else:
        with pytest.raises(case.error) as raised:
            open_image(path)
    sentence = str(raised.value)
    assert case.says in sentence
    assert case.cure in sentence
    assert sentence.endswith(".")
    assert "\n" not in sentence


def test_a_file_that_may_not_be_read_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, PLANE)
    stack = open_image(path)

    def forbid(*args: object, **kwargs: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(tifffile.FileHandle, "open", forbid)
    with pytest.raises(FileError, match=r"a.tif' may not be read; ask its owner"):
        stack.array[...]


# Writing

LAYOUT = Layout((3, 40, 52), "ZYX")


@pytest.mark.parametrize("name", ["a.tif", "a.zarr"])
def test_a_missing_output_folder_is_told_before_the_work(name: str, tmp_path: Path) -> None:
    with (
        pytest.raises(FileError, match=rf"none' does not exist, so '{name}' .*; create it or"),
        open_label_writer(tmp_path / "none" / name, LAYOUT),
    ):
        pytest.fail("the work began")


@pytest.mark.parametrize("name", ["a.tif", "a.zarr"])
def test_a_file_as_output_folder_is_told(name: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(FileError, match=rf"file' is a file, not a folder, so '{name}' .*; choose"),
        open_label_writer(tmp_path / "file" / name, LAYOUT),
    ):
        pytest.fail("the work began")


@pytest.mark.parametrize("name", ["a.tif", "a.zarr"])
@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS, errno.EPERM])
def test_a_read_only_output_folder_is_told_before_the_work(
    name: str, number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forbid(self: Path, **kwargs: object) -> None:
        raise OSError(number, os.strerror(number), str(self))

    monkeypatch.setattr(Path, "touch", forbid)  # root may write anywhere
    with (
        pytest.raises(FileError, match=r"' is read-only, or .* choose another folder or close"),
        open_label_writer(tmp_path / name, LAYOUT),
    ):
        pytest.fail("the work began")


@pytest.mark.skipif(
    sys.platform == "win32" or os.geteuid() == 0,
    reason="only people without root can be locked out",
)
def test_a_locked_output_folder_is_told(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(FileError, match="is read-only"), replacing(tmp_path / "a.tif"):
            pytest.fail("the work began")
    finally:
        tmp_path.chmod(0o700)


@pytest.mark.parametrize("ending", [".tif", ".zarr"])
def test_a_name_that_is_too_long_is_told_before_the_work(ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"{'long ' * 60}{ending}"
    with (
        pytest.raises(FileError, match=r"cannot be written \(.*\); choose another folder or name"),
        replacing(path),
    ):
        pytest.fail("the work began")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["a.png", "labels", "a.tif.gz"])
def test_an_unknown_ending_is_told(name: str, tmp_path: Path) -> None:
    with pytest.raises(FileError, match=rf"'{name}' has no known ending; end the name in .tif"):
        open_label_writer(tmp_path / name, LAYOUT)


@pytest.mark.parametrize("name", ["a.tif", "a.zarr"])
def test_a_folder_of_other_files_is_not_replaced(name: str, tmp_path: Path) -> None:
    (tmp_path / name).mkdir()
    (tmp_path / name / "thesis.txt").write_text("years")
    with pytest.raises(FileError, match="choose another"):
        write_labels(tmp_path / name, [PLANE] * 3, shape=(3, 40, 52), axes="ZYX", spacing={})
    assert (tmp_path / name / "thesis.txt").read_text() == "years"
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_ome_zarr_has_no_room_for_other_axes(tmp_path: Path) -> None:
    with (
        pytest.raises(FileError, match=r"no room for the axes QZYX; save 'a' as .tif instead"),
        open_label_writer(tmp_path / "a.zarr", Layout((2, 2, 4, 4), "QZYX")),
    ):
        pytest.fail("the work began")


FULL_DISK = """
import resource, signal, sys
from pathlib import Path
import numpy as np
from napari_unet.engine.errors import FileError
from napari_unet.io.images import open_image
from napari_unet.io.labels import write_labels, write_probabilities

path = Path(sys.argv[1])
shape = (4, 2, 64, 64)
write, spoil = write_probabilities, np.random.default_rng(0).random(shape).astype(np.float32)
if path.stem == "labels":
    write, spoil = write_labels, (1e6 * spoil).astype(np.uint32).reshape(8, 64, 64)
shape, axes = spoil.shape, "ZCYX"[-spoil.ndim:] if spoil.ndim == 4 else "ZYX"
old = np.zeros_like(spoil)
write(path, iter(old), shape=shape, axes=axes, spacing={})
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
limit = 10_000 if path.suffix == ".zarr" else 60_000
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
try:
    write(path, iter(spoil), shape=shape, axes=axes, spacing={})
except FileError as error:
    print(error)
assert (np.asarray(open_image(path).array) == 0).all()
assert [p.name for p in path.parent.iterdir()] == [path.name]
"""


@pytest.mark.skipif(sys.platform == "win32", reason="limits the size of files as POSIX does")
@pytest.mark.parametrize("name", ["labels.tif", "probabilities.tif", "labels.zarr"])
def test_a_full_disk_half_way_leaves_the_old_file(name: str, tmp_path: Path) -> None:
    result = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(tmp_path / name)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert "The disk is full: " in result.stdout
    assert name in result.stdout
    assert "free some space or choose another folder." in result.stdout


def test_a_disk_that_is_full_only_when_asked_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(number: int) -> None:
        raise OSError(errno.EDQUOT, "Disk quota exceeded")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(FileError, match="The disk is full"):
        write_labels(tmp_path / "a.tif", [PLANE], shape=PLANE.shape, axes="YX", spacing={})
    assert list(tmp_path.iterdir()) == []


def test_a_failed_rename_brings_the_old_zarr_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("napari_unet.io.replacing.swap", lambda *_: False)
    path = write_labels(tmp_path / "a.zarr", [PLANE], shape=PLANE.shape, axes="YX", spacing={})
    plain_rename = Path.rename

    def rename(self: Path, target: Path) -> Path:
        if self.suffix == ".part":
            raise OSError(errno.EIO, "Input/output error")
        return plain_rename(self, target)

    monkeypatch.setattr(Path, "rename", rename)
    with pytest.raises(
        FileError, match=r"a.zarr' cannot be written \(Input/output error\); choose"
    ):
        write_labels(path, [PLANE * 0], shape=PLANE.shape, axes="YX", spacing={})
    np.testing.assert_array_equal(np.asarray(open_image(path).array), PLANE)
    assert [p.name for p in tmp_path.iterdir()] == ["a.zarr"]


def test_probabilities_fail_alike(tmp_path: Path) -> None:
    with (
        pytest.raises(FileError, match="does not exist"),
        open_probability_writer(tmp_path / "none" / "p.tif", Layout((2, 4, 4), "CYX")),
    ):
        pytest.fail("the work began")
