"""Planes that are not segmented are named, in words and in files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import zarr
from napari.layers import Labels

from napari_unet.io.images import open_image
from napari_unet.io.labels import Layout, open_label_writer, open_probability_writer
from napari_unet.io.napari_hooks import write_labels_layer
from napari_unet.io.unfinished import UNFINISHED, tell_unfinished


@pytest.mark.parametrize(
    ("planes", "told"),
    [
        ([3], "Plane 3 is not segmented to its end"),
        ([5, 4, 3], "Planes 3–5 are not segmented to their end"),
        ([1, 3, 4], "Planes 1 and 3–4 are not segmented to their end"),
        (
            [0, 2, 4, 6, 8, 9, 12],
            "Planes 0, 2, 4, 6 and 3 more are not segmented to their end",
        ),
    ],
)
def test_planes_are_named_in_runs(planes: list[int], told: str) -> None:
    assert tell_unfinished(planes) == told


def write(path: Path, unfinished: tuple[int, ...], *, channels: int | None) -> None:
    """Write four planes of labels, or of so many class probabilities."""
    shape = (8, 9) if channels is None else (channels, 8, 9)
    layout = Layout((4, *shape), "ZYX" if channels is None else "ZCYX")
    opened = open_label_writer if channels is None else open_probability_writer
    with opened(path, layout) as writer:
        for _ in range(4):
            writer.write(np.ones(shape, np.uint8))
        writer.note_unfinished(unfinished)


def noted(path: Path) -> Any:
    """Return what a file says of planes that are not finished; None: nothing."""
    if path.suffix == ".zarr":
        return zarr.open_group(str(path), mode="r").attrs.get(UNFINISHED)
    with tifffile.TiffFile(path) as tif:
        if tif.is_imagej:
            assert tif.imagej_metadata is not None
            return tif.imagej_metadata.get("unfinished")
        return tifffile.xml2dict(tif.ome_metadata or "")["OME"]["Image"].get("Description")


@pytest.mark.parametrize("channels", [None, 2])
@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.tif", "1 3"),
        ("a.ome.tif", "Planes 1 and 3 are not segmented to their end."),
        ("a.zarr", [1, 3]),
    ],
)
def test_a_file_says_which_planes_are_not_finished(
    name: str, expected: Any, channels: int | None, tmp_path: Path
) -> None:
    write(tmp_path / name, (3, 1), channels=channels)
    assert noted(tmp_path / name) == expected
    assert np.asarray(open_image(tmp_path / name).array).all()
    write(tmp_path / name, (), channels=channels)
    assert noted(tmp_path / name) is None


def test_napari_s_own_save_warns_of_them(tmp_path: Path) -> None:
    layer = Labels(np.ones((4, 8, 9), np.int32), metadata={UNFINISHED: (1, 3)})
    with pytest.warns(UserWarning, match=r"Planes 1 and 3 are not segmented .* in 'a.tif'"):
        write_labels_layer(str(tmp_path / "a.tif"), *layer.as_layer_data_tuple()[:2])
    assert noted(tmp_path / "a.tif") == "1 3"
