"""Reading the OpenEXR files that Blender writes for us: one part, scan lines, no compression.

The OpenEXR library itself cannot be loaded into every Blender: where Blender links to another build of it, as Debian's
does, the two take each other's functions and the process dies.
"""

import struct
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from procgen.errors import BlemishError

MAGIC, VERSION = 20000630, 2
PLAIN_FLAGS = 0x400  # long names; tiles, deep data and several parts are other bits
NO_COMPRESSION = 0
TYPES: dict[int, np.dtype[Any]] = {1: np.dtype("<f2"), 2: np.dtype("<f4")}
CHUNK_HEAD = 8  # bytes before each line: its y and its length
COLOURS = "RGB"


def read_exr(path: Path) -> dict[str, NDArray[np.float32]]:
    """Passes of red, green and blue by name, "" for one without: (H, W, 3), row 0 at the top.

    Raises BlemishError for a file that is not as described above.
    """
    content = path.read_bytes()
    try:
        channels = _channels(content)
    except (struct.error, ValueError, KeyError, IndexError, UnicodeDecodeError) as error:
        what = f"not an OpenEXR file of plain scan lines ({error}), though Blender wrote it"
        raise BlemishError(f"{path}: {what}; expected room for it on this disk") from None
    passes: dict[str, dict[str, NDArray[np.float32]]] = {}
    for name, values in channels.items():
        layer, _, colour = name.rpartition(".")
        passes.setdefault(layer, {})[colour] = values
    return {
        layer: np.stack([colours[colour] for colour in COLOURS], axis=-1).astype(np.float32, copy=False)
        for layer, colours in passes.items()
        if colours.keys() >= set(COLOURS)
    }


def _channels(content: bytes) -> dict[str, NDArray[np.floating[Any]]]:
    """Every channel by its full name, (H, W)."""
    magic, version = struct.unpack_from("<ii", content)
    if magic != MAGIC or version & 0xFF != VERSION or version & ~0xFF & ~PLAIN_FLAGS:
        raise ValueError(f"found magic {magic} and version {version:#x}")
    attributes, place = _attributes(content, 8)
    if attributes["compression"][0] != NO_COMPRESSION:
        raise ValueError(f"found compression {attributes['compression'][0]}")
    left, top, right, bottom = struct.unpack("<4i", attributes["dataWindow"])
    width, height = right - left + 1, bottom - top + 1
    types = _channel_types(attributes["channels"])
    needed = height * (CHUNK_HEAD + width * sum(kind.itemsize for kind in types.values()))
    if width < 1 or height < 1 or not 0 < needed <= len(content):  # NumPy does not survive types of other sizes
        raise ValueError(f"found {len(content)} bytes for {width} x {height} pixels")
    line = np.dtype(
        [("y", "<i4"), ("length", "<i4"), *((name, kind, (width,)) for name, kind in types.items())], align=False
    )
    lines = np.frombuffer(content, line, height, place + 8 * height)  # after the table of where each line begins
    if not (lines["length"] == line.itemsize - CHUNK_HEAD).all():
        raise ValueError("found lines of other lengths than their channels'")
    order = np.argsort(lines["y"], kind="stable")
    if not np.array_equal(lines["y"][order], np.arange(top, bottom + 1)):
        raise ValueError("found lines missing")
    return {name: lines[name][order] for name in types}


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
