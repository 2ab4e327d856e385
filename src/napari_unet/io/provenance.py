"""What made a segmentation: a record that goes with it, in its file and beside it.

It is text and numbers only. Whatever else a file calls a record is refused: nothing in it can run,
and nothing in it is opened unless a person asks for the work to be done again.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cache, partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_unet import __version__
from napari_unet.config import NetworkConfig, ObjectsConfig, OutputKind, Task, TilingConfig
from napari_unet.engine.errors import FileError, reason_of, without_controls
from napari_unet.io.hashes import model_hash
from napari_unet.io.library import bundled_models
from napari_unet.io.plain import from_plain, to_plain
from napari_unet.io.stack import AS_IT_IS, ImageStack, View

if TYPE_CHECKING:
    from napari_unet.engine.network import Model

FORMAT = "napari-unet-paint provenance"
SCHEMA = 1  # raised when older versions of the package would misread a record

_PACKAGES = ("napari-unet-paint", "torch", "openvino", "numpy", "scipy", "scikit-image")
_LONGEST = 4096  # characters of a text
_DEEPEST = 8  # levels of lists and mappings
_MOST_PLANES = 1_000_000
_HASH = re.compile(r"\w+:[0-9a-f]{16,128}")


@dataclass(frozen=True, slots=True)
class Source:
    """An image or painted labels, as they were when they were read."""

    name: str
    hash: str  # `stack_hash` of the planes that were used; "" while it is not known
    shape: tuple[int, ...]  # pixels along each axis; channels and colours last
    axes: str = ""  # a letter for each
    dtype: str = ""
    spacing: Mapping[str, float] = field(default_factory=dict)  # µm; s for T
    path: str | None = None  # None: of no file that is known
    view: View = AS_IT_IS  # what of the file it is

    def __post_init__(self) -> None:
        _require(not self.hash or _HASH.fullmatch(self.hash), f"hash is {self.hash!r:.40}")
        _require(all(0 < n < 2**62 for n in self.shape), f"shape is {self.shape!r:.40}")
        numbers = all(isinstance(step, int | float) for step in self.spacing.values())
        _require(numbers, f"spacing is {self.spacing!r:.40}")

    @classmethod
    def of(cls, stack: ImageStack, path: Path) -> Source:
        """Return what an open file tells of itself; nothing of it is read."""
        return cls(
            name=stack.name,
            hash="",
            shape=tuple(int(n) for n in stack.array.shape),
            axes=stack.axes,
            dtype=stack.array.dtype.name,
            spacing=dict(stack.spacing),
            path=str(path.absolute()),
            view=stack.view,
        )


@dataclass(frozen=True, slots=True)
class Training:
    """How a model came about, in short; the model's own file says more."""

    started: str = ""  # UTC, ISO 8601
    version: str = ""  # of napari-unet-paint
    start: str = "scratch"  # what the weights were before
    steps: int = 0  # gradient updates
    best_step: int = 0  # whose weights were kept
    seconds: float = 0.0
    labelled_pixels: int = 0
    whole_objects: int | None = None  # that were painted; None: classes, unknown
    seed: int | None = None
    image: str = ""  # name of that it was trained on; empty: unknown
    further_images: int = 0  # besides it

    @classmethod
    def of(cls, model: Model) -> Training:
        """Return what a model says of its training."""
        record = model.record
        seed = record.settings.get("seed")
        return cls(
            started=record.started,
            version=record.version,
            start=record.start,
            steps=record.steps,
            best_step=record.best_step,
            seconds=record.seconds,
            image=record.images[0].image if record.images else "",
            further_images=max(0, len(record.images) - 1),
            labelled_pixels=record.labelled_pixels,
            whole_objects=record.whole_objects,
            seed=seed if isinstance(seed, int) else None,
        )


@dataclass(frozen=True, slots=True)
class UsedModel:
    """Which model segmented."""

    name: str
    hash: str  # `model_hash`
    network: NetworkConfig
    task: Task
    training: Training = field(default_factory=Training)
    path: str | None = None  # None: it was in no file

    def __post_init__(self) -> None:
        _require(_HASH.fullmatch(self.hash), f"hash is {self.hash!r:.40}")

    @classmethod
    def of(cls, model: Model, name: str, path: Path | None) -> UsedModel:
        """Return what is to be known of a model; those that come with the package have no path."""
        own = None if path is None or path in bundled_models() else str(path.absolute())
        return cls(
            name=name,
            hash=model_hash(model),
            network=model.network,
            task=model.task,
            training=Training.of(model),
            path=own,
        )


@dataclass(frozen=True, slots=True)
class Provenance:
    """Everything that made a segmentation, so that it can be reported and repeated."""

    image: Source
    model: UsedModel
    kind: OutputKind
    tiling: TilingConfig
    objects: ObjectsConfig  # for labels of objects
    planes: tuple[int, ...]  # that were segmented so, in this order: it decides the numbers
    device: str
    backend: str  # what computed on it
    started: str  # UTC, ISO 8601
    finished: str
    versions: Mapping[str, str]
    painted: Source | None = None  # labels that overrode the prediction
    corrected: tuple[int, ...] = ()  # planes that were changed by hand afterwards

    def __post_init__(self) -> None:
        for planes in (self.planes, self.corrected):
            _require(len(planes) <= _MOST_PLANES, "it names too many planes")
            _require(all(0 <= n < 2**31 for n in planes), "it names planes that no image has")
        named = all(isinstance(number, str) for number in self.versions.values())
        _require(named, f"versions are {self.versions!r:.40}")

    @property
    def untouched(self) -> tuple[int, ...]:
        """The planes that are still as the model made them, in the order of their making."""
        corrected = set(self.corrected)
        return tuple(plane for plane in self.planes if plane not in corrected)

    def with_paths(self, change: Callable[[str], str]) -> Provenance:
        """Return the record with its paths changed, those that are known."""
        image, model, painted = self.image, self.model, self.painted
        return replace(
            self,
            image=replace(image, path=image.path and change(image.path)),
            model=replace(model, path=model.path and change(model.path)),
            painted=painted and replace(painted, path=painted.path and change(painted.path)),
        )

    def corrected_on(self, planes: Iterable[int]) -> Provenance:
        """Return the record of the result with these planes changed by hand, too."""
        return replace(self, corrected=tuple(sorted({*self.corrected, *planes})))


def now() -> str:
    """Return the time, UTC, as records tell it."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def versions() -> dict[str, str]:
    """Return the versions of what computes; packages that are not installed are left out."""
    return {"napari-unet-paint": __version__, **_installed()}


@cache  # to look for them takes as long as to segment a small plane
def _installed() -> dict[str, str]:
    found = {}
    for name in _PACKAGES[1:]:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def to_text(provenance: Provenance, folder: Path | None, *, indent: int | None = None) -> str:
    """Return a record as JSON in ASCII.

    Parameters
    ----------
    folder
        Where the text will lie: paths are given from there, so that a folder can be moved or sent
        as a whole. None: as they are.
    """
    seen = provenance if folder is None else provenance.with_paths(partial(_seen, folder))
    told = {"format": FORMAT, "schema": SCHEMA, **_as_lines(to_plain(seen))}
    return json.dumps(told, indent=indent, allow_nan=False)


def from_text(text: str, name: str) -> Provenance:
    """Read a record, and check all that it says.

    Parameters
    ----------
    name
        How errors call where it comes from.

    Raises
    ------
    FileError
        If it is no record, one of a newer version, or says what no record can say.
    """
    try:
        told = json.loads(text)
        _require(isinstance(told, dict) and told.get("format") == FORMAT, "it is something else")
        schema = told.get("schema")
        _require(isinstance(schema, int), "it has no number of its schema")
        if schema > SCHEMA:
            raise FileError(
                f"'{name}' was written by a newer version of napari-unet-paint; install it with "
                "'pip install --upgrade napari-unet-paint'."
            )
        _check_texts(told, _DEEPEST)
        return from_plain(Provenance, told, ignore_unknown=True)
    except (ArithmeticError, LookupError, RecursionError, TypeError, ValueError) as error:
        raise FileError(
            f"'{name}' is no record of a segmentation ({reason_of(error)}); give the .json file "
            "that was written beside the result, or the result itself."
        ) from error


def _seen(folder: Path, path: str) -> str:
    """Return a path as it is seen from a folder."""
    try:
        return Path(os.path.relpath(path, folder.absolute())).as_posix()
    except ValueError:  # on another drive of Windows
        return path


def _as_lines(value: Any) -> Any:
    """Return plain values with every text as a line that can be read back: layers have any name."""
    if isinstance(value, str):
        return without_controls(" ".join(value.splitlines()), _LONGEST)
    if isinstance(value, dict):
        return {key: _as_lines(item) for key, item in value.items()}
    return [_as_lines(item) for item in value] if isinstance(value, list) else value


def _check_texts(value: Any, levels: int) -> None:
    """Raise `ValueError` for a text that is no line of text, or for a nest without an end."""
    _require(levels, "it is nested too deeply")
    if isinstance(value, str):
        _require(len(value) <= _LONGEST, f"it holds a text of {len(value)} characters")
        _require(
            without_controls(value, _LONGEST) == value and "\n" not in value,
            "it holds control characters",
        )
    elif isinstance(value, dict):
        for key, item in value.items():
            _check_texts(key, levels)
            _check_texts(item, levels - 1)
    elif isinstance(value, list):
        for item in value:
            _check_texts(item, levels - 1)


def _require(condition: object, message: str) -> None:
    if not condition:
        raise ValueError(message)
