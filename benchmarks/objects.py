"""What cutting foreground into objects costs on real label images, and how small objects may be.

    python -m benchmarks.objects

The first table cuts objects out of their own mask, separated as for training: the ideal
prediction. The second draws painted objects at random, and counts the true objects that the
smallest size from them would drop. The data folder is ``$NAPARI_UNET_DATA``, or ``../shared/data``
beside the project. Prints the tables of docs/objects.md.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import tifffile

from napari_unet.config import PRESETS, ObjectsConfig
from napari_unet.engine.network import ObjectSizes
from napari_unet.engine.objects import count_overlaps, cut_objects
from napari_unet.engine.paint import separate, smallest_object
from napari_unet.engine.scores import average_precision, seg_scores
from napari_unet.io.samples import synthetic_cells

DATA = Path(os.environ.get("NAPARI_UNET_DATA", Path(__file__).parents[2] / "shared" / "data"))
DEBRIS = 30  # pixels; the usual evaluation of BBBC039 drops fragments below
DRAWS = 5  # of painted objects, per image
FOLDERS = {
    "BBBC039": "bbbc039/labels",
    "DIC-HeLa": "ctc_dic_c2dh_hela/01_GT/SEG",
    "PhC-U373": "ctc_phc_c2dh_u373/01_GT/SEG",
}
_USUAL = PRESETS["light"].objects  # of networks without a shape field
VARIANTS = {
    "as built": _USUAL,
    "necks not cut": replace(_USUAL, neck=0),
    "border not given back": replace(_USUAL, gap=0),
}

Labels = npt.NDArray[np.int32]


def load() -> dict[str, list[Labels]]:
    """Return true label images (Y, X) that hold objects, without debris."""
    images = {"sample": list(synthetic_cells(planes=3).truth)}
    for name, folder in FOLDERS.items():
        read = (tifffile.imread(file) for file in sorted((DATA / folder).glob("*.tif")))
        images[name] = [without_debris(labels.astype(np.int32)) for labels in read]
    return {name: [labels for labels in every if labels.any()] for name, every in images.items()}


def without_debris(labels: Labels) -> Labels:
    return np.where(np.bincount(labels.ravel())[labels] < DEBRIS, 0, labels)


def areas(labels: Labels) -> npt.NDArray[np.int64]:
    """Return the pixels of each object."""
    counts = np.bincount(labels.ravel())[1:]
    return counts[counts > 0]


def rebuild(images: list[Labels], config: ObjectsConfig) -> str:
    """Return SEG and AP of the objects that are cut out of their own separated mask.

    The smallest size is automatic, as if all objects had been painted.
    """
    seg, ap, strict = [], [], []
    for truth in images:
        known = ObjectSizes(int(areas(truth).min()), float(np.median(areas(truth))))
        size = smallest_object(config, known)
        found, _ = cut_objects(separate(truth, 1) > 0, replace(config, min_size=size))
        seg.append(seg_scores(count_overlaps(found, truth)))
        ap.append(average_precision(found, truth))
        strict.append(average_precision(found, truth, 0.9))
    return f"{np.concatenate(seg).mean():.3f}, {np.mean(ap):.3f}, {np.mean(strict):.3f}"


def count_lost(images: list[Labels], painted: int) -> str:
    """Return which share of the true objects is dropped, and the median smallest size."""
    rng = np.random.default_rng(0)
    lost = objects = 0
    sizes = []
    for truth in images:
        true = areas(truth)
        whole = true[true > 0.3 * np.median(true)]  # nobody paints fragments as examples
        for _ in range(DRAWS):
            drawn = rng.choice(whole, min(painted, len(whole)), replace=False)
            known = ObjectSizes(int(drawn.min()), float(np.median(drawn)))
            sizes.append(smallest_object(ObjectsConfig(), known))
            lost += int((true < sizes[-1]).sum())
            objects += len(true)
    return f"{lost / objects:.2%}, {np.median(sizes):.0f} px"


def main() -> None:
    images = load()
    print("| SEG, AP at IoU 0.5, at 0.9 |", " | ".join(images), "|")
    print("|---" * (len(images) + 1) + "|")
    for name, config in VARIANTS.items():
        cells = [rebuild(every[:: 1 + len(every) // 8], config) for every in images.values()]
        print(f"| {name} |", " | ".join(cells), "|", flush=True)
    print("\n| painted objects: dropped, smallest size |", " | ".join(images), "|")
    print("|---" * (len(images) + 1) + "|")
    for painted in (2, 5, 15):
        print(f"| {painted} |", " | ".join(count_lost(i, painted) for i in images.values()), "|")


if __name__ == "__main__":
    main()
