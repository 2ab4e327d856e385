"""A table of objects as napari's `features` of a labels layer: one row per label."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Labels

if TYPE_CHECKING:
    from napari_unet.engine.measurements import ObjectTable

_INDEX = "index"  # napari's column of label numbers
_OURS = "napari-unet-paint measured"  # key in the layer's metadata: names of these columns
_SPARSE = 4  # rows per label up to which all numbers up to the largest have one
_PLACES = ("plane", "time_s", "z_um", "centroid_", "bbox_")  # begins of names


def features(table: ObjectTable) -> dict[str, Any]:
    """Return columns of one length, with the labels in the column "index".

    A label with several rows, as that of an object that is linked through time, has their means,
    and how many they are in a column "rows"; where it is, is left out then.

    Notes
    -----
    napari finds the row of a label by "index" for the status bar, but its own table takes the n-th
    row for the label n. So every number has a row, 0 for the background, unless the numbers are
    far apart.
    """
    labels, who, counts = np.unique(table["label"], return_inverse=True, return_counts=True)
    highest = int(labels.max(initial=0))
    dense = highest <= _SPARSE * len(labels) + 1000
    index = np.arange(highest + 1) if dense else np.append(0, labels)
    place = np.searchsorted(index, labels)
    repeated = bool((counts > 1).any())
    found: dict[str, Any] = {_INDEX: index}
    if repeated:
        found["rows"] = np.full(len(index), np.nan)
        found["rows"][place] = counts
    for name, values in table.columns.items():
        if name == "label" or (repeated and _is_place(name)):
            continue
        sums = np.bincount(who, weights=values.astype(np.float64), minlength=len(labels))
        found[name] = np.full(len(index), np.nan)
        found[name][place] = sums / counts
    return found


def attach(layer: Labels, columns: Mapping[str, Any]) -> None:
    """Give a layer these features, in place of those measured before; others of it stay."""
    table = layer.features  # a pandas table
    before = layer.metadata.get(_OURS, ())
    numbers = table.get(_INDEX, table.index)
    others = table.drop(columns=[name for name in table if name in (*before, *columns)])
    others.index = [int(number) for number in numbers]
    others = others[~others.index.duplicated(keep="last")]
    if not len(others.columns):
        merged = dict(columns)
    else:
        wanted = np.union1d(columns[_INDEX], others.index)
        place = np.searchsorted(wanted, columns[_INDEX])
        merged = {name: _spread(values, place, len(wanted)) for name, values in columns.items()}
        merged[_INDEX] = wanted
        kept = others.reindex(wanted)
        merged |= {name: kept[name].to_numpy() for name in kept}
    layer.metadata[_OURS] = tuple(name for name in columns if name != _INDEX)
    layer.features = merged


def _spread(values: Any, place: Any, count: int) -> Any:
    wide = np.full(count, np.nan)
    wide[place] = values
    return wide


def _is_place(name: str) -> bool:
    return name.startswith(_PLACES) or len(name) == 1
