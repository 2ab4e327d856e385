"""A cluster gives the same labels as one machine, whoever dies on the way."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from typer.testing import CliRunner

from napari_unet.batch.cluster.connection import DaskPool, connected
from napari_unet.batch.cluster.workers import Workers
from napari_unet.batch.events import Note, PartsDone
from napari_unet.batch.files import segment_files
from napari_unet.batch.plane_selection import PlaneSelection
from napari_unet.batch.segmenter import Segmenter
from napari_unet.cli.app import app
from napari_unet.config import ObjectsConfig, OutputKind, TilingConfig
from napari_unet.engine.errors import ImageError
from napari_unet.engine.events import PlaneDone
from napari_unet.engine.network import openvino_network, pick_device
from napari_unet.engine.prediction import SegmentationPlan
from napari_unet.io.checkpoints import save_model
from napari_unet.io.images import open_image
from napari_unet.io.input_files import find_inputs
from napari_unet.io.provenance_files import read_provenance
from napari_unet.io.shared_work import SharedWork
from tests.engine.tiny import noise, tiny_model

distributed = pytest.importorskip("distributed", reason="the extra [cluster] is not installed")


class WithoutOpenvino(distributed.WorkerPlugin):  # type: ignore[misc,name-defined]
    """Lets PyTorch compute in each worker, as in all other tests."""

    name = "without-openvino"

    def setup(self, worker: Any) -> None:
        vars(openvino_network)["find_spec"] = lambda _: None


@pytest.fixture(scope="module")
def pool() -> Iterator[DaskPool]:
    """Two workers, which all tests of the module share."""
    with connected("local:2") as found:
        found._client.register_plugin(WithoutOpenvino())
        yield found


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """Two times of three planes."""
    path = tmp_path / "cells.ome.tif"
    coarse = noise(2, 3, 24, 26)
    pixels = coarse.repeat(4, axis=-1).repeat(4, axis=-2)
    pixels[1] = np.roll(pixels[0], 3, axis=-1)  # so that there is something to link
    tifffile.imwrite(path, pixels, metadata={"axes": "TZYX"})
    return path


def segmenter(
    *, selection: PlaneSelection | None = None, others: Workers | None = None, **settings: Any
) -> Segmenter:
    settings = {
        "model": tiny_model(shape_field=True),
        "tiling": TilingConfig(tile=32),  # 12 tiles per plane
        "objects": ObjectsConfig(min_size=0),
        **settings,
    }
    plan, device = SegmentationPlan(**settings), pick_device("cpu")
    return Segmenter(plan, "tiny", None, device, selection, others=others)


def run(way: Segmenter, image: Path, output: Path) -> list[Any]:
    return list(way.segment(way.open(image), output))


def pixels(path: Path) -> Any:
    return np.asarray(open_image(path).array)


CASES = {
    "objects, written by the workers": ({}, ".zarr"),
    "objects linked in z and t": ({"objects": ObjectsConfig(min_size=0, link=True)}, ".tif"),
    "some planes": ({"selection": PlaneSelection("1,2,4", (1, 2, 4))}, ".zarr"),
    "probabilities": ({"kind": OutputKind.PROBABILITIES}, ".zarr"),
}


@pytest.mark.parametrize(("changes", "ending"), CASES.values(), ids=CASES)
def test_all_that_is_written_is_as_on_one_machine(
    pool: DaskPool, image: Path, tmp_path: Path, changes: dict[str, Any], ending: str
) -> None:
    alone, together = tmp_path / f"alone{ending}", tmp_path / f"together{ending}"

    run(segmenter(**changes), image, alone)
    told = run(segmenter(**changes, others=Workers(pool, "cpu")), image, together)

    assert pixels(alone).any()
    np.testing.assert_array_equal(pixels(together), pixels(alone))
    own, other = read_provenance(alone), read_provenance(together)
    assert (own.planes, own.image.hash) == (other.planes, other.image.hash)
    assert told[-1].figures["jobs"] > len(own.planes)  # planes were cut into pieces
    assert not SharedWork(together).folder.exists()


def test_smaller_copies_in_the_zarr_are_as_on_one_machine(pool: DaskPool, tmp_path: Path) -> None:
    image, alone, together = (tmp_path / name for name in ("a.tif", "alone.zarr", "all.zarr"))
    tifffile.imwrite(image, noise(150, 150).repeat(4, axis=0).repeat(4, axis=1))
    settings: dict[str, Any] = {"tiling": TilingConfig(tile=304)}

    run(segmenter(**settings), image, alone)
    run(segmenter(**settings, others=Workers(pool, "cpu")), image, together)

    files = [path.relative_to(alone) for path in alone.rglob("c/**/*") if path.is_file()]
    assert any(path.parts[0] == "1" for path in files)
    assert all((together / path).read_bytes() == (alone / path).read_bytes() for path in files)


@pytest.mark.skipif(sys.platform == "win32", reason="kills as POSIX does")
def test_a_killed_worker_changes_nothing(pool: DaskPool, image: Path, tmp_path: Path) -> None:
    alone, together = tmp_path / "alone.tif", tmp_path / "together.tif"
    run(segmenter(), image, alone)
    leads = segmenter(others=Workers(pool, "cpu"))
    killed: list[int] = []

    for event in leads.segment(leads.open(image), together):
        if isinstance(event, PartsDone) and not killed:
            killed = list(pool._client.run(os.getpid).values())
            os.kill(killed[0], signal.SIGKILL)

    pool._client.wait_for_workers(2, timeout=30)
    assert killed[0] not in pool._client.run(os.getpid).values()
    np.testing.assert_array_equal(pixels(together), pixels(alone))


@pytest.mark.parametrize("link", [False, True])
def test_who_leads_may_go_away_and_come_back(
    pool: DaskPool, image: Path, tmp_path: Path, *, link: bool
) -> None:
    changes: dict[str, Any] = {"objects": ObjectsConfig(min_size=0, link=link)}
    alone, together = tmp_path / "alone.zarr", tmp_path / "together.zarr"
    run(segmenter(**changes), image, alone)
    leads = segmenter(**changes, others=Workers(pool, "cpu"))
    events = leads.segment(leads.open(image), together)

    next(event for event in events if isinstance(event, PlaneDone))
    events.close()  # type: ignore[attr-defined]
    finished = len(SharedWork(together).done())
    told = run(leads, image, together)

    assert finished
    note = next(event.text for event in told if isinstance(event, Note))
    assert note == f"Going on: of 'together.zarr', {finished} of 6 planes were finished."
    np.testing.assert_array_equal(pixels(together), pixels(alone))


def test_other_settings_begin_anew_and_say_so(pool: DaskPool, image: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.tif"
    leads = segmenter(others=Workers(pool, "cpu"))
    events = leads.segment(leads.open(image), output)
    next(event for event in events if isinstance(event, PartsDone))
    events.close()  # type: ignore[attr-defined]

    plan = replace(leads.plan, objects=ObjectsConfig(min_size=30))
    told = run(replace(leads, plan=plan), image, output)

    note = next(event.text for event in told if isinstance(event, Note))
    assert note.endswith("but how objects are cut is not as then: this begins anew.")
    run(segmenter(objects=ObjectsConfig(min_size=30)), image, tmp_path / "alone.tif")
    np.testing.assert_array_equal(pixels(output), pixels(tmp_path / "alone.tif"))


def test_the_command_names_the_dashboard_and_tells_what_was_done(
    pool: DaskPool, image: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wishes: list[str] = []

    def reached(wish: str) -> Any:
        wishes.append(wish)
        return nullcontext(pool)

    monkeypatch.setattr("napari_unet.cli.segment.connected", reached)
    model, output = tmp_path / "tiny.safetensors", tmp_path / "out.tif"
    save_model(tiny_model(), model)
    words = ["segment", image, "--model", model, "--output", output, "--cluster", "tcp://here:1"]

    done = CliRunner().invoke(app, [*map(str, words), "--device", "cpu", "--json"])

    assert done.exit_code == 0, done.output
    assert f"The cluster shows what it does at {pool.dashboard}" in done.stderr.splitlines()
    assert json.loads(done.stdout)["workers"] == "2 workers of Dask"
    assert wishes == ["tcp://here:1"]
    assert pixels(output).any()


def test_each_of_many_files_is_a_job(pool: DaskPool, tmp_path: Path) -> None:
    folder, alone, together = (tmp_path / name for name in ("in", "alone", "together"))
    folder.mkdir()
    for number in range(3):
        tifffile.imwrite(folder / f"{number}.tif", noise(40, 44, seed=number))
    (folder / "broken.tif").write_bytes(b"II*\0 broken")
    found: dict[str, list[str]] = {}

    for out, others in ((alone, None), (together, Workers(pool, "cpu"))):
        files = find_inputs([folder], out)
        *_, done = segment_files(files, out, segmenter(), others=others)
        found[out.name] = [str(outcome.status) for outcome in done.outcomes]  # type: ignore[union-attr]

    assert found["together"] == found["alone"] == ["done"] * 3 + ["failed"]
    for number in range(3):
        np.testing.assert_array_equal(
            pixels(together / f"{number}.tif"), pixels(alone / f"{number}.tif")
        )
    assert not list(together.glob(".*"))


def test_what_is_wrong_with_an_image_is_said_as_on_one_machine(
    pool: DaskPool, image: Path, tmp_path: Path
) -> None:
    odd = tmp_path / "odd.tif"
    values = noise(96, 104).astype(np.float32)
    values[50, 50] = np.nan
    tifffile.imwrite(odd, values)

    with pytest.raises(ImageError, match="holds NaN or infinite values"):
        run(segmenter(others=Workers(pool, "cpu")), odd, tmp_path / "out.tif")

    assert not (tmp_path / "out.tif").exists()


def test_a_worker_that_does_not_see_the_image_says_so(
    pool: DaskPool, image: Path, tmp_path: Path
) -> None:
    leads = segmenter(others=Workers(pool, "cpu"))
    opened = leads.open(image)
    image.unlink()

    with pytest.raises(Exception, match=r"does not see '.*cells.ome.tif'; image and output must"):
        list(leads.segment(opened, tmp_path / "out.tif"))
