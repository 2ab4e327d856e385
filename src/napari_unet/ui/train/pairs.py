"""What training learns from: pairs of layers, each with a tick."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from napari.layers import Labels
from qtpy.QtCore import QObject, QTimer, Signal  # type: ignore[attr-defined]

from napari_unet.engine.paint import LabelScheme
from napari_unet.ui.layers.follower import Follower
from napari_unet.ui.layers.inputs import why_no_labels
from napari_unet.ui.layers.layer_pairs import FoundPair, LayerPair, find_layer_pairs
from napari_unet.ui.layers.paint_count import PaintCount, add_up, why_not_enough
from napari_unet.ui.layers.paint_counter import PaintCounter
from napari_unet.ui.workbench import Taught, Workbench


@dataclass(frozen=True, slots=True, eq=False)
class PairRow:
    """A pair of layers, as it is listed."""

    found: FoundPair
    is_ticked: bool
    count: PaintCount | None  # None: not counted yet

    @property
    def pair(self) -> LayerPair:
        """The layers."""
        return self.found.pair


class TrainingPairs(QObject):
    """Finds images with their labels, counts what is painted, and remembers what is ticked.

    What is ticked is put onto the workbench. Pairs that are meant are, unless people unticked them.
    """

    changed = Signal()  # the rows

    def __init__(self, workbench: Workbench) -> None:
        super().__init__()
        self.rows: tuple[PairRow, ...] = ()
        self._workbench = workbench
        self._wishes: dict[tuple[str, ...], bool] = {}
        self._counters: dict[Labels, PaintCounter] = {}  # of labels that are not the chosen ones
        self._soon = QTimer(self)  # napari may be in the midst of adding or removing several layers
        self._soon.setSingleShot(True)
        self._soon.timeout.connect(self.refresh)
        self._follower = Follower(self._later, "name", "data", "scale", "translate")
        self._layers = workbench.viewer.layers.events
        for event in (self._layers.inserted, self._layers.removed):
            event.connect(self._later)
        workbench.changed.connect(self.refresh)
        workbench.counted.connect(self.refresh)
        self.refresh()

    @property
    def is_one(self) -> bool:
        """Whether there is nothing to choose from: what is chosen, or nothing."""
        chosen = self._workbench.choices
        return not self.rows or (
            len(self.rows) == 1
            and self.rows[0].pair.images == chosen.images
            and self.rows[0].pair.labels is chosen.labels
            and not self.rows[0].found.other
        )

    def tick(self, pair: LayerPair, on: bool) -> None:  # noqa: FBT001 a slot
        """Train on this pair from now on, or no more."""
        self._wishes[pair.key] = on
        self.refresh()

    def refresh(self) -> None:
        """Look which pairs there are now."""
        choices = self._workbench.choices
        found = find_layer_pairs(self._workbench.viewer, choices.images, choices.labels)
        layers = {one.pair.labels for one in found}
        if why_no_labels(choices.labels, choices.images) is None:
            layers -= {choices.labels}  # counted already
        self._count(layers)
        self._follower.follow(
            layer for one in found for layer in (*one.pair.images, one.pair.labels)
        )
        rows = tuple(
            PairRow(
                one,
                self._wishes.get(one.pair.key, one.is_meant),
                self._counted(one.pair.labels),
            )
            for one in found
        )
        is_new = _shown(rows) != _shown(self.rows)
        self.rows = rows
        self._teach()
        if is_new:
            self.changed.emit()

    def release(self) -> None:
        """Let go of the viewer, the layers and the workbench."""
        self._soon.stop()
        for event in (self._layers.inserted, self._layers.removed):
            event.disconnect(self._later)
        self._workbench.changed.disconnect(self.refresh)
        self._workbench.counted.disconnect(self.refresh)
        self._follower.release()
        self._count(set())

    def _later(self) -> None:
        self._soon.start(0)

    def _count(self, layers: set[Labels]) -> None:
        """Count these layers from now on, and no others."""
        for layer in self._counters.keys() - layers:
            counter = self._counters.pop(layer)
            counter.counted.disconnect(self._later)
            counter.release()
        for layer in layers - self._counters.keys():
            counter = self._counters[layer] = PaintCounter(layer, self._workbench.viewer)
            counter.counted.connect(self._later)

    def _counted(self, labels: Labels) -> PaintCount | None:
        if labels in self._counters:
            return self._counters[labels].latest
        return self._workbench.painted

    def _teach(self) -> None:
        """Put what is ticked onto the workbench, and tell of it if it makes a difference."""
        before = self._workbench.taught
        now = None if self.is_one else _ticked(self.rows)
        self._workbench.taught = now
        scheme = self._workbench.choices.scheme
        if _difference(before, scheme) != _difference(now, scheme):
            self._workbench.changed.emit()


def _ticked(rows: Sequence[PairRow]) -> Taught:
    ticked = [row for row in rows if row.is_ticked]
    counts = [row.count for row in ticked if row.count is not None]
    painted = add_up(counts) if counts and len(counts) == len(ticked) else None
    return Taught(tuple(row.pair for row in ticked), painted)


def _difference(taught: Taught | None, scheme: LabelScheme) -> object:
    """Return what decides whether training can begin, and on what."""
    if taught is None:
        return None
    missing = None if taught.painted is None else why_not_enough(taught.painted, scheme)
    return [pair.key for pair in taught.pairs], missing


def _shown(rows: Sequence[PairRow]) -> list[tuple[object, ...]]:
    """Return what tells rows from others."""
    return [
        (
            row.pair.key,
            row.pair.image.name,
            row.pair.labels.name,
            row.found.other,
            row.is_ticked,
            row.count,
        )
        for row in rows
    ]
