"""The pool: made once, the same for a seed, gone on with where it was broken off."""

from __future__ import annotations

import tomllib
from pathlib import Path

import numpy as np
import pytest
import tifffile

from pretraining import pool
from pretraining.pool import load_pool, make_example, make_pool
from pretraining.real import REAL, list_real

COUNTS = {"nuclei": 3, "membranes": 2}


def test_a_pool_goes_on_where_it_was_broken_off(tmp_path: Path) -> None:
    make_pool(tmp_path, tmp_path, COUNTS, side=48, seed=1)
    files = sorted(tmp_path.glob("*.npz"))
    before = load_pool(tmp_path, COUNTS)
    kept = files[0].stat().st_mtime_ns
    files[1].unlink()

    make_pool(tmp_path, tmp_path, COUNTS, side=48, seed=1)

    assert files[0].stat().st_mtime_ns == kept
    for one, other in zip(before, load_pool(tmp_path, COUNTS), strict=True):
        np.testing.assert_array_equal(one.image, other.image)
    assert [one.modality for one in before] == ["nuclei"] * 3 + ["membranes"] * 2


def test_an_example_is_normalised_and_knows_shapes_of_whole_objects() -> None:
    example = make_example("membranes", Path(), (96, 96), [3])
    image, inside = example.image.astype(float), example.objects > 0

    np.testing.assert_allclose(np.percentile(image, (0.5, 99.5)), (-1, 1), atol=0.01)
    assert example.objects.max() > 3
    assert (example.distance[inside] >= 0).all()
    assert (example.distance[~inside] <= 0).all()
    for field in (example.depth, example.heat):
        assert (field[~inside] == 0).all()
        for number in range(1, example.objects.max() + 1):
            assert field[example.objects == number].max() == 255
    assert example.knows_objects


def write_colonies(folder: Path) -> None:
    for part, values in (("images", np.arange(4096) % 251), ("labels", np.arange(4096) // 2048)):
        (folder / "nist_stemcell_colonies" / part).mkdir(parents=True)
        for number in range(6):
            path = folder / "nist_stemcell_colonies" / part / f"img_{number}.tif"
            tifffile.imwrite(path, values.reshape(64, 64).astype(np.uint16))


def test_of_colonies_only_the_foreground_is_known(tmp_path: Path) -> None:
    write_colonies(tmp_path)

    example = make_example("real_colonies", tmp_path, (48, 48), [1])

    assert not example.knows_objects
    assert (example.objects > 0).any()


def test_images_that_are_missing_are_named(tmp_path: Path) -> None:
    for modality in REAL:
        with pytest.raises(FileNotFoundError, match=modality):
            list_real(modality, tmp_path)


def test_every_modality_of_the_configurations_is_known() -> None:
    folder = Path(pool.__file__).parent / "configs"
    for path in folder.glob("*.toml"):
        config = tomllib.loads(path.read_text())
        assert set(config["pool"]["scenes"]) <= {*pool.MODALITIES, *REAL}
