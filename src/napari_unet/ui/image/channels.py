"""A list of further images that can be ticked as channels."""

from __future__ import annotations

from collections.abc import Sequence

from napari.layers import Image
from qtpy.QtCore import QSignalBlocker, Qt, Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QListWidget, QListWidgetItem

from napari_unet.ui.parts.text import rich_tooltip

_MOST_ROWS = 5  # without scrolling


class ChannelList(QListWidget):
    """Images with a tick each; the ticked ones are channels, in the order of the list."""

    picked = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._images: tuple[Image, ...] = ()
        self.setAccessibleName("Further channels")
        self.setToolTip("Images that the network sees together with the one above.")
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.setMinimumWidth(0)
        self.itemChanged.connect(self.picked)

    @property
    def value(self) -> tuple[Image, ...]:
        """The images that are ticked."""
        return tuple(
            image for image, item in zip(self._images, self._items(), strict=True) if _is_on(item)
        )

    def offer(self, images: Sequence[Image], chosen: Sequence[Image]) -> None:
        """Show these images, with a tick at those that are chosen."""
        images = tuple(images)
        with QSignalBlocker(self):
            if [image.name for image in images] != [item.text() for item in self._items()]:
                self.clear()
                self.addItems([image.name for image in images])
            self._images = images
            for image, item in zip(images, self._items(), strict=True):
                on = Qt.CheckState.Checked if image in chosen else Qt.CheckState.Unchecked
                if item.checkState() != on or not item.data(Qt.ItemDataRole.CheckStateRole):
                    item.setCheckState(on)
                item.setToolTip(rich_tooltip(image.name))
        rows = min(max(1, len(images)), _MOST_ROWS)
        height = self.sizeHintForRow(0) if images else self.fontMetrics().height()
        self.setFixedHeight(rows * height + 2 * self.frameWidth() + 2)

    def _items(self) -> list[QListWidgetItem]:
        items = (self.item(row) for row in range(self.count()))
        return [item for item in items if item is not None]


def _is_on(item: QListWidgetItem) -> bool:
    return item.checkState() == Qt.CheckState.Checked
