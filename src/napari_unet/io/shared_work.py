"""A segmentation that many processes work at, in a folder that all of them see.

It lies beside the output as `NAME.shared`: `shared.json`, what is segmented and how; the model;
`tiles`, what was predicted of planes that are not decoded; `planes`, the objects of those that are,
each plane numbered by itself; `numbers`, what linking has made of these numbers; and `done`, what
the one who leads the work has heard of. Each file appears whole, and no two hold the same, so that
whoever dies takes only what he was about, and what is done twice does no harm.
"""

from __future__ import annotations

import json
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from napari_unet.engine.errors import FileError, reason_of
from napari_unet.engine.events import PlaneDone
from napari_unet.engine.stack import Normalization
from napari_unet.io.failures import cannot_write
from napari_unet.io.kept_arrays import (
    Packed,
    PackedPlane,
    pack,
    pack_plane,
    unpack,
    unpack_plane,
)
from napari_unet.io.kept_record import KeptRecord
from napari_unet.io.plain import from_plain, to_plain
from napari_unet.io.record_log import RecordLog
from napari_unet.io.replacing import replacing

if TYPE_CHECKING:
    from napari_unet.engine.network import Model

SHARED = ".shared"
"""What the name of the folder ends in, behind that of the output."""

_RECORD, _MODEL, _DONE = "shared.json", "model.safetensors", "done"
_PARTS = ("tiles", "planes", "numbers", _DONE)


@dataclass(frozen=True, slots=True)
class Agreed:
    """What all who work at it have to agree on."""

    record: KeptRecord
    normalization: Normalization


@dataclass(frozen=True, slots=True)
class PlaneReport:
    """What the one who leads the work hears of a plane whose tiles are all there."""

    plane: int
    objects: int  # 0 where none are numbered
    image: str  # `plane_hash`


class SharedWork:
    """The folder of one segmentation; any process may write and read, but for what is said.

    Parameters
    ----------
    output
        The result's file, beside which the folder lies.
    """

    def __init__(self, output: Path) -> None:
        self.folder = output.with_name(f"{output.name}{SHARED}")

    @property
    def model(self) -> Path:
        """The file of the model."""
        return self.folder / _MODEL

    def prepare(self, model: Model) -> None:
        """Make the folder if there is none, with this model in it; for who leads the work.

        Raises
        ------
        FileError
            If it cannot be written, or there is a folder of something else.
        """
        from napari_unet.io.checkpoints import save_model  # noqa: PLC0415  # loads torch

        try:
            self.folder.mkdir(exist_ok=True)
            own = {_RECORD, _MODEL, *_PARTS}
            strange = {path.name for path in self.folder.iterdir() if path.name[0] != "."} - own
        except OSError as error:
            raise cannot_write(self.folder, error) from error
        if strange:
            raise FileError(
                f"'{self.folder}' is a folder with other files in it; move it away, since the "
                "parts of the segmentation are kept there."
            )
        save_model(model, self.model)

    @property
    def has_record(self) -> bool:
        """Whether something was begun here."""
        return (self.folder / _RECORD).exists()

    def agreed(self) -> Agreed:
        """Return what was agreed on.

        Raises
        ------
        FileError
            If nothing was, or by another version of this program.
        """
        try:
            told = json.loads((self.folder / _RECORD).read_text("utf-8"))
            return from_plain(Agreed, told)
        except (
            OSError,
            ArithmeticError,
            LookupError,
            RecursionError,
            TypeError,
            ValueError,
        ) as error:
            raise FileError(
                f"'{self.folder / _RECORD}' does not tell what is segmented here "
                f"({reason_of(error)}); run the command again with --anew."
            ) from error

    def begin(self, agreed: Agreed) -> None:
        """Begin anew, with what is agreed on from now; for who leads the work."""
        (self.folder / _RECORD).unlink(missing_ok=True)
        for name in _PARTS:
            part = self.folder / name
            if part.is_dir():
                shutil.rmtree(part)
            part.unlink(missing_ok=True)
        with replacing(self.folder / _RECORD) as temporary:
            temporary.write_text(json.dumps(to_plain(agreed)), "utf-8")

    def remove(self) -> None:
        """Remove all of it: the work is done."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def done(self) -> list[PlaneReport]:
        """Return the planes that were heard of; for who leads the work."""
        with self._failures():
            entries = RecordLog(self.folder / _DONE).entries()
        return [from_plain(PlaneReport, entry.about) for entry in entries]

    def note_done(self, report: PlaneReport) -> None:
        """Take note that a plane was heard of; for who leads the work."""
        with self._failures():
            RecordLog(self.folder / _DONE).append(to_plain(report), b"")

    def tile(self, plane: int, number: int) -> npt.NDArray[Any] | None:
        """Return a tile as it was settled, None if it is not there or not whole."""
        found = self._get(self._tile(plane, number))
        if found is None:
            return None
        with suppress(ArithmeticError, TypeError, ValueError):
            return unpack(from_plain(Packed, found[0]), found[1])
        return None

    def keep_tile(self, plane: int, number: int, settled: npt.NDArray[Any]) -> None:
        """Keep a tile."""
        told, data = pack(settled)
        self._keep(self._tile(plane, number), to_plain(told), data)

    def drop_tiles(self, plane: int) -> None:
        """Remove the tiles of a plane: its objects are kept."""
        shutil.rmtree(self._tile(plane, 0).parent, ignore_errors=True)

    def report(self, plane: int) -> PlaneReport | None:
        """Return what is told of a decoded plane, None if it is not there or not whole."""
        found = self._get(self._plane(plane))
        return None if found is None else from_plain(PlaneReport, found[0]["report"])

    def keep_plane(self, done: PlaneDone, image: str) -> PlaneReport:
        """Keep the objects of a plane, numbered from 1."""
        told, data = pack_plane(done)
        report = PlaneReport(done.plane, done.objects, image)
        about = {"plane": to_plain(told), "report": to_plain(report)}
        self._keep(self._plane(done.plane), about, data)
        return report

    def plane(self, number: int) -> PlaneDone:
        """Return the objects of a plane, numbered from 1.

        Raises
        ------
        FileError
            If it is not there.
        """
        found = self._get(self._plane(number))
        if found is not None:
            with suppress(ArithmeticError, TypeError, ValueError):
                return unpack_plane(from_plain(PackedPlane, found[0]["plane"]), found[1])
        raise self.lost(number)

    def keep_numbers(self, numbered: PlaneDone) -> None:
        """Keep the final numbers of a plane's objects; its labels are those that are kept."""
        own = self.plane(numbered.plane).labels
        assert own is not None
        assert numbered.labels is not None
        table = np.zeros(int(own.values.max()) + 1, np.int32)
        table[own.values] = numbered.labels.values  # no two objects of a plane become one
        told, data = pack(table)
        about = {"table": to_plain(told), "objects": numbered.objects}
        self._keep(self._numbers(numbered.plane), about, data)

    def new_objects(self, plane: int) -> int | None:
        """Return how many numbers of a plane no plane before has; None: it is not numbered."""
        found = self._get(self._numbers(plane))
        return None if found is None else int(found[0]["objects"])

    def numbered(self, plane: int, above: int | None = None) -> PlaneDone:
        """Return a plane with its final numbers.

        Parameters
        ----------
        above
            The largest number before it; None: as linking has said.

        Raises
        ------
        FileError
            If it is not there.
        """
        done = self.plane(plane)
        assert done.labels is not None
        if above is None:
            found = self._get(self._numbers(plane))
            if found is None:
                raise self.lost(plane)
            table = unpack(from_plain(Packed, found[0]["table"]), found[1])
            return PlaneDone(plane, done.labels.mapped(table), int(found[0]["objects"]))
        table = np.arange(above, above + done.objects + 1)
        table[0] = 0
        return PlaneDone(plane, done.labels.mapped(table), done.objects)

    def lost(self, plane: int) -> FileError:
        """Return the error for a finished plane that is not there any more."""
        return FileError(
            f"What was finished of plane {plane} is not in '{self.folder}' any more; remove this "
            "folder and begin anew."
        )

    def _tile(self, plane: int, number: int) -> Path:
        return self.folder / "tiles" / f"{plane:06}" / f"{number:06}"

    def _plane(self, plane: int) -> Path:
        return self.folder / "planes" / f"{plane:06}"

    def _numbers(self, plane: int) -> Path:
        return self.folder / "numbers" / f"{plane:06}"

    def _keep(self, path: Path, about: dict[str, Any], data: bytes) -> None:
        """Write a file with one record."""
        temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
        with self._failures():
            path.parent.mkdir(parents=True, exist_ok=True)
            RecordLog(temporary).append(about, data)
            temporary.replace(path)

    def _get(self, path: Path) -> tuple[dict[str, Any], bytes] | None:
        """Return the record of a file, None if it is not there or not whole."""
        log = RecordLog(path)
        with self._failures():
            entries = log.entries()
            return (entries[0].about, log.read(entries[0])) if entries else None

    @contextmanager
    def _failures(self) -> Iterator[None]:
        """Turn what the disk complains about into one sentence."""
        try:
            yield
        except OSError as error:
            raise cannot_write(self.folder, error) from error
