"""The layout of the Cell Tracking Challenge: masks and tracks that keep its rules."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile

from napari_unet.engine.errors import FileError
from napari_unet.io import write_ctc
from napari_unet.io.labels import Layout, write_labels
from tests.io.objects import Numbers

Track = tuple[int, int, int, int]


def movie(*frames: list[int], sides: tuple[int, ...] = (1,)) -> Numbers:
    """Return frames in which these objects are seen, one column each."""
    width = max(map(len, frames))
    labels = np.zeros((len(frames), *sides, width), np.int32)
    for frame, numbers in zip(labels, frames, strict=True):
        frame[..., : len(numbers)] = numbers
    return labels


def write(path: Path, labels: Numbers, axes: str = "TYX") -> tuple[list[Numbers], list[Track]]:
    planes = labels.reshape(-1, *labels.shape[-2:])
    write_labels(path, iter(planes), shape=labels.shape, axes=axes, spacing={})
    masks = [np.asarray(tifffile.imread(p)) for p in sorted(path.glob("mask*.tif"))]
    lines = (path / "res_track.txt").read_text("ascii").splitlines()
    tracks = [tuple(map(int, line.split(" "))) for line in lines]
    return masks, tracks  # type: ignore[return-value]  # four numbers each


def check_rules(masks: list[Numbers], tracks: list[Track]) -> None:
    """Assert what the challenge's own check of a result asks for."""
    assert len({label for label, *_ in tracks}) == len(tracks)
    on_frame = [set(np.unique(mask).tolist()) - {0} for mask in masks]
    for label, begin, end, _parent in tracks:
        assert 0 < label < 2**16
        frames = [i for i, present in enumerate(on_frame) if label in present]
        assert frames == list(range(begin, end + 1))
    ends = {label: end for label, _begin, end, _parent in tracks}
    assert set().union(*on_frame) == set(ends)
    assert all(ends[parent] < begin for _l, begin, _e, parent in tracks if parent)
    assert all(mask.dtype == np.uint16 for mask in masks)


def test_objects_keep_their_numbers_and_a_gap_begins_a_new_track(tmp_path: Path) -> None:
    labels = movie([1, 7], [1], [0], [1, 7], [1, 0, 2])
    masks, tracks = write(tmp_path / "01_RES", labels)
    check_rules(masks, tracks)
    assert tracks == [(1, 0, 1, 0), (2, 4, 4, 0), (7, 0, 0, 0), (8, 3, 4, 1), (9, 3, 3, 7)]
    assert masks[3].tolist() == [[8, 9, 0]]
    assert [file.name for file in sorted((tmp_path / "01_RES").iterdir())] == [
        *(f"mask{i:03}.tif" for i in range(5)),
        "res_track.txt",
    ]


def test_any_movie_keeps_the_rules(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    labels = rng.integers(0, 12, (9, 4, 3), dtype=np.int32)
    masks, tracks = write(tmp_path / "02_RES", labels)
    check_rules(masks, tracks)
    numbers = {label: label for label, *_ in tracks}
    for label, _begin, _end, parent in tracks:  # the first track of an object has its number
        numbers[label] = numbers[parent] if parent else label
    table = np.zeros(max(numbers) + 1, np.int32)
    table[list(numbers)] = list(numbers.values())
    np.testing.assert_array_equal(table[np.stack(masks)], labels)


def test_volumes_are_one_file_for_each_frame(tmp_path: Path) -> None:
    labels = movie([1, 5], [0, 5], [1, 5], sides=(2, 3))
    labels[0, 0] = 0  # an object need not be on each plane
    masks, tracks = write(tmp_path / "01_RES", labels, "TZYX")
    check_rules(masks, tracks)
    assert [mask.shape for mask in masks] == [(2, 3, 2)] * 3
    assert tracks == [(1, 0, 0, 0), (5, 0, 2, 0), (6, 2, 2, 1)]


def test_numbers_beyond_sixteen_bits_get_smaller_ones(tmp_path: Path) -> None:
    masks, tracks = write(tmp_path / "01_RES", movie([70_000, 4], [70_000, 65_535]))
    check_rules(masks, tracks)
    assert [tuple(mask[0]) for mask in masks] == [(1, 4), (1, 65_535)]


def test_more_tracks_than_sixteen_bits_number_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(write_ctc, "_MOST", 3)
    write(tmp_path / "01_RES", movie([1, 2], [1, 2]))
    for frames in ([[1, 2], [3, 4]], [[1, 2], [0], [1, 2]]):
        with pytest.raises(FileError, match="more than 3 tracks, which the 16-bit masks"):
            write(tmp_path / "02_RES", movie(*frames))
    assert [path.name for path in tmp_path.iterdir()] == ["01_RES"]


def test_a_thousand_frames_and_more_have_four_digits(tmp_path: Path) -> None:
    book = write_ctc.TrackedFrames(tmp_path / "a", Layout((1001, 1, 1), "TYX"), "a")
    assert book._path(7).name == "mask0007.tif"


def test_no_objects_are_no_tracks(tmp_path: Path) -> None:
    masks, tracks = write(tmp_path / "01_RES", movie([0, 0], [0, 0]))
    assert tracks == []
    assert not np.any(masks)


@pytest.mark.parametrize("axes", ["ZYX", "QYX"])
def test_without_an_axis_of_time_there_are_no_tracks(axes: str, tmp_path: Path) -> None:
    with pytest.raises(FileError, match=f"the axes TYX or TZYX, and '01_RES' would have {axes}"):
        write(tmp_path / "01_RES", movie([1], [1]), axes)
    assert list(tmp_path.iterdir()) == []


def test_an_earlier_result_is_replaced_and_other_files_never(tmp_path: Path) -> None:
    folder = tmp_path / "01_RES"
    write(folder, movie([1], [1], [1]))
    write(folder, movie([2], [2]))
    assert len(list(folder.iterdir())) == 3
    (folder / "notes.txt").touch()
    with pytest.raises(FileError, match=r"01_RES' is not empty \(it holds 'notes\.txt'\)"):
        write(folder, movie([3], [3]))
    assert len(list(folder.iterdir())) == 4
