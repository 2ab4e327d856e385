"""Which labels belong to which image."""

from __future__ import annotations

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Image, Labels

from napari_unet.ui.layers.added import Purpose, made_for, made_on
from napari_unet.ui.layers.layer_pairs import FoundPair, find_layer_pairs

Names = list[tuple[str, str, bool, str]]


@pytest.fixture
def viewer() -> ViewerModel:
    viewer = ViewerModel()
    for name, side in (("a", 8), ("b", 12)):
        viewer.add_layer(Image(np.zeros((side, side), np.uint8), name=name))
    return viewer


def add(viewer: ViewerModel, name: str, side: int, on: str = "", **metadata: object) -> Labels:
    known = made_on([viewer.layers[on]]) if on else {}
    layer = Labels(np.zeros((side, side), np.uint8), name=name, metadata={**known, **metadata})
    added: Labels = viewer.add_layer(layer)
    return added


def image(viewer: ViewerModel, name: str) -> Image:
    layer = viewer.layers[name]
    assert isinstance(layer, Image)
    return layer


def told(found: list[FoundPair]) -> Names:
    return [(o.pair.image.name, o.pair.labels.name, o.is_meant, o.other) for o in found]


def test_new_labels_belong_to_their_image_whatever_is_chosen(viewer: ViewerModel) -> None:
    of_a, of_b = add(viewer, "1", 8, "a"), add(viewer, "2", 12, "b")
    both = [("a", "1", True, ""), ("b", "2", True, "")]
    assert told(find_layer_pairs(viewer, [image(viewer, "a")], of_a)) == both
    assert told(find_layer_pairs(viewer, [image(viewer, "b")], of_b)) == both[::-1]
    # the labels of one image beside the other, of which nothing could be trained
    assert told(find_layer_pairs(viewer, [image(viewer, "b")], of_a)) == both


def test_labels_that_fit_the_chosen_image_but_belong_to_another_are_not_meant(
    viewer: ViewerModel,
) -> None:
    viewer.add_layer(Image(np.zeros((8, 8), np.uint8), name="like a"))
    of_a = add(viewer, "1", 8, "a")
    found = find_layer_pairs(viewer, [image(viewer, "like a")], of_a)
    assert told(found) == [("a", "1", True, ""), ("like a", "1", False, "a")]


def test_others_are_found_by_name_or_size_and_ticked_by_people(viewer: ViewerModel) -> None:
    of_a = add(viewer, "strokes", 8)
    add(viewer, "anything", 12)
    chosen = ("a", "strokes", True, "")
    assert told(find_layer_pairs(viewer, [image(viewer, "a")], of_a)) == [
        chosen,
        ("b", "anything", False, ""),
    ]
    viewer.add_layer(Image(np.zeros((12, 12), np.uint8), name="c"))  # now it may be either's
    assert told(find_layer_pairs(viewer, [image(viewer, "a")], of_a)) == [chosen]
    add(viewer, "c_mask", 12)
    assert told(find_layer_pairs(viewer, [image(viewer, "a")], of_a)) == [
        chosen,
        ("c", "c_mask", False, ""),
    ]


def test_of_an_image_there_is_one_pair_and_results_are_none(viewer: ViewerModel) -> None:
    of_a = add(viewer, "strokes", 8)
    add(viewer, "truth", 8)
    add(viewer, "a result", 12, **made_for(Purpose.SEGMENTATION))
    assert len(find_layer_pairs(viewer, [image(viewer, "a")], of_a)) == 1
    add(viewer, "old", 12, "b")
    add(viewer, "new", 12, "b")
    found = find_layer_pairs(viewer, [image(viewer, "a")], of_a)
    assert told(found)[1:] == [("b", "new", True, "")]
