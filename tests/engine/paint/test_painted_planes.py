"""Reading the painted planes: what is kept, what is refused."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from napari_unet.config import Balance, Task, TrainConfig, Unpainted
from napari_unet.engine.errors import ImageError, LabelsError
from napari_unet.engine.paint.border_weight import border_weights
from napari_unet.engine.paint.label_scheme import IGNORED, LabelScheme
from napari_unet.engine.paint.painted_planes import PaintedReader, PaintedStack
from napari_unet.engine.paint.training_set import TrainingSet
from napari_unet.engine.stack import tiles
from napari_unet.engine.stack.normalization import Normalization, NormalizedPlanes, measure
from napari_unet.engine.stack.planes import ArrayPlanes, Planes
from tests.engine.scenes import QUICK, bright_squares, strokes

PAINTED = LabelScheme(Task.OBJECTS, Unpainted.IGNORED)
LABEL_IMAGE = LabelScheme(Task.OBJECTS, Unpainted.BACKGROUND)
CLASSES = LabelScheme(Task.CLASSES, Unpainted.IGNORED)


def pairs_of(image: npt.NDArray[Any], labels: Planes) -> TrainingSet:
    planes = ArrayPlanes(image)
    return TrainingSet.of((NormalizedPlanes(planes, lambda: measure(planes)), labels))


def read(
    image: npt.NDArray[Any],
    labels: npt.NDArray[Any],
    scheme: LabelScheme = PAINTED,
    config: TrainConfig = QUICK,
    *,
    context: int = 10,
    known: tuple[int, ...] = (),
) -> PaintedStack:
    pairs = pairs_of(image, ArrayPlanes(labels, name="labels"))
    reader = PaintedReader(
        pairs,
        scheme,
        config,
        context=context,
        known=known,
    )
    return reader.read(range(pairs.count))


def test_only_painted_planes_are_read() -> None:
    image, truth = bright_squares()
    truth[1] = 0

    stack = read(image, truth, LABEL_IMAGE)

    assert [plane.number for plane in stack.planes] == [0, 2]


def test_the_image_is_cut_to_the_paint_and_its_context() -> None:
    image = np.random.default_rng(0).integers(0, 255, (1, 100, 120)).astype(np.uint8)
    labels = np.zeros(image.shape, dtype=np.int32)
    labels[0, 40:50, 60:65] = 1
    labels[0, 45, 70] = 2

    (plane,) = read(image, labels, context=10).planes

    assert plane.origin == (30, 50)
    assert plane.classes.shape == plane.image.shape[1:] == (30, 31)
    assert (plane.classes != IGNORED).sum() == 51
    np.testing.assert_allclose(
        plane.image, measure(ArrayPlanes(image)).apply(image[:, 30:60, 50:81]), atol=1e-6
    )


def test_a_label_image_is_background_up_to_the_context() -> None:
    image, truth = bright_squares(planes=1)

    (plane,) = read(image, truth, LABEL_IMAGE, context=200).planes

    assert not (plane.classes == IGNORED).any()
    assert plane.classes.shape == truth.shape[1:]


def test_weights_are_class_balance_plus_border_weight() -> None:
    image = np.random.default_rng(0).integers(0, 255, (1, 40, 40)).astype(np.uint8)
    truth = np.zeros(image.shape, dtype=np.int32)
    truth[0, 10:30, 10:20], truth[0, 10:30, 22:32] = 1, 2

    (plane,) = read(image, truth, LABEL_IMAGE, context=100).planes

    counts = np.bincount(plane.classes.ravel(), minlength=2)
    share = counts.sum() / 2 / counts
    border = border_weights(truth[0], w0=QUICK.w0, sigma=QUICK.sigma)
    np.testing.assert_allclose(plane.weights, share[plane.classes] + border, rtol=1e-4)
    assert border.max() > 5


def test_switched_off_weights_are_one() -> None:
    image, truth = bright_squares()

    stack = read(image, truth, LABEL_IMAGE, replace(QUICK, w0=0, balance=Balance.NEVER))

    assert all((plane.weights == 1).all() for plane in stack.planes)


def test_classes_count_as_they_are_painted_unless_they_are_to_be_balanced() -> None:
    image, truth = bright_squares()
    labels = np.where(truth > 0, 2, 1)
    weights = [
        {
            float(w)
            for plane in read(image, labels, CLASSES, config).planes
            for w in plane.weights.flat
        }
        for config in (QUICK, replace(QUICK, balance=Balance.ALWAYS))
    ]

    assert weights[0] == {1.0}
    assert min(weights[1]) < 1 < max(weights[1])


def test_touching_objects_are_separated() -> None:
    image, truth = bright_squares(planes=1)
    truth[:] = 0
    truth[0, 10:20, 10:20], truth[0, 10:20, 20:30] = 1, 2

    (plane,) = read(image, truth, LABEL_IMAGE, context=100).planes

    assert plane.classes[15, 17:23].tolist() == [1, 1, 0, 0, 1, 1]


def test_classes_of_the_model_to_go_on_from_are_kept() -> None:
    image, truth = bright_squares()
    labels = np.where(truth > 0, 3, 1)

    stack = read(image, labels, CLASSES, known=(1, 2))

    assert stack.values == (1, 2, 3)
    assert set(np.unique(stack.planes[0].classes)) == {0, 2}


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda labels: labels * 0, "Nothing is painted"),
        (lambda labels: labels[:2], r"2 planes of 64×64 px, but the image has 3 of 64×64"),
        (lambda labels: labels[:, :50], r"3 planes of 50×64 px, but the image has 3 of 64×64"),
        (lambda labels: -labels, "negative label -3"),
        (lambda labels: labels.astype(np.int64) * 2**30, "may go up to 2147483647"),
        (lambda labels: labels + 0.5 * (labels > 1), "not whole numbers"),
        (lambda labels: np.where(labels == 1, 0, labels), "No background is painted"),
        (lambda labels: np.where(labels > 1, 0, labels), "Only background"),
    ],
)
def test_labels_that_cannot_be_used_are_refused_with_the_cure(change: Any, sentence: str) -> None:
    image, truth = bright_squares()

    with pytest.raises(LabelsError, match=sentence):
        read(image, change(strokes(truth)))


def test_float_labels_of_whole_numbers_are_labels() -> None:
    image, truth = bright_squares()

    assert read(image, strokes(truth).astype(float)).labelled_pixels > 0


def test_a_nan_in_the_image_names_the_plane() -> None:
    image, truth = bright_squares()
    grey = image.astype(np.float32)
    grey[0, 0, 0] = np.nan
    seen = NormalizedPlanes(
        ArrayPlanes(grey, name="cells"), lambda: Normalization((0.0,), (255.0,))
    )
    pairs = TrainingSet.of((seen, ArrayPlanes(strokes(truth))))
    reader = PaintedReader(pairs, PAINTED, QUICK, context=10)

    with pytest.raises(ImageError, match=r"Plane 0 of 'cells' holds NaN"):
        reader.read([0])


def reader_of(
    image: npt.NDArray[Any], labels: Planes, scheme: LabelScheme = PAINTED
) -> PaintedReader:
    return PaintedReader(pairs_of(image, labels), scheme, QUICK, context=10)


def assert_same(one: PaintedStack, other: PaintedStack) -> None:
    assert one.values == other.values
    assert one.numbers == other.numbers
    for mine, theirs in zip(one.planes, other.planes, strict=True):
        assert mine.origin == theirs.origin
        for array in ("image", "painted", "classes", "weights"):
            np.testing.assert_allclose(
                getattr(mine, array), getattr(theirs, array), rtol=1e-5, err_msg=array
            )


@pytest.mark.parametrize("scheme", [PAINTED, LABEL_IMAGE, CLASSES])
def test_reading_changed_planes_again_is_as_good_as_reading_all(scheme: LabelScheme) -> None:
    image, truth = bright_squares()
    labels = strokes(truth) if scheme is PAINTED else truth.copy()
    if scheme is CLASSES:
        labels = np.where(truth > 0, 9, 4)
    reader = reader_of(image, ArrayPlanes(labels), scheme)
    reader.read(range(3))

    labels[1, 20:40, 20:40] = 6  # for classes a new one, between those that are known
    labels[2] = 0

    assert_same(reader.read([1, 2]), read(image, labels, scheme))


def test_only_the_named_planes_are_read_again() -> None:
    image, truth = bright_squares()
    labels = truth + 1
    reader = reader_of(image, ArrayPlanes(labels))
    first = reader.read(range(3))

    labels[:] = np.where(labels == 2, 1, labels)
    second = reader.read([2])

    np.testing.assert_array_equal(first.planes[0].classes, second.planes[0].classes)
    assert (first.planes[2].classes != second.planes[2].classes).any()


def test_labels_that_cannot_be_used_leave_what_was_read_before() -> None:
    image, truth = bright_squares()
    labels = strokes(truth)
    reader = reader_of(image, ArrayPlanes(labels))
    first = reader.read(range(3))

    labels[0] = 0
    with pytest.raises(LabelsError, match="Nothing is painted"):
        reader.read([0])

    assert_same(reader.read([1]), first)


def test_a_class_that_is_erased_keeps_its_channel() -> None:
    image, truth = bright_squares()
    labels = np.where(truth > 0, 9, 4)
    labels[1] = 6
    reader = reader_of(image, ArrayPlanes(labels), CLASSES)
    reader.read(range(3))

    labels[1] = 9

    assert reader.read([1]).values == (4, 6, 9)


def test_labels_that_change_while_they_are_read_stay_consistent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Classes, values and weights come from one copy."""
    monkeypatch.setattr(tiles, "_AT_ONCE", 64 * 16)  # four bands
    image, truth = bright_squares(planes=1)
    array = np.where(truth > 0, 9, 4)

    class Scribbled(ArrayPlanes):
        def read(self, plane: int, y: slice, x: slice) -> npt.NDArray[Any]:
            seen = super().read(plane, y, x)  # a view of the array
            scribbles.append(len(scribbles))
            array[0, :: len(scribbles)] = 20 + len(scribbles)
            return seen

    scribbles: list[int] = []
    labels = Scribbled(array)

    stack = reader_of(image, labels, CLASSES).read([0])
    array[:] = 77

    painted = np.asarray(stack.values)[stack.planes[0].painted]
    assert len(scribbles) == 4
    assert set(np.unique(painted)) == set(stack.values)
    assert 77 not in stack.values


def test_the_paint_has_no_separation_border() -> None:
    image, truth = bright_squares(planes=1)
    truth[:] = 0
    truth[0, 10:20, 10:20], truth[0, 10:20, 20:30] = 1, 2

    (plane,) = read(image, truth, LABEL_IMAGE, context=100).planes

    np.testing.assert_array_equal(plane.painted, truth[0] > 0)
    assert plane.classes[15, 17:23].tolist() == [1, 1, 0, 0, 1, 1]


def test_more_classes_than_there_can_be_are_refused() -> None:
    image, truth = bright_squares()

    with pytest.raises(LabelsError, match="256 classes, but at most 255"):
        read(image, np.where(truth > 0, 900, 901), CLASSES, known=tuple(range(1, 255)))
