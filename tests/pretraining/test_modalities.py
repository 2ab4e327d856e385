"""Synthetic microscopy of every kind: whole, repeatable, and with a truth that fits it."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from pretraining.pool import MODALITIES
from pretraining.synthetic import anatomy, clutter, shapes
from pretraining.synthetic.noise import mottle, smooth
from pretraining.synthetic.paths import path
from pretraining.synthetic.scene import KINDS, MEMBRANE, OUTSIDE

SHAPE = (128, 144)


@pytest.mark.parametrize("modality", MODALITIES)
def test_a_scene_is_whole_and_repeats(modality: str) -> None:
    draw = MODALITIES[modality]
    for seed in range(3):
        scene, again = (draw(np.random.default_rng(seed), SHAPE) for _ in range(2))

        assert scene.image.shape == scene.objects.shape == scene.kinds.shape == SHAPE
        types = [str(part.dtype) for part in (scene.image, scene.objects, scene.kinds)]
        assert types == ["float32", "int32", "uint8"]
        assert np.isfinite(scene.image).all()
        assert scene.image.std() > 0
        assert scene.kinds.max() < KINDS
        np.testing.assert_array_equal(scene.image, again.image)
        np.testing.assert_array_equal(scene.objects, again.objects)


@pytest.mark.parametrize("modality", MODALITIES)
def test_objects_are_where_something_is(modality: str) -> None:
    found = 0
    for seed in range(4):
        scene = MODALITIES[modality](np.random.default_rng(seed), SHAPE)
        found += int(scene.objects.max())
        assert not np.isin(scene.kinds[scene.objects > 0], (OUTSIDE, MEMBRANE)).any()
    assert found > 4


@pytest.mark.parametrize("modality", ["nuclei", "stained_tissue"])
def test_objects_differ_from_what_is_around_them(modality: str) -> None:
    contrast = []
    for seed in range(8):
        scene = MODALITIES[modality](np.random.default_rng(seed), (160, 160))
        inside = scene.objects > 0
        if inside.any() and not inside.all():
            contrast.append(scene.image[inside].mean() - scene.image[~inside].mean())
    assert (
        np.all(np.array(contrast) > 0) if modality == "nuclei" else np.all(np.array(contrast) < 0)
    )


def test_labels_are_numbered_without_gaps_and_in_one_part_each() -> None:
    rng = np.random.default_rng(5)
    for labels in (
        shapes.tissue(rng, SHAPE, 24, spread=0.3),
        shapes.rods(rng, SHAPE, 8, 24, density=0.4),
        shapes.blobs(rng, SHAPE, 20, density=0.6, apart=0.8, lobes=0.2, elongation=2, spread=0.2),
    ):
        assert labels.max() > 3
        for number in range(1, labels.max() + 1):
            _, parts = ndimage.label(labels == number)
            assert parts == 1


def test_tissue_fills_the_plane_and_blobs_do_not() -> None:
    rng = np.random.default_rng(2)
    tissue = shapes.tissue(rng, SHAPE, 24, spread=0.2)
    blobs = shapes.blobs(
        rng, SHAPE, 24, density=0.3, apart=1.0, lobes=0.0, elongation=1.2, spread=0.1
    )

    assert (tissue > 0).mean() > 0.97
    assert 0.05 < (blobs > 0).mean() < 0.5


def test_noise_has_the_grain_that_was_asked_for() -> None:
    rng = np.random.default_rng(1)
    for grain in (0.8, 4.0, 20.0):
        field = smooth(rng, (256, 256), grain)
        assert abs(field.mean()) < 1
        step = max(1, round(grain / 4))
        near = np.corrcoef(field[:, :-step].ravel(), field[:, step:].ravel())[0, 1]
        far = round(6 * grain)
        apart = np.corrcoef(field[:, :-far].ravel(), field[:, far:].ravel())[0, 1]
        assert near > 0.3
        assert abs(apart) < 0.4
    assert mottle(rng, (64, 64), (1, 16)).std() == pytest.approx(1, abs=1e-3)


def test_inner_parts_lie_inside() -> None:
    rng = np.random.default_rng(7)
    labels = shapes.tissue(rng, SHAPE, 30, spread=0.1)
    labels = anatomy.thin_out(rng, labels, 0.4)
    inner = anatomy.inner_parts(rng, labels, (0.3, 0.4))

    assert inner.any()
    assert not inner[labels == 0].any()


def test_processes_grow_over_free_ground_only() -> None:
    rng = np.random.default_rng(3)
    labels = shapes.blobs(
        rng, SHAPE, 30, density=0.3, apart=1.0, lobes=0.1, elongation=1.5, spread=0.2
    )
    grown = shapes.with_processes(rng, labels, 30, share=1.0)

    assert (grown > 0).sum() > (labels > 0).sum() + 30
    for number in range(1, grown.max() + 1):
        bodies = np.unique(labels[(grown == number) & (labels > 0)])
        assert len(bodies) == 1


def test_clutter_can_be_left_out_and_has_the_width_that_was_asked_for() -> None:
    rng = np.random.default_rng(4)

    assert not clutter.fibres(rng, SHAPE, share=0).any()
    assert not clutter.rings(rng, SHAPE, share=0).any()
    assert not clutter.lumps(rng, SHAPE, 20, share=0).any()
    lumps = clutter.lumps(rng, SHAPE, 20, share=1)
    assert abs(lumps).max() > 0.1
    assert abs(np.diff(lumps)).max() < 0.3 * abs(lumps).max()
    covered = [
        np.mean(
            [(clutter.fibres(rng, SHAPE, share=1, widest=widest) > 0.1).mean() for _ in range(8)]
        )
        for widest in (1.0, 20.0)
    ]
    assert 0 < 1.5 * covered[0] < covered[1]
    assert clutter.rings(rng, SHAPE, share=1).std() > 0


def test_a_path_is_as_long_as_its_pixels() -> None:
    rows, columns = path(
        np.random.default_rng(0), np.array([50.0, 60.0]), 30, bend=0.02, shape=SHAPE
    )
    assert len(rows) == 31
    assert np.hypot(np.diff(rows), np.diff(columns)).max() < 1.5
    assert np.hypot(rows[-1] - rows[0], columns[-1] - columns[0]) > 15
