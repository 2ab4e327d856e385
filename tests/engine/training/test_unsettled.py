"""Corrected places are trained on more often until they are right, and then no longer."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch

from napari_unet.config import Sampling
from napari_unet.engine.events import PaintedPixels, StepDone, TrainDone
from napari_unet.engine.paint.label_scheme import IGNORED
from napari_unet.engine.paint.painted_planes import PaintedPlane, PaintedStack
from napari_unet.engine.training.corrections import NewPaint
from napari_unet.engine.training.sampling import Batch, PatchSampler, Spot
from napari_unet.engine.training.unsettled import Corrected, Unsettled, are_right
from tests.engine.scenes import QUICK, bright_squares, result, run, strokes

SIDE = 48


def new_paint(*corners: tuple[int, int]) -> NewPaint:
    is_new = np.zeros((300, 300), bool)
    for y, x in corners:
        is_new[y : y + 6, x : x + 6] = True
    return NewPaint(4, (10, 20), is_new, np.zeros(is_new.shape, np.uint8))


def training(held_out: tuple[slice, slice] | None = None) -> PaintedStack:
    classes = np.zeros((300, 300), np.uint8)
    if held_out is not None:
        classes[held_out] = IGNORED
    ones = np.ones(classes.shape, np.float32)
    return PaintedStack((PaintedPlane(4, (10, 20), ones[None], classes, classes, ones),), (0, 1))


def unsettled(*corners: tuple[int, int]) -> Unsettled:
    places = Unsettled()
    places.add([new_paint(*corners)], training())
    return places


def answer(right: float, *, field: float | None = None) -> tuple[torch.Tensor, Batch]:
    """Return logits of which a share is right, and the batch that they answer to."""
    classes = torch.full((1, SIDE, SIDE), IGNORED)
    classes[:, :, :24] = 0
    classes[:, :, 24:28] = 1  # a class of few pixels
    logits = torch.stack([torch.ones(1, SIDE, SIDE), torch.zeros(1, SIDE, SIDE)], dim=1)
    logits[:, 1, : int(right * SIDE), 24:28] = 2
    shape = None
    if field is not None:
        logits = torch.cat([logits, torch.full((1, 1, SIDE, SIDE), field)], dim=1)
        shape = torch.full((1, 2, SIDE, SIDE), 0.5)
    return logits, Batch(torch.zeros(0), classes, torch.zeros(0), shape)


def test_places_apart_are_places_of_their_own_without_what_is_held_out() -> None:
    places = Unsettled()
    places.add([new_paint((8, 8), (200, 200))], training((slice(0, 12), slice(0, 300))))
    assert [len(place.pixels) for place in places.places] == [12, 36]
    assert places.places[0].pixels.min(axis=0).tolist() == [12 + 10, 8 + 20]  # in the plane
    places.add([new_paint((8, 8))], training((slice(0, 20), slice(0, 20))))
    assert len(places.places) == 2  # nothing of it trains


@pytest.mark.parametrize(("corners", "share"), [(1, 1 / 8), (2, 1 / 4), (9, 1 / 2)])
def test_a_corrected_place_gets_a_share_of_the_patches(corners: int, share: float) -> None:
    places = unsettled((8, 8))
    places.places *= corners
    rng = np.random.default_rng(0)
    drawn = [spot for _ in range(500) for _, spot in places.draw(rng, 4)]
    assert len(drawn) / 2000 == pytest.approx(share, abs=0.03)
    assert all(spot.plane == 4 for spot in drawn)


def test_without_corrections_no_random_number_is_drawn() -> None:
    rng, other = np.random.default_rng(0), np.random.default_rng(0)
    assert Unsettled().draw(rng, 4) == []
    assert rng.random() == other.random()


def test_a_place_is_right_if_each_of_its_classes_is() -> None:
    assert are_right(*answer(1.0), 1) == [True]
    assert are_right(*answer(0.5), 1) == [False]  # most pixels are right, but of the other class


def test_a_place_is_right_only_with_its_shape() -> None:
    assert are_right(*answer(1.0, field=0.6), 1) == [True]
    assert are_right(*answer(1.0, field=0.9), 1) == [False]


def test_a_place_that_is_right_three_times_in_a_row_is_settled() -> None:
    places = unsettled((8, 8))
    (place,) = places.places
    for right in (1.0, 1.0, 0.5, 1.0, 1.0):
        places.note([place], *answer(right))
        assert places.places == [place]
    places.note([place], *answer(1.0))
    assert places.places == []


def test_a_place_that_never_is_right_is_given_up() -> None:
    places = unsettled((8, 8))
    for _ in range(60):
        assert places.places
        places.note(places.places, *answer(0.5))
    assert places.places == []


def test_places_on_planes_without_paint_are_forgotten() -> None:
    places = unsettled((8, 8))
    places.keep((4,))
    assert places.places
    places.keep((3, 5))
    assert places.places == []


def test_patches_are_cut_around_the_wanted_spots() -> None:
    image = np.zeros((1, 300, 300), np.float32)
    image[0, 100, 150] = 1
    classes = np.zeros((300, 300), np.uint8)
    plane = PaintedPlane(4, (10, 20), image, classes, classes, np.ones(classes.shape, np.float32))
    still = replace(
        QUICK.augment, elastic_sigma=0, shift=0, brightness=0, contrast=0, gamma=0, noise=0
    )
    sampler = PatchSampler(
        PaintedStack((plane,), (0, 1)), still, size=20, levels=2, device=torch.device("cpu")
    )
    batch = sampler.draw(np.random.default_rng(0), 3, [Spot(4, 110, 170)])
    assert len(batch.images) == 3
    middle = batch.images.shape[-1] // 2
    around = batch.images[:, 0, middle - 2 : middle + 2, middle - 2 : middle + 2]
    assert around[0].max() > 0.1
    assert around[1:].max() < 0.1


def known(labels: npt.NDArray[np.int32]) -> tuple[PaintedPixels, ...]:
    """Return what was painted, as a training on it has told."""
    last = result(replace(QUICK, steps=1), labels=labels)
    return last.painted


@pytest.mark.parametrize("sampling", list(Sampling))
def test_training_goes_more_often_to_what_was_painted_since(
    monkeypatch: pytest.MonkeyPatch, sampling: Sampling
) -> None:
    drawn: Counter[int] = Counter()
    draw = PatchSampler.draw

    def count(self: PatchSampler, rng: Any, patches: int, around: Any = ()) -> Batch:
        drawn.update(spot.plane for spot in around)
        return draw(self, rng, patches, around)

    monkeypatch.setattr(PatchSampler, "draw", count)
    _, truth = bright_squares()
    before, now = strokes(truth), strokes(truth)
    now[2, 30:34, 30:34] = 1
    model = result(replace(QUICK, steps=1), labels=before).model
    assert not drawn
    config = replace(QUICK, sampling=sampling)
    events = list(run(config, labels=now, start=model, known=known(before)))
    assert isinstance(events[-1], TrainDone)
    assert sum(isinstance(event, StepDone) for event in events) == 20
    assert set(drawn) == ({2} if sampling is Sampling.CLASSES else set())


def test_a_place_knows_its_plane_and_its_pixels() -> None:
    (place,) = unsettled((8, 8)).places
    assert isinstance(place, Corrected)
    assert (place.plane, len(place.pixels), place.is_settled) == (4, 36, False)
