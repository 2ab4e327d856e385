"""What strangers' files may look like: valid ones with something wrong in them, from a seed.

An input is the files of a folder, by their names. Mutations know what they change: the numbers,
offsets and types in a TIFF's directories, the values of a JSON text, the chunks of a PNG; some do
not, and change bytes.
"""

from __future__ import annotations

import json
import re
import struct
import zlib
from collections.abc import Callable, Iterator
from random import Random
from typing import Any

Input = dict[str, bytes]
"""Bytes of each file, by its path in the folder."""

_NUMBERS = (
    *(0, 1, 2, 3, 7, 8, 15, 16, 17, 31, 32, 63, 64, 65, 127, 128, 255, 256, 257, 1000),
    *(2**15 - 1, 2**15, 2**16 - 1, 2**16, 2**20, 2**24, 2**31 - 1, 2**31, 2**32 - 1),
    *(2**32, 2**53, 2**63 - 1, 2**63, 2**64 - 1, 10**30, 10**400, -1, -2, -(2**31), -(2**63)),
)
_WORDS = (
    *("", " ", "0", "-1", "nan", "inf", "1e400", "1e-400", "uint16", "<u2", "|O", "<U8", "<M8[s]"),
    *("float16", "complex64", "int4", "[('a', '<u2')]", "../../secret", "/etc/passwd", "a" * 5000),
    *(
        "\x1b[2J",
        "\u202egnp",
        "\ud800",
        "é",
        "日本",
        "<img src=a.png>",
        "x\ny",
        "%s%n",
        "__class__",
    ),
    *(
        "http://localhost/a.tif",
        "file:///etc/passwd",
        "gzip",
        "zstd",
        "blosc",
        "pickle",
        "vlen-utf8",
    ),
    *("T", "C", "YX", "XYCZT", "y", "x", "micrometer", "second", "NaN", "null", "true"),
)
_DIGITS = re.compile(rb"-?\d+(?:\.\d+)?")
TAGS = (
    *(254, 256, 257, 258, 259, 262, 266, 270, 273, 277, 278, 279, 282, 283, 284, 296, 305, 317),
    *(320, 322, 323, 324, 325, 330, 338, 339, 340, 347, 530, 700, 32997, 33550, 33629, 34412),
    *(34361, 34736, 37706, 42112, 42113, 50838, 50839, 51123, 65000, 65200, 65420, 65426, 65449),
)


def number(rng: Random) -> int:
    """Return a number at which something may break."""
    return rng.choice(_NUMBERS) if rng.random() < 0.8 else rng.getrandbits(rng.choice((4, 12, 40)))


def word(rng: Random) -> str:
    """Return a text at which something may break."""
    return rng.choice(_WORDS)


def value(rng: Random, depth: int = 0) -> Any:
    """Return any value of JSON."""
    kind = rng.random()
    if kind < 0.35:
        return number(rng)
    if kind < 0.6:
        return word(rng)
    if kind < 0.75 or depth > 3:
        return rng.choice((None, True, False, 0.5, -1e308, 1e-320, float("nan"), float("inf")))
    count = rng.choice((0, 1, 1, 2, 3, 5, 40))
    if kind < 0.9:
        return [value(rng, depth + 1) for _ in range(count)]
    return {word(rng): value(rng, depth + 1) for _ in range(count)}


def change_bytes(data: bytes, rng: Random) -> bytes:
    """Change some bytes, without knowing what they are."""
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        data = rng.choice(_BLIND)(bytearray(data), rng)
    return data


def change_text(data: bytes, rng: Random) -> bytes:
    """Put another number in the place of one that is written in digits."""
    found = list(_DIGITS.finditer(data))
    if not found:
        return change_bytes(data, rng)
    at = rng.choice(found)
    return data[: at.start()] + str(number(rng)).encode() + data[at.end() :]


def _flip(data: bytearray, rng: Random) -> bytes:
    if data:
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return bytes(data)


def _overwrite(data: bytearray, rng: Random) -> bytes:
    start = rng.randrange(len(data) + 1)
    size = rng.choice((1, 2, 4, 8, 16))
    known = (number(rng) % 2 ** (8 * size)).to_bytes(size, rng.choice(("little", "big")))
    data[start : start + size] = known if rng.random() < 0.7 else rng.randbytes(size)
    return bytes(data)


def _cut(data: bytearray, rng: Random) -> bytes:
    return bytes(data[: rng.randrange(len(data) + 1)])


def _take_out(data: bytearray, rng: Random) -> bytes:
    start = rng.randrange(len(data) + 1)
    del data[start : start + rng.choice((1, 2, 8, 100))]
    return bytes(data)


def _repeat(data: bytearray, rng: Random) -> bytes:
    start = rng.randrange(len(data) + 1)
    piece = data[start : start + rng.choice((1, 4, 30, 200))]
    return bytes(data[:start] + piece * rng.choice((1, 2, 50)) + data[start:])


_BLIND: tuple[Callable[[bytearray, Random], bytes], ...] = (
    *(_flip, _flip, _overwrite, _overwrite, _cut, _take_out, _repeat),
)


def change_json(data: bytes, rng: Random) -> bytes:
    """Change one value, key or branch of a JSON text; others as bytes."""
    try:
        told = json.loads(data)
    except ValueError:
        return change_bytes(data, rng)
    places = list(_places(told))
    if not places:
        return change_bytes(data, rng)
    if rng.random() < 0.05:
        deep = rng.choice((b"[", b'{"a":')) * rng.choice((50, 100_000))
        return data[:-1] + b', "deep": ' + deep
    for _ in range(rng.choice((1, 1, 2, 4))):
        holder, key = rng.choice(places)
        _change_place(holder, key, rng)
    return json.dumps(told).encode("utf-8", "replace")


def _change_place(holder: Any, key: Any, rng: Random) -> None:
    if isinstance(holder, list) and key >= len(holder):
        return
    if isinstance(holder, dict) and key not in holder:
        return
    kind = rng.random()
    if kind < 0.15:
        del holder[key]
    elif kind < 0.25 and isinstance(holder, dict):
        holder[word(rng)] = holder.pop(key)
    elif kind < 0.3 and isinstance(holder, list):
        holder *= rng.choice((0, 2, 200))
    elif kind < 0.6 and isinstance(holder[key], int | float):
        holder[key] = number(rng)
    else:
        holder[key] = value(rng)


def _places(told: Any) -> Iterator[tuple[Any, Any]]:
    """Yield each list or mapping with each key in it."""
    keys = told.keys() if isinstance(told, dict) else range(len(told))
    for key in list(keys):
        yield told, key
        if isinstance(told[key], dict | list):
            yield from _places(told[key])


def change_tiff(data: bytes, rng: Random) -> bytes:
    """Change an entry of a directory, an offset, or what they point at."""
    kind = rng.random()
    spots = list(_entries(data)) if len(data) > 8 else []
    if not spots or kind < 0.2:
        return change_bytes(data, rng)
    if kind < 0.35:
        return change_text(data, rng)
    order, is_big, at = rng.choice(spots)
    changed = bytearray(data)
    code, kind_of, count, told = (0, 2, 4, 12) if is_big else (0, 2, 4, 8)
    wide = "Q" if is_big else "I"
    form, place, new = rng.choice(
        (
            ("H", code, rng.choice(TAGS)),
            ("H", kind_of, rng.choice((0, 1, 2, 3, 4, 5, 7, 9, 11, 12, 13, 16, 18, 99))),
            (wide, count, number(rng)),
            (wide, told, number(rng)),
            (wide, told, rng.choice((at, len(data), len(data) - 1, 8, rng.randrange(len(data))))),
            ("H", told, number(rng)),
        )
    )
    bits = 8 * struct.calcsize(form)
    struct.pack_into(order + form, changed, at + place, new % 2**bits)
    if rng.random() < 0.15:  # the chain of directories
        where = rng.randrange(max(1, len(changed) - 4))
        struct.pack_into(order + "I", changed, where, rng.choice((8, at, where)))
    return bytes(changed)


def _entries(data: bytes) -> Iterator[tuple[str, bool, int]]:
    """Yield byte order, whether it is a BigTIFF, and the place of each entry of the directories."""
    order = "<" if data[:2] == b"II" else ">"
    is_big = struct.unpack(order + "H", data[2:4])[0] == 43
    head, size, wide, short = (8, 20, "Q", "Q") if is_big else (4, 12, "I", "H")
    try:
        (at,) = struct.unpack_from(order + wide, data, head)
        for _ in range(20):
            (count,) = struct.unpack_from(order + short, data, at)
            first = at + struct.calcsize(short)
            end = first + count * size
            if not at or end + struct.calcsize(wide) > len(data):
                return
            yield from ((order, is_big, first + i * size) for i in range(count))
            (at,) = struct.unpack_from(order + wide, data, end)
    except struct.error:
        return


def change_png(data: bytes, rng: Random) -> bytes:
    """Change the chunks of a PNG; most of the time with the check sums that they need."""
    chunks = list(_chunks(data))
    if not chunks or rng.random() < 0.2:
        return change_bytes(data, rng)
    at = rng.randrange(len(chunks))
    name, body = chunks[at]
    kind = rng.random()
    if kind < 0.15:
        chunks.insert(at, chunks.pop(rng.randrange(len(chunks))))
    elif kind < 0.25:
        del chunks[at]
    elif kind < 0.35:
        chunks[at] = (rng.choice((b"tRNS", b"PLTE", b"acTL", b"iCCP", b"zTXt", b"eXIf")), body)
    elif name == b"IDAT" and kind < 0.6:
        chunks[at] = (name, zlib.compress(rng.randbytes(rng.choice((0, 9, 999))) * 20))
    else:
        chunks[at] = (name, change_bytes(body, rng))
    return data[:8] + b"".join(png_chunk(*chunk) for chunk in chunks)


def png_chunk(name: bytes, body: bytes) -> bytes:
    """Return a chunk with its length and check sum."""
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 8
    while at + 12 <= len(data):
        (size,) = struct.unpack_from(">I", data, at)
        yield data[at + 4 : at + 8], data[at + 8 : at + 8 + size]
        at += 12 + size


def change_safetensors(data: bytes, rng: Random) -> bytes:
    """Change the header, the model's description inside it, its length, or the weights."""
    length = int.from_bytes(data[:8], "little")
    head, rest = data[8 : 8 + length], data[8 + length :]
    kind = rng.random()
    if kind < 0.15:
        return change_bytes(data, rng)
    if kind < 0.25:
        return (number(rng) % 2**64).to_bytes(8, "little") + data[8:]
    if kind < 0.5:
        head = change_json(head, rng)
    else:
        told = json.loads(head)
        texts = told["__metadata__"]
        part = rng.choice(("about", "model", "run", "run")) if "run" in texts else "model"
        texts[part] = change_json(texts[part].encode(), rng).decode("utf-8", "replace")
        head = json.dumps(told).encode()
    return len(head).to_bytes(8, "little") + head + rest


def change_folder(files: Input, rng: Random) -> Input:
    """Change a file of a zarr: metadata as JSON, chunks as bytes; or lose one, or mix two up."""
    changed = dict(files)
    name = rng.choice(sorted(changed))
    metadata = [n for n in sorted(changed) if n.rpartition("/")[2] in _METADATA]
    kind = rng.random()
    if kind < 0.6 and metadata:
        name = rng.choice(metadata)
        changed[name] = change_json(changed[name], rng)
    elif kind < 0.7:
        del changed[name]
    elif kind < 0.75:
        changed[name] = changed[rng.choice(sorted(changed))]
    elif name in metadata:
        changed[name] = change_text(changed[name], rng)
    else:
        changed[name] = change_bytes(changed[name], rng)
    return changed


_METADATA = ("zarr.json", ".zarray", ".zattrs", ".zgroup", ".zmetadata", "unsaved.json")
