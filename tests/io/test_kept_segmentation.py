"""A segmentation that ends before its work does goes on from disk as if it had never ended."""

from __future__ import annotations

import functools
import os
import shutil
import time
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from napari_unet.config import ObjectsConfig, OutputKind, Task, TilingConfig
from napari_unet.engine.errors import FileError, UnetPaintError
from napari_unet.engine.events import PlaneDone, SegmentStarted
from napari_unet.engine.prediction import SegmentationPlan
from napari_unet.engine.prediction.predictor import Predictor
from napari_unet.engine.prediction.segmentation import whole_planes
from napari_unet.engine.stack.planes import ArrayPlanes
from napari_unet.io import kept_folders, kept_record, kept_segmentation
from napari_unet.io.kept_arrays import Packed, PackedPlane, PackedTile, described, pack
from napari_unet.io.kept_folders import DAYS_KEPT, find_kept, new_kept
from napari_unet.io.kept_record import Basis, KeptRecord
from napari_unet.io.kept_segmentation import KeptSegmentation
from napari_unet.io.plain import to_plain
from napari_unet.io.record_log import RecordLog
from tests.engine.tiny import CPU, noise, segment, tiny_model
from tests.io.ended import ELSEWHERE, end

MODEL = tiny_model()
STACK = noise(2, 3, 40, 50)
TILING = TilingConfig(tile=16)  # 3 x 4 per plane
PLAN = SegmentationPlan(MODEL, ObjectsConfig(), TILING)


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_segmentation, "_WAIT", 0)


def record(started: SegmentStarted) -> KeptRecord:
    basis = Basis.of(PLAN, ArrayPlanes(STACK), device=CPU)
    return KeptRecord("cells", "tiny", basis, 6, started.planes, started.tile)


def run(kept: KeptSegmentation | None = None, **settings: Any) -> Any:
    """Yield the events, kept as they come."""
    stack = ArrayPlanes(STACK, followed="TZ")
    options: dict[str, Any] = {"objects": ObjectsConfig(), **settings}
    if kept is not None:
        options["kept"] = kept
    for event in segment(MODEL, stack, device=CPU, tiling=TILING, **options):
        if kept is not None and isinstance(event, SegmentStarted):
            kept.begin(event)
        yield event


def result(events: Any) -> tuple[dict[int, npt.NDArray[Any]], dict[int, int]]:
    """Return the values of each plane, and its new objects."""
    objects: dict[int, int] = {}

    def noted() -> Any:
        for event in events:
            if isinstance(event, PlaneDone):
                objects[event.plane] = event.objects
            yield event

    return dict(whole_planes(noted())), objects


@functools.cache
def undisturbed(link: bool = False, kind: OutputKind = OutputKind.LABELS) -> Any:
    return result(run(objects=ObjectsConfig(link=link), kind=kind))


def killed_after(number: int, **settings: Any) -> Path:
    """Run until so many events have come; return the folder that is left."""
    kept = new_kept(record)
    events = run(kept, **settings)
    for _ in islice(events, number):
        pass
    events.close()
    return kept.folder


@pytest.mark.parametrize(
    ("kind", "link"),
    [
        (OutputKind.LABELS, False),
        (OutputKind.LABELS, True),
        (OutputKind.CLASSES, False),
        (OutputKind.PROBABILITIES, False),
    ],
)
@pytest.mark.parametrize("events", [3, 20, 50])
def test_what_goes_on_equals_what_never_ended(
    kind: OutputKind, events: int, monkeypatch: pytest.MonkeyPatch, *, link: bool
) -> None:
    expected, objects = undisturbed(link, kind)
    settings: dict[str, Any] = {"kind": kind, "objects": ObjectsConfig(link=link)}
    kept = KeptSegmentation(killed_after(events, **settings))
    predicted: list[int] = []
    predict = Predictor.predict

    def counted(self: Predictor, *place: Any) -> Any:
        predicted.append(1)
        return predict(self, *place)

    monkeypatch.setattr(Predictor, "predict", counted)
    found, numbers = result(run(kept, **settings))

    assert found.keys() == expected.keys()
    for plane, values in expected.items():
        np.testing.assert_array_equal(found[plane], values)
    assert numbers == objects
    assert len(predicted) <= 6 * 12 - events * 12 // 14 + 1
    kept.remove()
    assert not kept.folder.exists()


def test_paint_on_what_is_left_overrides_tiles_that_were_kept() -> None:
    paint = np.zeros(STACK.shape, np.int32)
    paint[..., 10:20, 10:20] = 1
    settings: dict[str, Any] = {"kind": OutputKind.CLASSES}
    kept = KeptSegmentation(killed_after(9, **settings))
    found, _ = result(run(kept, painted=ArrayPlanes(paint), **settings))
    assert (found[0][10:20, 10:20] == 0).all()


def test_a_torn_or_damaged_record_counts_as_not_there() -> None:
    expected, objects = undisturbed()
    folder = killed_after(40)  # two planes, and tiles of the third
    for name, cut in (("planes", 7), ("tiles-000002", 90)):
        file = folder / name
        file.write_bytes(file.read_bytes()[:-cut])
    (tiles,) = folder.glob("tiles-000002")
    whole = tiles.read_bytes()
    tiles.write_bytes(whole[:300] + bytes([whole[300] ^ 1]) + whole[301:])

    kept = KeptSegmentation(folder)
    assert kept.finished == {0}
    found, numbers = result(run(kept))
    for plane, values in expected.items():
        np.testing.assert_array_equal(found[plane], values)
    assert numbers == objects


def test_a_short_run_leaves_the_disk_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_segmentation, "_WAIT", 1e9)
    kept = new_kept(record)
    list(run(kept))
    assert not kept.folder.exists()
    kept.remove()
    assert find_kept() == []


def test_of_planes_that_are_finished_soon_no_tile_is_written(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(kept_segmentation, "_WAIT", 1e9)
    kept = new_kept(record)
    list(islice(run(kept), 30))  # two planes, and a tile of the third
    kept.leave()
    left = {file.name for file in kept.folder.iterdir()}
    assert left == {"kept.json", "planes", "tiles-000002"}
    assert find_kept()[0].finished == 2


def test_what_a_short_run_has_finished_is_kept_when_it_is_stopped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(kept_segmentation, "_WAIT", 1e9)
    kept = new_kept(record)
    list(islice(run(kept), 20))
    kept.leave()
    (found,) = find_kept()
    assert (found.finished, found.record.order) == (1, tuple(range(6)))


def test_a_disk_that_is_full_stops_the_keeping_and_not_the_work(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    expected, _ = undisturbed()
    monkeypatch.setattr(kept_segmentation, "_MOST", 9000)
    kept = new_kept(record)
    found, _ = result(run(kept))
    for plane, values in expected.items():
        np.testing.assert_array_equal(found[plane], values)
    assert 0 < sum(file.stat().st_size for file in kept.folder.iterdir()) < 12000


@pytest.mark.parametrize("text", ["[" * 100_000, "{}", '{"planes": 1e999}', "\0"])
def test_a_damaged_record_is_not_offered(text: str) -> None:
    folder = killed_after(20)
    (folder / "kept.json").write_text(text)
    assert find_kept() == []
    assert folder.exists()


@pytest.mark.parametrize("shape", [(16, 16), (1, 16, 8), (2, 16, 16)])
def test_a_kept_tile_of_another_form_is_predicted_anew(shape: tuple[int, ...]) -> None:
    expected, _ = undisturbed()
    folder = killed_after(6)
    log = RecordLog(folder / "tiles-000000")
    told, _ = next(described(PackedTile, log.entries()))
    array, data = pack(np.ones(shape, np.uint8))
    log.append(to_plain(replace(told, shape=array.shape)), data)
    log.append({"at": "everywhere"}, b"")
    (kept,) = find_kept()
    found, _ = result(run(kept.take()))
    for plane, values in expected.items():
        np.testing.assert_array_equal(found[plane], values)


@pytest.mark.parametrize(
    "change",
    [{"shape": (40, 49)}, {"shape": (1, 1)}, {"size": 0}, {"starts": Packed((9,), "<u4")}],
)
def test_a_kept_plane_that_is_none_is_told_of(change: dict[str, Any]) -> None:
    folder = killed_after(20)
    log = RecordLog(folder / "planes")
    ((told, entry),) = described(PackedPlane, log.entries())
    log.append(to_plain(replace(told, **change)), log.read(entry))
    (kept,) = find_kept()
    with pytest.raises(UnetPaintError, match=r"What was kept of plane 0 .*; discard it and begin"):
        result(run(kept.take()))


def test_of_two_that_want_to_go_on_one_does() -> None:
    killed_after(20)
    (found,) = find_kept()
    taken = found.take()
    assert taken.finished == {0}
    for again in (found.take, found.remove):
        with pytest.raises(FileError, match="still going on in another window or command"):
            again()
    assert find_kept() == []  # this process works on it
    taken.remove()
    with pytest.raises(FileError, match="'cells' is there no longer"):
        found.take()


def test_what_is_left_for_the_next_one_is_found_while_this_process_runs() -> None:
    kept = new_kept(record)
    list(islice(run(kept), 20))
    assert find_kept() == []
    kept.leave()
    (found,) = find_kept()
    assert found.take().finished == {0}


def test_a_folder_that_cannot_be_filled_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_segmentation, "_MOST", 10)
    kept = new_kept(record)
    list(islice(run(kept), 20))
    assert not kept.folder.exists()


def test_the_work_of_a_running_program_is_not_offered() -> None:
    kept = new_kept(record)
    list(islice(run(kept), 20))
    assert find_kept() == []
    end(kept.folder.parent, ELSEWHERE)
    assert find_kept() == []  # another computer's, a moment ago
    for file in (kept.folder, *kept.folder.iterdir(), *kept.folder.parent.glob(".*.claim")):
        os.utime(file, (time.time() - 600,) * 2)
    assert len(find_kept()) == 1


def test_what_is_old_or_too_much_is_swept(monkeypatch: pytest.MonkeyPatch) -> None:
    folders = [killed_after(20) for _ in range(3)]
    for days, folder in zip((0, 3, DAYS_KEPT + 1), folders, strict=True):
        for file in folder.iterdir():
            os.utime(file, (time.time() - days * 24 * 3600,) * 2)
    begun = folders[0].with_name("2026-12-01 01-20-00 00000000")
    shutil.copytree(folders[0], begun)
    (begun / "kept.json").unlink()
    foreign = begun.with_name("thesis")
    foreign.mkdir()
    os.utime(foreign, (0, 0))
    os.utime(begun, (time.time() - 2 * 24 * 3600,) * 2)

    assert [run.folder for run in find_kept()] == folders[:2]
    assert sorted(begun.parent.iterdir()) == sorted([*folders[:2], foreign])
    monkeypatch.setattr(kept_folders, "_MOST", find_kept()[0].size + 1)
    assert [run.folder for run in find_kept()] == folders[:1]
    assert sorted(begun.parent.iterdir()) == sorted([folders[0], foreign])


def test_what_has_changed_is_told_in_words() -> None:
    before = record(SegmentStarted("", (0,), 1, 16)).basis
    assert before.changed(before) == ""
    other = replace(before, image="other")
    assert other.changed(before) == "the image"
    other = replace(other, tiling=TilingConfig(tile=32), device="cuda")
    assert other.changed(before) == "the image, how it is predicted and the device"


def test_of_a_very_large_image_planes_are_compared_that_lie_all_over_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stack, read = ArrayPlanes(noise(9, 16, 16)), set[int]()
    monkeypatch.setattr(kept_record, "_COMPARED", 3 * 16 * 16)
    monkeypatch.setattr(ArrayPlanes, "read", noting(read, ArrayPlanes.read))
    Basis.of(PLAN, stack, device=CPU)
    assert read == {0, 4, 8}
    monkeypatch.setattr(kept_record, "_COMPARED", 9 * 16 * 16)
    Basis.of(PLAN, stack, device=CPU)
    assert read == set(range(9))


def noting(read: set[int], reads: Any) -> Any:
    def noted(self: ArrayPlanes, plane: int, y: slice, x: slice) -> Any:
        read.add(plane)
        return reads(self, plane, y, x)

    return noted


def test_the_task_decides_what_is_kept_of_a_tile() -> None:
    folder = killed_after(6)
    size = (folder / "tiles-000000").stat().st_size
    assert MODEL.task is Task.OBJECTS
    assert size < 5 * 16 * 16  # bytes; of probabilities it would be four times as many
