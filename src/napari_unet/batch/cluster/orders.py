"""What a process elsewhere must know to work as the one that leads, and what it keeps ready."""

from __future__ import annotations

import platform
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from threading import Lock

from napari_unet.batch.going_on import Wanted
from napari_unet.batch.plane_selection import PlaneSelection
from napari_unet.batch.segmenter import Opened, Segmenter
from napari_unet.config import ObjectsConfig, OutputKind, TilingConfig
from napari_unet.engine.errors import FileError, SettingsError
from napari_unet.engine.network import pick_device
from napari_unet.engine.prediction import Parts, SegmentationPlan
from napari_unet.engine.stack import Normalization
from napari_unet.io.checkpoints import load_model
from napari_unet.io.kept_record import told_versions
from napari_unet.io.provenance import versions
from napari_unet.io.shared_work import SharedWork
from napari_unet.io.stack import View


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be segmented, and how; small, since it goes with each task.

    Parameters
    ----------
    token
        Of the run, so that nothing of an earlier one is used.
    model
        The model's file, which all see.
    name, path
        The model as people call it, and where it is.
    device
        "auto", or what is insisted on.
    tiling, objects, kind
        As of `SegmentationPlan`.
    selection, view, anew
        As of `Segmenter`.
    version
        Of this program.
    """

    token: str
    model: Path
    name: str
    path: Path | None
    device: str
    tiling: TilingConfig
    objects: ObjectsConfig
    kind: OutputKind
    selection: PlaneSelection | None
    view: View
    anew: bool
    version: str

    @classmethod
    def of(cls, segmenter: Segmenter, token: str, model: Path, device: str) -> Order:
        """Return what a segmenter is made of."""
        return cls(
            token=token,
            model=model.absolute(),
            name=segmenter.name,
            path=None if segmenter.path is None else segmenter.path.absolute(),
            device=device,
            tiling=segmenter.plan.tiling,
            objects=segmenter.plan.objects,
            kind=segmenter.plan.kind,
            selection=segmenter.selection,
            view=segmenter.view,
            anew=segmenter.anew,
            version=own_version(),
        )


def own_version() -> str:
    """Return the version of this program."""
    return versions()["napari-unet-paint"]


@dataclass(frozen=True, slots=True)
class Place:
    """An image, and where its result goes."""

    image: Path
    output: Path


_segmenters: dict[str, Segmenter] = {}
_desks: dict[str, Desk] = {}
_preparing = Lock()


def segmenter_for(order: Order) -> Segmenter:
    """Return the segmenter of a run; this process has one copy of the model, whoever asks.

    Raises
    ------
    SettingsError
        If the program is another version here.
    FileError
        If the model is not to be seen here.
    """
    with _preparing:
        if order.token not in _segmenters:
            _segmenters.clear()  # of an earlier run
            _desks.clear()
            _segmenters[order.token] = _make_segmenter(order)
        return _segmenters[order.token]


def _make_segmenter(order: Order) -> Segmenter:
    if own_version() != order.version:
        raise SettingsError(
            f"The worker on {platform.node()} has napari-unet-paint {own_version()}, but it is "
            f"{order.version} where the work is led; install one version everywhere."
        )
    require_visible(order.model)
    return Segmenter(
        plan=SegmentationPlan(load_model(order.model), order.objects, order.tiling, order.kind),
        name=order.name,
        path=order.path,
        device=pick_device(order.device),
        selection=order.selection,
        view=order.view,
        anew=order.anew,
    )


def require_visible(path: Path) -> None:
    """Raise a FileError if a file or folder is not to be seen here."""
    if not path.exists():
        raise FileError(
            f"The worker on {platform.node()} does not see '{path}'; image and output must lie in "
            "folders that all machines of the cluster have under the same name."
        )


@dataclass(frozen=True)
class Desk:
    """One image as a worker has it open."""

    segmenter: Segmenter
    image: Opened
    wanted: Wanted
    work: SharedWork

    def parts(self, side: int | None = None, normalization: Normalization | None = None) -> Parts:
        """Return what segments it."""
        plan = self.wanted.plan
        return Parts(
            plan if side is None else plan.with_side(side),
            self.wanted.planes,
            device=self.segmenter.device,
            backend=self.segmenter.backend,
            normalization=normalization,
        )

    @cached_property
    def agreed_parts(self) -> Parts:
        """What segments it as all others do."""
        require_visible(self.work.folder)
        agreed = self.work.agreed()
        here, there = told_versions(), agreed.record.basis.program
        if here != there:
            raise SettingsError(
                f"The worker on {platform.node()} computes with {here}, others with {there}, which "
                "may give other labels; let all workers run in the same environment."
            )
        return self.parts(agreed.record.side, agreed.normalization)


def desk_for(order: Order, place: Place) -> Desk:
    """Return the image of a run, open.

    Raises
    ------
    UnetPaintError
        If it is not to be seen here, or as `Segmenter.open`.
    """
    segmenter = segmenter_for(order)
    with _preparing:
        if order.token not in _desks:
            require_visible(place.image)
            image = segmenter.open(place.image)
            wanted = segmenter.wanted(image.stack, place.output)
            _desks[order.token] = Desk(segmenter, image, wanted, SharedWork(place.output))
        return _desks[order.token]
