"""PNG files of plain arrays: no clocks, no text, the same bytes for the same array; 16-bit colour included.

Pillow reads every PNG but those of 16 bits and three channels, which it silently reduces to 8; they are read here.
"""

import struct
import zlib
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

SIGNATURE = b"\x89PNG\r\n\x1a\n"
END = b"\0\0\0\0IEND\xaeB`\x82"
GREY, RGB = 0, 2  # PNG specification, 11.2.2
SUB = 1  # filter type: each byte less the one of the pixel to its left

Image = NDArray[np.uint8] | NDArray[np.uint16]


class PngError(ValueError):
    """A file that is not a whole PNG of a kind that Blemish writes."""


def encode(image: Image) -> bytes:
    """The PNG file of an (H, W) or (H, W, 3) array of uint8 or uint16."""
    if image.dtype not in (np.uint8, np.uint16) or image.ndim not in (2, 3) or image.shape[2:] not in ((), (3,)):
        raise ValueError(f"found {image.dtype} of shape {image.shape}; expected uint8 or uint16, (H, W) or (H, W, 3)")
    height, width = image.shape[:2]
    big_endian = np.ascontiguousarray(image, dtype=image.dtype.newbyteorder(">"))
    pixels = big_endian.view(np.uint8).reshape(height, width, -1)
    filtered = np.empty((height, 1 + pixels[0].size), dtype=np.uint8)
    filtered[:, 0] = SUB
    filtered[:, 1:] = np.diff(pixels, axis=1, prepend=np.uint8(0)).reshape(height, -1)
    header = struct.pack(">2I5B", width, height, 8 * image.itemsize, RGB if image.ndim == 3 else GREY, 0, 0, 0)
    # Run lengths and Huffman codes alone: sensor noise repeats nothing that a search could find. On a frame this is ten
    # times as fast as level 6 and a tenth smaller; masks are long runs anyway.
    packer = zlib.compressobj(level=1, strategy=zlib.Z_RLE)
    body = packer.compress(filtered.tobytes()) + packer.flush()
    return SIGNATURE + _chunk(b"IHDR", header) + _chunk(b"IDAT", body) + END


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def size(path: Path) -> tuple[int, int]:
    """(height, width) from the first bytes of a PNG file. Raises PngError, or OSError where it cannot be read."""
    with path.open("rb") as file:
        return _header(file.read(33))[:2]


def _header(data: bytes) -> tuple[int, int, int, int, int]:
    """Height, width, bit depth, colour type and interlacing."""
    if len(data) < 33 or data[:8] != SIGNATURE or data[12:16] != b"IHDR":
        raise PngError("is not a PNG file" if data else "is empty")
    width, height, depth, colour, _, _, interlaced = struct.unpack(">2I5B", data[16:29])
    return height, width, depth, colour, interlaced


def read(path: Path) -> Image:
    """The array of a PNG file: uint8 or uint16, (H, W) or (H, W, 3).

    Raises PngError, saying what is wrong with the file, or OSError where it cannot be read.
    """
    data = path.read_bytes()
    _, _, depth, colour, interlaced = _header(data)
    if not data.endswith(END):  # Pillow reads a mask whose last bytes are lost, as long as it can guess every pixel
        raise PngError("is truncated or damaged (its end is missing)")
    if (depth, colour, interlaced) == (16, RGB, 0):
        return _decode_deep_colour(data)
    from PIL import Image as pillow

    try:
        with pillow.open(BytesIO(data), formats=["PNG"]) as picture:
            mode = picture.mode
            pixels = np.array(picture)  # a copy that may be written to, which torch asks for
    except (OSError, SyntaxError, ValueError, struct.error, zlib.error) as error:
        raise PngError(f"is truncated or damaged ({error})") from None
    except pillow.DecompressionBombError as error:
        raise PngError(f"is larger than any frame can be ({error})") from None
    if mode in ("L", "RGB"):
        return pixels
    if mode.startswith("I") and depth == 16:
        return pixels.astype(np.uint16)
    raise PngError(f"has the pixel format {mode}; expected grey or RGB of 8 or 16 bits, without alpha or palette")


def _decode_deep_colour(data: bytes) -> NDArray[np.uint16]:
    height, width, *_ = _header(data)
    compressed = bytearray()
    at = len(SIGNATURE)
    while at + 12 <= len(data):
        length, kind = struct.unpack(">I4s", data[at : at + 8])
        body, check = data[at + 8 : at + 8 + length], data[at + 8 + length : at + 12 + length]
        if len(check) < 4 or struct.unpack(">I", check)[0] != zlib.crc32(kind + body):
            raise PngError("is truncated or damaged (a chunk is cut short or fails its checksum)")
        if kind == b"IDAT":
            compressed += body
        at += 12 + length
    expected = height * (1 + 6 * width)
    try:
        raw = zlib.decompressobj().decompress(bytes(compressed), expected + 1)
    except zlib.error as error:
        raise PngError(f"is truncated or damaged ({error})") from None
    if len(raw) != expected:
        raise PngError(f"is truncated or damaged (holds {len(raw)} bytes of pixels, not {expected})")
    filtered = np.frombuffer(raw, dtype=np.uint8).reshape(height, -1)
    if (filtered[:, 0] != SUB).any():
        raise PngError("is a 16-bit colour PNG of another program; expected one that Blemish wrote, or 8 bits")
    pixels = np.cumsum(filtered[:, 1:].reshape(height, width, 6), axis=1, dtype=np.uint8)
    return pixels.view(">u2").astype(np.uint16)
