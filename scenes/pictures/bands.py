"""Pictures of files band by band, as the whole is decoded: a few rows of a file are made a small file of their own.

So it is with PNG (not interlaced; colour of 8 bits, grey of up to 16), TIFF (strips and tiles, channels together) and
uncompressed BMP. JPEG, WebP and what else there is are decoded whole and then handed out in bands.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from scenes.files import opened
from scenes.memory import LARGE, give_back
from scenes.pictures import png
from scenes.pictures.decoding import (
    TIFF_SIGNATURES,
    Measured,
    Raster,
    explained,
    load,
    measure,
    pillow_raster,
    refuse_other,
    tiff_page,
    tiff_raster,
    turned_raster,
)
from scenes.pictures.on_disk import ArrayOnDisk, Part, Rows, is_large, row_bands

AT_ONCE = 1 << 20  # pixels of a band
PALETTE, WITH_ALPHA = 3, (4, 6)  # colour types; PNG specification, 11.2.2
BMP, BMP_HEADER, CORE_HEADER, BMP_UNCOMPRESSED = b"BM", 64, 12, (0, 3)
STRIPS, TILES, UNCOMPRESSED, TOGETHER = (273, 279), (324, 325), 1, 1  # TIFF 6.0: offsets and lengths, values of tags
HEIGHT, ROWS_PER_STRIP = 257, 278
# Of the tags of a TIFF's page, those by which its pixels are decoded: TIFF 6.0, sections 8 to 22; not its orientation.
DECODING_TAGS = (256, 258, 259, 262, 266, 277, 284, 292, 293, 317, 320, 322, 323, 338, 339, 347, 529, 530, 531, 532)
SHORT, LONG = 3, 4
BYTES_OF_TYPE = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8}

Banded = Iterator[tuple[int, Raster]]  # first row, and rows as they are stored


class RasterRows(NamedTuple):
    """What `Raster` holds of a picture, of a large one in arrays on a disk."""

    values: Rows
    alpha: Rows | None = None
    indices: Rows | None = None
    inverted: bool = False


def raster_rows(path: Path, most_pixels: int, folder: Path | None = None) -> RasterRows:
    """The picture of a file; see `load`. folder: where a large one's arrays may lie, None: all is in memory.

    Raises PictureError, and DiskError where there is no room.
    """
    measured = measure(path, most_pixels)
    if folder is None or not is_large(measured.shape):
        raster = load(path, most_pixels)
        return RasterRows(raster.values, raster.alpha, raster.indices, raster.inverted)
    found: dict[str, ArrayOnDisk] = {}
    inverted = False
    for part, raster in raster_bands(path, measured):
        for name, own in (("values", raster.values), ("alpha", raster.alpha), ("indices", raster.indices)):
            if own is not None:
                if name not in found:
                    found[name] = ArrayOnDisk((*measured.shape, *own.shape[2:]), own.dtype, folder)
                found[name][part] = own
        inverted = raster.inverted
    return RasterRows(**found, inverted=inverted)


def raster_bands(path: Path, measured: Measured, sha256: str = "") -> Iterator[tuple[Part, Raster]]:
    """What rows or columns of the upright picture of a file show, until all of it was given; see `load`.

    measured: of this file. sha256: of it, where it is known. Raises PictureError.
    """
    with explained(path):
        refuse_other(path, sha256)
        with opened(path) as file:
            stored = _stored_bands(path, file, measured)
            if stored is not None:
                for first, raster in stored:
                    yield (
                        upright_part(measured, slice(first, first + len(raster.values))),
                        turned_raster(raster, measured.orientation),
                    )
                return
    raster = load(path, measured.height * measured.width, sha256)
    for rows in row_bands(measured.shape, AT_ONCE):
        yield rows, _rows_of(raster, rows)
    del raster
    give_back(measured.height * measured.width)


def _rows_of(raster: Raster, rows: slice) -> Raster:
    alpha, indices = (None if array is None else array[rows] for array in (raster.alpha, raster.indices))
    return Raster(raster.values[rows], alpha, indices, raster.inverted, raster.mode)


def upright_part(measured: Measured, rows: slice) -> Part:
    """Where in the upright picture stored rows lie."""
    is_lying = measured.orientation >= 5
    stored_height = measured.width if is_lying else measured.height
    along = rows
    if measured.orientation in (3, 4, 6, 7):
        along = slice(stored_height - rows.stop, stored_height - rows.start)
    return (slice(0, measured.height), along) if is_lying else along


def _stored_bands(path: Path, file: BinaryIO, measured: Measured) -> Banded | None:
    """The bands of a file; None where it must be decoded whole."""
    head = file.read(BMP_HEADER)
    if head[:4] in TIFF_SIGNATURES:
        return _tiff_bands(path, file, measured)
    if head[:8] == png.SIGNATURE:
        return _png_bands(path, file) if png.is_row_by_row(head) else None
    if head[:2] == BMP:
        return _bmp_bands(path, file, head)
    return None


def _png_bands(path: Path, file: BinaryIO) -> Banded:
    """Rows of a PNG, each band before which the last row of the one above is put, unfiltered, as filters look back."""
    file.seek(0)
    for _ in png.pieces(file):  # every checksum first, since Pillow does not try those of pixels
        pass
    file.seek(0)
    layout = png.Layout.of(file.read(png.LAYOUT))
    known = b"".join(png.chunk(kind, body) for kind, body in png.palette_chunks(file))
    before, top = b"", 0
    height = max(1, AT_ONCE // layout.width)
    for rows in _inflated(file, layout, height):
        count = len(rows) // layout.row_bytes
        header = png.chunk(b"IHDR", layout.header(count + bool(before)))
        body = png.chunk(b"IDAT", zlib.compress(before + rows, 0))
        raster = pillow_raster(png.SIGNATURE + header + known + body + png.END, path)
        yield top, _rows_of(raster, slice(bool(before), None))
        before, top = b"\0" + _stored_row(raster, layout), top + count


def _inflated(file: BinaryIO, layout: png.Layout, height: int) -> Iterator[bytes]:
    """The filtered rows of a PNG, `height` at a time. Raises PngError where some are missing."""
    file.seek(0)
    unpacked, rows, left = zlib.decompressobj(), bytearray(), layout.height
    wanted = min(height, left) * layout.row_bytes
    for kind, piece in png.pieces(file):
        if kind != b"IDAT":
            continue
        while left:
            rows += unpacked.decompress(piece, wanted - len(rows))
            piece = unpacked.unconsumed_tail
            if len(rows) < wanted:  # so that all of the piece was taken
                break
            yield bytes(rows)
            rows.clear()
            left -= wanted // layout.row_bytes
            wanted = min(height, left) * layout.row_bytes
    if left:
        raise png.PngError(f"is truncated or damaged (its last {left} rows are missing)")


def _stored_row(raster: Raster, layout: png.Layout) -> bytes:
    """The bytes of the last row of a PNG's picture, not filtered."""
    row = (raster.indices if layout.colour == PALETTE and raster.indices is not None else raster.values)[-1]
    if layout.depth == 16:
        return bytes(row.astype(">u2"))
    if layout.colour in WITH_ALPHA and raster.alpha is not None:
        row = np.concatenate([row.reshape(layout.width, -1), raster.alpha[-1][:, None]], axis=1)
    if layout.depth == 8:
        return bytes(row)
    if layout.colour != PALETTE and row.dtype != np.bool_:
        row = row >> (8 - layout.depth)  # Pillow spreads them over 8 bits
    bits = np.unpackbits(row.astype(np.uint8)[:, None], axis=1)[:, -layout.depth :]
    return np.packbits(bits).tobytes()


def _bmp_bands(path: Path, file: BinaryIO, head: bytes) -> Banded | None:
    if len(head) < BMP_HEADER or struct.unpack_from("<I", head, 14)[0] == CORE_HEADER:
        return None
    offset = struct.unpack_from("<I", head, 10)[0]
    width, signed_height, _, bits, packing = struct.unpack_from("<iiHHI", head, 18)
    if packing not in BMP_UNCOMPRESSED or width <= 0:
        return None
    return _bmp_rows(path, file, offset, (abs(signed_height), signed_height < 0), -(-width * bits // 32) * 4, width)


def _bmp_rows(path: Path, file: BinaryIO, offset: int, stored: tuple[int, bool], row_bytes: int, width: int) -> Banded:
    file.seek(0)
    head, (height, is_downwards) = bytearray(file.read(offset)), stored
    band = max(1, AT_ONCE // width)
    for top in range(0, height, band):
        count = min(band, height - top)
        struct.pack_into("<i", head, 22, -count if is_downwards else count)
        file.seek(offset + (top if is_downwards else height - top - count) * row_bytes)
        yield top, pillow_raster(bytes(head) + file.read(count * row_bytes), path)


def _tiff_bands(path: Path, file: BinaryIO, measured: Measured) -> Banded | None:
    """Bands of strips, or of rows of tiles; an uncompressed strip is parted."""
    with path.open("rb") as same, tiff_page(same, path) as page:
        width, height = page.imagewidth, page.imagelength
        if page.planarconfig != TOGETHER:
            return None
        across = -(-width // page.tilewidth) if page.is_tiled else 1
        rows = page.tilelength if page.is_tiled else min(height, page.rowsperstrip)
        pieces = list(zip(page.dataoffsets, page.databytecounts, strict=True))
        if not page.is_tiled and page.compression == UNCOMPRESSED:
            bits = page.bitspersample if isinstance(page.bitspersample, int) else max(page.bitspersample)
            row_bytes = -(-width * page.samplesperpixel * bits // 8)
            every = [(start, min(rows, height - rows * k)) for k, (start, _) in enumerate(pieces)]
            pieces = [(start + row * row_bytes, row_bytes) for start, count in every for row in range(count)]
            rows = 1
        if rows < 1 or len(pieces) != across * -(-height // rows) or rows * width > LARGE:
            return None
        known = _decoding_tags(page, file)
        if known is None:
            return None
        order = page.parent.byteorder
    offsets = TILES if page.is_tiled else STRIPS
    return _tiff_rows(path, file, measured, known, order, offsets, (width, height, rows, across), pieces)


def _decoding_tags(page: Any, file: BinaryIO) -> list[tuple[int, int, int, bytes]] | None:
    """Number, type, count and bytes of a page's tags that say how pixels are decoded; None where one is too long."""
    found = []
    for number in DECODING_TAGS:
        tag = page.tags.get(number)
        if tag is not None:
            if int(tag.dtype) not in BYTES_OF_TYPE:
                return None
            file.seek(tag.valueoffset)
            found.append((number, int(tag.dtype), tag.count, file.read(BYTES_OF_TYPE[int(tag.dtype)] * tag.count)))
    return found


def _tiff_rows(
    path: Path,
    file: BinaryIO,
    measured: Measured,
    known: list[tuple[int, int, int, bytes]],
    order: str,
    offsets: tuple[int, int],
    layout: tuple[int, int, int, int],
    pieces: list[tuple[int, int]],
) -> Banded:
    """layout: width, height, rows of a strip or tile, and how many of these lie side by side."""
    width, height, rows, across = layout
    at_once = max(1, AT_ONCE // (rows * width)) * across  # strips or tiles
    for number in range(0, len(pieces), at_once):
        content = []
        for start, length in pieces[number : number + at_once]:
            file.seek(start)
            content.append(file.read(length))
        top = number // across * rows
        count = min(height - top, len(content) // across * rows)
        stripped = [] if offsets == TILES else [(ROWS_PER_STRIP, rows)]
        tags = known + [_numbers(tag, [value], order) for tag, value in [(HEIGHT, count), *stripped]]
        yield top, tiff_raster(_tiff_of(tags, order, offsets, content), measured.deep, path)


def _numbers(tag: int, values: list[int], order: str) -> tuple[int, int, int, bytes]:
    return tag, LONG, len(values), struct.pack(f"{order}{len(values)}I", *values)


def _tiff_of(
    tags: list[tuple[int, int, int, bytes]], order: str, offsets: tuple[int, int], content: list[bytes]
) -> bytes:
    """A TIFF of one page with these tags and, at its end, these strips or tiles."""
    lengths = [len(piece) for piece in content]
    directory = 8 + 2 + 12 * (len(tags) + 2) + 4
    sizes = [len(value) + len(value) % 2 for *_, value in tags if len(value) > 4]
    data_at = directory + sum(sizes) + 2 * 4 * len(content)
    starts = [data_at + sum_before for sum_before in np.cumsum([0, *lengths])[:-1].tolist()]
    every = sorted([*tags, _numbers(offsets[0], starts, order), _numbers(offsets[1], lengths, order)])
    entries, values = [], b""
    for tag, kind, count, value in every:
        if len(value) <= 4:
            entries.append(struct.pack(f"{order}HHI", tag, kind, count) + value.ljust(4, b"\0"))
        else:
            entries.append(struct.pack(f"{order}HHII", tag, kind, count, directory + len(values)))
            values += value + b"\0" * (len(value) % 2)
    head = (b"II" if order == "<" else b"MM") + struct.pack(f"{order}HIH", 42, 8, len(every))
    values = values.ljust(data_at - directory, b"\0")  # of a single strip the numbers lie in the entries
    return head + b"".join(entries) + bytes(4) + values + b"".join(content)
