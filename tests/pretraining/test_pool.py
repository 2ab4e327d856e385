"""The pool: made once, the same for a seed, gone on with where it was broken off."""

from __future__ import annotations

import tomllib
from pathlib import Path

import numpy as np

from pretraining import pool
from pretraining.pool import load_pool, make_example, make_pool

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


def test_an_example_is_normalised_separated_and_weighted() -> None:
    example = make_example("membranes", Path(), (96, 96), [3])
    image = example.image.astype(float)

    np.testing.assert_allclose(np.percentile(image, (0.5, 99.5)), (-1, 1), atol=0.01)
    assert set(np.unique(example.classes)) == {0, 1}
    assert example.weights.min() >= 1
    assert example.weights[example.classes == 0].max() > 2  # between touching cells
    assert (example.distance[example.classes == 1] >= 0).all()
    assert (example.distance[example.classes == 0] <= 0).all()


def test_every_modality_of_the_configurations_is_known() -> None:
    folder = Path(pool.__file__).parent / "configs"
    for path in folder.glob("*.toml"):
        config = tomllib.loads(path.read_text())
        assert set(config["pool"]["scenes"]) <= {*pool.MODALITIES, "real"}
