"""Inputs that are drawn from nothing: files of the right form, with any values in them."""

from __future__ import annotations

import gzip
import json
import struct
import zlib
from random import Random
from typing import Any

from benchmarks.fuzz_mutations import TAGS, Input, number, png_chunk, value, word

_SIDES = (0, 1, 7, 16, 24, 100, 2**16 - 1, 2**20, 2**31, 2**32 - 1)
_TYPES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 7: 1, 11: 4, 12: 8, 16: 8}  # bytes of a TIFF's value
_COMPRESSIONS = (1, 1, 1, 5, 7, 8, 32773, 32946, 34712, 34887, 34925, 34933, 50000, 50002, 65000)


def draw_tiff(rng: Random) -> Input:
    """Draw a TIFF: directories of the tags that an image needs, any values, and data of noise."""
    order = rng.choice("<>")
    body = bytearray(b"II*\0" if order == "<" else b"MM\0*") + bytearray(4)
    pages = rng.choice((1, 1, 1, 2, 3))
    link = 4
    for _ in range(pages):
        data_at = len(body)
        body += rng.randbytes(rng.choice((0, 4, 64, 600)))
        tags = _tags(rng, data_at, len(body) - data_at)
        entries = [_entry(order, body, code, kind, told) for code, kind, told in sorted(tags)]
        body += bytes(len(body) % 2)
        struct.pack_into(order + "I", body, link, len(body))
        body += struct.pack(order + "H", len(entries)) + b"".join(entries)
        link = len(body)
        body += bytes(4)
    return {"a.tif": bytes(body)}


def _tags(rng: Random, at: int, size: int) -> list[tuple[int, int, list[Any]]]:
    """Return code, type and values of the tags of a page; few of them make no sense."""
    width, height = (rng.choice(_SIDES) if rng.random() < 0.3 else 16 for _ in range(2))
    samples = rng.choice((1, 1, 1, 2, 3, 4, 300))
    bits = rng.choice((1, 2, 4, 8, 8, 16, 16, 32, 64, 7, 255))
    tags: list[tuple[int, int, list[Any]]] = [
        (256, 4, [width]),
        (257, 4, [height]),
        (258, 3, [bits] * min(samples, 9)),
        (259, 3, [rng.choice(_COMPRESSIONS)]),
        (262, 3, [rng.choice((0, 1, 1, 2, 3, 5, 6, 8, 32803))]),
        (277, 3, [samples]),
        (284, 3, [rng.choice((1, 1, 2, 9))]),
        (339, 3, [rng.choice((1, 1, 2, 3, 4, 5, 6))]),
    ]
    pieces = rng.choice((0, 1, 1, 1, 2, 9))
    if rng.random() < 0.3:
        tags += [(322, 4, [rng.choice((16, 16, 17, *_SIDES))]), (323, 4, [rng.choice((16, 2**20))])]
        tags += [(324, 4, [at] * pieces), (325, 4, [size] * pieces)]
    else:
        tags += [(278, 4, [rng.choice((1, 16, 2**32 - 1, 0))])]
        tags += [(273, 4, [at] * pieces), (279, 4, [rng.choice((size, 2**32 - 1))] * pieces)]
    if rng.random() < 0.5:
        tags.append((270, 2, [_description(rng).encode("utf-8", "replace") + b"\0"]))
    if rng.random() < 0.3:
        tags.append((rng.choice((305, 306)), 2, [rng.choice((b"tifffile.py\0", b"scanner\0"))]))
    if rng.random() < 0.3:
        tags.append((317, 3, [rng.choice((1, 2, 3, 34892, 99))]))
    for _ in range(rng.choice((0, 0, 1, 3))):
        tags.append(
            (rng.choice(TAGS), rng.choice((1, 3, 4, 7)), [number(rng)] * rng.choice((1, 9)))
        )
    return [tag for tag in tags if rng.random() > 0.02]


def _description(rng: Random) -> str:
    kind = rng.randrange(4)
    if kind == 0:
        keys = ("images", "channels", "slices", "frames", "hyperstack", "mode", "unit", "spacing")
        lines = [f"{k}={rng.choice((number(rng), word(rng)))}" for k in keys if rng.random() < 0.6]
        return "\n".join(["ImageJ=1.53t", *lines, ""])
    if kind == 1:
        told = {"shape": [rng.choice(_SIDES) for _ in range(rng.randrange(5))], "axes": word(rng)}
        return json.dumps(told)
    if kind == 2:
        return word(rng)
    sizes = " ".join(f'Size{axis}="{rng.choice((1, 1, 16, number(rng)))}"' for axis in "XYZCT")
    order = rng.choice(("XYZCT", "XYCZT", "YXZCT", ""))
    blocks = "".join(
        f'<TiffData IFD="{rng.choice((0, number(rng)))}" PlaneCount="{number(rng)}" '
        f'FirstZ="{number(rng)}"/>'
        for _ in range(rng.randrange(3))
    )
    kind_of = rng.choice(("uint16", "uint8", "float", "bit", "complex", ""))
    return (
        f'<OME><Image ID="Image:0"><Pixels ID="Pixels:0" DimensionOrder="{order}" '
        f'Type="{kind_of}" {sizes}>{blocks}</Pixels></Image></OME>'
    )


def _entry(order: str, body: bytearray, code: int, kind: int, told: list[Any]) -> bytes:
    """Return an entry of a directory; values that do not fit into it go to the body."""
    if told and isinstance(told[0], bytes):
        packed, count = told[0], len(told[0])
    else:
        size = _TYPES[kind]
        values = [int(v) % 2 ** (8 * size) for v in told]
        ends: Any = "little" if order == "<" else "big"
        packed, count = b"".join(v.to_bytes(size, ends) for v in values), len(values)
    if len(packed) > 4:
        at = len(body)
        body += packed + bytes(len(packed) % 2)
        packed = struct.pack(order + "I", at)
    return struct.pack(order + "HHI", code, kind, count) + packed.ljust(4, b"\0")


def draw_png(rng: Random) -> Input:
    """Draw a PNG: any size, depth and colours, and lines of noise."""
    width, height = (rng.choice(_SIDES) if rng.random() < 0.3 else 9 for _ in range(2))
    depth, kind = rng.choice((1, 2, 4, 8, 16, 3)), rng.choice((0, 2, 3, 4, 6, 5))
    chunks = [
        (b"IHDR", struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, rng.randrange(2)))
    ]
    if rng.random() < 0.5:
        chunks.append((b"PLTE", rng.randbytes(rng.choice((0, 3, 4, 768, 900)))))
    others = (b"tRNS", b"gAMA", b"pHYs", b"tEXt", b"zTXt", b"iTXt", b"eXIf", b"acTL", b"iCCP")
    chunks += [
        (name, rng.randbytes(rng.choice((0, 4, 9, 40)))) for name in others if rng.random() < 0.15
    ]
    lines = rng.randbytes(rng.choice((9, 90, 2000)))
    chunks.append((b"IDAT", zlib.compress(lines) if rng.random() < 0.9 else lines))
    chunks.append((b"IEND", b""))
    return {"a.png": b"\x89PNG\r\n\x1a\n" + b"".join(png_chunk(*chunk) for chunk in chunks)}


def draw_zarr(rng: Random) -> Input:
    """Draw an array of any shape, kind and codecs, or a group that tells of one."""
    ndim = rng.choice((1, 2, 2, 3, 3, 5, 13))
    usual = rng.random() < 0.6
    shape = [8 if usual else rng.choice((8, number(rng))) for _ in range(ndim)]
    chunks = [8 if usual else rng.choice((8, 3, number(rng))) for _ in range(ndim)]
    kind = rng.choice(("<u2", "|u1", "<f4", ">i4", "|b1", "<f2", word(rng)))
    if rng.random() < 0.5:
        codec = {"id": rng.choice(("gzip", "zlib", "zstd", "blosc", "lz4", "bz2", word(rng)))}
        told: dict[str, Any] = {
            "zarr_format": 2,
            "shape": shape,
            "chunks": chunks,
            "dtype": kind,
            "order": rng.choice("CCF"),
            "fill_value": rng.choice((0, 1, value(rng))),
            "filters": [codec] if rng.random() < 0.2 else None,
            "compressor": codec if rng.random() < 0.6 else None,
        }
        name, chunk = ".zarray", ".".join("0" * ndim)
    else:
        names = ("gzip", "zstd", "blosc", "transpose", "crc32c", "numcodecs.zlib", word(rng))
        settings = rng.choice(({}, {"level": 1}, {"order": [1, 0]}, value(rng)))
        codecs: list[Any] = [{"name": "bytes", "configuration": {"endian": "little"}}]
        count = rng.choice((0, 1, 1, 2))
        codecs += [{"name": rng.choice(names), "configuration": settings} for _ in range(count)]
        if rng.random() < 0.3:
            inner = {"chunk_shape": [rng.choice((4, 8, number(rng)))] * ndim, "codecs": codecs}
            inner["index_codecs"] = codecs[:1]
            codecs = [{"name": "sharding_indexed", "configuration": inner}]
        told = {
            "zarr_format": 3,
            "node_type": "array",
            "shape": shape,
            "data_type": rng.choice(("uint16", "uint8", "float32", "bool", "int64", word(rng))),
            "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": chunks}},
            "chunk_key_encoding": {"name": "default"},
            "fill_value": rng.choice((0, 1, value(rng))),
            "codecs": codecs,
            "attributes": {},
        }
        name, chunk = "zarr.json", "c/" + "/".join("0" * ndim)
    noise = rng.randbytes(rng.choice((0, 8, 128, 400)))
    data = rng.choice((noise, zlib.compress(noise), gzip.compress(bytes(100_000), mtime=0)))
    return {f"a.zarr/{name}": json.dumps(told).encode("utf-8", "replace"), f"a.zarr/{chunk}": data}


def draw_model(rng: Random) -> Input:
    """Draw a safetensors file: any header, and as many bytes as it asks for, or others."""
    tensors = {
        word(rng): {
            "dtype": rng.choice(("F32", "F16", "BF16", "I64", "F8_E4M3", word(rng))),
            "shape": [rng.choice((1, 3, number(rng))) for _ in range(rng.randrange(4))],
            "data_offsets": [rng.choice((0, number(rng))), rng.choice((12, number(rng)))],
        }
        for _ in range(rng.randrange(3))
    }
    texts = {"format": "napari-unet-paint", "format_version": rng.choice(("1", word(rng)))}
    texts["model"] = json.dumps(value(rng))
    head = json.dumps(tensors | {"__metadata__": rng.choice((texts, value(rng)))})
    packed = head.encode("utf-8", "replace")
    return {"a.safetensors": len(packed).to_bytes(8, "little") + packed + rng.randbytes(12)}


def draw_json(rng: Random) -> bytes:
    """Draw any JSON."""
    return json.dumps(value(rng)).encode("utf-8", "replace")
