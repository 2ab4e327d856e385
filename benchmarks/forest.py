"""The peer: a random forest on multi-scale features of each pixel.

What pixel classifiers for microscopy offer (ilastik, Labkit, Weka, scikit-image): grey value,
gradient and Hessian eigenvalues at several blurs, learned from the same painted pixels, among them
the same separation border between touching objects.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from skimage.feature import multiscale_basic_features
from sklearn.ensemble import RandomForestClassifier

from napari_unet.config import PRESETS, ObjectsConfig, Task, TrainConfig, Unpainted
from napari_unet.engine.network import ObjectSizes
from napari_unet.engine.objects import cut_objects
from napari_unet.engine.paint import IGNORED, OBJECT, SMALLEST_OBJECT, LabelScheme, smallest_object
from napari_unet.engine.stack import Planes, measure

__all__ = ["SETTINGS", "Forest", "GrownForests", "grow_forests", "segment_planes"]

_FINEST = 0.5  # blur, pixels; each next one is twice as strong
_PER_BLUR = 4  # grey value, gradient, two Hessian eigenvalues
_TREES = 60  # of a full-grown forest
_AT_ONCE = 10  # trees that grow before the clock is looked at
_SAMPLES = 30_000  # painted pixels that a tree learns from, at most: more cost trees in the time

Features = npt.NDArray[np.float32]
"""(Y, X, channels, blurs, 4)"""


@dataclass(frozen=True, slots=True)
class Setting:
    """One of the forests that a person might try."""

    name: str
    blurs: int  # how many: 6 reach to 16 px, 7 to 32 px
    leaf: int  # pixels that a leaf must hold


SETTINGS = (
    Setting("blurs to 16 px", 6, 1),
    Setting("blurs to 32 px", 7, 1),
    Setting("blurs to 32 px, leaves of 8 px", 7, 8),
)


@dataclass(frozen=True, slots=True)
class Forest:
    """A forest and the meaning of its outputs."""

    setting: Setting
    trees: RandomForestClassifier
    task: Task
    values: tuple[int, ...]  # label value of each class; objects: (0, 1)
    smallest: int  # object, pixels

    def segment(self, features: Features) -> npt.NDArray[np.int32]:
        """Return objects or classes (Y, X), cut out by the same rules as the network's."""
        shape = features.shape[:2]
        found = self.trees.predict_proba(_rows(features[..., : self.setting.blurs, :]))
        if self.task is Task.CLASSES:
            best = self.trees.classes_[found.argmax(axis=1)]
            classes: npt.NDArray[np.int32] = np.array(self.values, np.int32)[best].reshape(shape)
            return classes
        objects = replace(PRESETS["light"].objects, min_size=self.smallest)
        foreground = found[:, 1].reshape(shape) >= objects.threshold
        return cut_objects(foreground, objects)[0]


@dataclass(frozen=True, slots=True)
class GrownForests:
    """The forests of all settings, as far as they grew in the time."""

    forests: tuple[Forest, ...]
    seconds: float  # features and growing
    full: bool  # more time would not change them


def grow_forests(
    planes: Planes,
    labels: npt.NDArray[np.int32],
    task: Task,
    *,
    seconds: float = float("inf"),
    settings: Sequence[Setting] = SETTINGS,
    seed: int = 0,
    threads: int = 2,
) -> GrownForests:
    """Learn from painted pixels until the time is up or the forests are full-grown.

    Parameters
    ----------
    planes, labels
        The image, and (planes, Y, X) painted labels with 0 = unlabelled.
    seconds
        For features and growing together; the first trees of each setting grow in any case.
    """
    begun = time.perf_counter()
    painted = [int(number) for number in np.flatnonzero(labels.any(axis=(1, 2)))]
    scheme = LabelScheme(task, Unpainted.IGNORED)
    values = scheme.values(frozenset(np.unique(labels[painted]).tolist()))
    classes = [scheme.classes(labels[n], values, gap=TrainConfig().gap) for n in painted]
    samples = np.concatenate(
        [
            features[target != IGNORED]
            for target, features in zip(classes, _features(planes, painted, threads), strict=True)
        ]
    )  # (pixels, channels, blurs, 4)
    targets = np.concatenate([target[target != IGNORED] for target in classes])
    size = _smallest_object(classes) if task is Task.OBJECTS else 1
    forests = tuple(
        Forest(setting, _empty_forest(setting, targets, seed, threads), task, values, size)
        for setting in settings
    )
    grown = 0
    while grown < _TREES and (not grown or time.perf_counter() - begun < seconds):
        grown += _AT_ONCE
        for forest in forests:
            forest.trees.set_params(n_estimators=grown)
            forest.trees.fit(_rows(samples[..., : forest.setting.blurs, :]), targets)
    return GrownForests(forests, time.perf_counter() - begun, grown >= _TREES)


def segment_planes(
    forests: Sequence[Forest], planes: Planes, numbers: Sequence[int], *, threads: int = 2
) -> list[list[npt.NDArray[np.int32]]]:
    """Return what each forest makes of these planes: [forest][plane] (Y, X)."""
    found: list[list[npt.NDArray[np.int32]]] = [[] for _ in forests]
    for features in _features(planes, numbers, threads):
        for forest, results in zip(forests, found, strict=True):
            results.append(forest.segment(features))
    return found


def _features(planes: Planes, numbers: Sequence[int], threads: int) -> list[Features]:
    """Return the features of the normalised planes, at all blurs."""
    blurs = max(setting.blurs for setting in SETTINGS)
    normalization = measure(planes)
    found = []
    for number in numbers:
        height, width = planes.shape
        grey = normalization.apply(planes.read(number, slice(0, height), slice(0, width)))
        flat = multiscale_basic_features(
            grey,
            sigma_min=_FINEST,
            sigma_max=_FINEST * 2 ** (blurs - 1),
            channel_axis=0,
            workers=threads,
        )
        found.append(flat.reshape(height, width, planes.channels, blurs, _PER_BLUR))
    return found


def _rows(features: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """Return one row of features per pixel."""
    channels, blurs, kinds = features.shape[-3:]
    return features.reshape(-1, channels * blurs * kinds)


def _empty_forest(
    setting: Setting, targets: npt.NDArray[np.uint8], seed: int, threads: int
) -> RandomForestClassifier:
    """Return a forest without trees, to which the classes will count alike."""
    present, counts = np.unique(targets, return_counts=True)
    weights = targets.size / (len(present) * counts)
    return RandomForestClassifier(
        warm_start=True,
        min_samples_leaf=setting.leaf,
        max_samples=min(_SAMPLES, targets.size),
        class_weight=dict(zip(present.tolist(), weights.tolist(), strict=True)),
        random_state=seed,
        n_jobs=threads,
    )


def _smallest_object(classes: Sequence[npt.NDArray[np.uint8]]) -> int:
    """Return the pixels that an object must have: by the painted ones, as for the network."""
    areas = np.concatenate(
        [np.bincount(ndimage.label(target == OBJECT)[0].ravel())[1:] for target in classes]
    )
    areas = areas[areas >= SMALLEST_OBJECT]
    painted = ObjectSizes(int(areas.min()), float(np.median(areas))) if len(areas) else None
    return smallest_object(ObjectsConfig(), painted)
