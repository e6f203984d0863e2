"""PNG files of plain arrays: no clocks, no text, the same bytes for the same array; 16-bit colour included.

Pillow reads every PNG but those of 16 bits and several channels, which it silently reduces to 8; they are read here.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import BinaryIO

import numpy as np
from numpy.typing import DTypeLike, NDArray

from scenes.files import content_of, opened

SIGNATURE = b"\x89PNG\r\n\x1a\n"
END = b"\0\0\0\0IEND\xaeB`\x82"
GREY, RGB = 0, 2  # PNG specification, 11.2.2
CHANNELS = {2: 3, 4: 2, 6: 4}  # by colour type, of those with several
MOST_PIXELS = 1 << 28  # of a frame: beyond, a file is damaged or made to ask for memory
LAYOUT = 33  # bytes at a file's beginning that say it
SPOOLED = 1 << 22  # bytes of a packed picture beyond which they lie in a temporary file
PIECE = 1 << 20  # bytes of a chunk that are read at once
BAND = 256  # rows of a picture that are filtered at once
SUB = 1  # filter type: each byte less the one of the pixel to its left

Image = NDArray[np.uint8] | NDArray[np.uint16]
Written = Image | NDArray[np.bool_]


class PngError(ValueError):
    """A file that is not a whole PNG of a kind that Blemish writes."""


def encode(image: Written) -> bytes:
    """The PNG file of an (H, W) array of bool, uint8 or uint16, or an (H, W, 3) array of the latter two."""
    return b"".join(encoded(lambda rows: image[rows], image.shape, image.dtype))


def encoded(
    band_of: Callable[[slice], Written], shape: Sequence[int], dtype: DTypeLike, folder: Path | None = None
) -> Iterator[bytes]:
    """The file of `encode` in pieces, of an array of which `band_of` gives rows, so that it need not be in memory.

    folder: where what is packed lies until all of it is, where it is much; None: the system's own.
    """
    kind, is_colour = np.dtype(dtype), tuple(shape[2:]) == (3,)
    known = (np.uint8, np.uint16) if is_colour else (np.bool_, np.uint8, np.uint16)
    if kind not in known or len(shape) != 2 + is_colour:
        raise ValueError(
            f"found {kind} of shape {tuple(shape)}; expected bool, (H, W), or uint8 or uint16, also (H, W, 3)"
        )
    height, width = shape[:2]
    depth = 1 if kind == np.bool_ else 8 * kind.itemsize
    header = struct.pack(">2I5B", width, height, depth, RGB if is_colour else GREY, 0, 0, 0)
    # Run lengths and Huffman codes alone: sensor noise repeats nothing that a search could find. On a frame this is ten
    # times as fast as level 6 and a tenth smaller; masks are long runs anyway.
    packer = zlib.compressobj(level=1, strategy=zlib.Z_RLE)
    with SpooledTemporaryFile(SPOOLED, dir=None if folder is None else str(folder)) as packed:
        for top in range(0, height, BAND):
            packed.write(packer.compress(_filtered(band_of(slice(top, min(height, top + BAND))))))
        packed.write(packer.flush())
        length, checksum = packed.tell(), zlib.crc32(b"IDAT")
        yield SIGNATURE + chunk(b"IHDR", header) + struct.pack(">I", length) + b"IDAT"
        packed.seek(0)
        while piece := packed.read(PIECE):
            checksum = zlib.crc32(piece, checksum)
            yield piece
        yield struct.pack(">I", checksum) + END


def _filtered(rows: Written) -> bytes:
    """The bytes of rows of a picture, each less the one of the pixel to its left; of bits, less the byte there."""
    if rows.dtype == np.bool_:
        rows = np.packbits(rows, axis=1)
    big_endian = np.ascontiguousarray(rows, dtype=rows.dtype.newbyteorder(">"))
    pixels = big_endian.view(np.uint8).reshape(*rows.shape[:2], -1)
    filtered = np.empty((len(pixels), 1 + pixels[0].size), dtype=np.uint8)
    filtered[:, 0] = SUB
    filtered[:, 1:] = np.diff(pixels, axis=1, prepend=np.uint8(0)).reshape(len(pixels), -1)
    return filtered.tobytes()


def chunk(kind: bytes, body: bytes) -> bytes:
    """A chunk of a PNG file."""
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
    for _ in pieces(BytesIO(data)):
        pass


def pieces(file: BinaryIO) -> Iterator[tuple[bytes, bytes]]:
    """Kind and content of the chunks of a PNG file, of long ones in several pieces. Raises PngError.

    That a chunk is whole is only known when the next one comes.
    """
    file.read(len(SIGNATURE))
    while True:
        head = file.read(8)
        if len(head) < 8:
            raise PngError("is truncated or damaged (its end is missing)")
        left, kind = struct.unpack(">I4s", head)
        found = zlib.crc32(kind)
        while left and (piece := file.read(min(left, PIECE))):
            left -= len(piece)
            found = zlib.crc32(piece, found)
            yield kind, piece
        checksum = file.read(4)
        if left or len(checksum) < 4 or struct.unpack(">I", checksum)[0] != found:
            raise PngError("is truncated or damaged (a chunk is cut short or fails its checksum)")
        if kind == b"IEND":
            return


@dataclass(frozen=True)
class Layout:
    """How the pixels of a PNG file lie: colour is its colour type, PNG specification, 11.2.2."""

    height: int
    width: int
    depth: int
    colour: int

    @classmethod
    def of(cls, head: bytes) -> Layout:
        """That of a file's first LAYOUT bytes. Raises PngError."""
        return cls(*_header(head)[:4])

    @property
    def row_bytes(self) -> int:
        """Bytes of a filtered row."""
        return 1 + -(-self.width * CHANNELS.get(self.colour, 1) * self.depth // 8)

    def header(self, height: int) -> bytes:
        """The content of the chunk IHDR of a picture that has that height instead."""
        return struct.pack(">2I5B", self.width, height, self.depth, self.colour, 0, 0, 0)


def is_row_by_row(head: bytes) -> bool:
    """Whether Pillow decodes a PNG of these first bytes to what it holds, and one row lies after the other."""
    return not deep_colour(head) and not _header(head)[4]


def palette_chunks(file: BinaryIO) -> list[tuple[bytes, bytes]]:
    """The chunks of a PNG file, from its signature on, that say what its numbers mean: palette and transparency."""
    found = []
    file.seek(0)
    for kind, piece in pieces(file):
        if kind == b"IDAT":
            break
        if kind in (b"PLTE", b"tRNS"):
            found.append((kind, piece))
    return found


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
        raw = zlib.decompressobj().decompress(
            b"".join(body for kind, body in pieces(BytesIO(data)) if kind == b"IDAT"), expected + 1
        )
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
