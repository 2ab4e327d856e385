"""A circle on the canvas, as wide as an object is in the image."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Image
from pytestqt.qtbot import QtBot
from qtpy.QtCore import QSize, Qt
from qtpy.QtWidgets import QWidget

from napari_unet.ui.layers.geometry import camera
from napari_unet.ui.train.size_circle import SizeCircle, _Pane


@pytest.fixture
def canvas(qtbot: QtBot) -> QWidget:
    canvas = QWidget()
    canvas.resize(400, 300)
    qtbot.addWidget(canvas)
    canvas.show()
    return canvas


@pytest.fixture
def circle(viewer: ViewerModel) -> Iterator[SizeCircle]:
    circle = SizeCircle(viewer)
    yield circle
    circle.hide()


def drawn(circle: SizeCircle) -> tuple[float, float, float, float]:
    """Return the middle (x, y) of the circle, its width and its height, logical pixels."""
    assert isinstance(circle.pane, _Pane)
    box = circle.pane.outline().boundingRect()
    return box.center().x(), box.center().y(), box.width(), box.height()


def test_it_is_as_wide_as_in_the_image_at_any_zoom(
    circle: SizeCircle, canvas: QWidget, viewer: ViewerModel, image: Image
) -> None:
    camera(viewer).zoom = 8
    circle.show(canvas, image, 20)  # a pixel is 0.5 high and 0.25 wide
    assert drawn(circle) == pytest.approx((199, 149, 40, 80), abs=1)
    camera(viewer).zoom = 4
    assert drawn(circle)[2:] == pytest.approx((20, 40))
    circle.show(canvas, image, 40)
    assert drawn(circle)[2:] == pytest.approx((40, 80))


def test_it_turns_with_the_image(circle: SizeCircle, canvas: QWidget, viewer: ViewerModel) -> None:
    turned = Image(np.zeros((8, 8)), scale=(1, 2), rotate=90)
    viewer.add_layer(turned)
    camera(viewer).zoom = 1
    circle.show(canvas, turned, 10)
    assert drawn(circle)[2:] == pytest.approx((10, 20))


def test_it_stays_in_the_middle_of_the_canvas(
    circle: SizeCircle, canvas: QWidget, image: Image
) -> None:
    circle.show(canvas, image, 20)
    canvas.resize(600, 500)
    assert drawn(circle)[:2] == pytest.approx((299, 249), abs=1)
    assert circle.pane is not None
    assert circle.pane.size() == QSize(600, 500)


def test_there_is_none_in_3d(
    circle: SizeCircle, canvas: QWidget, viewer: ViewerModel, image: Image
) -> None:
    circle.show(canvas, image, 20)
    viewer.dims.ndisplay = 3
    assert drawn(circle)[2:] == (0, 0)


def test_it_is_seen_and_nothing_else_is_covered(
    circle: SizeCircle, canvas: QWidget, viewer: ViewerModel, image: Image, qtbot: QtBot
) -> None:
    canvas.setStyleSheet("background: #804020")
    before = canvas.grab().toImage()
    camera(viewer).zoom = 200
    circle.show(canvas, image, 2)  # 100 px wide, 200 px high
    after = canvas.grab().toImage()
    assert after.pixelColor(249, 149) != before.pixelColor(249, 149)
    for place in ((199, 149), (20, 20)):
        assert after.pixelColor(*place) == before.pixelColor(*place)


def test_the_mouse_and_the_layers_do_not_feel_it(
    circle: SizeCircle, canvas: QWidget, viewer: ViewerModel, image: Image
) -> None:
    layers = list(viewer.layers)
    circle.show(canvas, image, 20)
    assert canvas.childAt(canvas.rect().center()) is None
    assert circle.pane is not None
    assert circle.pane.focusPolicy() is Qt.FocusPolicy.NoFocus
    assert list(viewer.layers) == layers


def test_it_goes_and_comes_again(circle: SizeCircle, canvas: QWidget, image: Image) -> None:
    circle.show(canvas, image, 20)
    circle.hide()
    assert circle.pane is None
    assert not [child for child in canvas.findChildren(QWidget) if child.isVisible()]
    circle.show(canvas, image, 20)
    assert circle.pane is not None


def test_it_goes_with_the_window(
    circle: SizeCircle, viewer: ViewerModel, image: Image, qtbot: QtBot
) -> None:
    canvas = QWidget()
    circle.show(canvas, image, 20)
    canvas.deleteLater()
    qtbot.waitUntil(lambda: circle.pane is None)
    camera(viewer).zoom = 3  # nobody hears
    circle.hide()
