"""What is measured equals what one counts by hand, and what scikit-image and scipy measure."""

from __future__ import annotations

import math
import time
import tracemalloc
from itertools import chain, repeat
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage
from skimage.measure import regionprops_table

from napari_unet.engine.measurements import Measures, ObjectTable, measure
from napari_unet.engine.stack import ArrayPlanes
from napari_unet.engine.stack.tiles import bands
from napari_unet.io.stack import Layout

Array = npt.NDArray[Any]

SAME = {  # ours: scikit-image's
    "area_px": "area",
    "perimeter_px": "perimeter",
    "centroid_y_px": "centroid-0",
    "centroid_x_px": "centroid-1",
    "bbox_y_px": "bbox-0",
    "bbox_x_px": "bbox-1",
    "axis_major_length_px": "axis_major_length",
    "axis_minor_length_px": "axis_minor_length",
    "eccentricity": "eccentricity",
    "solidity": "solidity",
}
GREY = {f"intensity_{name}": f"intensity_{name}" for name in ("mean", "median", "max", "std")}


def table(
    labels: Array,
    image: Array | None = None,
    *,
    axes: str = "TZYX",
    volumes: bool = False,
    background: int = 0,
    channels: tuple[str, ...] = (),
    **spacing: float,
) -> ObjectTable:
    """Return all rows; an image has its channels first, or none."""
    layout = Layout(labels.shape, axes[-labels.ndim :], spacing)
    grey = None
    if image is not None:
        channel_axis = 0 if image.ndim > labels.ndim else None
        grey = ArrayPlanes(image, channel_axis=channel_axis)
        channels = channels or ("",) * grey.channels
    measures = Measures(layout, channels, volumes)
    events = measure(ArrayPlanes(labels), measures, image=grey, background=background)
    return ObjectTable.joined([event.rows for event in events])


def blobs(shape: tuple[int, ...], seed: int = 0, size: float = 2.0) -> npt.NDArray[np.int32]:
    """Return objects of all shapes, some with holes or in several pieces."""
    rng = np.random.default_rng(seed)
    ground = ndimage.gaussian_filter(rng.normal(size=shape), size)
    labels, _count = ndimage.label(ground > ground.std() / 2)
    labels[labels % 7 == 3] += 1  # two in one: of two pieces
    return labels.astype(np.int32) * 3


def grey(shape: tuple[int, ...], dtype: str = "uint16", seed: int = 1) -> Array:
    values = np.random.default_rng(seed).normal(900, 300, shape)
    return values.clip(0, 255 if dtype == "uint8" else None).astype(dtype)


def test_a_rectangle_is_measured_as_by_hand() -> None:
    labels = np.zeros((8, 9), np.uint8)
    labels[2:5, 3:8] = 7  # 3 rows of 5 pixels
    image = np.zeros((8, 9), np.uint16)
    image[2:5, 3:8] = np.arange(15).reshape(3, 5)

    found = table(labels, image)

    by_hand = {
        "label": 7,
        "plane": 0,
        "area_px": 15,
        "centroid_y_px": 3,
        "centroid_x_px": 5,
        "bbox_y_px": 2,
        "bbox_x_px": 3,
        "bbox_height_px": 3,
        "bbox_width_px": 5,
        "perimeter_px": 12,  # through the centres of the border pixels: 2 * (2 + 4)
        "axis_major_length_px": 4 * math.sqrt(2),  # variance of 0 … 4: 2
        "axis_minor_length_px": 4 * math.sqrt(2 / 3),  # of 0 … 2
        "orientation_deg": 90,  # along X
        "eccentricity": math.sqrt(1 - 1 / 3),
        "solidity": 1,
        "touches_border": False,
        "intensity_mean": 7,
        "intensity_median": 7,
        "intensity_max": 14,
        "intensity_std": math.sqrt((15**2 - 1) / 12),
        "intensity_sum": 105,
    }
    assert list(found.columns) == list(by_hand)
    assert {name: column.tolist() for name, column in found.columns.items()} == {
        name: [pytest.approx(value)] for name, value in by_hand.items()
    }


def test_lengths_are_in_micrometres_where_the_pixel_size_is_known() -> None:
    labels = np.zeros((2, 8, 9), np.uint8)
    labels[1, 2:5, 3:8] = 7

    found = table(labels, Y=0.5, X=0.5, Z=3)

    assert found["area_um2"].tolist() == [15 * 0.25]
    assert found["perimeter_um"].tolist() == [6]
    assert found["centroid_x_um"].tolist() == [2.5]
    assert found["bbox_x_px"].tolist() == [3]  # an index, to cut it out
    assert found["axis_major_length_um"] == pytest.approx([2 * math.sqrt(2)])
    assert (found["z"].tolist(), found["z_um"].tolist()) == ([1], [3])


def test_a_pixel_that_is_no_square_stretches_the_object() -> None:
    labels = np.ones((4, 4), np.uint8)

    found = table(labels, Y=0.5, X=2)

    assert found["area_um2"].tolist() == [16]
    assert found["axis_major_length_um"] == pytest.approx([4 * 2 * math.sqrt(1.25)])
    assert found["axis_minor_length_um"] == pytest.approx([4 * 0.5 * math.sqrt(1.25)])
    assert found["eccentricity"] == pytest.approx([math.sqrt(1 - 1 / 16)])
    assert np.isnan(found["perimeter_um"]).all()


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int32", "float32", "float64", ">u2"])
def test_everything_equals_scikit_image(dtype: str) -> None:
    labels = blobs((90, 110))
    image = grey(labels.shape, dtype)
    found = table(labels, image)
    names: tuple[str, ...] = (
        "label",
        "area",
        "perimeter",
        "centroid",
        "bbox",
        "orientation",
        "solidity",
    )
    names = (*names, "axis_major_length", "axis_minor_length", "eccentricity", *GREY)
    theirs = regionprops_table(labels, image, properties=names)

    assert len(found) > 30
    assert found["label"].tolist() == theirs["label"].tolist()
    for ours, other in (SAME | GREY).items():
        np.testing.assert_allclose(found[ours], theirs[other], rtol=1e-6, atol=1e-9, err_msg=ours)
    clear = theirs["eccentricity"] > 0.1
    turned = found["orientation_deg"] - np.degrees(theirs["orientation"])
    assert np.abs((turned[clear] + 90) % 180 - 90).max() < 1e-6
    sums = ndimage.sum_labels(image, labels, found["label"])
    np.testing.assert_allclose(found["intensity_sum"], sums, rtol=1e-6)


@settings(max_examples=60, deadline=None)
@given(
    arrays(np.int32, st.tuples(st.integers(1, 7), st.integers(1, 7)), elements=st.integers(0, 2))
)
def test_any_small_object_equals_scikit_image(labels: Array) -> None:
    found = table(labels, labels)
    names: tuple[str, ...] = ("area", "perimeter", "centroid", "bbox", "solidity", "eccentricity")
    names = (*names, "axis_major_length", "axis_minor_length")
    theirs = regionprops_table(labels, properties=names)
    for ours, other in SAME.items():
        np.testing.assert_allclose(found[ours], theirs[other], atol=1e-6, err_msg=ours)


@pytest.fixture
def few_rows_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    for file in ("outlines", "grey_values"):
        monkeypatch.setattr(
            f"napari_unet.engine.measurements.{file}.bands", lambda shape: bands(shape, 150)
        )


def _assert_same(one: ObjectTable, other: ObjectTable) -> None:
    assert list(one.columns) == list(other.columns)
    for name in one.columns:
        np.testing.assert_allclose(one[name], other[name], rtol=1e-9, err_msg=name)


def test_a_plane_is_measured_the_same_in_bands_of_rows(request: pytest.FixtureRequest) -> None:
    labels, image = blobs((90, 50)), grey((2, 90, 50))
    whole = table(labels, image)

    request.getfixturevalue("few_rows_at_once")

    _assert_same(table(labels, image), whole)


def test_each_plane_has_its_rows_with_its_place() -> None:
    labels = np.zeros((2, 3, 5, 5), np.uint8)
    labels[1, 2, 1:3, 1:3] = 4
    labels[0, 1, 2, 2] = 4

    found = table(labels, T=30)

    places = [found[name].tolist() for name in ("label", "plane", "t", "z", "time_s")]
    assert places == [[4, 4], [1, 5], [0, 1], [1, 2], [0, 30]]
    assert found["area_px"].tolist() == [1, 4]


def test_volumes_equal_scikit_image_at_each_time() -> None:
    labels, image = blobs((2, 9, 40, 50), size=1.5), grey((2, 9, 40, 50), "float64")
    step = (2.0, 0.5, 0.5)
    found = table(labels, image, volumes=True, Z=2, Y=0.5, X=0.5, T=60)
    names: tuple[str, ...] = (
        "label",
        "area",
        "centroid",
        "bbox",
        "axis_major_length",
        "axis_minor_length",
    )
    names = (*names, "intensity_mean", "intensity_median", "intensity_max", "intensity_std")

    for when in (0, 1):
        theirs = regionprops_table(labels[when], image[when], properties=names, spacing=step)
        mine = found["t"] == when
        assert found["label"][mine].tolist() == theirs["label"].tolist()
        assert set(found["time_s"][mine]) == {60 * when}
        pairs = {
            "volume_um3": "area",
            **{f"centroid_{axis}_um": f"centroid-{i}" for i, axis in enumerate("zyx")},
            **{f"bbox_{axis}_px": f"bbox-{i}" for i, axis in enumerate("zyx")},
            "axis_major_length_um": "axis_major_length",
            "axis_minor_length_um": "axis_minor_length",
            **{f"intensity_{n}": f"intensity_{n}" for n in ("mean", "median", "max", "std")},
        }
        for ours, other in pairs.items():
            np.testing.assert_allclose(found[ours][mine], theirs[other], atol=1e-6, err_msg=ours)
        depth = theirs["bbox-3"] - theirs["bbox-0"]
        assert found["bbox_depth_px"][mine].tolist() == depth.tolist()


@pytest.mark.parametrize("dtype", ["uint8", "int16", "uint32", "float32", "float64", ">u2"])
@pytest.mark.parametrize("many", [0, 1000])
def test_medians_of_volumes_are_exact(
    dtype: str, many: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("napari_unet.engine.measurements.volume_medians._MANY", many)
    labels = blobs((6, 20, 30), size=1.5)
    rng = np.random.default_rng(0)
    low = 0 if dtype in ("uint8", "uint32", ">u2") else -120
    image = rng.integers(low, 120, (2, *labels.shape)).astype(dtype)
    if "float" in dtype:
        image = image / np.array(7, dtype)

    found = table(labels, image, volumes=True)

    for channel in (0, 1):
        medians = ndimage.median(image[channel].astype(float), labels, found["label"])
        np.testing.assert_array_equal(found[f"intensity_median_{channel + 1}"], medians)


def test_volumes_follow_z_wherever_the_axis_is() -> None:
    labels, image = blobs((2, 5, 30, 30), size=1.5), grey((2, 5, 30, 30))
    usual = table(labels, image, volumes=True)
    swapped = table(labels.swapaxes(0, 1), image.swapaxes(0, 1), volumes=True, axes="ZTYX")
    _assert_same(swapped, usual)


def test_what_touches_the_border_is_marked_on_planes_and_in_volumes() -> None:
    labels = np.zeros((3, 6, 6), np.uint8)
    labels[1, 2:4, 2:4] = 1
    labels[1, 0, 3] = 2
    labels[1, 5, 0] = 3
    labels[0, 2, 5] = 4
    labels[2, 4, 4] = 5

    assert table(labels)["touches_border"].tolist() == [True, False, True, True, False]  # 4, 1 …
    found = table(labels, volumes=True)
    flags = dict(zip(found["label"].tolist(), found["touches_border"].tolist(), strict=True))
    assert flags == {1: False, 2: True, 3: True, 4: True, 5: True}  # 5: the last plane


def test_channels_have_columns_of_their_own() -> None:
    labels = np.ones((4, 4), np.uint8)
    image = np.stack([np.full((4, 4), 3), np.full((4, 4), 5), np.full((4, 4), 7)]).astype(np.uint8)

    found = table(labels, image, channels=("DAPI", "GFP (488 nm)", "DAPI"))

    means = {name: column[0] for name, column in found.columns.items() if "mean" in name}
    assert means == {
        "intensity_mean_1": 3,
        "intensity_mean_GFP_488_nm": 5,
        "intensity_mean_3": 7,
    }


def test_a_number_can_be_the_background() -> None:
    labels = np.array([[1, 1, 2], [0, 3, 3]], np.uint8)
    assert table(labels, background=1)["label"].tolist() == [2, 3]


def test_no_objects_are_no_rows_with_all_columns() -> None:
    labels, image = np.zeros((2, 5, 5), np.uint8), np.zeros((2, 5, 5), np.uint8)
    found = table(labels, image)
    assert len(found) == 0
    assert list(found.columns) == list(Measures(Layout((2, 5, 5), "ZYX"), ("",)).names())
    assert len(table(labels, image, volumes=True)) == 0


def test_not_a_number_stays_in_its_object() -> None:
    labels = np.array([[1, 1, 1], [2, 2, 2]], np.uint8)
    image = np.array([[1, np.nan, 3], [4, 5, 6]], np.float32)
    found = table(labels, image)
    for name in ("mean", "median", "max", "std", "sum"):
        first, second = found[f"intensity_{name}"]
        assert np.isnan(first)
        assert np.isfinite(second)


def test_numbers_are_exact_far_from_the_corner_and_above_16_bits() -> None:
    labels = np.zeros((3, 40_000), np.int32)
    labels[:, 39_990:39_999] = 2_000_000_000
    image = np.full(labels.shape, 4_294_967_295, np.uint32)

    found = table(labels, image)

    assert found["label"].tolist() == [2_000_000_000]
    assert found["centroid_x_px"].tolist() == [39_994]
    assert found["axis_minor_length_px"] == pytest.approx([4 * math.sqrt(2 / 3)], rel=1e-12)
    assert found["intensity_median"].tolist() == [4_294_967_295]
    assert found["intensity_std"].tolist() == [0]


def test_it_ends_when_asked_to_with_what_is_final() -> None:
    labels = np.ones((6, 4, 4), np.uint8)
    measures = Measures(Layout(labels.shape, "ZYX"))
    events = measure(ArrayPlanes(labels), measures, stop=lambda: True)
    assert [(event.plane, len(event.rows)) for event in events] == [(0, 1)]


def test_a_volume_that_is_not_whole_has_no_rows() -> None:
    labels = np.ones((6, 4, 4), np.uint8)
    measures = Measures(Layout(labels.shape, "ZYX"), ("",), volumes=True)
    for looks in (1, 6, 8):  # 6: all planes are added up, and the medians are missing
        stacks = ArrayPlanes(labels), ArrayPlanes(labels)
        asked = chain(repeat(False, looks - 1), [True])
        events = list(measure(stacks[0], measures, image=stacks[1], stop=asked.__next__))
        assert [(len(event.rows), event.done) for event in events] == [(0, 0)] * looks
        shares = [event.share for event in events]
        assert shares == sorted(shares)
        assert shares[-1] < 1


def test_some_planes_only() -> None:
    labels = np.ones((6, 4, 4), np.uint8)
    layout = Layout(labels.shape, "ZYX")
    some = [event.rows for event in measure(ArrayPlanes(labels), Measures(layout), planes=[1, 4])]
    assert ObjectTable.joined(some)["plane"].tolist() == [1, 4]
    volumes = Measures(layout, volumes=True)
    *_, last = measure(ArrayPlanes(labels), volumes, planes=[1, 2, 4])
    assert (last.done, last.total) == (3, 3)
    assert last.rows["volume_px"].tolist() == [48]


def test_volumes_need_an_axis_z() -> None:
    with pytest.raises(ValueError, match="axis Z"):
        Measures(Layout((3, 4, 4), "TYX"), volumes=True)


def test_other_planes_than_those_of_the_grid_are_not_measured() -> None:
    measures = Measures(Layout((3, 4, 4), "ZYX"), ("",))
    labels = ArrayPlanes(np.zeros((3, 4, 4), np.uint8))
    with pytest.raises(ValueError, match="labels of 2 planes"):
        next(measure(ArrayPlanes(np.zeros((2, 4, 4), np.uint8)), measures))
    with pytest.raises(ValueError, match="image of 1 planes"):
        next(measure(labels, measures, image=ArrayPlanes(np.zeros((4, 4), np.uint8))))


class _Endless:
    """Planes that are made when they are read."""

    def __init__(self, count: int, plane: Array) -> None:
        self.shape, self.dtype, self.ndim = (count, *plane.shape), plane.dtype, 3
        self._plane = plane

    def __getitem__(self, index: Any) -> Array:
        found: Array = self._plane[index[1:]].copy()
        return found


def test_a_hundred_planes_take_no_more_memory_than_ten() -> None:
    labels, image = blobs((128, 128)), grey((128, 128))

    def peak(planes: int, *, volumes: bool) -> int:
        measures = Measures(Layout((planes, 128, 128), "ZYX"), ("",), volumes)
        stacks = [ArrayPlanes(_Endless(planes, plane)) for plane in (labels, image)]
        tracemalloc.start()
        rows = sum(len(e.rows) for e in measure(stacks[0], measures, image=stacks[1]))
        assert rows > 10
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    for volumes in (False, True):
        assert peak(100, volumes=volumes) < 1.3 * peak(10, volumes=volumes)


def test_fifty_thousand_objects_take_less_than_five_seconds() -> None:
    cell = np.pad(np.ones((7, 7), np.int32), 1)
    labels = np.kron(np.arange(1, 224 * 224 + 1, dtype=np.int32).reshape(224, 224), cell)
    image = grey(labels.shape)

    begin = time.perf_counter()
    found = table(labels, image)

    assert time.perf_counter() - begin < 5
    assert len(found) == 224 * 224
    assert set(found["area_px"]) == {49}
