"""Files of pictures as arrays: measured before they are decoded, checksums tried, upright as a viewer shows them."""

from __future__ import annotations

import hashlib
import logging
import shlex
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from scenes.files import content_of, opened
from scenes.memory import give_back
from scenes.pictures import png
from scenes.pictures.errors import PictureError

MOST_PIXELS = 100_000_000  # of a picture by default; --most-pixels raises it
TIFF_SIGNATURES = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
ORIENTATION = 0x0112  # EXIF 2.32, 4.6.4
MOST_PAGES = 16  # of a TIFF that are looked at: one, and the thumbnails of a pyramid
REDUCED = 1  # bit of TIFF's NewSubfileType: a thumbnail of another page
MIN_IS_WHITE = 0  # TIFF's PhotometricInterpretation
SIGNED, FLOAT = 2, 3  # TIFF's SampleFormat
ASSOCIATED, UNASSOCIATED = 1, 2  # TIFF's ExtraSamples that are alpha
DEEP_MODES = ("I", "F")  # first letters of Pillow's modes of more than 8 bits
BAND = 256  # rows that Pillow hands over at once

Values = NDArray[Any]  # bool, uint8, uint16, int32 or float32


@dataclass(frozen=True)
class Measured:
    """What a file says of its picture before it is decoded.

    height, width: as a viewer shows it. orientation: EXIF's, 1 to 8. deep: whether it has more than 8 bits a channel.
    transparent: whether it may be so in places.
    """

    height: int
    width: int
    orientation: int
    deep: bool
    transparent: bool

    @property
    def shape(self) -> tuple[int, int]:
        return self.height, self.width


@dataclass(frozen=True, eq=False)
class Raster:
    """A picture as its file has it, upright.

    values: (H, W) or (H, W, 3), bool, uint8, uint16, int32 or float32. alpha: (H, W) uint8, None where the file has
    none. indices: (H, W) uint8 of a picture with a palette. inverted: whether 0 is white. mode: of the file, in words
    for people.
    """

    values: Values
    alpha: NDArray[np.uint8] | None = None
    indices: NDArray[np.uint8] | None = None
    inverted: bool = False
    mode: str = ""


def measure(path: Path, most_pixels: int = MOST_PIXELS) -> Measured:
    """The size of a picture from the first bytes of its file. Raises PictureError, also where it is larger."""
    with explained(path):
        _require_text(path)
        if not path.is_file():
            raise PictureError(f"{path}: {'is no file' if path.exists() else 'is missing'}; restore it")
        with path.open("rb") as file:
            head = file.read(64)
        if not head:
            raise PictureError(f"{path}: is empty; replace or remove it")
        measured = _measured_tiff(path) if head[:4] in TIFF_SIGNATURES else _measured(path, head)
    if measured.height * measured.width > most_pixels:
        raise PictureError(
            f"{path}: is {measured.width} x {measured.height} pixels, more than {most_pixels / 1e6:g} million; crop or "
            "scale it, or raise --most-pixels"
        )
    return measured


def _require_text(path: Path) -> None:
    """Raise PictureError for a path that cannot be written down, as results, records and pages do."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        shown = str(path).encode(errors="backslashreplace").decode()
        raise PictureError(f"{shown}: has a name that is no UTF-8, as of another system; rename it") from None


def _or_mend(path: Path) -> str:
    """What else helps a picture in the folders of a dataset: what Blemish wrote it can make anew."""
    dataset = path.absolute().parent.parent
    written = (dataset / "dataset.json").is_file()
    return f", or mend its dataset with: blemish verify --repair {shlex.quote(str(dataset))}" if written else ""


def refuse_other(path: Path, sha256: str) -> None:
    """Raise PictureError where a file has another digest; "": where it is not known what it has to be."""
    if not sha256:
        return
    with opened(path) as file:
        if hashlib.file_digest(file, "sha256").hexdigest() != sha256:
            raise PictureError(
                f"{path}: was changed or damaged since it was written, as its digest says; restore it{_or_mend(path)}"
            )


def load(path: Path, most_pixels: int = MOST_PIXELS, sha256: str = "") -> Raster:
    """The picture of a file. Raises PictureError for what is none, damaged, larger, or several pictures.

    sha256: of the file, hexadecimal, where it is known.
    """
    measured = measure(path, most_pixels)
    with explained(path):
        refuse_other(path, sha256)
        content = content_of(path)
        if content[:4] in TIFF_SIGNATURES:
            raster = tiff_raster(content, measured.deep, path)
            return turned_raster(raster, measured.orientation) if measured.deep else raster
        if png.deep_colour(content):
            return turned_raster(_with_alpha(png.decode_deep_colour(content), "RGB of 16 bits"), measured.orientation)
        if content[:8] == png.SIGNATURE:
            png.check(content)
        raster = turned_raster(pillow_raster(content, path), measured.orientation)
        give_back(measured.height * measured.width)
        return raster


def turned(array: Values, orientation: int) -> Values:
    """An array whose rows lie as EXIF's orientation says, as a viewer shows it."""
    match orientation:
        case 2:
            return array[:, ::-1]
        case 3:
            return array[::-1, ::-1]
        case 4:
            return array[::-1]
        case 5:
            return array.swapaxes(0, 1)
        case 6:
            return np.rot90(array, -1)
        case 7:
            return array[::-1, ::-1].swapaxes(0, 1)
        case 8:
            return np.rot90(array)
        case _:
            return array


def turned_raster(raster: Raster, orientation: int) -> Raster:
    """A raster whose rows lie as EXIF's orientation says, as a viewer shows it."""
    arrays = (
        None if array is None else np.ascontiguousarray(turned(array, orientation))
        for array in (raster.values, raster.alpha, raster.indices)
    )
    values, alpha, indices = arrays
    assert values is not None
    return Raster(values, alpha, indices, raster.inverted, raster.mode)


def _measured(path: Path, head: bytes) -> Measured:
    with _unlimited(), Image.open(path) as picture:
        if getattr(picture, "n_frames", 1) > 1 and picture.format != "MPO":  # a telephone's, with a second view
            raise PictureError(f"{path}: holds {picture.n_frames} pictures; save the one that is meant by itself")
        exif = Image.Exif()
        if "exif" in picture.info:  # asked for in any other way, Pillow decodes a whole PNG
            exif.load(picture.info["exif"])
        orientation = _orientation(exif.get(ORIENTATION))
        width, height = picture.size
        deep_colour = png.deep_colour(head)
        deep = picture.mode[:1] in DEEP_MODES or deep_colour
        transparent = picture.has_transparency_data or deep_colour
    return _upright(height, width, orientation, deep, transparent)


def _measured_tiff(path: Path) -> Measured:
    with path.open("rb") as file, tiff_page(file, path) as page:
        bits, kind = page.bitspersample, page.sampleformat
        bits = max(bits) if isinstance(bits, tuple) else bits
        kind = max(kind) if isinstance(kind, tuple) else kind
        if not all(isinstance(side, int) and side > 0 for side in (page.imagelength, page.imagewidth)):
            raise ValueError("its sides are no numbers")
        tag = page.tags.get(ORIENTATION)
        orientation = _orientation(tag.value if tag else 1)
        deep = bits > 8 or kind in (SIGNED, FLOAT)
        return _upright(page.imagelength, page.imagewidth, orientation, deep, bool(page.extrasamples))


def _upright(height: int, width: int, orientation: int, deep: bool, transparent: bool) -> Measured:
    if orientation >= 5:
        height, width = width, height
    return Measured(height, width, orientation, deep, transparent)


def _orientation(value: object) -> int:
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def pillow_raster(content: bytes, path: Path) -> Raster:
    """The picture of a file's content as Pillow has it."""
    with _unlimited(), Image.open(BytesIO(content)) as picture:
        picture.load()
        mode = picture.mode
        if mode == "1":
            return Raster(_array(picture), mode="black and white only")
        if mode == "F" or mode.startswith("I"):
            values = _array(picture)
            if mode.startswith("I;16") or picture.format == "PNG":  # how older Pillow reads grey PNG of 16 bits
                values = values.astype(np.uint16)
            return Raster(values, mode=f"pixel format {mode}")
        indices = _array(picture) if mode == "P" else None
        if picture.has_transparency_data:
            picture = picture.convert("LA" if mode in ("L", "LA", "La") else "RGBA")
        elif mode not in ("L", "RGB"):
            picture = picture.convert("RGB")
        raster = _with_alpha(_array(picture), f"pixel format {mode}")
        return Raster(raster.values, raster.alpha, indices, mode=raster.mode)


def _array(picture: Image.Image) -> Values:
    """What `np.array` makes of a picture, band by band: in one piece Pillow would copy it three times over."""
    width, height = picture.size
    bands = (picture.crop((0, top, width, min(height, top + BAND))) for top in range(0, height, BAND))
    first = np.array(next(bands))
    values = np.empty((height, *first.shape[1:]), first.dtype)
    values[:BAND] = first
    for number, band in enumerate(bands, start=1):
        values[number * BAND : (number + 1) * BAND] = np.asarray(band)
    return values


def tiff_raster(content: bytes, is_deep: bool, path: Path) -> Raster:
    """Deep pictures by tifffile, which Pillow refuses or reduces to 8 bits; the others by Pillow, which turns them."""
    if not is_deep:
        try:
            return pillow_raster(content, path)
        except UnidentifiedImageError:
            raise PictureError(
                f"{path}: is a TIFF of channels or a compression that are not read; expected grey or RGB, with alpha "
                "or without: convert it"
            ) from None
    with tiff_page(BytesIO(content), path) as page:
        try:
            values = page.asarray()
        except Exception as error:  # of whatever kind damage raises, or a compression that needs another package
            raise PictureError(
                f"{path}: is no picture that can be read ({_brief(error)}); save it without compression"
            ) from None
        if page.planarconfig == 2 and values.ndim == 3:
            values = np.moveaxis(values, 0, 2)
        extra = page.extrasamples
        channels = values.shape[2] if values.ndim == 3 else 1
        colours = channels - len(extra)
        if (
            values.ndim not in (2, 3)
            or colours not in (1, 3)
            or any(e not in (ASSOCIATED, UNASSOCIATED) for e in extra)
        ):
            raise PictureError(
                f"{path}: has {channels} channels; expected grey or RGB, with alpha or without: convert it"
            )
        raster = _with_alpha(values, f"TIFF of {values.dtype}")
        inverted = page.photometric == MIN_IS_WHITE
        return Raster(raster.values, raster.alpha, None, inverted, raster.mode)


@contextmanager
def tiff_page(file: Any, path: Path) -> Iterator[Any]:
    """The one page of a TIFF that is no thumbnail of another."""
    import tifffile

    tifffile.logger().setLevel(logging.CRITICAL)  # what it says on standard error is raised here
    try:
        tiff = tifffile.TiffFile(file)
        every = [page.aspage() for page in islice(tiff.pages, MOST_PAGES)]  # damaged ones may follow without end
        pages = [page for page in every if not page.subfiletype & REDUCED] or every
        if len(pages) > 1:
            raise PictureError(f"{path}: holds {len(pages)} pictures; save the one that is meant by itself")
        yield pages[0]
    except PictureError:
        raise
    except Exception as error:  # of whatever kind a damaged file raises
        reason = f"is no picture that can be read ({_brief(error)}); replace or remove it"
        raise PictureError(f"{path}: {reason}") from None


def _with_alpha(values: Values, mode: str) -> Raster:
    """Parted into colours and alpha, the latter of 8 bits."""
    if values.ndim == 2 or values.shape[2] == 3:
        return Raster(values, mode=mode)
    colours, alpha = values[..., :-1], values[..., -1]
    if alpha.dtype == np.uint16:
        alpha = (alpha >> 8).astype(np.uint8)
    elif alpha.dtype != np.uint8:
        alpha = np.where(alpha > 0, 255, 0).astype(np.uint8)
    return Raster(colours[..., 0] if colours.shape[2] == 1 else colours, alpha, mode=mode)


@contextmanager
def _unlimited() -> Iterator[None]:
    """Without Pillow's own limit, which no option moves: pictures are measured here."""
    limit = Image.MAX_IMAGE_PIXELS
    Image.MAX_IMAGE_PIXELS = None
    try:
        yield
    finally:
        Image.MAX_IMAGE_PIXELS = limit


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn what keeps a file from being read into PictureError."""
    try:
        yield
    except UnidentifiedImageError:
        raise PictureError(
            f"{path}: is no picture that can be read (no picture format that is known); replace or remove it"
        ) from None
    except png.PngError as error:
        raise PictureError(f"{path}: {error}; replace or remove it") from None
    except (OSError, SyntaxError, ValueError, EOFError, struct.error, zlib.error) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise PictureError(f"{path}: cannot be read ({error.strerror}); make it readable") from None
        raise PictureError(f"{path}: is truncated or damaged ({_brief(error)}); replace or remove it") from None


def _brief(error: BaseException) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
