"""Names of classes are kept with the labels layer, and its other columns are left alone."""

from __future__ import annotations

import numpy as np
from napari.layers import Labels

from napari_unet.ui.labels.class_names import class_names, name_class


def test_names_are_kept_in_the_layer(labels: Labels) -> None:
    assert class_names(labels) == {}
    name_class(labels, 2, "membrane")
    name_class(labels, 1, "cytoplasm")
    name_class(labels, 2, "wall")
    assert class_names(labels) == {1: "cytoplasm", 2: "wall"}
    copy = Labels(labels.data, features=labels.features)
    assert class_names(copy) == {1: "cytoplasm", 2: "wall"}


def test_a_name_can_be_taken_back(labels: Labels) -> None:
    name_class(labels, 1, "cytoplasm")
    name_class(labels, 1, "")
    assert class_names(labels) == {}


def test_measurements_in_the_same_table_stay() -> None:
    labels = Labels(np.zeros((8, 8), np.uint8), features={"index": [1, 3], "area": [10.0, 30.0]})
    name_class(labels, 3, "nucleus")
    name_class(labels, 2, "wall")
    table = labels.features
    assert table["area"][:2].tolist() == [10.0, 30.0]
    assert np.isnan(table["area"][2])
    assert class_names(labels) == {2: "wall", 3: "nucleus"}


def test_a_table_without_numbers_has_one_row_per_label() -> None:
    labels = Labels(np.zeros((8, 8), np.uint8), features={"area": [0.0, 10.0]})
    name_class(labels, 1, "nucleus")
    assert labels.features["area"].tolist() == [0.0, 10.0]
    assert class_names(labels) == {1: "nucleus"}


def test_napari_shows_the_name_under_the_cursor() -> None:
    labels = Labels(np.full((8, 8), 2, np.uint8))
    name_class(labels, 2, "membrane")
    assert "class: membrane" in labels.get_status((3, 3))["value"]
