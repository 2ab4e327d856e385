"""A form for any settings class: one row per field, and the settings back from it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, fields, is_dataclass, replace
from decimal import Decimal
from enum import Enum
from typing import Any, Generic, TypeVar, get_args, get_type_hints

from magicgui.widgets import FloatSpinBox, create_widget
from qtpy.QtWidgets import QFormLayout, QWidget

from napari_unet.ui.parts.step_slider import StepSlider
from napari_unet.ui.parts.text import PlainLabel

Config = TypeVar("Config")

_SPACING = 2  # pixels between rows


@dataclass(frozen=True, slots=True)
class SettingWords:
    """How a setting is shown."""

    label: str  # with its unit
    tooltip: str
    step: float = 1  # of the arrows; its decimals are those of the field
    low: float = 0
    high: float = 99_999
    zero_is_none: bool = False  # 0 in the form is None in the settings
    zero_text: str = ""  # shown in place of 0; short, since napari's boxes are narrow
    ends: tuple[str, str] | None = None  # what the lowest and the highest mean: it is a slider


class SettingsForm(Generic[Config]):
    """One row per field that has words; fields without words keep their value.

    Parameters
    ----------
    defaults
        An instance of a frozen dataclass; its values are the defaults.
    words
        Field name → words, in the order of the rows.
    """

    def __init__(self, defaults: Config, words: Mapping[str, SettingWords]) -> None:
        assert is_dataclass(defaults)
        self._defaults = defaults
        self._words = words
        hints = get_type_hints(type(defaults))
        self._kinds = {name: _kind(hints[name]) for name in words}
        self._widgets = {name: _widget(name, self._kinds[name], words[name]) for name in words}
        self.set_value(defaults)

    def value(self) -> Config:
        """Return the settings as they stand in the form.

        Raises
        ------
        ValueError
            If the values do not go together.
        """
        values = {name: self._kinds[name](widget.value) for name, widget in self._widgets.items()}
        for name, words in self._words.items():
            if words.zero_is_none and not values[name]:
                values[name] = None
        settings: Config = replace(self._defaults, **values)  # type: ignore[type-var]
        return settings

    def set_value(self, settings: Config) -> None:
        """Show these settings; they become the defaults. Nobody is told: nobody chose them."""
        self._defaults = settings
        with ExitStack() as silence:
            for widget in self._widgets.values():
                silence.enter_context(widget.changed.blocked())
            self.restore()

    def restore(self) -> None:
        """Show the defaults again."""
        for field in fields(self._defaults):  # type: ignore[arg-type]
            if field.name in self._widgets:
                value = getattr(self._defaults, field.name)
                self._widgets[field.name].value = 0 if value is None else value

    def when_changed(self, callback: Callable[[], object], name: str | None = None) -> None:
        """Call this method, held weakly, whenever a value, or that of this name, is changed."""
        for widget in self._widgets.values() if name is None else [self._widgets[name]]:
            widget.changed.connect(callback)

    def add_to(self, layout: QFormLayout) -> None:
        """Add the rows to a form; their labels then line up with its others."""
        for name, widget in self._widgets.items():
            label = PlainLabel(self._words[name].label)
            label.setToolTip(self._words[name].tooltip)
            label.setBuddy(widget.native)
            if isinstance(widget, StepSlider):  # wants all of the width
                widget.put_before(label)
                layout.addRow(widget.native)
            else:
                layout.addRow(label, widget.native)


def narrow_form(parent: QWidget | None = None) -> QFormLayout:
    """Return an empty form whose fields take all of a narrow dock's width."""
    rows = QFormLayout(parent)
    rows.setContentsMargins(0, 0, 0, 0)
    rows.setVerticalSpacing(_SPACING)
    rows.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
    return rows


def _kind(annotation: Any) -> Any:
    """Return the type of a setting, without the None that it may be."""
    return next((t for t in get_args(annotation) if t is not type(None)), annotation)


def _widget(name: str, kind: Any, words: SettingWords) -> Any:
    if words.ends:
        return StepSlider(
            words.ends,
            words.low,
            words.high,
            words.step,
            decimals=_decimals(words.step),
            tooltip=words.tooltip,
        )
    options: dict[str, Any] = {"tooltip": words.tooltip}
    if words.zero_text:
        options["widget_type"] = "FloatSpinBox"  # superqt's box of whole numbers has no such text
    if kind in (int, float):
        # Without a step magicgui guesses two decimals, and 0.001 becomes 0.0.
        options |= {"min": kind(words.low), "max": kind(words.high), "step": kind(words.step)}
    if kind is bool:
        options["text"] = " "  # the row has its label
    if issubclass(kind, Enum):  # "adam", as in the tooltip, not the name in Python, "ADAM"
        options["choices"] = [(choice.value, choice) for choice in kind]
    widget = create_widget(name=name, annotation=kind, options=options)
    if isinstance(widget, FloatSpinBox):
        widget.native.setDecimals(_decimals(words.step))
        widget.native.setSpecialValueText(words.zero_text)
    return widget


def _decimals(step: float) -> int:
    """Return the decimals that a number needs to be a multiple of `step`: 2 for 0.05."""
    return max(0, -int(Decimal(str(step)).normalize().as_tuple().exponent))
