"""A record of a segmentation, for tests and for what is made of strangers' files."""

from __future__ import annotations

from napari_unet.config import NetworkConfig, ObjectsConfig, OutputKind, Task, TilingConfig
from napari_unet.io.provenance import Provenance, Source, Training, UsedModel

HASH = "blake2b:" + 2 * "0123456789abcdef"


def record() -> Provenance:
    """Return a record with something in every field."""
    return Provenance(
        image=Source(
            "cells µm & <b>", HASH, (3, 40, 50), "ZYX", "uint16", {"X": 0.5}, "/data/cells.tif"
        ),
        model=UsedModel(
            "my model",
            HASH,
            NetworkConfig(),
            Task.OBJECTS,
            Training(
                "2026-12-01T10:00:00+00:00", "0.1", "light", 200, 150, 60.5, 9000, 4, 7, "plate 3"
            ),
            "/models/my model.safetensors",
        ),
        kind=OutputKind.LABELS,
        tiling=TilingConfig(rotations=7),
        objects=ObjectsConfig(min_size=20),
        planes=(1, 0, 2),
        device="CPU, 1 thread (no GPU found)",
        backend="OpenVINO",
        started="2026-12-01T11:00:00+00:00",
        finished="2026-12-01T11:01:00+00:00",
        versions={"napari-unet-paint": "0.1", "torch": "2.13.0"},
        painted=Source("strokes", HASH, (3, 40, 50)),
        corrected=(2,),
    )
