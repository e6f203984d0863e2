"""Photographs read as their files have them, whatever program wrote them."""

from __future__ import annotations

import hashlib
import struct
import zlib
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from procgen.errors import BlemishError
from scenes.pictures import png

LEAST_SIDE, MOST_PIXELS = 16, 1 << 24
TIFF_SIGNATURES = (b"II*\0", b"MM\0*")

Pixels = NDArray[np.uint8] | NDArray[np.uint16]


class PhotoError(BlemishError):
    """A photograph that cannot be worked on; names the file and what to do."""


@dataclass(frozen=True, eq=False)
class Photograph:
    """pixels: (H, W) or (H, W, 3), uint8 or uint16, as the file has them; name and SHA-256 of the file."""

    pixels: Pixels
    name: str
    sha256: str


def read_photograph(path: Path) -> Photograph:
    """Read a photograph, turned as its camera noted. Raises PhotoError for what is no grey or colour picture."""
    try:
        content = path.read_bytes()
    except IsADirectoryError:
        raise PhotoError(f"{path}: is a folder; name the photographs in it, as {path}/*.png") from None
    except OSError as error:
        raise PhotoError(
            f"{path}: cannot be read ({error.strerror}); check its name and whether you may read it"
        ) from None
    pixels = _decoded(path, content)
    height, width = pixels.shape[:2]
    if min(height, width) < LEAST_SIDE or height * width > MOST_PIXELS:
        raise PhotoError(
            f"{path}: is {width} x {height} pixels; expected {LEAST_SIDE} or more a side and at most "
            f"{MOST_PIXELS >> 20} million in all: crop it or scale it"
        )
    return Photograph(pixels, path.name, hashlib.sha256(content).hexdigest())


def _decoded(path: Path, content: bytes) -> Pixels:
    from PIL import Image, ImageOps, UnidentifiedImageError

    if content[:8] == png.SIGNATURE and content[24:26] == bytes([16, png.RGB]):
        try:
            return png.read(path)
        except png.PngError as error:
            raise PhotoError(f"{path}: {error}; save it as a TIFF without compression, or with 8 bits") from None
    if content[:4] in TIFF_SIGNATURES and (deep := _deep_tiff(content)) is not None:
        return deep  # which Pillow silently reduces to 8 bits
    try:
        with Image.open(BytesIO(content)) as opened:
            if getattr(opened, "n_frames", 1) > 1:
                raise PhotoError(f"{path}: holds {opened.n_frames} pictures; save the one that is meant by itself")
            picture = ImageOps.exif_transpose(opened)
            picture.load()
    except Image.DecompressionBombError:
        raise PhotoError(f"{path}: is larger than {MOST_PIXELS >> 20} million pixels; crop it or scale it") from None
    except (OSError, SyntaxError, ValueError, EOFError, struct.error, zlib.error) as error:
        said = str(error).splitlines()[0] if str(error) else type(error).__name__
        if isinstance(error, UnidentifiedImageError):
            said = "no picture format that is known"
        raise PhotoError(f"{path}: is no photograph that can be read ({said}); export it as PNG or JPEG") from None
    if picture.mode in ("P", "PA"):
        picture = picture.convert("RGBA" if "transparency" in picture.info or picture.mode == "PA" else "RGB")
    if picture.mode in ("RGBA", "LA"):
        if picture.getchannel("A").getextrema()[0] < 255:
            raise PhotoError(f"{path}: is transparent in places; expected a photograph: flatten it and save it again")
        picture = picture.convert(picture.mode[:-1])
    if picture.mode == "1":
        raise PhotoError(f"{path}: is black and white only, a mask perhaps; expected a photograph of 8 or 16 bits")
    if picture.mode in ("L", "RGB"):
        return np.array(picture)
    if picture.mode.startswith("I;16"):
        return np.array(picture).astype(np.uint16)
    if picture.mode == "I" and content[:8] == png.SIGNATURE:  # how older Pillow reads grey PNG of 16 bits
        return np.array(picture).astype(np.uint16)
    raise PhotoError(f"{path}: has the pixel format {picture.mode}; expected grey or RGB of 8 or 16 bits: convert it")


def _deep_tiff(content: bytes) -> Pixels | None:
    """The pixels of a TIFF of 16-bit colour; None where it is something else."""
    import tifffile

    try:
        pixels = tifffile.imread(BytesIO(content))
    except Exception:  # of whatever kind a damaged file raises
        return None
    return pixels if pixels.dtype == np.uint16 and pixels.ndim == 3 and pixels.shape[2] == 3 else None
