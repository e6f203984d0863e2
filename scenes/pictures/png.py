"""PNG files of plain arrays: no clocks, no text, the same bytes for the same array; 16-bit colour included.

Pillow reads every PNG but those of 16 bits and several channels, which it silently reduces to 8; they are read here.
"""

import struct
import zlib
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from scenes.files import content_of, opened

SIGNATURE = b"\x89PNG\r\n\x1a\n"
END = b"\0\0\0\0IEND\xaeB`\x82"
GREY, RGB = 0, 2  # PNG specification, 11.2.2
CHANNELS = {2: 3, 4: 2, 6: 4}  # by colour type, of those with several
MOST_PIXELS = 1 << 28  # of a frame: beyond, a file is damaged or made to ask for memory
BAND = 256  # rows of a picture that are filtered at once
SUB = 1  # filter type: each byte less the one of the pixel to its left

Image = NDArray[np.uint8] | NDArray[np.uint16]


class PngError(ValueError):
    """A file that is not a whole PNG of a kind that Blemish writes."""


def encode(image: Image) -> bytes:
    """The PNG file of an (H, W) or (H, W, 3) array of uint8 or uint16."""
    if image.dtype not in (np.uint8, np.uint16) or image.ndim not in (2, 3) or image.shape[2:] not in ((), (3,)):
        raise ValueError(f"found {image.dtype} of shape {image.shape}; expected uint8 or uint16, (H, W) or (H, W, 3)")
    height, width = image.shape[:2]
    header = struct.pack(">2I5B", width, height, 8 * image.itemsize, RGB if image.ndim == 3 else GREY, 0, 0, 0)
    # Run lengths and Huffman codes alone: sensor noise repeats nothing that a search could find. On a frame this is ten
    # times as fast as level 6 and a tenth smaller; masks are long runs anyway.
    packer = zlib.compressobj(level=1, strategy=zlib.Z_RLE)
    bands = [packer.compress(_filtered(image[top : top + BAND])) for top in range(0, height, BAND)]
    return SIGNATURE + _chunk(b"IHDR", header) + _chunk(b"IDAT", b"".join([*bands, packer.flush()])) + END


def _filtered(rows: Image) -> bytes:
    """The bytes of rows of a picture, each less the one of the pixel to its left."""
    big_endian = np.ascontiguousarray(rows, dtype=rows.dtype.newbyteorder(">"))
    pixels = big_endian.view(np.uint8).reshape(*rows.shape[:2], -1)
    filtered = np.empty((len(pixels), 1 + pixels[0].size), dtype=np.uint8)
    filtered[:, 0] = SUB
    filtered[:, 1:] = np.diff(pixels, axis=1, prepend=np.uint8(0)).reshape(len(pixels), -1)
    return filtered.tobytes()


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def size(path: Path) -> tuple[int, int]:
    """(height, width) from the first bytes of a PNG file. Raises PngError, or OSError where it cannot be read."""
    with opened(path) as file:
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
    return decode(content_of(path))


def decode(data: bytes, most_pixels: int = MOST_PIXELS) -> Image:
    """The array of the content of a PNG file of at most so many pixels, whose checksums are tried first; see `read`."""
    height, width, depth, colour, interlaced = _header(data)
    if not data.endswith(END):  # Pillow reads a mask whose last bytes are lost, as long as it can guess every pixel
        raise PngError("is truncated or damaged (its end is missing)")
    if height * width > most_pixels:
        raise PngError(f"is larger than its frame can be ({width} x {height} pixels)")
    check(data)
    if (depth, colour, interlaced) == (16, RGB, 0):
        return _deep(data, height, width, 3)
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


def check(data: bytes) -> None:
    """Raise PngError for a PNG file of which any chunk is not whole.

    Pillow looks at the checksums of some chunks alone, and not at those of the pixels.
    """
    for _ in compressed(data):
        pass


def compressed(data: bytes) -> Iterator[memoryview]:
    """The compressed pixels of a PNG file, piece by piece, of which every chunk must be whole. Raises PngError."""
    every, at = memoryview(data), len(SIGNATURE)
    while True:
        head, body_at = data[at : at + 8], at + 8
        if len(head) < 8:
            raise PngError("is truncated or damaged (its end is missing)")
        length, kind = struct.unpack(">I4s", head)
        body, checksum = every[body_at : body_at + length], every[body_at + length : body_at + length + 4]
        if len(checksum) < 4 or struct.unpack(">I", checksum)[0] != zlib.crc32(body, zlib.crc32(kind)):
            raise PngError("is truncated or damaged (a chunk is cut short or fails its checksum)")
        if kind == b"IEND":
            return
        if kind == b"IDAT":
            yield body
        at = body_at + length + 4


def deep_colour(data: bytes) -> bool:
    """Whether a file is a PNG of 16 bits and several channels, which Pillow reduces to 8 bits."""
    if len(data) < 33 or data[:8] != SIGNATURE:
        return False
    _, _, depth, colour, _ = _header(data)
    return depth == 16 and colour in CHANNELS


def decode_deep_colour(data: bytes) -> NDArray[np.uint16]:
    """The (H, W, channels) levels of such a file: two channels are grey and alpha, four RGB and alpha. Raises PngError.

    Of the largest size that Blemish reads, this takes some seconds where another program has written the file.
    """
    height, width, _, colour, interlaced = _header(data)
    if interlaced:
        raise PngError("is an interlaced PNG of 16 bits; save it without interlacing")
    return _deep(data, height, width, CHANNELS[colour])


def _deep(data: bytes, height: int, width: int, channels: int) -> NDArray[np.uint16]:
    each = 2 * channels
    expected = height * (1 + each * width)
    try:
        raw = zlib.decompressobj().decompress(b"".join(compressed(data)), expected + 1)
    except zlib.error as error:
        raise PngError(f"is truncated or damaged ({error})") from None
    if len(raw) != expected:
        raise PngError(f"is truncated or damaged (holds {len(raw)} bytes of pixels, not {expected})")
    rows = np.frombuffer(raw, dtype=np.uint8).reshape(height, -1)
    filters, filtered = rows[:, 0], rows[:, 1:].reshape(height, width, each)
    own = (filters == SUB).all()
    pixels = np.cumsum(filtered, axis=1, dtype=np.uint8) if own else _unfiltered(filters, filtered)
    return pixels.view(">u2").astype(np.uint16)


def _unfiltered(filters: NDArray[np.uint8], filtered: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Undo the filters of rows, (H,), on bytes (H, W, B); PNG specification, 9.2.

    A byte follows from those to its left, above and above left, so that all on one diagonal are found at once.
    """
    height, width, each = filtered.shape
    found = np.zeros((height + 1, width + 1, each), np.int16)  # with what lies outside above and to the left
    for diagonal in range(height + width - 1):
        row = np.arange(max(0, diagonal - width + 1), min(height, diagonal + 1))
        column = diagonal - row
        left, above, corner = found[row + 1, column], found[row, column + 1], found[row, column]
        kind = filters[row, None]
        near_left, near_above = np.abs(above - corner), np.abs(left - corner)
        near_corner = np.abs(left + above - 2 * corner)
        paeth = np.where(
            (near_left <= near_above) & (near_left <= near_corner),
            left,
            np.where(near_above <= near_corner, above, corner),
        )
        guess = np.select([kind == 1, kind == 2, kind == 3, kind == 4], [left, above, (left + above) // 2, paeth], 0)
        found[row + 1, column + 1] = (filtered[row, column] + guess) & 255
    return np.ascontiguousarray(found[1:, 1:].astype(np.uint8))
