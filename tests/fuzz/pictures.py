"""Pictures of every format that is read."""

import zlib
from functools import partial
from pathlib import Path

import numpy as np

from tests.fuzz.target import BINARY_TOKENS, Target

PNG_TOKENS = (*BINARY_TOKENS, b"IHDR", b"IDAT", b"IEND", b"PLTE", b"tRNS", b"iCCP", b"zTXt", b"eXIf", b"\0\0\x10\0")

MOST_PIXELS = 1 << 22  # as an option would say: by default a few bytes may ask for a picture of a gigabyte


def pngs(folder: Path) -> list[bytes]:
    from scenes.pictures.png import encode

    rng = np.random.default_rng(0)
    shapes: list[tuple[int, ...]] = [(9, 7), (9, 7, 3)]
    return [encode(rng.integers(0, 255, shape).astype(kind)) for shape in shapes for kind in (np.uint8, np.uint16)]


def with_checksums(content: bytes) -> bytes:
    """A PNG whose chunks have the checksums that they ought to have, as far as their lengths lead."""
    mended, place = bytearray(content), 8
    while place + 12 <= len(mended):
        end = place + 8 + int.from_bytes(mended[place : place + 4], "big")
        mended[end : end + 4] = zlib.crc32(mended[place + 4 : end]).to_bytes(4, "big")
        place = end + 4
    return bytes(mended)


def pictures(folder: Path) -> list[bytes]:
    """Of other formats than PNG, colour and grey, one with an orientation, one of 16 bits."""
    from io import BytesIO

    from PIL import Image

    rng = np.random.default_rng(0)
    colour = Image.fromarray(rng.integers(0, 255, (18, 17, 3), dtype=np.uint8))
    deep = Image.fromarray(rng.integers(0, 65535, (18, 17), dtype=np.uint16))
    exif = Image.Exif()
    exif[0x0112] = 6
    contents = []
    for picture, options in (
        (colour, {"format": "JPEG", "exif": exif}),
        (colour, {"format": "TIFF"}),
        (deep, {"format": "TIFF"}),
        (colour.convert("L"), {"format": "TIFF", "compression": "tiff_lzw"}),
        (colour.convert("P"), {"format": "BMP"}),
        (colour.convert("RGBA"), {"format": "WEBP"}),
    ):
        file = BytesIO()
        picture.save(file, **options)
        contents.append(file.getvalue())
    return contents


def read_picture(path: Path) -> object:
    from procgen.errors import BlemishError
    from scenes.pictures import png
    from scenes.pictures.bands import raster_bands
    from scenes.pictures.decoding import measure
    from scenes.pictures.masks import read_mask
    from scenes.pictures.reading import ReadingOptions, read_photograph, read_rgb, read_valid_mask

    results: list[object] = []
    refusals: list[Exception] = []
    options = ReadingOptions(most_pixels=MOST_PIXELS)
    readers = (
        lambda path: png.decode(path.read_bytes(), MOST_PIXELS),
        lambda path: read_mask(path, path, MOST_PIXELS),
        lambda path: list(raster_bands(path, measure(path, MOST_PIXELS))),
        *(partial(reader, options=options) for reader in (read_rgb, read_valid_mask, read_photograph)),
    )
    for reader in readers:
        try:
            results.append(reader(path))
        except (BlemishError, png.PngError) as error:  # a PngError becomes one where a picture's place is known
            refusals.append(error)
    if not results:
        raise BlemishError(str(refusals[-1]))
    return results


def exrs(folder: Path) -> list[bytes]:
    """One of a colour pass as Blender writes it, its lines as they are, and one of a dataset's, compressed."""
    import struct

    from scenes.pictures.exr import encode

    width, height = 5, 4
    names = (b"B", b"G", b"R")
    channels = b"".join(name + b"\0" + struct.pack("<iiii", 2, 0, 1, 1) for name in names) + b"\0"
    attributes = b"".join(
        name + b"\0" + kind + b"\0" + struct.pack("<i", len(value)) + value
        for name, kind, value in (
            (b"channels", b"chlist", channels),
            (b"compression", b"compression", b"\0"),
            (b"dataWindow", b"box2i", struct.pack("<4i", 0, 0, width - 1, height - 1)),
        )
    )
    start = struct.pack("<ii", 20000630, 2) + attributes + b"\0"
    values = np.random.default_rng(0).random((len(names), width)).astype("<f4").tobytes()
    lines = [struct.pack("<ii", y, len(values)) + values for y in range(height)]
    places = [len(start) + 8 * height + y * len(lines[0]) for y in range(height)]
    plain = start + struct.pack(f"<{height}Q", *places) + b"".join(lines)
    return [plain, encode({"Z": np.linspace(0, 1, 20 * 30, dtype=np.float32).reshape(20, 30)})]


def read_exr(path: Path) -> object:
    from procgen.errors import BlemishError
    from scenes.pictures.exr import ExrError, decode

    try:
        return decode(path.read_bytes(), MOST_PIXELS)
    except ExrError as error:  # which becomes one where a picture's place is known
        raise BlemishError(str(error)) from None


def looks(folder: Path) -> list[bytes]:
    from scenes.pictures.png import encode

    levels = np.zeros((9, 7), np.uint8)
    levels[2:5, 1:4], levels[6:] = 255, 128
    return [encode(levels), encode(np.repeat(levels[..., None], 3, axis=2)), encode(levels.astype(np.uint16))]


def read_look(path: Path) -> object:
    from anomaly.inspection.regions import read_regions
    from scenes.pictures.reading import ReadingOptions

    regions = read_regions(path, ReadingOptions(most_pixels=MOST_PIXELS))
    return regions.with_thresholds(dict.fromkeys(regions.numbers, 1.0)).scaled(regions.levels.astype(np.float32), 2.0)


TARGETS = (
    Target("look", "look.png", looks, read_look, PNG_TOKENS, mend=with_checksums),
    Target("png", "picture.png", pngs, read_picture, PNG_TOKENS, mend=with_checksums),
    Target("picture", "picture.tif", pictures, read_picture, BINARY_TOKENS),
    Target("exr", "picture.exr", exrs, read_exr, BINARY_TOKENS, instrumented=("scenes.pictures.exr",)),
)
