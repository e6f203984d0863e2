"""One way to read a picture, whatever camera or program wrote it: as 8-bit RGB, or as its file has it."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from procgen.errors import BlemishNote
from scenes.files import content_of
from scenes.pictures.bands import raster_bands
from scenes.pictures.decoding import MOST_PIXELS, Raster, Values, load, measure
from scenes.pictures.errors import PictureError
from scenes.pictures.on_disk import ArrayOnDisk, Rows, is_large

SUFFIXES = (".png", ".jpg", ".jpeg", ".jfif", ".bmp", ".tif", ".tiff", ".webp")
# Folders that macOS, Synology, Windows and Linux put among people's own.
LEFT_BY_SYSTEMS = ("__MACOSX", "@eaDir", "$RECYCLE.BIN", "System Volume Information", "lost+found")
LEAST_SIDE = 16  # pixels of a photograph that is worked on
MOST_PHOTO_PIXELS = 17_000_000  # of one by default, 4096 x 4096: all that is drawn on it is in memory
INTEGER_WHITES: tuple[float, ...] = (255.0, 1023.0, 4095.0, 16383.0, 65535.0)  # of cameras of 8, 10, 12, 14 and 16 bits
SIGNED_WHITES = (127.0, *INTEGER_WHITES[:-1], 32767.0)
FLOAT_WHITES: tuple[float, ...] = (1.0, *INTEGER_WHITES)
FEW_LEVELS = 8  # grey levels of 255, below which a set's brightest picture shows nothing
OVERSHOOT = 0.01  # of white: what a resampled picture of floats may exceed it by

Pixels = NDArray[np.uint8] | NDArray[np.uint16]


@dataclass(frozen=True)
class ReadingOptions:
    """How pictures are read.

    white_level: what white is where a channel has more than 8 bits; None for the most that 16 bits hold. most_pixels:
    a larger picture is refused before it takes any memory. learnt: what white was in the pictures that an inspector was
    trained on, where these had more than 8 bits. of_format: whether it is the format that says what white is, for all
    pictures of it, rather than people or the pictures.
    """

    white_level: float | None = None
    most_pixels: int = MOST_PIXELS
    learnt: float | None = None
    of_format: bool = False


@dataclass(frozen=True, eq=False)
class Photograph:
    """pixels: (H, W) or (H, W, 3), uint8 or uint16, white the most these hold; name and SHA-256 of the file.

    surface: (H, W) where it is not wholly transparent, which is black; None where all of it is surface.
    """

    pixels: Pixels
    name: str
    sha256: str
    surface: NDArray[np.bool_] | None = None


def pictures_in(folder: Path) -> list[Path]:
    """The pictures of a folder by their suffixes, in order of their names; hidden files are none."""
    return [path for path in sorted(folder.iterdir()) if path.suffix.lower() in SUFFIXES and not is_hidden(path)]


def is_hidden(path: Path) -> bool:
    """Whether a file or folder is one that programs leave beside people's own, such as ._a.png."""
    return path.name.startswith(".") or path.name in LEFT_BY_SYSTEMS


def rgb_of(image: NDArray[np.uint8] | NDArray[np.uint16]) -> NDArray[np.uint8]:
    """A picture (H, W) or (H, W, 3) of 8 or 16 bits as RGB (H, W, 3) of 8."""
    pixels = (image >> 8).astype(np.uint8) if image.dtype == np.uint16 else image.astype(np.uint8)
    return np.repeat(pixels[..., None], 3, axis=2) if pixels.ndim == 2 else pixels


def read_rgb(path: Path, options: ReadingOptions = ReadingOptions(), sha256: str = "") -> NDArray[np.uint8]:
    """(H, W, 3) RGB, upright, of 8 bits; grey is repeated, transparent is black.

    sha256: of the file, where it is known. Raises PictureError.
    """
    raster = load(path, options.most_pixels, sha256)
    values: NDArray[np.uint8] = _scaled(raster, path, options.white_level, 255).astype(np.uint8, copy=False)
    if values.ndim == 2:
        values = np.repeat(values[..., None], 3, axis=2)
    seen = _seen(raster, path)
    if seen is None:
        return values
    values = values.copy()
    values[~seen] = 0
    return values


def read_valid_mask(path: Path, options: ReadingOptions = ReadingOptions()) -> NDArray[np.bool_] | None:
    """(H, W) where a picture is not wholly transparent; None where it has no transparency. Raises PictureError."""
    if not measure(path, options.most_pixels).transparent:
        return None
    return _seen(load(path, options.most_pixels), path)


def read_picture(
    path: Path, options: ReadingOptions = ReadingOptions(), sha256: str = "", folder: Path | None = None
) -> tuple[Rows, Rows | None]:
    """What `read_rgb` and `read_valid_mask` read, of large pictures as arrays on disk.

    folder: where these may lie, None: all is in memory. sha256: of the file, where it is known. Raises PictureError,
    and DiskError where there is no room.
    """
    measured = measure(path, options.most_pixels)
    if folder is None or not is_large(measured.shape):
        return read_rgb(path, options, sha256), read_valid_mask(path, options)
    image = ArrayOnDisk((*measured.shape, 3), np.uint8, folder)
    valid_mask = ArrayOnDisk(measured.shape, np.bool_, folder) if measured.transparent else None
    seen_anywhere, transparent = False, False
    for part, raster in raster_bands(path, measured, sha256):
        values = rgb_of(_scaled(raster, path, options.white_level, 255).astype(np.uint8, copy=False))
        if raster.alpha is not None and valid_mask is not None:
            seen = raster.alpha > 0
            values = np.where(seen[..., None], values, np.uint8(0))
            valid_mask[part] = seen
            transparent, seen_anywhere = True, seen_anywhere or bool(seen.any())
        image[part] = values
    if transparent and not seen_anywhere:
        raise _wholly_transparent(path)
    return image, valid_mask if transparent else None


def check_readable(path: Path, options: ReadingOptions = ReadingOptions()) -> None:
    """Raise PictureError where `read_picture` would, in little memory where the file can be decoded band by band."""
    measured = measure(path, options.most_pixels)
    seen = [
        _scaled(raster, path, options.white_level, 255).size > 0 and (raster.alpha is None or bool(raster.alpha.any()))
        for _, raster in raster_bands(path, measured)
    ]
    if not any(seen):
        raise _wholly_transparent(path)


def read_photograph(
    path: Path,
    options: ReadingOptions = ReadingOptions(most_pixels=MOST_PHOTO_PIXELS),
    *,
    cut_out: bool = False,
    sha256: str = "",
) -> Photograph:
    """Read a photograph, upright. Raises PictureError for what is no grey or colour picture without transparency.

    cut_out: whether it may be transparent where there is no surface. sha256: of the file, where it is known.
    """
    if path.is_dir():
        raise PictureError(f"{path}: is a folder; name the photographs in it, as {path}/*.png")
    height, width = measure(path, options.most_pixels).shape
    if min(height, width) < LEAST_SIDE:
        raise PictureError(
            f"{path}: is {width} x {height} pixels; expected {LEAST_SIDE} or more a side: crop a larger picture"
        )
    raster = load(path, options.most_pixels, sha256)
    if raster.values.dtype == np.bool_:
        raise PictureError(f"{path}: is black and white only, a mask perhaps; expected a photograph of 8 or 16 bits")
    if not cut_out and raster.alpha is not None and raster.alpha.min() < 255:
        raise PictureError(f"{path}: is transparent in places; expected a photograph: flatten it and save it again")
    most = 255 if raster.values.dtype == np.uint8 else 65535
    pixels = _scaled(raster, path, options.white_level, most)
    pixels = pixels.astype(np.uint8) if most == 255 else pixels.astype(np.uint16)
    surface = _seen(raster, path)
    if surface is not None and surface.all():
        surface = None
    if surface is not None:
        pixels[~surface] = 0
    return Photograph(pixels, path.name, hashlib.sha256(content_of(path)).hexdigest(), surface)


def with_white_level(paths: Sequence[Path], options: ReadingOptions, what: str) -> ReadingOptions:
    """The options with one white level for a set of pictures, found where it is not given and any has more than 8 bits.

    It is that of the pictures an inspector was trained on, else the least of those that cameras have which no picture
    exceeds. what: of the set, for the note on it. Raises PictureError.
    """
    if options.white_level is not None and options.learnt in (None, options.white_level):
        return options
    deep = [path for path in paths if measure(path, options.most_pixels).deep]
    if not deep:
        return options
    if options.white_level is not None:
        warnings.warn(
            f"{what}: white is {options.white_level:g}, and was {options.learnt:g} in the pictures trained on: what is "
            "equally bright in both is not in what the inspector sees",
            BlemishNote,
            stacklevel=2,
        )
        return options
    tops: dict[Path, float] = {}
    kinds: dict[str, Path] = {}
    for path in deep:
        for _, raster in raster_bands(path, measure(path, options.most_pixels)):
            kinds.setdefault(raster.values.dtype.kind, path)
            tops[path] = float(
                np.maximum(tops.get(path, -np.inf), raster.values.max())
            )  # which keeps what is no number
        if not np.isfinite(tops[path]):
            raise PictureError(f"{path}: holds values that are no numbers; save it again")
    if "f" in kinds and len(kinds) > 1:
        other = next(path for kind, path in kinds.items() if kind != "f")
        raise PictureError(
            f"{what}: {kinds['f'].name} holds floats up to {tops[kinds['f']]:g}, {other.name} whole numbers up to "
            f"{tops[other]:g}; save all alike, or say what white is with --white-level"
        )
    brightest = max(tops, key=lambda path: tops[path])
    highest = tops[brightest]
    if options.learnt is not None:
        _refuse_other_white(brightest, highest, options.learnt)
        told = f"{what}: white is taken to be {options.learnt:g}, as in the pictures trained on"
        warnings.warn(f"{told}; --white-level sets another", BlemishNote, stacklevel=2)
        return replace(options, white_level=options.learnt)
    whites = FLOAT_WHITES if "f" in kinds else SIGNED_WHITES if "u" not in kinds else INTEGER_WHITES
    slack = 1 + OVERSHOOT if whites is FLOAT_WHITES else 1
    white = next((white for white in whites if highest <= white * slack), None)
    if white is None:
        raise PictureError(
            f"{brightest}: holds values up to {highest:g}, beyond 16 bits; say what white is with --white-level"
        )
    alone = f" of {brightest.name}, the others' {sorted(tops.values())[-2]:g}" if _stands_out(tops.values()) else ""
    warnings.warn(
        f"{what}: white is taken to be {white:g}, as the highest value of its {len(deep)} pictures of more than 8 bits "
        f"is {highest:g}{alone}; --white-level sets another",
        BlemishNote,
        stacklevel=2,
    )
    return replace(options, white_level=white)


def _refuse_other_white(brightest: Path, highest: float, learnt: float) -> None:
    """Raise PictureError where pictures cannot have the white of those trained on, as their brightest shows."""
    if highest > learnt * (1 + OVERSHOOT):
        how = "beyond"
    elif highest < learnt * FEW_LEVELS / 255:
        how = f"less than {FEW_LEVELS} grey levels of"
    else:
        return
    raise PictureError(
        f"{brightest}: holds values up to {highest:g}, {how} the {learnt:g} that was white in the pictures trained on; "
        "say what white is here with --white-level"
    )


def _stands_out(tops: Iterable[float]) -> bool:
    """Whether one picture is more than twice as bright as all others, so that it alone decides what white is."""
    *_, second, highest = [0.0, *sorted(tops)]
    return 0 < 2 * second < highest


def longest_side(paths: Iterable[Path], options: ReadingOptions = ReadingOptions()) -> int:
    """Pixels of the longest side of all pictures. Raises PictureError."""
    return max(max(measure(path, options.most_pixels).shape) for path in paths)


def _seen(raster: Raster, path: Path) -> NDArray[np.bool_] | None:
    if raster.alpha is None:
        return None
    seen = raster.alpha > 0
    if not seen.any():
        raise _wholly_transparent(path)
    return seen


def _wholly_transparent(path: Path) -> PictureError:
    return PictureError(f"{path}: is wholly transparent, so that nothing is to be seen; flatten it or leave it out")


def _scaled(raster: Raster, path: Path, white_level: float | None, most: int) -> Values:
    """Values from 0 to `most`, which is white."""
    values: Values = raster.values
    if values.dtype == np.bool_:
        return values.astype(np.uint16) * most
    if values.dtype == np.uint8:
        return values
    white = white_level
    if white is None:
        if values.dtype.kind == "f" or values.max() > 65535:
            raise PictureError(
                f"{path}: holds {values.dtype} values up to {values.max():g}; say what white is with --white-level, or "
                "save it with 8 or 16 bits"
            )
        white = 65535
    if not np.isfinite(values).all() or values.min() < -OVERSHOOT * white:
        raise PictureError(f"{path}: holds values below 0 or none at all; save it with 8 or 16 bits")
    levels = np.clip(values.astype(np.float64), 0, white)
    if raster.inverted:
        levels = white - levels
    scaled: Values = np.floor(levels * (most / white) + 0.5)
    return scaled
