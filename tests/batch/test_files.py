"""Many files: whatever is wrong with one or with where they lie, nothing is lost of the others."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from napari_unet.batch.events import FileEnded, FilesDone, FilesProgress, Note
from napari_unet.batch.files import segment_files
from napari_unet.batch.segmenter import Segmenter
from napari_unet.batch.tally import Tally
from napari_unet.config import NetworkConfig, ObjectsConfig, Task, TilingConfig
from napari_unet.engine.errors import FileError, SettingsError
from napari_unet.engine.network import pick_device
from napari_unet.engine.network.model import fresh_model
from napari_unet.engine.prediction import SegmentationPlan
from napari_unet.engine.stack.normalization import Normalization
from napari_unet.io.input_files import InputFile, find_inputs

Event = Any


@pytest.fixture
def inputs(tmp_path: Path) -> Path:
    """A folder with a.tif, b.tif and day/c.tif."""
    folder = tmp_path / "in"
    (folder / "day").mkdir(parents=True)
    for seed, name in enumerate(("a", "b", "day/c")):
        values = np.random.default_rng(seed).integers(0, 4096, (40, 44), np.uint16)
        tifffile.imwrite(folder / f"{name}.tif", values, photometric="minisblack")
    return folder


def segmenter(**settings: Any) -> Segmenter:
    """Return a tiny one, which finds something everywhere."""
    network = NetworkConfig(name="light", base_channels=4, levels=2)
    model = fresh_model(network, Normalization((0.0,), (4095.0,)), Task.OBJECTS, (0, 1), seed=3)
    settings = {"tiling": TilingConfig(), "objects": ObjectsConfig(), **settings}
    return Segmenter(SegmentationPlan(model, **settings), "tiny", None, pick_device("cpu"))


def run(
    named: Path, out: Path, suffix: str = "", *, tables: bool = False, **changes: Any
) -> tuple[dict[str, Any], list[Event]]:
    """Segment all; return what became of each by the name of its input, and what was told."""
    files = find_inputs([named], out, suffix)
    told = list(segment_files(files, out, segmenter(**changes), tables=tables))
    assert isinstance(told[-1], FilesDone)
    return {Path(o.input).name: o for o in told[-1].outcomes}, told


def statuses(outcomes: dict[str, Any]) -> list[str]:
    return [str(outcome.status) for outcome in outcomes.values()]


@pytest.mark.parametrize(
    ("out", "suffix"), [("in/results", ""), ("in", "_seg"), ("in/day/deep", "")]
)
@pytest.mark.parametrize("killed", [False, True], ids=["whole", "killed before the record"])
def test_results_inside_the_input_folder_are_no_images_of_the_next_run(
    inputs: Path, out: str, suffix: str, *, killed: bool
) -> None:
    folder = inputs.parent / out
    first, _ = run(inputs, folder, suffix)
    if killed:
        for record in inputs.rglob("*.tif.json"):
            record.unlink()
    second, _ = run(inputs, folder, suffix)

    assert statuses(first) == ["done"] * 3
    assert list(second) == list(first) == ["a.tif", "b.tif", "c.tif"]
    assert statuses(second) == ["skipped"] * 3
    assert all(Path(f"{o.output}.json").exists() for o in second.values())


def _as_folder(path: Path) -> Callable[[Path], object]:
    return lambda folder: (folder / path).mkdir(parents=True)


BLOCKED: list[tuple[str, Callable[[Path], object], str]] = [
    ("a folder has the result's name", _as_folder(Path("out/b.tif/x")), "b.tif"),
    (
        "another program's file has it",
        lambda folder: (_as_folder(Path("out"))(folder), (folder / "out/b.tif").write_bytes(b"II")),
        "b.tif",
    ),
    (
        "a file has the subfolder's name",
        lambda folder: (_as_folder(Path("out"))(folder), (folder / "out/day").write_bytes(b"")),
        "c.tif",
    ),
    ("an empty file", lambda folder: (folder / "in/a.tif").write_bytes(b""), "a.tif"),
    ("a damaged file", lambda folder: (folder / "in/a.tif").write_bytes(b"II*\0broken"), "a.tif"),
    ("half of a file", lambda folder: _cut(folder / "in/b.tif"), "b.tif"),
    ("other channels", lambda folder: _colour(folder / "in/b.tif"), "b.tif"),
    (
        "a constant image",
        lambda folder: tifffile.imwrite(folder / "in/b.tif", np.ones((9, 9), np.uint8)),
        "b.tif",
    ),
]


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:900])


def _colour(path: Path) -> None:
    tifffile.imwrite(path, np.ones((9, 9, 3), np.uint8), photometric="rgb")


@pytest.mark.parametrize(
    ("spoil", "failing"), [c[1:] for c in BLOCKED], ids=[c[0] for c in BLOCKED]
)
def test_what_is_wrong_with_one_file_stops_no_other_and_is_told_in_a_sentence(
    inputs: Path, spoil: Callable[[Path], object], failing: str
) -> None:
    spoil(inputs.parent)
    outcomes, _ = run(inputs, inputs.parent / "out")

    assert {name: str(outcome.status) for name, outcome in outcomes.items()} == {
        **dict.fromkeys(("a.tif", "b.tif", "c.tif"), "done"),
        failing: "failed",
    }
    message = outcomes[failing].message
    assert message.endswith(".")
    assert "; " in message or ". " in message  # and what to do


NAMED: list[tuple[str, str, bool, type[Exception], str]] = [
    ("no file matches", "in/*.png", True, FileError, "matches no image"),
    ("a folder without images", "void", True, FileError, "holds no image"),
    ("one name for two", ".", False, SettingsError, "would both be"),
]


@pytest.mark.parametrize(
    ("named", "subfolders", "error", "words"), [c[1:] for c in NAMED], ids=[c[0] for c in NAMED]
)
def test_what_cannot_begin_is_refused_in_a_sentence(
    inputs: Path, named: str, subfolders: bool, error: type[Exception], words: str
) -> None:
    (inputs.parent / "void").mkdir()
    twin = inputs.parent / "twin"
    twin.mkdir()
    (twin / "a.tif").write_bytes((inputs / "a.tif").read_bytes())
    with pytest.raises(error, match=words):
        find_inputs([inputs.parent / named], inputs.parent / "out", subfolders=subfolders)


@pytest.mark.parametrize("name", ["summary.csv", "summary.json", ""])
def test_a_place_that_cannot_be_written_is_told_before_the_work(inputs: Path, name: str) -> None:
    out = inputs.parent / "out"
    if name:
        (out / name).mkdir(parents=True)  # as if another program had locked it
    else:
        out.write_bytes(b"")
    events = segment_files(find_inputs([inputs], out), out, segmenter())
    with pytest.raises(FileError, match=r"choose|close"):
        next(events)
    assert not list(inputs.parent.rglob("out/*.tif"))


def test_a_summary_that_is_locked_meanwhile_costs_no_result_and_is_told_once(
    inputs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("napari_unet.batch.files._WRITE_EVERY", 0)
    out = inputs.parent / "out"
    told: list[Event] = []
    for event in segment_files(find_inputs([inputs], out), out, segmenter()):
        told.append(event)
        if len(told) == 1:
            (out / "summary.csv").mkdir()

    assert [str(outcome.status) for outcome in told[-1].outcomes] == ["done"] * 3
    (note,) = [event for event in told if isinstance(event, Note)]
    assert "summary.csv" in note.text
    assert "summary.json" in note.text
    assert (out / "summary.json").exists()


def test_an_image_without_objects_is_done_and_counted_as_such(inputs: Path) -> None:
    out, objects = inputs.parent / "out", ObjectsConfig(min_size=10**6)
    first, _ = run(inputs / "a.tif", out, objects=objects, tables=True)
    second, _ = run(inputs / "a.tif", out, objects=objects, tables=True)

    assert (first["a.tif"].status, first["a.tif"].objects) == ("done", 0)
    assert (second["a.tif"].status, second["a.tif"].objects) == ("skipped", 0)
    assert not tifffile.imread(out / "a.tif").any()
    assert len((out / "a.csv").read_text().splitlines()) == 1


def test_progress_rises_to_the_whole_and_skipped_files_take_no_time(inputs: Path) -> None:
    out = inputs.parent / "out"
    run(inputs / "a.tif", out)
    _, told = run(inputs, out)

    progress = [event for event in told if isinstance(event, FilesProgress)]
    assert [p.share for p in progress] == sorted(p.share for p in progress)
    assert (progress[-1].share, progress[-1].of_work) == (1, 1)
    assert progress[-1].worked < 0.9
    assert [e.ended for e in told if isinstance(e, FileEnded)] == [1, 2, 3]


def test_a_file_whose_size_is_not_known_counts_as_the_largest(inputs: Path) -> None:
    (inputs / "stack.zarr").mkdir()
    names = ["a.tif", "stack.zarr", "gone.tif"]
    tally = Tally([InputFile(inputs / name, inputs / "out" / name) for name in names])

    assert tally.end(0, worked=False).share == pytest.approx(1 / 3)
    assert tally.move(1, 0.5).of_work == pytest.approx(1 / 4)


def test_closing_ends_the_work_and_writes_what_is_known(inputs: Path) -> None:
    out = inputs.parent / "out"
    events: Iterator[Event] = segment_files(find_inputs([inputs], out), out, segmenter())
    for event in events:
        if isinstance(event, FileEnded):
            break
    events.close()  # type: ignore[attr-defined]

    assert '"done"' in (out / "summary.json").read_text()
