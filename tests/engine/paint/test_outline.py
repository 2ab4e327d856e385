"""Where objects end follows from what their shape was learned from."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from napari_unet.config import ObjectsConfig, OutputKind
from napari_unet.engine.network.record import Diameter, DiameterSource, TrainRecord
from napari_unet.engine.paint.outline import outline_level, outline_of
from napari_unet.engine.paint.shape_field import shape_field
from napari_unet.engine.prediction.decode import settler
from tests.engine.tiny import tiny_model


@pytest.mark.parametrize("radius", [4, 8, 17, 40])
def test_the_outermost_pixels_of_painted_objects_belong_to_them(radius: int) -> None:
    """Else all that is taken from a prediction and trained on shrinks, again and again."""
    y, x = np.ogrid[-radius - 2 : radius + 3, -radius - 2 : radius + 3]
    disc = (y * y + x * x <= radius * radius).astype(np.int32)

    level = outline_level(5, 2 * radius)

    assert level < shape_field(disc)[disc > 0].min()


def test_strokes_alone_end_objects_before_their_halo() -> None:
    assert outline_level(0, 30) > outline_level(None, None) > outline_level(5, 30)


def test_a_model_knows_objects_as_large_as_it_sees_them() -> None:
    record = TrainRecord(whole_objects=5, diameter=Diameter(60, DiameterSource.PAINTED))
    model = replace(tiny_model(), record=record, reduction=2)

    assert outline_of(model) == outline_level(5, 30)
    assert outline_of(replace(model, reduction=1, enlargement=2)) == outline_level(5, 120)


@pytest.mark.parametrize(("whole", "is_object"), [(5, True), (0, False)])
def test_a_rim_pixel_is_decoded_by_what_the_model_was_painted(
    whole: int, *, is_object: bool
) -> None:
    record = TrainRecord(whole_objects=whole, diameter=Diameter(30, DiameterSource.PAINTED))
    model = replace(tiny_model(shape_field=True), record=record)
    rim = np.array([[[0.9]], [[0.1]]], np.float32)  # foreground, shape field

    labels = settler(model, OutputKind.LABELS, ObjectsConfig())(rim)
    classes = settler(model, OutputKind.CLASSES, ObjectsConfig())(rim)

    assert bool(labels[0, 0, 0]) is bool(classes[0, 0]) is is_object
