"""Cut anew, a result is what predicting again would have given; objects keep their numbers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from napari_unet.config import Along, ObjectsConfig, TilingConfig
from napari_unet.engine.events import (
    FinishReason,
    PlaneDone,
    PlaneUncut,
    Resume,
    SegmentDone,
    Uncut,
)
from napari_unet.engine.network.model import Model
from napari_unet.engine.prediction.recut import recut
from napari_unet.engine.stack.planes import ArrayPlanes
from tests.engine.tiny import CPU, noise, segment, tiny_model

Labels = npt.NDArray[np.int32]

MODELS = {"necks": tiny_model(), "shape": tiny_model(shape_field=True)}
STACK = ndimage.gaussian_filter(noise(4, 40, 50).astype(float), (0.5, 1, 1))
STACK = np.rint(255 * (STACK - STACK.min()) / np.ptp(STACK)).astype(np.uint8)
CONFIG = ObjectsConfig(min_size=4)


def predicted(
    model: Model, stack: Any, objects: ObjectsConfig, **options: Any
) -> tuple[Labels, dict[int, Uncut]]:
    """Return a stack's labels, and what its planes are cut from."""
    labels, uncut = np.zeros(stack.shape, np.int32), {}
    planes = ArrayPlanes(stack)
    for event in segment(
        model, planes, device=CPU, objects=objects, tiling=TilingConfig(tile=32), **options
    ):
        if isinstance(event, PlaneUncut):
            uncut[event.plane] = event.uncut
        elif isinstance(event, PlaneDone):
            labels[planes.position(event.plane)] = np.asarray(event.labels)
    return labels, uncut


def cut_anew(
    labels: Labels,
    uncut: dict[int, Uncut],
    neck: float,
    *,
    kept: Sequence[int] = (),
    **options: Any,
) -> Labels:
    """Return the labels of a stack that is cut otherwise, but for some planes."""
    result, planes = labels.copy(), ArrayPlanes(labels)
    resume = Resume(frozenset(kept), int(labels.max()), ArrayPlanes(result))
    order = [plane for plane in range(planes.count) if plane not in kept]
    for event in recut(uncut.__getitem__, order, neck, planes=planes, resume=resume, **options):
        if isinstance(event, PlaneDone):
            result[planes.position(event.plane)] = np.asarray(event.labels)
    return result


def assert_same_objects(one: Labels, other: Labels) -> None:
    """Make sure that both differ in the numbers alone."""
    np.testing.assert_array_equal(one > 0, other > 0)
    pairs = np.unique(np.stack([one[one > 0], other[one > 0]]), axis=1)
    assert len(np.unique(pairs[0])) == len(np.unique(pairs[1])) == pairs.shape[1]


def paint() -> Labels:
    painted = np.zeros(STACK.shape, np.int32)
    painted[:, :6] = 1
    painted[1, 12:24, 5:15], painted[1, 12:24, 15:25] = 2, 3
    return painted


@settings(max_examples=12, deadline=None)
@given(
    st.sampled_from(sorted(MODELS)),
    st.floats(0, 0.95),
    st.floats(0, 0.95),
    st.booleans(),
    st.booleans(),
)
def test_cut_anew_it_is_what_predicting_again_gives(
    kind: str,
    before: float,
    after: float,
    link: bool,
    is_painted: bool,
) -> None:
    painted = ArrayPlanes(paint()) if is_painted else None
    objects = replace(CONFIG, neck=before, link=link)
    labels, uncut = predicted(MODELS[kind], STACK, objects, painted=painted)

    result = cut_anew(labels, uncut, after, link=objects.linked, painted=painted)

    again, _ = predicted(MODELS[kind], STACK, replace(objects, neck=after), painted=painted)
    assert_same_objects(result, again)


def test_a_movie_of_stacks_is_linked_anew_as_well() -> None:
    movie = STACK.reshape(2, 2, 40, 50)
    objects = replace(CONFIG, neck=0.9, link=True)
    labels, uncut = predicted(MODELS["shape"], movie, objects)

    result = cut_anew(labels, uncut, 0.3, link=Along.BOTH)

    again, _ = predicted(MODELS["shape"], movie, replace(objects, neck=0.3))
    assert_same_objects(result, again)
    assert len(np.unique(labels)) > len(np.unique(result))


@pytest.mark.parametrize("kind", sorted(MODELS))
def test_fewer_pieces_and_then_as_many_again_leave_unchanged_objects_their_numbers(
    kind: str,
) -> None:
    labels, uncut = predicted(MODELS[kind], STACK, replace(CONFIG, neck=0.9))

    fewer = cut_anew(labels, uncut, 0.2)
    back = cut_anew(fewer, uncut, 0.9)

    assert len(np.unique(fewer)) < len(np.unique(labels))
    assert_same_objects(back, labels)
    for number in np.unique(fewer[fewer > 0]):
        if np.array_equal(fewer == number, labels == number):
            np.testing.assert_array_equal(back == number, labels == number)
    assert set(np.unique(fewer)) <= set(np.unique(labels))  # each was one of them before


@pytest.mark.parametrize("link", [False, True])
def test_planes_that_were_corrected_stay_and_others_are_linked_to_them(*, link: bool) -> None:
    objects = replace(CONFIG, neck=0.9, link=link)
    labels, uncut = predicted(MODELS["shape"], STACK, objects)
    labels[1] = np.where(labels[1] > 0, labels.max() + 1, 0)  # corrected by hand

    result = cut_anew(labels, uncut, 0.3, kept=[1], link=objects.linked)

    np.testing.assert_array_equal(result[1], labels[1])
    resume = Resume(frozenset([1]), int(labels.max()), ArrayPlanes(labels))
    again, _ = predicted(MODELS["shape"], STACK, replace(objects, neck=0.3), resume=resume)
    again[1] = labels[1]
    assert_same_objects(result, again)


def test_a_stop_leaves_the_other_planes_as_they_are() -> None:
    labels, uncut = predicted(MODELS["shape"], STACK, CONFIG)
    resume = Resume(labels=ArrayPlanes(labels), largest=int(labels.max()))

    def events() -> Iterator[Any]:
        yield from recut(
            uncut.__getitem__,
            [2, 3, 1],
            0.2,
            planes=ArrayPlanes(STACK),
            resume=resume,
            stop=lambda: True,
        )

    done, end = events()
    assert done.plane == 2
    assert isinstance(end, SegmentDone)
    assert (end.reason, end.planes) == (FinishReason.STOPPED, (2,))
