"""What is known of each object besides its pixels: the features of a labels layer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

_INDEX = "index"  # napari's column of the objects' numbers
_PLACE = ("plane", "t", "z", "c", "rows", "label")  # columns that are no measurements


@dataclass(frozen=True, slots=True, eq=False)
class LabelFeatures:
    """Numbers for each object, some of which may be missing (NaN)."""

    labels: npt.NDArray[np.int64]  # (n,) ascending
    values: dict[str, npt.NDArray[np.float64]]  # (n,) each

    @classmethod
    def of(cls, table: Any) -> LabelFeatures | None:
        """Return the numbers in a layer's features, a pandas table; None: it has none."""
        numbers = [
            name
            for name in table.columns
            if name not in (_INDEX, *_PLACE) and table[name].dtype.kind in "buif"
        ]
        labels = np.asarray(table[_INDEX] if _INDEX in table.columns else table.index)
        if not numbers or not len(labels) or labels.dtype.kind not in "ui":
            return None
        found, first = np.unique(labels.astype(np.int64), return_index=True)
        values = {str(n): np.asarray(table[n], dtype=np.float64)[first] for n in numbers}
        return cls(found, values)

    def rows(self, labels: Sequence[int]) -> Iterator[dict[str, float]]:
        """Yield what is known of each of these objects."""
        wanted = np.asarray(labels, dtype=np.int64)
        at = np.searchsorted(self.labels, wanted).clip(max=len(self.labels) - 1)
        columns = [np.where(self.labels[at] == wanted, v[at], np.nan) for v in self.values.values()]
        for values in np.stack(columns, axis=1).tolist():
            row = zip(self.values, values, strict=True)
            yield {name: value for name, value in row if np.isfinite(value)}
