"""What is wrong with a cluster is said in one sentence, and soon."""

from __future__ import annotations

import importlib.metadata
import socket
import sys
from concurrent.futures import CancelledError
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from napari_unet.batch.cluster.connection import DaskPool, connected
from napari_unet.batch.cluster.orders import Order, segmenter_for
from napari_unet.batch.cluster.window import LostError
from napari_unet.engine.errors import EngineError, SettingsError
from tests.batch.cluster.test_cluster import segmenter

distributed = pytest.importorskip("distributed", reason="the extra [cluster] is not installed")


@pytest.mark.parametrize("wish", ["local", "local:", "local:0", "local:many"])
def test_a_number_of_workers_is_named(wish: str) -> None:
    with pytest.raises(SettingsError, match="is no number of workers; write local:4"):
        connected(wish).__enter__()


def test_the_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)

    with pytest.raises(SettingsError, match=r"install it with: pip install '.*\[cluster\]'\."):
        connected("local:2").__enter__()


def test_an_address_at_which_nobody_answers_is_named() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and nobody listens
        address = f"tcp://127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(SettingsError, match=f"No scheduler of Dask answers at '{address}'"):
            connected(address, patience=0.2).__enter__()


def test_a_scheduler_s_file_that_is_not_there_is_not_waited_for_for_ever(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"There is no file '.*s\.json', which the scheduler"):
        connected(str(tmp_path / "s.json"), patience=0.2).__enter__()


def client(second: Any = "") -> Any:
    """Return one that knows two workers, of which the second has another version."""

    def run(function: Any, *arguments: Any, on_error: str) -> dict[str, Any]:
        return {"tcp://a": function(*arguments), "tcp://b": second}

    return SimpleNamespace(run=run)


@pytest.mark.parametrize(
    ("second", "has"),
    [
        ("0.0.1", "napari-unet-paint 0.0.1"),
        (importlib.metadata.PackageNotFoundError("napari-unet-paint"), "no napari-unet-paint"),
    ],
)
def test_workers_with_another_version_are_named(second: Any, has: str) -> None:
    with pytest.raises(SettingsError, match=f"The worker tcp://b has {has}, here it is"):
        DaskPool(client(second)).check_versions()


def test_a_worker_with_another_version_that_comes_later_is_named(tmp_path: Any) -> None:
    order = Order.of(segmenter(), "a run", tmp_path / "model.safetensors", "cpu")

    with pytest.raises(SettingsError, match=r"has napari-unet-paint .*, but it is 0\.0\.1"):
        segmenter_for(replace(order, version="0.0.1"))


class Ended:
    """A future that has failed."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def result(self, timeout: float) -> Any:
        raise self._error


@pytest.mark.parametrize(
    ("error", "kind", "sentence"),
    [
        (CancelledError("gone"), LostError, "The cluster is not there any more (gone); what is"),
        (OSError("closed"), LostError, "The cluster is not there any more (closed); what is"),
        (
            distributed.KilledWorker("a task", "a worker", 10),
            EngineError,
            "Workers ended 10 times while they worked on the same part, most likely for want of",
        ),
        (ModuleNotFoundError("No module named 'x'"), EngineError, "A worker failed (No module"),
    ],
)
def test_what_ends_a_job_is_said_in_a_sentence(
    error: Exception, kind: type[Exception], sentence: str
) -> None:
    with pytest.raises(kind) as found:
        DaskPool(client()).result(Ended(error))

    assert str(found.value).startswith(sentence)
