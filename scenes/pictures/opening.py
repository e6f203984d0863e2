"""Opening pictures and masks of any kind that people have, as 8-bit RGB and as integer values."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from procgen.errors import BlemishError

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp")


class PictureError(BlemishError):
    """A picture or mask that cannot be read; names the file and what to do."""


def pictures_in(folder: Path) -> list[Path]:
    """The pictures of a folder by their suffixes, in order of their names."""
    return [path for path in sorted(folder.iterdir()) if path.suffix.lower() in SUFFIXES]


def size_of(path: Path) -> tuple[int, int]:
    """(height, width) of a picture, without decoding it. Raises PictureError."""
    with opened(path) as image:
        return image.height, image.width


def read_rgb(path: Path) -> NDArray[np.uint8]:
    """(H, W, 3) RGB; grey is repeated, 16 bits are scaled to 8, transparent is black. Raises PictureError."""
    return _read(path)[0]


def read_valid_mask(path: Path) -> NDArray[np.bool_] | None:
    """(H, W) where a picture is not wholly transparent; None where it has no transparency. Raises PictureError."""
    with opened(path) as image:
        if not image.has_transparency_data:
            return None
    return _read(path)[1]


def read_mask(path: Path) -> NDArray[np.int32]:
    """(H, W) values of a mask; of colours the highest channel. Raises PictureError."""
    image = _decoded(path)
    values = np.asarray(image.convert("L") if image.mode == "P" else image)
    if values.ndim == 3:
        values = values[..., :3].max(axis=2) if values.shape[2] >= 3 else values[..., 0]
    return values.astype(np.int32)


def opened(path: Path) -> Image.Image:
    """A picture file of which the header is read. Raises PictureError."""
    try:
        return Image.open(path)
    except FileNotFoundError:
        raise PictureError(f"{path}: is missing; restore it") from None
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise PictureError(f"{path}: is no picture that can be read ({_brief(error)}); replace or remove it") from error


def _decoded(path: Path) -> Image.Image:
    image = opened(path)
    try:
        image.load()
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        raise PictureError(f"{path}: is truncated or damaged ({_brief(error)}); replace or remove it") from error
    return image


def _brief(error: BaseException) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__


def _read(path: Path) -> tuple[NDArray[np.uint8], NDArray[np.bool_] | None]:
    image = _decoded(path)
    if image.mode == "F" or image.mode.startswith("I"):
        levels = np.asarray(image)
        if image.mode == "F" or levels.min() < 0 or levels.max() > 65535:
            raise PictureError(f"{path}: holds values beyond 16 bits (mode {image.mode}); save it with 8 or 16 bits")
        grey = ((levels.astype(np.uint32) * 255 + 32767) // 65535).astype(np.uint8)
        return np.repeat(grey[..., None], 3, axis=2), None
    if not image.has_transparency_data:
        return np.array(image.convert("RGB")), None
    values = np.array(image.convert("RGBA"))
    seen = values[..., 3] > 0
    values[~seen] = 0
    return values[..., :3].copy(), seen
