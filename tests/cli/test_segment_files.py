"""`segment … --output FOLDER`: many files, each done once, whatever happens to one of them."""

from __future__ import annotations

import csv
import errno
import json
import os
import shutil
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from napari_unet.batch.segmenter import Opened, Segmenter
from napari_unet.cli.console import Interruption
from napari_unet.cli.segment_files import segment_into_folder
from napari_unet.cli.settings import SegmentWishes
from napari_unet.config import OutputKind
from napari_unet.engine.network.model import Model
from napari_unet.engine.prediction import Backend
from napari_unet.io.checkpoints import save_model
from napari_unet.io.failures import cannot_write
from napari_unet.io.images import open_image
from napari_unet.io.labels import open_label_writer
from napari_unet.io.provenance import to_text
from napari_unet.io.provenance_files import read_provenance
from tests.cli.conftest import Command, save, sentence


@pytest.fixture
def files(tmp_path: Path, tiny: Model, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in a folder with tiny.safetensors and in/a.tif, in/b.tif of 2 planes, in/day/c.tif."""
    (tmp_path / "in/day").mkdir(parents=True)
    values = np.random.default_rng(0).integers(0, 4096, (2, 40, 44), np.uint16)
    save(tmp_path / "in/a.tif", values[0])
    save(tmp_path / "in/b.tif", values)
    save(tmp_path / "in/day/c.tif", values[1, :24])
    save_model(tiny, tmp_path / "tiny.safetensors")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def segmented(command: Command, files: Path) -> Callable[..., Any]:
    """Run the command; return its exit status, and the lines of its summary by output name."""

    def run(*words: str, inputs: tuple[str, ...] = ("in",)) -> tuple[int, dict[str, Any]]:
        outcome = command(
            *("segment", *inputs, "--model", "tiny.safetensors", "--output", "out"),
            *("--device", "cpu", *words),
        )
        lines = json.loads((files / "out/summary.json").read_text())["files"]
        return outcome.exit_code, {Path(line["output"]).name: line for line in lines}

    return run


def _status(lines: dict[str, Any]) -> dict[str, str]:
    return {name: line["status"] for name, line in lines.items()}


def test_a_folder_is_segmented_file_by_file_as_each_alone_in_the_same_structure(
    command: Command, files: Path, segmented: Callable[..., Any]
) -> None:
    status, lines = segmented("--suffix", "_seg", "--tables")
    command("segment", "in/b.tif", "--model", "tiny.safetensors", "--output", "alone.tif")

    assert status == 0
    assert set(_status(lines).values()) == {"done"}
    results = {path.relative_to(files / "out") for path in (files / "out").rglob("*.tif")}
    assert results == {Path("a_seg.tif"), Path("b_seg.tif"), Path("day/c_seg.tif")}
    alone, together = tifffile.imread("alone.tif"), tifffile.imread("out/b_seg.tif")
    assert alone.shape == (2, 40, 44)
    np.testing.assert_array_equal(together, alone)
    assert lines["b_seg.tif"]["planes"] == 2
    assert lines["b_seg.tif"]["objects"] == together.max() > 0
    with Path("out/summary.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["status"] for row in rows] == ["done"] * 3
    assert rows[1]["objects"] == str(together.max())
    assert read_provenance(Path("out/day/c_seg.tif.json")).image.name == "c"
    assert len(Path("out/b_seg.csv").read_text().splitlines()) == 1 + together.max()


def test_the_network_is_built_once(
    segmented: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    built: list[object] = []
    build = Backend.of

    def count_and_build(*args: Any) -> Backend:
        built.append(args)
        return build(*args)

    monkeypatch.setattr(Backend, "of", count_and_build)
    segmented()
    assert len(built) == 1
    segmented()
    assert len(built) == 1  # nothing was to be done


def test_what_is_done_is_skipped_and_what_has_changed_is_made_anew(
    command: Command, files: Path, segmented: Callable[..., Any]
) -> None:
    _, first = segmented()
    made = {name: (files / "out" / name).stat().st_mtime_ns for name in ("a.tif", "b.tif")}
    save(files / "in/b.tif", tifffile.imread("in/b.tif") // 2)

    status, lines = segmented()

    assert status == 0
    assert _status(lines) == {"a.tif": "skipped", "b.tif": "done", "c.tif": "skipped"}
    assert (files / "out/a.tif").stat().st_mtime_ns == made["a.tif"]
    assert (files / "out/b.tif").stat().st_mtime_ns > made["b.tif"]
    assert lines["a.tif"]["objects"] == first["a.tif"]["objects"]


@pytest.mark.parametrize(
    ("words", "change"),
    [
        (("--min-size", "9"), "how objects are cut"),
        (("--rotations", "4"), "how it is predicted"),
        (("--output-kind", "probabilities"), "what is written"),
        ((), "the model"),
    ],
)
def test_changed_settings_and_models_are_noticed_and_said(
    command: Command,
    files: Path,
    tiny: Model,
    segmented: Callable[..., Any],
    words: tuple[str, ...],
    change: str,
) -> None:
    segmented(inputs=("in/a.tif",))
    if not words:
        weights = {name: weight * 1.5 for name, weight in tiny.weights.items()}
        save_model(Model(**{**_parts(tiny), "weights": weights}), files / "tiny.safetensors")

    outcome = command(
        *("segment", "in/a.tif", "--model", "tiny.safetensors", "--output", "out", *words)
    )

    assert outcome.exit_code == 0, outcome.output
    assert f"made anew, since {change} has changed" in outcome.stderr
    assert "done     1" in outcome.stdout


def _parts(model: Model) -> dict[str, Any]:
    return {name: getattr(model, name) for name in model.__dataclass_fields__}


def test_the_side_of_tiles_is_no_reason_to_do_it_again(segmented: Callable[..., Any]) -> None:
    segmented()
    assert set(_status(segmented("--tile", "16")[1]).values()) == {"skipped"}


def test_a_file_that_fails_stops_none_of_the_others_and_is_listed_at_the_end(
    command: Command, files: Path
) -> None:
    (files / "in/b.tif").write_bytes(b"II*\0broken")

    outcome = command("segment", "in", "--model", "tiny.safetensors", "--output", "out", "--json")

    assert outcome.exit_code == 1
    figures = json.loads(outcome.stdout)
    assert (figures["done"], figures["failed"]) == (2, 1)
    assert "1 file of 3 failed:" in outcome.stderr
    assert outcome.stderr.splitlines()[-1].startswith("  in/b.tif: 'in/b.tif' ")
    assert not Path("out/b.tif").exists()


def test_a_file_that_vanishes_or_changes_meanwhile_fails_with_its_sentence(
    command: Command,
    files: Path,
    segmented: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    segment = Segmenter.segment

    def meddle(self: Segmenter, image: Opened, *args: Any, **options: Any) -> Any:
        if image.path.name == "a.tif":
            Path("in/b.tif").unlink()
        for event in segment(self, image, *args, **options):
            if image.path.name == "c.tif":
                os.utime(image.path, ns=(1, 1))
            yield event

    monkeypatch.setattr(Segmenter, "segment", meddle)
    status, lines = segmented()

    assert status == 1
    assert _status(lines) == {"a.tif": "done", "b.tif": "failed", "c.tif": "failed"}
    assert "does not exist" in lines["b.tif"]["message"]
    assert "changed while it was segmented" in lines["c.tif"]["message"]
    assert not Path("out/day/c.tif").exists()


def test_nothing_that_others_have_made_or_corrected_is_replaced(
    files: Path, segmented: Callable[..., Any]
) -> None:
    segmented(inputs=("in/a.tif",))
    corrected = replace(read_provenance(Path("out/a.tif")), corrected=(0,))
    stack = open_image("out/a.tif")
    with open_label_writer("out/a.tif", stack.layout()) as writer:
        writer.write(np.asarray(stack.array))
        writer.note_provenance(to_text(corrected, None))
    Path("out/b.tif").write_bytes(Path("in/a.tif").read_bytes())
    before = [Path(name).read_bytes() for name in ("out/a.tif", "out/b.tif")]

    assert _status(segmented()[1])["a.tif"] == "skipped"
    status, lines = segmented("--anew")

    assert status == 1
    assert "corrected by hand" in lines["a.tif"]["message"]
    assert "no result of this program" in lines["b.tif"]["message"]
    assert [Path(name).read_bytes() for name in ("out/a.tif", "out/b.tif")] == before


def test_stopped_it_keeps_what_is_done_and_goes_on_when_run_again(
    files: Path, segmented: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("napari_unet.batch.files.files_at_once", lambda: 1)

    class AfterFirst(Interruption):
        def __call__(self) -> bool:
            if Path("out/a.tif").exists():
                self.request(signal.SIGINT)
            return super().__call__()

    done = segment_into_folder(
        [Path("in")],
        Path("out"),
        AfterFirst(),
        model="tiny.safetensors",
        selection=None,
        wishes=SegmentWishes(),
        kind=OutputKind.LABELS,
        device="cpu",
    )

    assert [outcome.status for outcome in done.outcomes] == ["done", "left", "left"]
    assert _status(segmented()[1]) == {"a.tif": "skipped", "b.tif": "done", "c.tif": "done"}


def test_a_folder_of_planes_stays_one_stack_where_the_output_is_a_file(
    command: Command, files: Path
) -> None:
    for name in ("t0.tif", "t1.tif"):
        shutil.copy("in/a.tif", files / "in/day" / name)
    Path("in/day/c.tif").unlink()

    outcome = command("segment", "in/day", "--model", "tiny.safetensors", "--output", "o.tif")

    assert outcome.exit_code == 0, outcome.output
    assert tifffile.imread("o.tif").shape == (2, 40, 44)


def test_a_table_that_another_program_had_open_is_written_by_the_next_run(
    segmented: Callable[..., Any], files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    segmented("--tables", inputs=("in/a.tif",))
    before = (files / "out/a.csv").read_text()

    def lock(path: Path, _names: object) -> object:
        raise cannot_write(path, PermissionError(errno.EACCES, "Permission denied"))

    with monkeypatch.context() as patch:
        patch.setattr("napari_unet.batch.measuring.open_table_writer", lock)
        status, lines = segmented("--tables", "--min-size", "30", inputs=("in/a.tif",))
    assert (status, lines["a.tif"]["status"]) == (1, "failed")
    assert "is open in another program" in lines["a.tif"]["message"]
    assert (files / "out/a.csv").read_text() == before

    _, lines = segmented("--tables", "--min-size", "30", inputs=("in/a.tif",))
    assert lines["a.tif"]["status"] == "skipped"
    assert len((files / "out/a.csv").read_text()) < len(before)


BAD: list[tuple[str, tuple[str, ...], str]] = [
    ("no match", ("in/*.czi.tif", "--output", "out"), "matches no image"),
    ("missing", ("in", "nowhere.tif", "--output", "out"), "does not exist"),
    ("empty folder", ("in", "void", "--output", "out"), "holds no image"),
    ("one name", ("in/a.tif", "twin/a.tif", "--output", "out"), "would both be"),
    ("its own place", ("in", "--output", "in"), "suffix"),
    ("one file for many", ("in/a.tif", "in/b.tif", "--output", "o.tif"), "name of a folder"),
    ("one file for a pattern", ("in/*.tif", "--output", "o.tif"), "name of a folder"),
    ("a file as folder", ("in", "--output", "tiny"), "choose another"),
    (
        "no objects to measure",
        ("in", "--output", "out", "--tables", "--output-kind", "probabilities"),
        "no objects",
    ),
]


@pytest.mark.parametrize(("words", "expected"), [c[1:] for c in BAD], ids=[c[0] for c in BAD])
def test_bad_input_gets_one_sentence_and_nothing_is_written(
    command: Command, files: Path, words: tuple[str, ...], expected: str
) -> None:
    (files / "void").mkdir()
    (files / "tiny").write_bytes(b"")
    shutil.copytree("in", "twin")
    before = sorted(files.rglob("*"))

    outcome = command("segment", *words, "--model", "tiny.safetensors", "--device", "cpu")

    assert expected in sentence(outcome)
    assert sorted(files.rglob("*")) == before
