"""How painted objects were found: whole ones are judged, scribbles only where they are merged."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from scipy import ndimage
from skimage.draw import disk

from napari_unet.engine.events import Judged
from napari_unet.engine.objects.paint_over import paint_over
from napari_unet.engine.scores.mistakes import Mistake
from napari_unet.engine.scores.painted_objects import judge, judge_each, often_touch
from napari_unet.engine.stack.run_labels import RunLabels

Labels = npt.NDArray[np.int32]


def plane(**discs: Any) -> Labels:
    """Return a plane of 60×100 pixels with discs: n3=(y, x, radius) has number 3."""
    labels = np.zeros((60, 100), np.int32)
    for name, (y, x, radius) in discs.items():
        labels[disk((y, x), radius, shape=labels.shape)] = int(name[1:])
    return labels


def runs(found: Labels, painted: Labels) -> tuple[RunLabels, RunLabels, RunLabels]:
    one, paint = RunLabels.of(found), RunLabels.of(painted)
    return one, paint_over(one, paint)[0], paint


def verdicts(found: Labels, painted: Labels) -> dict[int, Mistake]:
    return {one.number: one.verdict for one in judge_each(*runs(found, painted)) if one.whole}


def test_objects_painted_whole_are_judged_by_what_was_found() -> None:
    found = plane(n1=(30, 30, 14), n2=(30, 70, 15))  # one is right, one in part, one is missing
    painted = plane(n2=(30, 30, 15), n3=(30, 60, 12), n4=(8, 8, 5))
    boxes: Any = tuple(ndimage.find_objects(painted)[number - 1] for number in (3, 4))
    assert judge(*runs(found, painted)) == Judged(1, 3, boxes)


def test_an_object_that_was_cut_in_two_is_split() -> None:
    painted = plane(n7=(30, 40, 15))
    found = np.where(painted > 0, np.arange(100) // 40 + 1, 0).astype(np.int32)
    assert verdicts(found, painted) == {7: Mistake.SPLIT}
    judged = judge(*runs(found, painted))
    assert (judged.right, judged.painted, judged.split, judged.merged) == (0, 1, 1, 0)


def test_two_objects_in_one_are_merged_however_large_one_of_them_is() -> None:
    painted = plane(n2=(30, 30, 20), n3=(30, 56, 8))
    found = (painted > 0).astype(np.int32)  # its IoU with the larger one is above 0.5
    assert verdicts(found, painted) == {2: Mistake.MERGE, 3: Mistake.MERGE}
    assert judge(*runs(found, painted)).merged == 2


def test_a_scribble_alone_is_not_judged() -> None:
    found, painted = plane(n1=(30, 30, 15)), np.zeros((60, 100), np.int32)
    painted[28:31, 22:36] = 2
    painted[2:4] = 1  # background
    assert judge(*runs(found, painted)) == Judged(right=0, painted=0)
    (one,) = judge_each(*runs(found, painted))
    assert not one.is_clumped


def test_scribbles_of_two_objects_in_one_are_clumped() -> None:
    found, painted = plane(n1=(30, 30, 15), n2=(30, 50, 15)), np.zeros((60, 100), np.int32)
    found[found > 0] = 1
    painted[28:31, 22:32], painted[28:31, 48:58] = 2, 3
    assert [one.is_clumped for one in judge_each(*runs(found, painted))] == [True, True]
    assert judge(*runs(found, painted)).painted == 0


def test_nothing_painted_is_nothing_judged() -> None:
    assert judge_each(*runs(plane(n1=(30, 30, 15)), plane())) == []


@pytest.mark.parametrize(("apart", "touch"), [(31, False), (29, True)])
def test_objects_touch_that_have_no_background_between_them(apart: int, touch: bool) -> None:
    assert often_touch(plane(n1=(30, 30, 15), n2=(30, 30 + apart, 15))) is touch


def test_one_pair_among_many_does_not_touch_often() -> None:
    labels = np.zeros((60, 300), np.int32)
    labels[::4, ::4] = np.arange(15 * 75).reshape(15, 75) + 1
    labels[0, 1] = 2000
    assert not often_touch(labels)
