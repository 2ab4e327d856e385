"""Segmentation as an iterator of events: order, numbers, stopping, memory, bad input."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from napari_unet.config import (
    ObjectsConfig,
    OutputKind,
    Task,
    TilingConfig,
)
from napari_unet.engine.errors import EngineError, ImageError, SettingsError, UnetPaintError
from napari_unet.engine.events import (
    FinishReason,
    PlaneDone,
    PlaneUncut,
    Resume,
    SegmentDone,
    SegmentEvent,
    SegmentStarted,
    TileDone,
)
from napari_unet.engine.network.device import DeviceChoice
from napari_unet.engine.network.folded import FoldedUNet
from napari_unet.engine.network.model import Model
from napari_unet.engine.network.record import ObjectSizes
from napari_unet.engine.network.unet import UNet
from napari_unet.engine.prediction import segmentation
from napari_unet.engine.prediction.decode import PlaneDecoder, plane_decoder
from napari_unet.engine.prediction.predictor import Predictor
from napari_unet.engine.prediction.segmentation import whole_planes
from napari_unet.engine.stack.planes import ArrayPlanes
from napari_unet.engine.stack.tiles import Tile
from tests.engine.conftest import BuiltNetworks
from tests.engine.tiny import (
    CPU,
    noise,
    plane_values,
    probabilities,
    segment,
    segmented,
    tiny_model,
)

MODEL = tiny_model()
STACK = noise(5, 40, 50)
TILES_OF_16 = TilingConfig(tile=16)  # 3 x 4 per plane


def events(stack: Any = STACK, model: Model = MODEL, **settings: Any) -> list[SegmentEvent]:
    return list(segment(model, ArrayPlanes(stack), device=CPU, **settings))


def after(count: int) -> Callable[[], bool]:
    """Return a stop that says True at the `count`-th question."""
    asked = iter(range(1, 10_000))
    return lambda: next(asked) >= count


def numbered(stack: Any, **settings: Any) -> dict[int, PlaneDone]:
    done = events(stack, **settings)
    return {event.plane: event for event in done if isinstance(event, PlaneDone)}


def labels_of(event: PlaneDone) -> Any:
    """Return the labels, (Y, X)."""
    return np.asarray(event.labels)


def test_events_come_in_order() -> None:
    start, *middle, end = events(tiling=TILES_OF_16, numbers=[3, 1])
    assert start == SegmentStarted(str(CPU), (3, 1), tiles=24, tile=16)
    kinds = [(type(event), event.plane) for event in middle]  # type: ignore[union-attr]
    assert kinds == [
        *[(TileDone, 3)] * 12,
        (PlaneUncut, 3),
        (PlaneDone, 3),
        *[(TileDone, 1)] * 12,
        (PlaneUncut, 1),
        (PlaneDone, 1),
    ]
    assert isinstance(end, SegmentDone)
    assert (end.reason, end.planes) == (FinishReason.COMPLETED, (3, 1))
    assert end.seconds > 0
    tiles = [event for event in middle if isinstance(event, TileDone)]
    assert [(tile.done, tile.total) for tile in tiles] == [(n, 24) for n in range(1, 25)]


def test_tiles_cover_a_plane_once() -> None:
    covered = np.zeros((40, 50), int)
    for event in events(tiling=TILES_OF_16, numbers=[0]):
        if isinstance(event, TileDone):
            covered[event.y, event.x] += 1
            assert event.values.shape == covered[event.y, event.x].shape
    assert (covered == 1).all()


def test_planes_and_tiles_nearest_to_the_focus_come_first() -> None:
    done = events(tiling=TILES_OF_16, focus=(3, 39, 0))
    assert isinstance(done[0], SegmentStarted)
    assert done[0].planes == (3, 2, 4, 1, 0)
    first = done[1]
    assert isinstance(first, TileDone)
    assert (first.plane, first.y, first.x) == (3, slice(32, 40), slice(0, 16))


def test_a_focus_outside_the_image_does_no_harm() -> None:
    done = events(tiling=TILES_OF_16, focus=(99, -7, 10**9))
    assert isinstance(done[0], SegmentStarted)
    assert done[0].planes == (4, 3, 2, 1, 0)


def test_without_a_focus_planes_are_done_in_their_order() -> None:
    (start, *_) = events()
    assert isinstance(start, SegmentStarted)
    assert start.planes == (0, 1, 2, 3, 4)


@pytest.mark.parametrize(
    ("task", "kind", "dtype", "shape"),
    [
        (Task.OBJECTS, OutputKind.LABELS, np.int32, (40, 50)),
        (Task.OBJECTS, OutputKind.CLASSES, np.uint8, (40, 50)),
        (Task.OBJECTS, OutputKind.PROBABILITIES, np.float32, (1, 40, 50)),
        (Task.CLASSES, OutputKind.LABELS, np.int32, (40, 50)),
        (Task.CLASSES, OutputKind.CLASSES, np.uint8, (40, 50)),
        (Task.CLASSES, OutputKind.PROBABILITIES, np.float32, (3, 40, 50)),
    ],
)
def test_values_have_the_promised_type_and_shape(
    task: Task, kind: OutputKind, dtype: type, shape: tuple[int, ...]
) -> None:
    values = (0, 1) if task is Task.OBJECTS else (0, 2, 7)
    model = tiny_model(task=task, values=values)
    for event in events(STACK[:1], model, kind=kind, tiling=TILES_OF_16):
        if isinstance(event, TileDone):
            assert event.values.dtype == dtype
            height, width = event.y.stop - event.y.start, event.x.stop - event.x.start
            assert event.values.shape == (*shape[:-2], height, width)


@pytest.mark.parametrize("kind", [OutputKind.CLASSES, OutputKind.PROBABILITIES])
def test_tiles_that_are_decoded_by_pixel_are_final(kind: OutputKind) -> None:
    *tiles, plane, _end = events(STACK[:1], kind=kind, tiling=TILES_OF_16)
    assert isinstance(plane, PlaneDone)
    assert plane.labels is None
    assert plane.complete
    (whole,) = plane_values(events(STACK[:1], kind=kind, tiling=TilingConfig(tile=64)))
    for event in tiles:
        if isinstance(event, TileDone):
            np.testing.assert_allclose(event.values, whole[..., event.y, event.x], atol=1e-5)


def test_classes_are_the_likeliest_label_value() -> None:
    model = tiny_model(task=Task.CLASSES, values=(2, 5, 9))
    likeliest = np.array([2, 5, 9])[probabilities(model, STACK[0]).argmax(axis=0)]
    np.testing.assert_array_equal(segmented(model, STACK[0]), likeliest)
    np.testing.assert_array_equal(segmented(model, STACK[0], kind=OutputKind.CLASSES), likeliest)


def test_foreground_is_what_reaches_the_threshold() -> None:
    objects = ObjectsConfig(threshold=0.7)
    mask = segmented(MODEL, STACK[0], kind=OutputKind.CLASSES, objects=objects)
    np.testing.assert_array_equal(mask, probabilities(MODEL, STACK[0])[0] >= 0.7)
    assert 0 < mask.sum() < mask.size


def test_object_numbers_are_consecutive_over_the_planes() -> None:
    objects = ObjectsConfig(min_size=4)
    done = numbered(STACK, objects=objects, numbers=[2, 0, 4])
    last = 0
    for event in done.values():
        numbers = np.unique(labels_of(event))[1:]
        assert event.objects == len(numbers) > 1
        np.testing.assert_array_equal(numbers, np.arange(last + 1, last + event.objects + 1))
        last += event.objects


def test_the_painted_objects_tell_what_is_debris() -> None:
    sizes = ObjectSizes(80, 400.0)  # a quarter, or a twentieth: 20 px
    model = replace(MODEL, record=replace(MODEL.record, painted_objects=sizes))
    found, set_by_hand, all_found = (
        np.stack(plane_values(events(model=model, objects=ObjectsConfig(min_size=size))))
        for size in (None, 20, 1)
    )
    np.testing.assert_array_equal(found, set_by_hand)
    assert found.max() < all_found.max()


def test_the_painted_objects_tell_which_holes_stay_open() -> None:
    model = replace(MODEL, record=replace(MODEL.record, smallest_hole=40))  # a quarter: 10 px
    found, set_by_hand, filled = (
        np.stack(
            plane_values(events(model=of, objects=ObjectsConfig(min_size=1, largest_hole=hole)))
        )
        for of, hole in ((model, None), (MODEL, 10), (MODEL, None))
    )
    np.testing.assert_array_equal(found, set_by_hand)
    assert (found > 0).sum() < (filled > 0).sum()


def test_a_plane_is_segmented_alike_alone_and_in_its_stack() -> None:
    whole = plane_values(events(kind=OutputKind.PROBABILITIES))
    alone = plane_values(events(kind=OutputKind.PROBABILITIES, numbers=[3]))
    np.testing.assert_array_equal(alone[0], whole[3])


def test_another_exposure_of_the_stack_gives_the_same_probabilities() -> None:
    brighter = (STACK.astype(np.float32) * 16 + 300).astype(np.uint16)
    (dark, *_), (bright, *_) = (
        plane_values(events(stack, kind=OutputKind.PROBABILITIES)) for stack in (STACK, brighter)
    )
    np.testing.assert_allclose(bright, dark, atol=1e-4)


@pytest.mark.parametrize("shape", [(1, 1, 30), (1, 30, 1), (1, 2, 2), (1, 3, 100)])
def test_slender_and_tiny_images_are_segmented(shape: tuple[int, ...]) -> None:
    stack = noise(*shape)
    (values,) = plane_values(events(stack, tiny_model(levels=4)))
    assert values.shape == shape[1:]


def test_stopping_keeps_the_finished_tiles() -> None:
    whole = plane_values(events(kind=OutputKind.PROBABILITIES))
    done = events(kind=OutputKind.PROBABILITIES, tiling=TILES_OF_16, stop=after(12 + 5))
    *_, first, partial, end = [e for e in done if not isinstance(e, TileDone)]
    assert isinstance(first, PlaneDone)
    assert isinstance(partial, PlaneDone)
    assert first.complete
    assert not partial.complete
    assert isinstance(end, SegmentDone)
    assert (end.reason, end.planes) == (FinishReason.STOPPED, (0,))
    kept = np.zeros((40, 50), bool)
    for event in done:
        if isinstance(event, TileDone) and event.plane == 1:
            kept[event.y, event.x] = True
    assert kept.sum() == 4 * 16 * 16 - 16 * 14 + 16 * 16
    values = plane_values(done)[1]
    np.testing.assert_allclose(values[:, kept], whole[1][:, kept], atol=1e-5)
    assert (values[:, ~kept] == 0).all()
    left_out = np.zeros((40, 50), bool)
    for at in partial.missing:
        left_out[at] = True
    np.testing.assert_array_equal(left_out, ~kept)


def test_stopping_cuts_the_finished_tiles_into_objects() -> None:
    done = events(tiling=TILES_OF_16, stop=after(4))
    (partial,) = [e for e in done if isinstance(e, PlaneDone)]
    assert partial.objects == labels_of(partial).max() > 0
    assert (labels_of(partial)[16:] == 0).all()


def test_stopping_at_the_end_of_a_plane_leaves_that_plane_complete() -> None:
    *_, plane, end = events(tiling=TILES_OF_16, stop=after(12))
    assert isinstance(plane, PlaneDone)
    assert plane.complete
    assert isinstance(end, SegmentDone)
    assert (end.reason, end.planes) == (FinishReason.STOPPED, (0,))


def test_stopping_at_the_very_last_tile_is_no_stop() -> None:
    *_, end = events(STACK[:1], tiling=TILES_OF_16, stop=after(12))
    assert isinstance(end, SegmentDone)
    assert end.reason is FinishReason.COMPLETED


def test_a_resumed_run_does_only_what_is_left_and_numbers_on() -> None:
    whole = events(tiling=TILES_OF_16, focus=(2, 0, 0))
    resume = Resume(finished=frozenset({2, 1}), largest=70)
    start, *middle, end = events(tiling=TILES_OF_16, focus=(2, 0, 0), resume=resume)
    assert start == SegmentStarted(str(CPU), (3, 0, 4), tiles=36, tile=16)
    assert isinstance(end, SegmentDone)
    assert (end.reason, end.planes) == (FinishReason.COMPLETED, (3, 0, 4))
    tiles = [event for event in middle if isinstance(event, TileDone)]
    assert [(tile.done, tile.total) for tile in tiles] == [(n, 36) for n in range(1, 37)]
    used = 70
    as_before = dict(whole_planes(whole))
    for event in middle:
        if isinstance(event, PlaneDone):
            numbers = np.unique(labels_of(event))[1:]
            np.testing.assert_array_equal(numbers, np.arange(used + 1, used + event.objects + 1))
            used += event.objects
            np.testing.assert_array_equal(labels_of(event) > 0, as_before[event.plane] > 0)


def test_resuming_a_finished_run_does_nothing() -> None:
    resume = Resume(finished=frozenset(range(5)), largest=3)
    start, end = events(tiling=TILES_OF_16, resume=resume)
    assert start == SegmentStarted(str(CPU), (), tiles=0, tile=16)
    assert isinstance(end, SegmentDone)
    assert (end.reason, end.planes) == (FinishReason.COMPLETED, ())


LINKED = ObjectsConfig(min_size=4, link=True)
STILL = np.repeat(noise(1, 40, 50), 5, axis=0)  # the same plane five times


def test_linked_objects_keep_their_number_through_the_stack() -> None:
    done = numbered(STILL, objects=LINKED, focus=(2, 0, 0), tiling=TILES_OF_16)
    assert list(done) == [2, 1, 3, 0, 4]
    assert [event.objects for event in done.values()] == [labels_of(done[2]).max(), 0, 0, 0, 0]
    for event in done.values():
        np.testing.assert_array_equal(labels_of(event), labels_of(done[2]))


def test_objects_are_not_linked_unless_that_is_wanted() -> None:
    done = numbered(STILL, objects=replace(LINKED, link=False))
    assert not set(np.unique(labels_of(done[0]))) & set(np.unique(labels_of(done[1]))) - {0}


def test_objects_are_linked_through_z_and_t() -> None:
    done = numbered(np.stack([STILL[:2]] * 3), objects=LINKED, focus=(3, 0, 0))
    assert list(done) == [3, 2, 4, 5, 1, 0]  # time by time, each from the shown plane outward
    assert [event.objects for event in done.values()] == [labels_of(done[3]).max(), 0, 0, 0, 0, 0]
    for event in done.values():
        np.testing.assert_array_equal(labels_of(event), labels_of(done[3]))


def test_the_planes_of_a_time_are_done_together_or_when_it_is_stopped() -> None:
    stack = np.stack([STILL[:3]] * 2)
    whole = numbered(stack, objects=LINKED, tiling=TILES_OF_16)
    done = events(stack, objects=LINKED, tiling=TILES_OF_16, stop=after(12 * 4 + 5))
    planes = [event for event in done if isinstance(event, PlaneDone)]
    assert [(event.plane, event.complete) for event in planes] == [
        *[(plane, True) for plane in range(4)],
        (4, False),
    ]
    assert done[-2] is planes[-1]
    last_tile = max(i for i, event in enumerate(done) if isinstance(event, TileDone))
    assert [i for i, event in enumerate(done) if isinstance(event, PlaneDone)][3] > last_tile
    for event in planes[:4]:
        np.testing.assert_array_equal(labels_of(event), labels_of(whole[event.plane]))
    end = done[-1]
    assert isinstance(end, SegmentDone)
    assert (end.reason, end.planes) == (FinishReason.STOPPED, (0, 1, 2, 3))


def test_planes_that_are_whole_are_told_before_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    segmentation = Predictor.predict

    def fail(predictor: Predictor, plane: int, tile: Tile) -> Any:
        if plane == 5:
            raise EngineError("broken")
        return segmentation(predictor, plane, tile)

    monkeypatch.setattr(Predictor, "predict", fail)
    run = segment(MODEL, ArrayPlanes(np.stack([STILL[:3]] * 2)), device=CPU, objects=LINKED)
    told: list[int] = []
    with pytest.raises(EngineError, match="broken"):
        told.extend(event.plane for event in run if isinstance(event, PlaneDone))
    assert told == [0, 1, 2, 3, 4]


def test_objects_are_not_linked_from_one_position_to_the_next() -> None:
    planes = ArrayPlanes(np.stack([STILL[:2], STILL[:2]]), followed="Z")
    done = list(segment(MODEL, planes, device=CPU, objects=LINKED))
    first, *others = [event for event in done if isinstance(event, PlaneDone)]
    assert [event.objects for event in others] == [0, first.objects, 0]
    np.testing.assert_array_equal(labels_of(others[2]), labels_of(others[1]))
    assert labels_of(others[1])[labels_of(others[1]) > 0].min() == first.objects + 1


def test_a_resumed_run_links_to_the_planes_that_were_finished_before() -> None:
    done = numbered(STILL, objects=LINKED, numbers=[1])
    labels = np.zeros(STILL.shape, np.int32)
    labels[1] = np.where(labels_of(done[1]) > 0, labels_of(done[1]) + 200, 0)
    resume = Resume(frozenset({1}), int(labels.max()), ArrayPlanes(labels))
    for focus in (0, 4):
        again = numbered(STILL, objects=LINKED, focus=(focus, 0, 0), resume=resume)
        np.testing.assert_array_equal(labels_of(again[0]), labels[1])
        assert 1 not in again
    np.testing.assert_array_equal(labels_of(again[4]) > 0, labels[1] > 0)
    last = labels_of(again[4])
    assert last[last > 0].min() == labels.max() + 1  # its side came first


def test_linked_and_resumed_in_one_direction_is_as_in_one_go() -> None:
    whole = numbered(STACK, objects=LINKED)
    labels = np.stack([labels_of(whole[plane]) for plane in range(5)])
    largest = int(labels[:2].max())
    assert largest == whole[0].objects + whole[1].objects
    labels[2:] = 0
    resume = Resume(frozenset({0, 1}), largest, ArrayPlanes(labels))
    rest = numbered(STACK, objects=LINKED, resume=resume)
    assert list(rest) == [2, 3, 4]
    for plane, event in rest.items():
        np.testing.assert_array_equal(labels_of(event), labels_of(whole[plane]))
        assert event.objects == whole[plane].objects


def test_at_most_five_planes_are_held_while_linking() -> None:
    seen: list[weakref.ref[Any]] = []
    run = segment(MODEL, ArrayPlanes(np.repeat(STILL, 2, axis=0)), device=CPU, objects=LINKED)
    most = 0
    for event in run:
        if isinstance(event, PlaneDone):
            assert event.labels is not None
            seen.append(weakref.ref(event.labels.values))
        del event
        most = max(most, sum(ref() is not None for ref in seen))
    assert len(seen) == 10
    assert most <= 5


@pytest.mark.parametrize("events_seen", [1, 2, 13, 14, 15, 26])
def test_closing_early_lets_go_of_network_and_image(events_seen: int, built: BuiltNetworks) -> None:
    run = segment(MODEL, ArrayPlanes(STACK[:2]), device=CPU, tiling=TILES_OF_16)
    for _ in range(events_seen):
        next(run)
    assert built[0]() is not None
    run.close()  # type: ignore[attr-defined]
    gc.collect()
    assert built[0]() is None


def test_the_network_is_let_go_before_the_last_objects_are_found(
    built: BuiltNetworks, monkeypatch: pytest.MonkeyPatch
) -> None:
    alive: list[bool] = []

    def watched(*args: Any, **kwargs: Any) -> PlaneDecoder:
        decoder = plane_decoder(*args, **kwargs)
        finish = decoder.finish

        def look_and_finish() -> Any:
            gc.collect()
            alive.append(built[0]() is not None)
            return finish()

        monkeypatch.setattr(decoder, "finish", look_and_finish)
        return decoder

    monkeypatch.setattr(segmentation, "plane_decoder", watched)
    events(STACK[:2], tiling=TILES_OF_16)
    assert alive == [True, False]


def test_memory_of_the_gpu_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    emptied: list[bool] = []
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: emptied.append(True))
    monkeypatch.setattr(Model, "build", lambda model, _: UNet(model.network))
    gpu = DeviceChoice("cuda", "GPU", "test")
    run = segment(MODEL, ArrayPlanes(STACK), device=gpu, tiling=TILES_OF_16)
    next(run)  # nothing is computed yet
    assert not emptied
    run.close()  # type: ignore[attr-defined]
    assert emptied


def test_inference_mode_does_not_leak_between_events() -> None:
    for _ in segment(MODEL, ArrayPlanes(STACK[:1]), device=CPU, tiling=TILES_OF_16):
        assert not torch.is_inference_mode_enabled()
        assert torch.is_grad_enabled()
        assert torch.ones(1, requires_grad=True).mul(2).requires_grad


def test_tiles_that_were_told_are_not_held() -> None:
    seen: list[weakref.ref[Any]] = []
    for event in segment(MODEL, ArrayPlanes(STACK), device=CPU, kind=OutputKind.PROBABILITIES):
        if isinstance(event, TileDone):
            seen.append(weakref.ref(event.values))
        del event
        assert sum(ref() is not None for ref in seen[:-1]) == 0
    assert len(seen) == 5


@pytest.mark.parametrize(
    "failure",
    [torch.OutOfMemoryError("CUDA out of memory"), RuntimeError("cuDNN failed"), MemoryError()],
)
def test_failures_of_the_device_become_one_error_with_a_cure(
    failure: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise failure

    monkeypatch.setattr(FoldedUNet, "forward", fail)
    with pytest.raises(EngineError, match=r"choose|start the program again"):
        events()


def _with_value(value: float) -> Any:
    stack = STACK.astype(np.float32)
    stack[2, 30, 40] = value
    return stack


@pytest.mark.parametrize(
    ("stack", "channel_axis", "settings", "error", "sentence"),
    [
        (np.full((2, 30, 30), 7, np.uint8), None, {}, ImageError, "constant"),
        (_with_value(np.nan), None, {}, ImageError, "NaN"),
        (_with_value(np.inf), None, {}, ImageError, "infinite"),
        (noise(30, 30, 3), 2, {}, ImageError, "3 channels .*choose one channel"),
        (STACK, None, {"numbers": [0, 5]}, SettingsError, "Plane 5 does not exist; .* 0 to 4"),
        (STACK, None, {"numbers": [-1]}, SettingsError, "Plane -1"),
        (STACK, None, {"numbers": []}, SettingsError, "No plane is chosen"),
    ],
)
def test_bad_input_gets_one_sentence_with_the_cure(
    stack: Any, channel_axis: int | None, settings: Any, error: type[UnetPaintError], sentence: str
) -> None:
    planes = ArrayPlanes(stack, channel_axis=channel_axis)
    with pytest.raises(error, match=sentence) as caught:
        list(segment(MODEL, planes, device=CPU, **settings))
    assert "\n" not in str(caught.value)
    assert str(caught.value).endswith(".")


def test_a_nan_that_measuring_did_not_see_is_reported_with_its_plane() -> None:
    stack = np.random.default_rng(0).random((100, 16, 16), dtype=np.float32)
    stack[50, 3, 3] = np.nan  # 32 of 100 planes are measured; 50 is none of them
    done = segment(MODEL, ArrayPlanes(stack), device=CPU, numbers=[49, 50])
    with pytest.raises(ImageError, match="Plane 50 of 'image' holds NaN"):
        list(done)


def test_a_grey_image_for_a_colour_model_gets_one_sentence() -> None:
    with pytest.raises(ImageError, match="1 channel, but the model was trained on 3"):
        events(model=tiny_model(channels=3))


def test_class_numbers_beyond_8_bit_are_refused_as_classes_but_not_as_labels() -> None:
    model = tiny_model(task=Task.CLASSES, values=(1, 300))
    with pytest.raises(SettingsError, match="300 does not fit"):
        events(model=model, kind=OutputKind.CLASSES)
    assert 300 in plane_values(events(model=model))[0]


def test_a_plane_number_given_twice_is_done_once() -> None:
    (start, *_) = events(numbers=[1, 1, 0])
    assert isinstance(start, SegmentStarted)
    assert start.planes == (1, 0)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU")
@pytest.mark.parametrize("levels", [1, 3, 5])
def test_a_gpu_gives_the_same_whatever_the_tiles(levels: int) -> None:
    gpu = replace(CPU, device="cuda", name="GPU")
    model, image = tiny_model(levels=levels, base_channels=16), noise(1, 301, 203)
    found = [
        plane_values(
            segment(
                model,
                ArrayPlanes(image),
                device=device,
                kind=OutputKind.PROBABILITIES,
                tiling=TilingConfig(tile=tile),
            )
        )[0]
        for device, tile in ((CPU, None), (gpu, None), (gpu, 100), (gpu, 32))
    ]
    for other in found[1:]:
        np.testing.assert_allclose(other, found[0], atol=1e-5)
