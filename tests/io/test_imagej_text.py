"""ImageJ's names, colours and display ranges are those of the channels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import tifffile

from napari_unet.io.read_tiff import open_tiff
from napari_unet.io.stack import Channel

RAMP = np.arange(256, dtype=np.uint8)
GREY = np.stack([RAMP] * 3)
GREEN = np.stack([0 * RAMP, RAMP, 0 * RAMP])
FIRE = np.stack([RAMP, RAMP**2, 255 - RAMP])
RANGES = (0.0, 10.0, 7.0, 7.0)


@pytest.mark.parametrize(
    ("told", "channels"),
    [
        (
            {
                "mode": "composite",
                "LUTs": [GREEN, GREY],
                "Ranges": RANGES,
                "Labels": ["GFP", "DIC"] * 3,
            },
            (Channel("GFP", "#00ff00", (0.0, 10.0)), Channel("DIC")),
        ),
        ({"mode": "grayscale", "LUTs": [GREEN, GREY]}, ()),
        ({"mode": "composite", "LUTs": [FIRE, GREEN]}, (Channel(), Channel("", "#00ff00"))),
        ({"Labels": [f"plane {i}" for i in range(6)]}, ()),
        ({"Labels": ["GFP"]}, ()),
        ({}, ()),
    ],
)
def test_channels(
    told: dict[str, Any],
    channels: tuple[Channel, ...],
    tmp_path: Path,
    grey: npt.NDArray[np.uint16],
) -> None:
    path = tmp_path / "a.tif"
    data = grey.reshape(3, 2, 40, 52)
    tifffile.imwrite(path, data, imagej=True, metadata={"axes": "ZCYX", **told})
    assert open_tiff(path).channels == channels


@pytest.mark.parametrize(
    ("told", "limits"),
    [
        ({"min": 3.0, "max": 90.0}, (3.0, 90.0)),
        ({"min": 5.0, "max": 5.0}, None),
        ({"min": 5.0}, None),
        ({}, None),
    ],
)
def test_a_single_channel_has_the_display_range(
    told: dict[str, Any],
    limits: tuple[float, float] | None,
    tmp_path: Path,
    grey: npt.NDArray[np.uint16],
) -> None:
    tifffile.imwrite(tmp_path / "a.tif", grey, imagej=True, metadata={"axes": "ZYX", **told})
    channels = open_tiff(tmp_path / "a.tif").channels
    assert channels == ((Channel(limits=limits),) if limits else ())
