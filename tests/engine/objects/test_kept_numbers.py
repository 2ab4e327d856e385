"""Objects that are cut anew keep their numbers; those that are new get new ones."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from napari_unet.engine.objects.kept_numbers import KeptNumbers
from napari_unet.engine.stack.run_labels import RunLabels

BEFORE = [[7, 7, 7, 7, 0, 3, 3]]


def renumbered(numbers: KeptNumbers, labels: object, before: object) -> npt.NDArray[np.int32]:
    one, other = (RunLabels.of(np.array(values, np.int32)) for values in (labels, before))
    return np.asarray(numbers.renumber(one, other))


def test_unchanged_objects_keep_their_numbers() -> None:
    result = renumbered(KeptNumbers(9), [[10, 10, 10, 10, 0, 11, 11]], BEFORE)

    np.testing.assert_array_equal(result, BEFORE)


def test_the_larger_part_goes_on_with_the_number_and_the_other_gets_a_new_one() -> None:
    result = renumbered(KeptNumbers(9), [[10, 11, 11, 11, 0, 12, 12]], BEFORE)

    np.testing.assert_array_equal(result, [[10, 7, 7, 7, 0, 3, 3]])


def test_two_that_become_one_have_the_number_of_the_larger() -> None:
    result = renumbered(KeptNumbers(9), [[10, 10, 10, 10, 10, 10, 10]], BEFORE)

    np.testing.assert_array_equal(result, [[7] * 7])


def test_an_object_has_one_number_on_all_planes_and_no_other_object_has_it() -> None:
    numbers = KeptNumbers(9)
    renumbered(numbers, [[10, 10, 10, 10, 0, 11, 11]], BEFORE)

    result = renumbered(numbers, [[12, 12, 12, 12, 0, 10, 10]], BEFORE)

    np.testing.assert_array_equal(result, [[10, 10, 10, 10, 0, 7, 7]])


def test_numbers_of_planes_that_stay_are_left_to_them() -> None:
    result = renumbered(KeptNumbers(9, taken={7}), [[10, 10, 10, 10, 0, 3, 3]], BEFORE)

    np.testing.assert_array_equal(result, [[10, 10, 10, 10, 0, 3, 3]])
