"""Where to paint next, with a network whose probability is a known function of the grey value."""

from __future__ import annotations

import gc
import math
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch

from napari_unet.config import NetworkConfig, ObjectsConfig, Task, Unpainted
from napari_unet.engine.errors import ImageError, LabelsError
from napari_unet.engine.events import Place, PlaceLookedAt, Suggested
from napari_unet.engine.network.model import Model, fresh_model
from napari_unet.engine.objects.decoder import as_bytes
from napari_unet.engine.prediction import regions
from napari_unet.engine.prediction import suggestions as suggest_module
from napari_unet.engine.prediction.predictor import Predictor
from napari_unet.engine.prediction.suggestions import suggest, uncertainty
from napari_unet.engine.stack.normalization import Normalization
from napari_unet.engine.stack.planes import ArrayPlanes
from napari_unet.engine.stack.tiles import Span, Tile
from tests.engine.conftest import BuiltNetworks
from tests.engine.tiny import CPU, noise, tiny_model

DARK, GREY, BRIGHT = 0, 100, 200
SLOPE = 5.0


def threshold_model(*, classes: int = 2, slope: float = SLOPE) -> Model:
    """Return a model with p(1) = sigmoid(slope · x) for the normalised grey value x, -1 to 1.

    Both convolutions keep the grey value (raised by 1, so that the ReLU lets it through), and
    the head compares it; further classes get nothing.
    """
    network = NetworkConfig(name="threshold", base_channels=1, levels=1, classes=classes)
    values = tuple(range(classes))
    task = Task.OBJECTS if classes == 2 else Task.CLASSES
    model = fresh_model(network, Normalization((0.0,), (255.0,)), task, values)
    keep = torch.zeros(1, 1, 3, 3)
    keep[0, 0, 1, 1] = 1
    head = torch.zeros(classes, 1, 1, 1)
    head[1] = slope
    bias = torch.full((classes,), -1e4)
    bias[:2] = torch.tensor([0.0, -slope])
    weights = dict(model.weights)
    weights |= {"down.0.0.weight": keep, "down.0.0.bias": torch.ones(1)}
    weights |= {"down.0.2.weight": keep, "down.0.2.bias": torch.zeros(1)}
    weights |= {"head.weight": head, "head.bias": bias}
    return replace(model, weights=weights)


def entropy(p: float) -> float:
    return -(p * math.log2(p) + (1 - p) * math.log2(1 - p))


SURE = entropy(1 / (1 + math.exp(SLOPE)))  # of dark and bright pixels: 0.058


def stripes(*shape: int) -> npt.NDArray[np.uint8]:
    """Return dark and bright columns: the network is sure of each."""
    image = np.full(shape, DARK, np.uint8)
    image[..., ::2] = BRIGHT
    return image


def places(image: Any, labels: Any = None, **settings: Any) -> tuple[Place, ...]:
    painted = None if labels is None else ArrayPlanes(labels)
    settings = {"model": threshold_model(), "device": CPU, "focus": None, **settings}
    *looked_at, last = suggest(planes=ArrayPlanes(image), labels=painted, **settings)
    total = len(looked_at)
    assert looked_at == [PlaceLookedAt(n, total) for n in range(1, total + 1)]
    assert isinstance(last, Suggested)
    return last.places


def corner(place: Place) -> tuple[int, int, int]:
    return place.plane, place.y.start, place.x.start


def test_the_grey_square_is_suggested_to_the_pixel() -> None:
    image = stripes(3, 128, 100)  # a place is 25 px wide here
    image[1, 40:65, 70:95] = GREY  # p = 1/2
    (place,) = places(image)
    assert corner(place) == (1, 40, 70)
    assert (place.y.stop, place.x.stop) == (65, 95)
    assert place.uncertainty == pytest.approx(1, abs=1e-6)


def test_the_uncertainty_is_the_mean_over_the_window() -> None:
    image = stripes(64, 64)  # a place is 16 px wide
    image[20:28, 30:46] = GREY  # half a window
    (place,) = places(image)
    assert place.y.start <= 20 < 28 <= place.y.stop
    assert (place.x.start, place.x.stop) == (30, 46)
    assert place.uncertainty == pytest.approx((1 + SURE) / 2, abs=1e-5)


def test_a_square_in_the_corner_is_found_as_one_in_the_middle() -> None:
    for at in ((0, 0), (84, 84), (84, 0), (0, 40), (33, 71)):
        image = stripes(100, 100)  # a place is 25 px wide
        image[at[0] : at[0] + 25, at[1] : at[1] + 25] = GREY
        (place,) = places(image)
        assert abs(place.y.start - at[0]) <= 9
        assert abs(place.x.start - at[1]) <= 9


def test_an_even_image_gives_border_and_middle_the_same() -> None:
    field = np.full((50, 60), 0.25, np.float32)
    sums = suggest_module._window_sums(field, (16, 20))
    assert sums.shape == (35, 41)
    np.testing.assert_allclose(sums, 0.25 * 16 * 20)


def test_painted_places_are_not_suggested() -> None:
    image = stripes(2, 64, 64)
    image[0, :16, :16] = GREY
    image[1, 40:56, 40:56] = GREY + 5  # a little surer
    labels = np.zeros(image.shape, np.uint8)
    assert corner(places(image, labels)[0]) == (0, 0, 0)
    labels[0, 8, 8] = 1
    assert corner(places(image, labels)[0]) == (1, 40, 40)
    assert places(image, np.ones_like(labels)) == ()


def test_on_a_label_image_the_zeros_beside_objects_are_painted_too() -> None:
    image = stripes(2, 64, 64)
    image[0, :16, :16] = GREY
    labels = np.zeros(image.shape, np.uint8)
    labels[0, 60, 60] = 1
    assert corner(places(image, labels)[0]) == (0, 0, 0)
    (place,) = places(image, labels, unpainted=Unpainted.BACKGROUND)
    assert place.plane == 1


def test_several_places_come_least_sure_first_and_do_not_overlap() -> None:
    image = stripes(3, 64, 64)
    image[0, 10:30, 10:26] = GREY + 10
    image[2, 30:46, 30:46] = GREY
    found = places(image, count=3)
    assert [corner(place)[0] for place in found[:2]] == [2, 0]
    assert [place.uncertainty for place in found] == sorted(
        (place.uncertainty for place in found), reverse=True
    )
    seen = np.zeros(image.shape, int)
    for place in found:
        seen[place.plane, place.y, place.x] += 1
    assert len(found) == 3
    assert seen.max() == 1


def test_stopping_gives_the_best_place_so_far() -> None:
    image = stripes(4, 64, 64)
    image[0, 16:32, 16:32] = GREY
    image[1, 16:32, 16:32] = GREY + 10
    asked = iter([False, True])
    events = suggest(
        threshold_model(),
        ArrayPlanes(image),
        None,
        device=CPU,
        focus=(2, 0, 0),
        stop=lambda: next(asked),
    )
    *looked_at, last = events
    assert looked_at == [PlaceLookedAt(1, 4), PlaceLookedAt(2, 4)]  # planes 2 and 1
    assert isinstance(last, Suggested)
    assert corner(last.places[0]) == (1, 16, 16)


def test_what_was_not_looked_at_is_not_suggested(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Predictor, "tile_side", 32)
    image = stripes(64, 64)
    image[40:56, 40:56] = GREY  # in the last of four tiles
    image[2:18, 2:18] = GREY + 30
    *looked_at, last = suggest(
        threshold_model(), ArrayPlanes(image), None, device=CPU, focus=None, stop=lambda: True
    )
    assert looked_at == [PlaceLookedAt(1, 4)]
    assert isinstance(last, Suggested)
    assert corner(last.places[0]) == (0, 2, 2)
    assert corner(places(image)[0]) == (0, 40, 40)  # whatever the tiles


def test_tiles_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    image, model = noise(2, 90, 70), tiny_model()
    whole = places(image, model=model, count=4)
    monkeypatch.setattr(Predictor, "tile_side", 24)
    tiled = places(image, model=model, count=4)
    assert [corner(place) for place in tiled] == [corner(place) for place in whole]
    np.testing.assert_allclose(
        [place.uncertainty for place in tiled], [p.uncertainty for p in whole], atol=1e-5
    )


class RememberingPlanes(ArrayPlanes):
    """Remembers which planes were predicted, and how many pixels."""

    def __init__(self, array: Any) -> None:
        super().__init__(array)
        self.seen: list[int] = []

    def read(self, plane: int, y: slice, x: slice) -> npt.NDArray[Any]:
        self.seen.append(plane)
        return super().read(plane, y, x)


def test_few_planes_of_a_long_stack_are_looked_at_the_nearest_first() -> None:
    image = stripes(1, 20, 20).repeat(1000, axis=0)
    planes = RememberingPlanes(image)
    events = suggest(threshold_model(), planes, None, device=CPU, focus=(500, 0, 0))
    next(events)
    planes.seen.clear()
    list(events)
    assert len(planes.seen) == 11  # and the first one
    assert planes.seen[:3] == [499, 501, 498]
    assert {0, 999, 143, 285, 428, 571, 714, 856} <= set(planes.seen)


def test_large_planes_are_looked_at_in_places_that_are_spread_over_them() -> None:
    areas = regions._areas((10_000, 5_000), 1 << 20, seed=3)  # 16 squares of 256²
    assert 12 <= len(areas) <= 16
    cells = {(area.y.start // 1700, area.x.start // 1700) for area in areas}
    assert len(cells) >= 10
    for area in areas:
        assert (area.y.length, area.x.length) == (256, 256)
        assert 0 <= area.y.start < area.y.stop <= 10_000
        assert 0 <= area.x.start < area.x.stop <= 5_000
    assert areas == regions._areas((10_000, 5_000), 1 << 20, seed=3)
    assert areas != regions._areas((10_000, 5_000), 1 << 20, seed=4)


@pytest.mark.parametrize("shape", [(100_000, 30), (30, 100_000), (600, 600), (257, 20_000)])
def test_areas_stay_within_what_may_be_looked_at(shape: tuple[int, int]) -> None:
    areas = regions._areas(shape, 1 << 18, seed=0)
    seen = sum(area.y.length * area.x.length for area in areas)
    assert (1 << 18) / 2 <= seen <= 1 << 18
    covered = sorted((area.y.start, area.y.stop, area.x.start, area.x.stop) for area in areas)
    assert len(set(covered)) == len(areas)


def test_places_on_a_large_plane_are_in_its_own_pixels() -> None:
    image = stripes(3000, 3000)
    areas = regions._areas((3000, 3000), 1 << 22, seed=0)
    area = areas[len(areas) // 2]
    y, x = area.y.start + 80, area.x.start + 70
    image[y : y + 96, x : x + 96] = GREY
    (place,) = places(image)
    assert corner(place) == (0, y, x)


def test_classes_are_weighed_by_their_whole_softmax() -> None:
    image = stripes(64, 64)
    image[16:32, 16:32] = GREY  # two of three classes are alike
    (place,) = places(image, model=threshold_model(classes=3))
    assert corner(place) == (0, 16, 16)
    assert place.uncertainty == pytest.approx(math.log(2) / math.log(3), abs=1e-5)


def test_uncertainty_is_the_entropy_from_sure_to_even() -> None:
    foreground = np.array([0, 0.5, 1, 0.11], np.float32).reshape(1, 1, 4)
    expected = [[0, 1, 0, entropy(0.11)]]
    np.testing.assert_allclose(uncertainty(foreground), expected, atol=1e-6)
    even = np.full((5, 1, 1), 0.2, np.float32)
    np.testing.assert_allclose(uncertainty(even), 1, atol=1e-6)


@pytest.mark.parametrize("shape", [(1, 40), (40, 1), (5, 5), (20, 20)])
def test_small_images_are_one_place(shape: tuple[int, int]) -> None:
    (place,) = places(noise(*shape))
    assert place.y.stop - place.y.start == min(16, shape[0])
    assert place.x.stop - place.x.start == min(16, shape[1])


def test_bad_input_gets_one_sentence() -> None:
    with pytest.raises(LabelsError, match=r"1 plane of 64×64 px, .* 2 of 64×64 px"):
        places(stripes(2, 64, 64), np.zeros((1, 64, 64), np.uint8))
    with pytest.raises(ImageError, match="constant"):
        places(np.zeros((64, 64), np.uint8))


def test_closing_early_lets_go_of_the_network(built: BuiltNetworks) -> None:
    model = tiny_model()
    built.clear()  # it was used to make the model
    run = suggest(model, ArrayPlanes(noise(3, 40, 40)), None, device=CPU, focus=None)
    next(run)
    assert built[0]() is not None
    run.close()  # type: ignore[attr-defined]
    gc.collect()
    assert built[0]() is None


def shape_model() -> Model:
    """Return a model that is sure of all foreground, and whose field is the grey value."""
    network = NetworkConfig(name="shape", base_channels=1, levels=1, classes=2, shape_field=True)
    model = fresh_model(network, Normalization((0.0,), (255.0,)), Task.OBJECTS, (0, 1))
    keep = torch.zeros(1, 1, 3, 3)
    keep[0, 0, 1, 1] = 1
    head = torch.zeros(3, 1, 1, 1)
    head[2] = 0.5
    weights = dict(model.weights)
    weights |= {"down.0.0.weight": keep, "down.0.0.bias": torch.ones(1)}
    weights |= {"down.0.2.weight": keep, "down.0.2.bias": torch.zeros(1)}
    weights |= {"head.weight": head, "head.bias": torch.tensor([-9.0, 9.0, 0.0])}
    return replace(model, weights=weights)


def hills(*passes: int) -> npt.NDArray[np.uint8]:
    """Return a row of hills of grey 230, with these grey values between them, 64 px apart."""
    image = np.full((128, 64 * len(passes) + 64), 230, np.uint8)
    for number, grey in enumerate(passes, 1):
        image[:, 64 * number - 2 : 64 * number + 2] = grey
    image[0, 0] = 0
    return image


def field_of(image: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Return the field that the model sees, 0 to 255."""
    planes = ArrayPlanes(image)
    predictor = Predictor(shape_model(), planes, CPU)
    whole = Tile(Span(0, image.shape[0]), Span(0, image.shape[1]))
    return as_bytes(predictor.predict(0, whole)[1])


def test_where_two_objects_may_be_one_is_suggested_before_pixels_that_are_clear() -> None:
    image = hills(40, 120, 220)
    field = field_of(image).astype(float)
    shares = [field[64, 64 * n] / field[64, 32] for n in (1, 2, 3)]
    assert shares == sorted(shares)
    objects = ObjectsConfig(min_size=0, neck=shares[1] + 0.01)

    first, *others = places(image, model=shape_model(), objects=objects, count=3)

    assert first.one_or_two == 1
    assert (first.x.start + first.x.stop) // 2 == pytest.approx(128, abs=3)
    assert all(place.one_or_two == 0 for place in others)


def test_a_cut_that_is_painted_is_not_suggested() -> None:
    image = hills(40, 120)
    field = field_of(image).astype(float)
    objects = ObjectsConfig(min_size=0, neck=field[64, 128] / field[64, 32] + 0.01)
    labels = np.zeros(image.shape, np.uint8)
    found = places(image, labels, model=shape_model(), objects=objects)
    assert [place.one_or_two for place in found] == [1]
    labels[60:70, 114:144] = 2
    assert not any(
        place.one_or_two
        for place in places(image, labels, model=shape_model(), objects=objects, count=4)
    )
