"""Small valid files of all kinds that the program reads, from which strangers' files are made."""

from __future__ import annotations

import io
import json
import tempfile
import uuid
import warnings
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import imageio.v3 as iio
import numpy as np
import tifffile
import zarr
from PIL import Image
from zarr.codecs import BloscCodec, GzipCodec, ZstdCodec

from benchmarks.fuzz_mutations import Input
from benchmarks.records import record
from napari_unet.config import NetworkConfig, Task
from napari_unet.engine.network import TrainRecord, fresh_model
from napari_unet.engine.stack import Normalization
from napari_unet.io.checkpoints import save_model
from napari_unet.io.labels import open_label_writer
from napari_unet.io.plain import to_plain
from napari_unet.io.provenance import to_text
from napari_unet.io.stack import Layout
from napari_unet.io.unsaved import UnsavedRecord
from napari_unet.io.write_zarr import create_planes

TINY = NetworkConfig(levels=2, base_channels=2)
GREY = (np.arange(3 * 20 * 24) * 37 % 4000).astype(np.uint16).reshape(3, 20, 24)


def tiffs() -> list[Input]:
    """Return planes and stacks: in strips and tiles, packed and not, both byte orders, BigTIFF."""
    settings: list[dict[str, Any]] = [
        {},
        {"compression": "zlib", "predictor": True},
        {"compression": "lzw", "rowsperstrip": 7},
        {"compression": "zstd", "tile": (16, 16)},
        {"compression": "packbits", "byteorder": ">"},
        {"bigtiff": True, "tile": (16, 16)},
        {"bigtiff": True, "compression": "lzma", "metadata": None},
        {"resolution": (2000, 2000), "resolutionunit": 3, "software": "napari-unet-paint 1"},
        {"metadata": None, "photometric": "miniswhite"},
    ]
    made = [tiff(GREY, **told) for told in settings]
    made.append(tiff(GREY.astype(np.float32), compression="zlib", predictor=3))
    colours = np.repeat(GREY[0, :16, :16, None].astype(np.uint8), 3, axis=2)
    made.append(tiff(colours, photometric="rgb", compression="jpeg"))
    made.append(tiff(GREY[0] > 900, photometric="minisblack"))
    made.append(tiff(GREY[:1], description="scan"))
    return [{"a.tif": data} for data in made]


def ome_tiffs() -> list[Input]:
    """Return OME-TIFFs, one of them in two files."""
    told = {"axes": "ZYX", "PhysicalSizeX": 0.5, "PhysicalSizeXUnit": "µm", "TimeIncrement": 2}
    channels = {"axes": "CYX", "Channel": {"Name": ["a", "b", "c"], "Color": [1, 2, 3]}}
    made = [
        tiff(GREY, ome=True, metadata=told),
        tiff(GREY, ome=True, metadata=channels, photometric="minisblack", compression="zlib"),
        _written(_labels, "a.ome.tif"),
    ]
    blocks = "".join(
        f'<TiffData FirstZ="{z}" IFD="0" PlaneCount="1"><UUID FileName="{name}">urn:uuid:{z}</UUID>'
        "</TiffData>"
        for z, name in enumerate(("a.tif", "b.tif"))
    )
    text = (
        '<OME UUID="urn:uuid:0"><Image ID="Image:0"><Pixels ID="P:0" DimensionOrder="XYZCT" '
        'Type="uint16" SizeX="24" SizeY="20" SizeZ="2" SizeC="1" SizeT="1" PhysicalSizeX="0.5">'
        f"{blocks}</Pixels></Image></OME>"
    )
    pair = [tiff(plane, metadata=None, description=text) for plane in GREY[:2]]
    return [*({"a.tif": data} for data in made), {"a.tif": pair[0], "b.tif": pair[1]}]


def imagej_tiffs() -> list[Input]:
    """Return ImageJ's hyperstacks, with labels, colours and display ranges."""
    luts = [np.stack([np.arange(256), np.zeros(256), np.zeros(256)]).astype(np.uint8)] * 3
    told: dict[str, Any] = {"axes": "CYX", "mode": "composite", "LUTs": luts, "Ranges": (0, 9) * 3}
    told |= {"Labels": ["a", "b", "c"], "Info": "text"}
    return [
        {"a.tif": tiff(GREY, imagej=True, metadata=told, resolution=(2, 2))},
        {"a.tif": tiff(GREY, imagej=True, metadata={"axes": "TYX", "finterval": 2.5})},
        {"a.tif": _written(_labels, "a.tif")},
    ]


def pngs() -> list[Input]:
    """Return PNGs of all colour types."""
    eight = GREY[0].astype(np.uint8)
    pictures = [
        *(Image.fromarray(eight), Image.fromarray(eight > 9), Image.fromarray(GREY[0])),
        *(Image.fromarray(eight).convert(mode) for mode in ("RGB", "RGBA", "LA", "P")),
    ]
    made = []
    for picture in pictures:
        with io.BytesIO() as file:
            picture.save(file, "PNG", dpi=(300, 300))
            made.append({"a.png": file.getvalue()})
    return made


def folders() -> list[Input]:
    """Return folders of planes."""
    planes = [tiff(plane, compression="zlib") for plane in GREY]
    small = iio.imwrite("<bytes>", GREY[0].astype(np.uint8), extension=".png")
    return [
        {f"a/cells_t{i}.tif": data for i, data in enumerate(planes)},
        {"a/1_c0.png": small, "a/1_c1.png": small, "a/2_c0.png": small, "a/2_c1.png": small},
        {"a/t0.tif": planes[0], "a/t1.tif": planes[1], "a/t0_mask.tif": planes[2]},
    ]


def zarrs() -> list[Input]:
    """Return plain arrays of both formats, in many codecs and in shards."""
    made = []
    for level in (2, 3):
        packed: list[Any] = [None, "auto"]
        if level == 3:
            packed += [GzipCodec(), ZstdCodec(), BloscCodec(cname="lz4")]
        made += [_zarr(zarr_format=level, compressors=codec) for codec in packed]
    made.append(_zarr(zarr_format=3, shards=(1, 16, 16), compressors=GzipCodec()))
    made.append(_zarr(zarr_format=3, shards=(3, 20, 24), chunks=(1, 10, 12)))
    made.append(_zarr(zarr_format=3, dimension_names=("z", "y", "x")))
    for codec in ({"id": "gzip"}, {"id": "zlib"}, {"id": "bz2"}, {"id": "lz4"}, {"id": "lzma"}):
        files = _zarr(zarr_format=2, compressors=None)
        told = json.loads(files["a.zarr/.zarray"])
        filters = [{"id": "delta", "dtype": "<u2"}, {"id": "shuffle", "elementsize": 2}]
        told |= {"compressor": codec, "filters": filters}
        made.append(files | {"a.zarr/.zarray": json.dumps(told).encode()})
    return made


def ome_zarrs() -> list[Input]:
    """Return OME-Zarrs of 0.4 and 0.5: images, channels, a pyramid, labels and a plate."""
    scale = [{"type": "scale", "scale": [1, 0.5, 0.5]}]
    axes = [
        {"name": "c", "type": "channel"},
        *({"name": name, "type": "space", "unit": "micrometer"} for name in "yx"),
    ]
    levels = [{"path": p, "coordinateTransformations": scale} for p in ("0", "1")]
    image = {"version": "0.4", "name": "a", "axes": axes, "datasets": levels}
    windows = [{"label": n, "color": "00FF00", "window": {"start": 0, "end": 9}} for n in "abc"]
    told: dict[str, Any] = {"multiscales": [image], "omero": {"channels": windows}}

    def write(path: Path, level: Any, inside: str = "") -> None:
        group = zarr.open_group(str(path / inside), mode="w", zarr_format=level)
        group.create_array("0", data=GREY, chunks=(1, 16, 16))
        group.create_array("1", data=GREY[:, ::2, ::2], chunks=(1, 10, 12))
        found: dict[str, Any] = {"ome": told | {"version": "0.5"}} if level == 3 else told
        group.attrs.update(found)
        if inside:
            zarr.open_group(str(path), mode="a", zarr_format=level).attrs["plate"] = {"wells": []}

    return [
        _written_folder(lambda path: write(path, 2)),
        _written_folder(lambda path: write(path, 3)),
        _written_folder(lambda path: write(path, 2, "A/1/0")),
        _written_folder(_labels),
    ]


def models() -> list[Input]:
    """Return checkpoints of objects and of classes."""
    trained = TrainRecord(started="2026-12-01", steps=9, labelled_pixels=900, seconds=1.5)
    made = []
    for task, values in ((Task.OBJECTS, (0, 1)), (Task.CLASSES, (1, 2))):
        fresh = fresh_model(TINY, Normalization((0.0,), (900.0,)), task, values)
        model = replace(fresh, pixel_size=(0.5, 0.5), record=trained)
        made.append({"a.safetensors": _written(partial(save_model, model), "a.safetensors")})
    return made


def records() -> list[Input]:
    """Return records of a segmentation: JSON, and inside a TIFF and an OME-Zarr."""
    text = to_text(record(), None)
    return [
        {"a.json": text.encode()},
        {"a.tif": _written(_labels, "a.tif")},
        {"a.ome.tif": _written(_labels, "a.ome.tif")},
        _written_folder(_labels),
    ]


def strokes() -> list[Input]:
    """Return strokes that a program, which has ended, kept on disk."""

    def write(path: Path) -> None:
        array = create_planes(path, GREY.shape, np.dtype(np.uint16), Layout(GREY.shape, "ZYX"))
        array[:] = GREY
        told = to_plain(UnsavedRecord("strokes", "cells", 12345, (1,)))
        (path / "unsaved.json").write_text(json.dumps(told))

    kept = "2026-12-01 10-00-00 0123abcd.zarr"
    return [{n.replace("a.zarr", kept): data for n, data in _written_folder(write).items()}]


def _labels(path: Path) -> None:
    layout = Layout(GREY.shape, "ZYX", {"Z": 2.0, "Y": 0.5, "X": 0.5})
    with open_label_writer(path, layout) as writer:
        for plane in GREY:
            writer.write(plane)
        writer.note_provenance(to_text(record(), None))


def tiff(data: Any, **settings: Any) -> bytes:
    """Return a TIFF, the same each time."""
    with io.BytesIO() as file, patch("uuid.uuid1", lambda: uuid.UUID(int=1)):
        told = {} if settings.get("imagej") else {"photometric": "minisblack"}
        tifffile.imwrite(file, data, **{"datetime": False, **told, **settings})
        return file.getvalue()


def _zarr(**settings: Any) -> Input:
    def write(path: Path) -> None:
        told = {"chunks": (1, 16, 16), **settings}
        told["compressors"] = told.get("compressors", "auto")
        zarr.create_array(str(path), data=GREY, **told)

    return _written_folder(write)


def _written(write: Callable[[Path], Any], name: str) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        write(path)
        return path.read_bytes()


def _written_folder(write: Callable[[Path], Any]) -> Input:
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings(action="ignore"):
        write(Path(folder) / "a.zarr")
        files = sorted(path for path in Path(folder).rglob("*") if path.is_file())
        return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}
