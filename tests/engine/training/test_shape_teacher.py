"""The shape field is to be what paint says, and elsewhere the first answer."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from napari_unet.engine.paint.painted_planes import PaintedPlane
from napari_unet.engine.paint.shape_bounds import ShapeBounds
from napari_unet.engine.paint.shape_field import shape_field
from napari_unet.engine.training.shape_teacher import ShapeTeacher

Field = npt.NDArray[np.float32]


def plane(number: int, low: float, high: float) -> PaintedPlane:
    ones = np.ones((4, 5), dtype=np.float32)
    bounds = ShapeBounds(low * ones, high * ones, np.zeros((4, 5), dtype=np.int32))
    none = np.zeros((4, 5), dtype=np.uint8)
    return PaintedPlane(number, (0, 0), ones[None] * number, none, none, ones, bounds)


class Network:
    """Answers with a tenth of the image, and counts how often it is asked."""

    def __init__(self) -> None:
        self.asked = 0

    def __call__(self, image: Field) -> Field:
        self.asked += 1
        answer: Field = image[0] / 10
        return answer


def test_within_the_bounds_it_is_the_first_answer_else_the_nearest_bound() -> None:
    teacher = ShapeTeacher(Network())

    wanted = [
        float(target[0, 0, 0])
        for target in teacher.targets([plane(5, 0, 1), plane(5, 0.7, 1), plane(5, 0, 0.2)])
    ]

    np.testing.assert_allclose(wanted, [0.5, 0.7, 0.2], atol=1e-6)


def test_what_paint_says_counts_more_than_what_was_answered() -> None:
    known, answered = ShapeTeacher(Network()).targets([plane(5, 0.3, 0.3), plane(6, 0, 1)])

    np.testing.assert_allclose(known[0], 0.3, atol=1e-6)
    assert (known[1] == 1).all()
    assert (answered[1] < 1).all()
    assert (answered[1] > 0).all()


def test_a_plane_is_asked_about_once_however_often_it_is_painted_on() -> None:
    network = Network()
    teacher = ShapeTeacher(network)
    teacher.targets([plane(3, 0, 1), plane(5, 0, 1)])

    teacher.targets([plane(3, 0.4, 0.4), plane(5, 0, 1)])

    assert network.asked == 2


def test_where_scribbles_say_otherwise_than_the_answer_they_count_most() -> None:
    y, x = np.ogrid[:40, :80]
    clump = ((y - 20) ** 2 + (x - 20) ** 2 < 144) | ((y - 20) ** 2 + (x - 42) ** 2 < 144)
    answer = shape_field(clump.astype(np.int32))
    scribbles = np.zeros(answer.shape, dtype=np.int32)
    scribbles[20, 15:25], scribbles[20, 38:48] = 1, 2
    ones = np.ones(answer.shape, dtype=np.float32)
    bounds = ShapeBounds(0 * ones, ones, scribbles)
    none = np.zeros(answer.shape, dtype=np.uint8)
    painted = PaintedPlane(0, (0, 0), answer[None], none, none, ones, bounds)

    (target,) = ShapeTeacher(lambda image: image[0]).targets([painted])

    between, outside = target[:, 20, 31], target[:, 5, 70]
    assert between[0] < 0.2 < answer[20, 31]
    assert between[1] > 1 > outside[1]
