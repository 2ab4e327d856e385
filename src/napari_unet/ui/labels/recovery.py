"""Offers the strokes that a crash has left on disk, once their image is open."""

from __future__ import annotations

from itertools import islice
from typing import Any

import numpy.typing as npt
from napari.layers import Image, Labels

from napari_unet.engine.errors import FileError, printable
from napari_unet.io.unfinished import UNFINISHED
from napari_unet.io.unsaved import DAYS_KEPT, Leftover, UnsavedLabels, find_leftovers
from napari_unet.ui.labels.autosave import Autosave, fingerprint
from napari_unet.ui.labels.picture import picture_of
from napari_unet.ui.layers.geometry import long_shape, placement, spatial_shape
from napari_unet.ui.layers.stroke_folder import folders_to_look_in
from napari_unet.ui.parts.offer_line import OfferLine, Offers, day_and_time
from napari_unet.ui.parts.thumbnail import Thumbnail
from napari_unet.ui.workbench import Workbench

_BRING_BACK = "Adds them as a labels layer, as they were a few seconds before the end at most."
_PICTURES = 3  # side by side
_DISMISS = f"Offers them no more. For {DAYS_KEPT} days they stay in the folder\n{{}}"

_Seen = tuple[Leftover, npt.NDArray[Any]]
_Taken = tuple[Leftover, UnsavedLabels, npt.NDArray[Any]]


class Recovery(Offers):
    """Knows which strokes a crash has left, and brings those of the chosen image back."""

    ACCEPT, REFUSE = "Bring them back", "Dismiss"

    def __init__(self, workbench: Workbench, autosave: Autosave) -> None:
        super().__init__(workbench, self._compare)
        self._autosave = autosave
        self._left = [left for folder in folders_to_look_in() for left in find_leftovers(folder)]
        self._left.sort(key=lambda left: left.saved, reverse=True)
        self._image: Image | None = None  # that was compared
        self.offered: list[Leftover] = []
        self.pictures: list[npt.NDArray[Any]] = []  # of each that is offered, (Y, X, 4)
        self._compare()

    @property
    def line(self) -> str:
        """What can be brought back, or which image to open for it; empty: nothing."""
        if self.offered:
            names = " and ".join(f"'{left.record.name}'" for left in self.offered)
            return f"Strokes of {day_and_time(self.offered[0].saved)} were not saved: {names}."
        newest = next(iter(self._left), None)
        if newest and not self._workbench.choices.images and newest.record.image:
            return (
                f"Strokes on '{newest.record.image}' of {day_and_time(newest.saved)} were not "
                "saved; to bring them back, open that image."
            )
        return ""

    @property
    def is_offered(self) -> bool:
        """Whether strokes on the chosen image can be brought back."""
        return bool(self.offered)

    def tooltips(self) -> tuple[str, str]:
        """Return what the buttons do."""
        folder = self.offered[0].path.parent if self.offered else ""
        return _BRING_BACK, _DISMISS.format(folder)

    def accept(self) -> None:
        """Add what is offered as layers."""
        if self.offered and not self.is_looking:
            self._look(_take, list(self.offered), then=self._on_taken)

    def refuse(self) -> None:
        """Offer what is offered no more."""
        for left in self.offered:
            try:
                left.dismiss()
            except FileError as error:
                self._workbench.fail(error)
        self._drop(self.offered)

    def _compare(self) -> None:
        """See what belongs to the chosen image, when it is another one."""
        image = self._workbench.choices.image
        if not self._left or image is self._image or self.is_looking:
            return
        self._image, self.offered, self.pictures = image, [], []
        fitting = [] if image is None else [x for x in self._left if _fits(x, image)]
        if fitting:
            self._look(_of_image, fitting, image, then=self._on_compared)
        self.changed.emit()

    def _on_compared(self, found: list[_Seen]) -> None:
        if self._image is self._workbench.choices.image:
            self.offered = [left for left, _ in found]
            self.pictures = [picture for _, picture in found]
        self.changed.emit()
        self._compare()  # another image may have been chosen meanwhile

    def _on_taken(self, taken: list[_Taken]) -> None:
        for left, kept, data in taken:
            labels = _layer(left, data, self._image)
            self._autosave.adopt(labels, kept)
            self._workbench.viewer.add_layer(labels)
            self._workbench.choose(labels=labels)
        gone = [left for left in self.offered if left not in [took[0] for took in taken]]
        if gone:
            names = " and ".join(f"'{left.record.name}'" for left in gone)
            self._workbench.fail(
                FileError(
                    f"The strokes of {names} cannot be read any more; another window may have "
                    "brought them back."
                )
            )
        self._drop(self.offered)
        self._compare()

    def _drop(self, done: list[Leftover]) -> None:
        self._left = [left for left in self._left if left not in done]
        self.offered, self.pictures = [], []
        self.changed.emit()


class RecoveryLine(OfferLine):
    """Shows pictures of the strokes as well."""

    def __init__(self, recovery: Recovery) -> None:
        self._recovery = recovery
        super().__init__(recovery)

    def refresh(self) -> None:
        """Show what is offered."""
        super().refresh()
        while (item := self.pictures.takeAt(0)) is not None:
            widget = item.widget()
            if widget is not None:
                widget.deleteLater()
        shown = zip(self._recovery.offered, self._recovery.pictures, strict=True)
        for left, picture in islice(shown, _PICTURES):
            name = printable(left.record.name)
            thumbnail = Thumbnail(name, f"'{name}', painted until {day_and_time(left.saved)}.")
            thumbnail.show_colours(picture)
            self.pictures.addWidget(thumbnail)


def _fits(left: Leftover, image: Image) -> bool:
    wanted = long_shape(image)
    return left.shape[-len(wanted) :] == wanted and all(
        length == 1 for length in left.shape[: -len(wanted)]
    )


def _of_image(fitting: list[Leftover], image: Image) -> list[_Seen]:
    """Return those that were painted on this image, or on none that is known, with a picture."""
    seen = fingerprint(image)
    mine = [left for left in fitting if left.record.fingerprint in (None, seen)]
    return [(left, picture_of(left, image)) for left in mine]


def _take(offered: list[Leftover]) -> list[_Taken]:
    """Take the folders over and read them; what cannot be read is left out."""
    taken: list[_Taken] = []
    for left in offered:
        try:
            kept = left.take()
            taken.append((left, kept, kept.read()))
        except FileError:
            continue
    return taken


def _layer(left: Leftover, data: npt.NDArray[Any], image: Image | None) -> Labels:
    placed: dict[str, Any] = {}
    if image is not None:
        data = data.reshape(spatial_shape(image))
        placed = placement(image)
    metadata = {UNFINISHED: left.record.unfinished} if left.record.unfinished else {}
    return Labels(data, name=left.record.name, multiscale=False, metadata=metadata, **placed)
