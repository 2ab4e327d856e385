"""Names of the classes, kept in the table of the labels layer, where napari shows them."""

from __future__ import annotations

from napari.layers import Labels

__all__ = ["class_names", "name_class"]

_NUMBER = "index"  # napari's column of label numbers
_NAME = "class"


def class_names(labels: Labels) -> dict[int, str]:
    """Return the names that were given, by label."""
    table = labels.features
    if _NUMBER not in table or _NAME not in table:
        return {}
    rows = zip(table[_NUMBER], table[_NAME], strict=True)
    return {int(number): name for number, name in rows if isinstance(name, str) and name}


def name_class(labels: Labels, number: int, name: str) -> None:
    """Name a class; other columns of the table stay as they are."""
    table = labels.features
    columns = {str(column): list(table[column]) for column in table}
    rows = len(table)
    columns.setdefault(_NUMBER, list(range(rows)))
    columns.setdefault(_NAME, [""] * rows)
    if number not in columns[_NUMBER]:
        for column in columns.values():
            column.append(None)
        columns[_NUMBER][-1] = number
    columns[_NAME][columns[_NUMBER].index(number)] = name
    labels.features = columns
