"""Every setting is in the form, with words, and comes back from it unchanged."""

from __future__ import annotations

from dataclasses import fields, replace
from enum import Enum
from typing import Any

import pytest
from pytestqt.qtbot import QtBot

from napari_unet.config import (
    RECIPES,
    AugmentConfig,
    NetworkConfig,
    ObjectsConfig,
    TilingConfig,
    TrainConfig,
)
from napari_unet.ui.parts.settings import SettingsForm, SettingWords
from napari_unet.ui.segment.step import OBJECTS, TILING
from napari_unet.ui.train import settings

FORMS: list[tuple[Any, dict[str, SettingWords]]] = [
    (TrainConfig(), settings.TRAIN),
    (RECIPES["2015"], settings.TRAIN),
    (AugmentConfig(), settings.AUGMENT),
    (RECIPES["2015"].augment, settings.AUGMENT),
    (NetworkConfig(), settings.NETWORK),
    (TilingConfig(), TILING),
    (ObjectsConfig(), OBJECTS),
]
# In sight, in a form of its own, chosen with the network, and fixed by image and labels.
ELSEWHERE = {"seconds", "diameter", "augment", "name", "in_channels", "classes", "shape_field"}


def name_of(value: Any) -> str:
    return type(value).__name__


@pytest.mark.parametrize(("defaults", "rows"), FORMS, ids=name_of)
def test_the_defaults_come_back_exactly(
    defaults: Any, rows: dict[str, SettingWords], qtbot: QtBot
) -> None:
    assert SettingsForm(defaults, rows).value() == defaults


@pytest.mark.parametrize(("defaults", "rows"), FORMS, ids=name_of)
def test_every_setting_has_words(defaults: Any, rows: dict[str, SettingWords]) -> None:
    assert {field.name for field in fields(defaults)} - ELSEWHERE == set(rows)


def changed(value: Any, row: SettingWords) -> Any:
    if isinstance(value, bool):
        return not value
    if isinstance(value, Enum):
        return next(other for other in type(value) if other is not value)
    larger = round((value or 0) + row.step, 6)
    return larger if larger <= row.high else round(value - row.step, 6)


@pytest.mark.parametrize(
    ("defaults", "rows", "name"),
    [(defaults, rows, name) for defaults, rows in FORMS for name in rows],
)
def test_every_setting_reaches_the_config(
    defaults: Any, rows: dict[str, SettingWords], name: str, qtbot: QtBot
) -> None:
    form = SettingsForm(defaults, rows)
    value = changed(getattr(defaults, name), rows[name])
    form._widgets[name].value = value
    assert form.value() == replace(defaults, **{name: value})
    form.restore()
    assert form.value() == defaults


@pytest.mark.parametrize(
    ("config", "rows"),
    [
        (TrainConfig(steps=9), {"seconds": settings.SECONDS, **settings.TRAIN}),
        (NetworkConfig(), settings.NETWORK),
        (AugmentConfig(), settings.AUGMENT),
        (TilingConfig(), TILING),
        (ObjectsConfig(), OBJECTS),
    ],
    ids=name_of,
)
def test_the_limits_of_the_form_are_within_those_of_the_config(
    config: Any, rows: dict[str, SettingWords], qtbot: QtBot
) -> None:
    form = SettingsForm(config, rows)
    for name, widget in form._widgets.items():
        for limit in ("min", "max"):
            if hasattr(widget, limit):
                widget.value = getattr(widget, limit)
                shown = widget.value
                expected = None if rows[name].zero_is_none and not shown else shown
                assert getattr(form.value(), name) == expected  # the config does not refuse it
        form._widgets[name].value = getattr(config, name) or 0


def test_zero_is_none_where_a_setting_may_be_none(qtbot: QtBot) -> None:
    form = SettingsForm(TilingConfig(tile=128), TILING)
    form._widgets["tile"].value = 0
    assert form.value().tile is None


def test_choices_are_called_as_in_the_files(qtbot: QtBot) -> None:
    field = SettingsForm(TrainConfig(), settings.TRAIN)._widgets["optimiser"]
    assert [field.native.itemText(n) for n in range(field.native.count())] == ["sgd", "adam"]


def test_no_size_of_ones_own_is_shown_as_auto(qtbot: QtBot) -> None:
    form = SettingsForm(ObjectsConfig(), OBJECTS)
    field = form._widgets["min_size"]
    assert field.native.text() == "auto"
    field.value = 24
    assert field.native.text() == "24"
    assert isinstance(form.value().min_size, int)


def test_another_recipe_becomes_the_defaults(qtbot: QtBot) -> None:
    form = SettingsForm(TrainConfig(), settings.TRAIN)
    form.set_value(RECIPES["2015"])
    form._widgets["patch"].value = 64
    form.restore()
    assert form.value() == RECIPES["2015"]


def test_no_reduction_of_ones_own_is_shown_as_auto(qtbot: QtBot) -> None:
    form = SettingsForm(TrainConfig(), settings.TRAIN)
    field = form._widgets["reduction"]
    assert field.native.text() == "auto"
    field.value = 3
    assert field.native.text() == "3"
    field.value = 0
    assert form.value().reduction is None
