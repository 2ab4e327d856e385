"""How much of what is newly painted the model had wrong."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_unet.config import Unpainted
from napari_unet.engine.events import PaintedPixels
from napari_unet.engine.paint.label_scheme import IGNORED
from napari_unet.engine.paint.painted_planes import PaintedPlane, PaintedStack
from napari_unet.engine.stack.tiles import Span, Tile
from napari_unet.engine.training.corrections import find_new_paint, measure_wrong

Classes = npt.NDArray[np.uint8]


def unlabelled(*shape: int) -> Classes:
    return np.full(shape, IGNORED, dtype=np.uint8)


def stack_of(
    painted: Classes,
    *,
    classes: Classes | None = None,
    origin: tuple[int, int] = (0, 0),
    values: tuple[int, ...] = (0, 1),
) -> PaintedStack:
    ones = np.ones(painted.shape, np.float32)
    classes = painted if classes is None else classes
    return PaintedStack((PaintedPlane(3, origin, ones[None], painted, classes, ones),), values)


def found(
    stack: PaintedStack,
    before: Classes | None = None,
    *,
    origin: tuple[int, int] = (0, 0),
    values: tuple[int, ...] = (0, 1),
    unpainted: Unpainted = Unpainted.IGNORED,
) -> npt.NDArray[np.bool_]:
    """Return which pixels of the plane's arrays are new."""
    known = [] if before is None else [PaintedPixels(3, origin, before)]
    paint = find_new_paint(stack, known, values, unpainted)
    return paint[0].is_new if paint else np.zeros(stack.planes[0].painted.shape, dtype=bool)


def test_all_paint_of_a_new_plane_is_new() -> None:
    painted = unlabelled(20, 30)
    painted[3:6, 4:9] = 1

    np.testing.assert_array_equal(found(stack_of(painted)), painted == 1)


def test_only_what_was_unlabelled_or_of_another_class_is_new() -> None:
    before = unlabelled(10, 10)
    before[0], before[1] = 0, 1
    now = before.copy()
    now[1, :4] = 0  # repainted
    now[2, :3] = 1  # painted
    now[0, :2] = IGNORED  # erased

    is_new = found(stack_of(now), before)

    assert {tuple(p) for p in np.argwhere(is_new).tolist()} == {
        *((1, x) for x in range(4)),
        *((2, x) for x in range(3)),
    }


def test_pixels_of_the_separation_border_do_not_count() -> None:
    painted = np.ones((10, 10), dtype=np.uint8)
    classes = painted.copy()
    classes[:, 4:6] = 0

    is_new = found(stack_of(painted, classes=classes))

    np.testing.assert_array_equal(is_new, classes == 1)


@given(
    now=st.tuples(st.integers(0, 12), st.integers(0, 12)),
    then=st.tuples(st.integers(0, 12), st.integers(0, 12)),
    seed=st.integers(0, 1000),
)
def test_arrays_of_other_extents_are_compared_in_the_plane(
    now: tuple[int, int], then: tuple[int, int], seed: int
) -> None:
    rng = np.random.default_rng(seed)
    planes = rng.choice([0, 1, IGNORED], (2, 24, 24)).astype(np.uint8)
    kept = [np.zeros((24, 24), dtype=bool) for _ in range(2)]
    for mask, (y, x) in zip(kept, (then, now), strict=True):
        mask[y : y + 9, x : x + 11] = True
    old, new = (np.where(mask, plane, IGNORED) for mask, plane in zip(kept, planes, strict=True))
    expected = (new != IGNORED) & (new != old)

    is_new = found(
        stack_of(new[now[0] : now[0] + 9, now[1] : now[1] + 11], origin=now),
        old[then[0] : then[0] + 9, then[1] : then[1] + 11],
        origin=then,
    )

    np.testing.assert_array_equal(is_new, expected[now[0] : now[0] + 9, now[1] : now[1] + 11])


def test_the_unpainted_rest_of_a_label_image_was_background_before() -> None:
    now = np.zeros((20, 20), dtype=np.uint8)
    now[10:12, 10:12] = 1
    before = np.zeros((5, 5), dtype=np.uint8)

    is_new = found(stack_of(now), before, unpainted=Unpainted.BACKGROUND)

    np.testing.assert_array_equal(is_new, now == 1)


def test_classes_are_compared_by_their_label_values() -> None:
    before = np.array([[0, 1, 1]], dtype=np.uint8)  # labels 4, 9, 9
    now = np.array([[0, 2, 1]], dtype=np.uint8)  # labels 4, 9, 6

    is_new = found(stack_of(now, values=(4, 6, 9)), before, values=(4, 9))

    assert is_new.tolist() == [[False, False, True]]


class Halves:
    """A network that says channel 1 in the columns from 300 on, and channel 0 before."""

    def __init__(self, channels: int = 2) -> None:
        self.channels = channels
        self.tiles: list[Tile] = []

    def __call__(self, plane: int, tile: Tile) -> npt.NDArray[np.float32]:
        assert plane == 3
        self.tiles.append(tile)
        probabilities = np.zeros((self.channels, tile.y.length, tile.x.length), np.float32)
        columns = np.arange(tile.x.start, tile.x.stop)
        probabilities[0, :, columns < 300] = 1
        probabilities[1, :, columns >= 300] = 1
        return probabilities


def test_the_share_of_wrong_pixels_is_exact() -> None:
    painted = unlabelled(400, 400)
    painted[50:60, 180:220] = 1  # columns 280 to 319 of the plane
    stack = stack_of(painted, origin=(37, 100))
    predict = Halves()

    share = measure_wrong(
        find_new_paint(stack, [], (0, 1), Unpainted.IGNORED), (0, 1), predict, (0, 1)
    )

    assert share == 0.5
    (tile,) = predict.tiles
    assert tile == Tile(Span(87, 97), Span(280, 320))  # no larger than the paint


def test_a_class_that_the_network_does_not_know_is_wrong() -> None:
    painted = unlabelled(40, 40)
    painted[:10], painted[10:20] = 0, 1  # labels 4 and 6
    paint = find_new_paint(stack_of(painted, values=(4, 6, 9)), [], (), Unpainted.IGNORED)

    assert measure_wrong(paint, (4, 6, 9), Halves(), (4, 9)) == 0.5


def test_of_very_much_new_paint_a_dozen_tiles_are_looked_at() -> None:
    predict = Halves()
    paint = find_new_paint(stack_of(np.zeros((1024, 600), np.uint8)), [], (0, 1), Unpainted.IGNORED)

    share = measure_wrong(paint, (0, 1), predict, (0, 1))

    assert len(predict.tiles) == 12
    assert share == pytest.approx(0.5, abs=0.1)
