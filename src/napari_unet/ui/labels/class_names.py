"""Names of the classes, kept in the table of the labels layer, where napari shows them."""

from __future__ import annotations

from napari.layers import Labels

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
    table = labels.features.copy()
    if _NUMBER not in table:
        table[_NUMBER] = range(len(table))
    if _NAME not in table:
        table[_NAME] = ""
    if number not in set(table[_NUMBER]):
        table = table.reset_index(drop=True).reindex(range(len(table) + 1))
        table.loc[len(table) - 1, _NUMBER] = number
        table[_NUMBER] = table[_NUMBER].astype(int)
    table.loc[table[_NUMBER] == number, _NAME] = name
    labels.features = table
