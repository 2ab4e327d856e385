"""Exports are whole files or none, whatever the arrays are kept in."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import pytest
import tifffile
import zarr
from napari.layers import Labels

from napari_unet.engine.errors import FileError
from napari_unet.engine.events import never
from napari_unet.io.napari_hooks import write_labels_layer
from napari_unet.io.stack import Layout
from napari_unet.io.unfinished import UNFINISHED
from napari_unet.ui.export.job import Export, Exported, PlaneWritten, describe_end, export_files

LAYOUT = Layout((4, 16, 12), "ZYX", {"Z": 2.0, "Y": 0.5, "X": 0.5})


@pytest.fixture
def array() -> Any:
    return np.random.default_rng(0).integers(0, 70_000, size=LAYOUT.shape, dtype=np.int32)


@pytest.mark.parametrize("kind", ["numpy", "dask", "zarr"])
def test_labels_are_written_as_they_are(array: Any, kind: str, tmp_path: Path) -> None:
    held: Any = array
    if kind == "dask":
        held = da.from_array(array, chunks=(1, 16, 12))  # type: ignore[no-untyped-call]
    elif kind == "zarr":
        held = zarr.create_array(tmp_path / "a.zarr", data=array, chunks=(1, 8, 8))
    path = tmp_path / "out.tif"
    told = list(export_files([Export(path, (held,), LAYOUT)])(never))
    assert told == [*(PlaneWritten(n, 4) for n in (1, 2, 3, 4)), Exported(path)]
    np.testing.assert_array_equal(tifffile.imread(path), array)


def test_axes_and_pixel_size_are_in_the_file(array: Any, tmp_path: Path) -> None:
    path = tmp_path / "out.ome.tif"
    list(export_files([Export(path, (array,), LAYOUT)])(never))
    with tifffile.TiffFile(path) as tif:
        assert tif.series[0].axes == "ZYX"
        assert 'PhysicalSizeX="0.5"' in str(tif.ome_metadata)
        assert 'PhysicalSizeZ="2' in str(tif.ome_metadata)


def test_a_name_in_zarr_is_ome_zarr(array: Any, tmp_path: Path) -> None:
    path = tmp_path / "out.zarr"
    list(export_files([Export(path, (array,), LAYOUT)])(never))
    written: Any = zarr.open_group(path, mode="r")
    np.testing.assert_array_equal(written["0"][:], array)


def test_the_file_itself_says_which_planes_are_not_finished(array: Any, tmp_path: Path) -> None:
    path = tmp_path / "out.zarr"
    list(export_files([Export(path, (array,), LAYOUT, unfinished=(1, 3))])(never))
    assert zarr.open_group(path, mode="r").attrs[UNFINISHED] == [1, 3]


def test_features_go_along(tmp_path: Path) -> None:
    known = {"index": [0, 5], "speed": [0.0, 1.5]}
    layer = Labels(np.full((2, 2), 5, np.int32), features=known)
    path, layout = tmp_path / "out.geojson", Layout((2, 2), "YX")
    list(export_files([Export(path, (layer.data,), layout, features=layer.features)])(never))
    assert '"speed":1.5' in path.read_text()


class Watched:
    """An array that remembers what was read at once."""

    def __init__(self, array: Any) -> None:
        self.array, self.shape, self.dtype, self.ndim = array, array.shape, array.dtype, array.ndim
        self.pixels: list[int] = []

    def __getitem__(self, index: Any) -> Any:
        region = self.array[index]
        self.pixels.append(region.size)
        return region


def test_no_plane_is_read_whole_if_it_is_large(
    array: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("napari_unet.engine.stack.tiles._AT_ONCE", 60)  # pixels: five rows
    exported, saved = Watched(array), Watched(array)
    told = list(export_files([Export(tmp_path / "a.tif", (exported,), LAYOUT)])(never))
    write_labels_layer(str(tmp_path / "b.tif"), saved, {})
    assert [event for event in told if isinstance(event, PlaneWritten)][-1] == PlaneWritten(4, 4)
    assert len(told) == 5
    for name in "ab":
        np.testing.assert_array_equal(tifffile.imread(tmp_path / f"{name}.tif"), array)
    assert max(*exported.pixels, *saved.pixels) == 60


@pytest.mark.parametrize("suffix", [".tif", ".zarr"])
def test_probabilities_of_all_classes_go_into_one_file(tmp_path: Path, suffix: str) -> None:
    stacks = [np.random.default_rng(i).random(LAYOUT.shape, dtype=np.float32) for i in range(3)]
    path = tmp_path / f"out{suffix}"
    export = Export(path, tuple(stacks), LAYOUT, are_probabilities=True)
    assert list(export_files([export])(never))[-1] == Exported(path)
    expected = np.stack(stacks, axis=1)  # (Z, C, Y, X)
    if suffix == ".tif":
        written = tifffile.imread(path)
    else:
        group: Any = zarr.open_group(path, mode="r")
        written = np.moveaxis(group["0"][:], 0, 1)  # OME-Zarr puts C first
    np.testing.assert_array_equal(written, expected)


def test_two_channel_axes_are_one_sentence(tmp_path: Path) -> None:
    layout = Layout((2, 16, 12), "CYX")
    stacks = (np.zeros(layout.shape, np.float32),) * 2
    export = Export(tmp_path / "out.tif", stacks, layout, are_probabilities=True)
    with pytest.raises(FileError, match="two channel axes"):
        list(export_files([export])(never))


def test_a_stopped_export_leaves_no_half_file(array: Any, tmp_path: Path) -> None:
    answers = iter([False] * 6 + [True])
    exports = [Export(tmp_path / f"{n}.tif", (array,), LAYOUT) for n in (1, 2, 3)]
    told = list(export_files(exports)(lambda: next(answers)))
    assert told[-1] == PlaneWritten(6, 12)
    assert [path.name for path in tmp_path.iterdir()] == ["1.tif"]


def test_an_export_that_is_closed_leaves_no_file(array: Any, tmp_path: Path) -> None:
    job = export_files([Export(tmp_path / "out.tif", (array,), LAYOUT)])(never)
    assert isinstance(job, Iterator)
    next(job)
    job.close()  # type: ignore[attr-defined]
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_does_not_exist_is_one_sentence(array: Any, tmp_path: Path) -> None:
    export = Export(tmp_path / "nowhere" / "out.tif", (array,), LAYOUT)
    with pytest.raises(FileError, match="does not exist"):
        list(export_files([export])(never))


def test_the_end_in_words(tmp_path: Path) -> None:
    one, two = Exported(tmp_path / "a.tif"), Exported(tmp_path / "b.tif")
    assert describe_end([one], 1) == f"Saved a.tif in {tmp_path}."
    assert describe_end([one, two], 2) == f"Saved 2 files in {tmp_path}."
    assert describe_end([one], 2) == f"Saved 1 of 2 files in {tmp_path}."
    assert describe_end([], 2) == "Nothing was written."
    part = Exported(tmp_path / "c.tif", (1, 2, 3))
    gaps = "Planes 1–3 are not segmented to their end in c.tif."
    assert describe_end([part], 1) == f"Saved c.tif in {tmp_path}. {gaps}"
    assert describe_end([one, part], 2) == f"Saved 2 files in {tmp_path}. {gaps}"
