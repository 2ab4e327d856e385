"""Measure the sample's cells in a real viewer, and take the picture of docs/measurements.md.

Needs a screen, or on Linux
`xvfb-run -s "-screen 0 1600x1200x24" python -m docs.make_measurements`.
"""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import Qt

from benchmarks.session import PICTURES, Session
from napari_unet.io.samples import synthetic_cells


def main() -> None:
    """Open the sample with its true labels, measure, sort, and go to an object."""
    sample, person = synthetic_cells(planes=8), Session(PICTURES)
    place = {
        "scale": (1, *sample.pixel_size),
        "units": ("pixel", "um", "um"),
        "axis_labels": ("t", "y", "x"),
    }
    person.viewer.add_image(sample.image, name="cells", **place)
    person.viewer.add_labels(sample.truth, name="cells segmentation", **place)
    step: Any = person.step("Measure")
    step.fold.fold.expand(animate=False)
    step.layer.value = person.viewer.layers["cells segmentation"]
    person.click("Measure", "Measure")
    person.wait()
    table = step.results.table
    names = [table.model().headerData(i, Qt.Orientation.Horizontal) for i in range(5)]
    table.sortByColumn(names.index("area_um2"), Qt.SortOrder.DescendingOrder)
    table.setCurrentIndex(table.model().index(4, 0))
    step.results.what.value = "area_um2"
    person.picture("measure", step="Measure")
    print(step.status.text())
    person.viewer.close()


if __name__ == "__main__":
    main()
