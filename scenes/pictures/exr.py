"""OpenEXR files of one part of scan lines, not compressed or by zlib: those that Blender writes for us, and ours.

The OpenEXR library itself cannot be loaded into every Blender: where Blender links to another build of it, as Debian's
does, the two take each other's functions and the process dies.
"""

import struct
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

MAGIC, VERSION = 20000630, 2
PLAIN_FLAGS = 0x400  # long names; tiles, deep data and several parts are other bits
NO_COMPRESSION, ZIP_LINES, ZIP = 0, 2, 3
LINES = {NO_COMPRESSION: 1, ZIP_LINES: 1, ZIP: 16}  # of a chunk
TYPES: dict[int, np.dtype[Any]] = {1: np.dtype("<f2"), 2: np.dtype("<f4")}
FLOAT = 2
CHUNK_HEAD = 8  # bytes before each chunk: its first y and its length
MOST_PACKED = 1032  # bytes that zlib can make of one
MIDDLE = 128  # what a difference of bytes is stored from


class ExrError(ValueError):
    """A file that is not a whole OpenEXR file as described above."""


def encode(channels: Mapping[str, NDArray[np.float32]]) -> bytes:
    """The OpenEXR file of (H, W) channels by name, compressed by zlib, 16 lines at a time."""
    names = sorted(channels)
    height, width = channels[names[0]].shape
    lines = np.stack([channels[name] for name in names], axis=1).astype("<f4")  # (H, channels, W), as a file has them
    chunks = [_packed(lines[top : top + LINES[ZIP]].tobytes()) for top in range(0, height, LINES[ZIP])]
    window = struct.pack("<4i", 0, 0, width - 1, height - 1)
    described = b"".join(name.encode() + b"\0" + struct.pack("<4i", FLOAT, 0, 1, 1) for name in names) + b"\0"
    head = struct.pack("<2i", MAGIC, VERSION) + b"".join(
        f"{name}\0{kind}\0".encode() + struct.pack("<i", len(value)) + value
        for name, kind, value in (
            ("channels", "chlist", described),
            ("compression", "compression", bytes([ZIP])),
            ("dataWindow", "box2i", window),
            ("displayWindow", "box2i", window),
            ("lineOrder", "lineOrder", b"\0"),
            ("pixelAspectRatio", "float", struct.pack("<f", 1)),
            ("screenWindowCenter", "v2f", struct.pack("<2f", 0, 0)),
            ("screenWindowWidth", "float", struct.pack("<f", 1)),
        )
    )
    first = len(head) + 1 + 8 * len(chunks)
    places = first + np.cumsum([0, *(CHUNK_HEAD + len(chunk) for chunk in chunks[:-1])])
    pieces = (struct.pack("<2i", number * LINES[ZIP], len(chunk)) + chunk for number, chunk in enumerate(chunks))
    return b"".join([head, b"\0", places.astype("<u8").tobytes(), *pieces])


def decode(content: bytes, most_pixels: int | None = None) -> dict[str, NDArray[np.floating[Any]]]:
    """Every channel of half or single precision by its full name, (H, W), row 0 at the top. Raises ExrError.

    most_pixels: that the file may have; by default as many as its length allows.
    """
    try:
        return _channels(content, most_pixels)
    except (struct.error, zlib.error, ValueError, KeyError, IndexError, UnicodeDecodeError) as error:
        raise ExrError(f"not an OpenEXR file of plain scan lines ({error})") from None


def _channels(content: bytes, most_pixels: int | None) -> dict[str, NDArray[np.floating[Any]]]:
    magic, version = struct.unpack_from("<ii", content)
    if magic != MAGIC or version & 0xFF != VERSION or version & ~0xFF & ~PLAIN_FLAGS:
        raise ValueError(f"found magic {magic} and version {version:#x}")
    attributes, place = _attributes(content, 8)
    compression = attributes["compression"][0]
    if compression not in LINES:
        raise ValueError(f"found compression {compression}")
    left, top, right, bottom = struct.unpack("<4i", attributes["dataWindow"])
    width, height = right - left + 1, bottom - top + 1
    types = _channel_types(attributes["channels"])
    needed = height * width * sum(kind.itemsize for kind in types.values())
    room = len(content) * (MOST_PACKED if compression else 1)
    if width < 1 or height < 1 or not 0 < needed <= room or (most_pixels and height * width > most_pixels):
        raise ValueError(f"found {len(content)} bytes for {width} x {height} pixels")
    line = np.dtype([(name, kind, (width,)) for name, kind in types.items()], align=False)
    lines = _lines(content, place + 8 * -(-height // LINES[compression]), compression, top, height, line)
    return {name: lines[name] for name in types}


def _lines(
    content: bytes, place: int, compression: int, top: int, height: int, line: np.dtype[Any]
) -> NDArray[np.void]:
    """The lines (H,), from the chunks that begin after the table of where each does, in whatever order they stand."""
    lines, seen = np.zeros(height, line), np.zeros(height, bool)
    while not seen.all():
        y, length = struct.unpack_from("<2i", content, place)
        start, stop = y - top, min(height, y - top + LINES[compression])
        if not 0 <= start < height or start % LINES[compression] or seen[start]:
            raise ValueError("found lines missing")
        expected, packed = (stop - start) * line.itemsize, content[place + CHUNK_HEAD : place + CHUNK_HEAD + length]
        raw = packed if len(packed) == expected else _unpacked(packed, expected, compression)
        lines[start:stop] = np.frombuffer(raw, line)
        seen[start:stop] = True
        place += CHUNK_HEAD + length
    return lines


def _packed(raw: bytes) -> bytes:
    """Every second byte first, then the others, their differences compressed; or as they are where that is longer."""
    halves = np.frombuffer(raw, np.uint8)
    halves = np.concatenate([halves[::2], halves[1::2]])
    differences = halves.copy()
    differences[1:] = halves[1:] - halves[:-1] + np.uint8(MIDDLE)
    packed = zlib.compress(differences.tobytes(), 4)
    return packed if len(packed) < len(raw) else raw


def _unpacked(packed: bytes, expected: int, compression: int) -> bytes:
    """The inverse of `_packed`."""
    if compression == NO_COMPRESSION:
        raise ValueError("found lines of other lengths than their channels'")
    unpacked = zlib.decompressobj().decompress(packed, expected + 1)
    if len(unpacked) != expected:
        raise ValueError(f"found {len(unpacked)} bytes of lines, not {expected}")
    differences = np.frombuffer(unpacked, np.uint8).copy()
    differences[1:] -= np.uint8(MIDDLE)
    halves = np.cumsum(differences, dtype=np.uint8)
    raw, middle = np.empty_like(halves), -(-expected // 2)
    raw[::2], raw[1::2] = halves[:middle], halves[middle:]
    return raw.tobytes()


def _attributes(content: bytes, place: int) -> tuple[dict[str, bytes], int]:
    """The header's attributes by name, and where it ends."""
    attributes = {}
    while content[place]:
        name, place = _text(content, place)
        _, place = _text(content, place)
        (size,) = struct.unpack_from("<i", content, place)
        if size < 0:  # by which one would come back to where one was
            raise ValueError(f"found an attribute of {size} bytes")
        attributes[name] = content[place + 4 : place + 4 + size]
        place += 4 + size
    return attributes, place + 1


def _channel_types(described: bytes) -> dict[str, np.dtype[Any]]:
    """Channel name -> type of its values, in the order in which a line holds them."""
    types: dict[str, np.dtype[Any]] = {}
    place = 0
    while described[place]:
        name, place = _text(described, place)
        kind, _, x_sampling, y_sampling = struct.unpack_from("<iiii", described, place)
        if (x_sampling, y_sampling) != (1, 1):
            raise ValueError(f"found the channel {name} sampled at {x_sampling} x {y_sampling} pixels")
        types[name] = TYPES[kind]
        place += 16
    return types


def _text(content: bytes, place: int) -> tuple[str, int]:
    """A text that ends with a zero byte, and where the next thing begins."""
    end = content.index(b"\0", place)
    return content[place:end].decode(), end + 1
