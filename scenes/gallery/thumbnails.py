"""Frames small: a picture of each, and which classes are where on it."""

from __future__ import annotations

import base64
import io
from typing import Any

import numpy as np
from numpy.typing import NDArray

LENGTH = 128  # pixels, longest side
QUALITY = 72  # of WebP, 0 to 100
LONGEST_RUN = 0xFFFF

Size = tuple[int, int]  # height, width


def thumbnail_size(height: int, width: int) -> Size:
    """The size of a picture of this height and width, no side of which is longer than LENGTH."""
    scale = min(1.0, LENGTH / max(height, width))
    return max(1, round(height * scale)), max(1, round(width * scale))


def grey_of(image: NDArray[Any]) -> NDArray[np.float32]:
    """(H, W) brightness, 0 to 1, of a picture (H, W) or (H, W, 3) of 8 or 16 bits."""
    grey = image if image.ndim == 2 else image.mean(axis=2)
    return (grey / np.iinfo(image.dtype).max).astype(np.float32)


def picture(image: NDArray[Any]) -> str:
    """A picture (H, W) or (H, W, 3) of 8 or 16 bits, small, as WebP in base64."""
    from PIL import Image

    pixels = (image >> 8).astype(np.uint8) if image.dtype == np.uint16 else image
    height, width = thumbnail_size(image.shape[0], image.shape[1])
    small = Image.fromarray(pixels).convert("RGB").resize((width, height), Image.Resampling.LANCZOS)
    stream = io.BytesIO()
    small.save(stream, "WEBP", quality=QUALITY, method=4)
    return text(stream.getvalue())


def pooled(bits: NDArray[np.uint16], size: Size) -> NDArray[np.uint16]:
    """A bit mask (H, W) at a smaller size: of each pixel all bits of what it shows, so that no hairline is lost."""
    rows, columns = (np.arange(small) * large // small for small, large in zip(size, bits.shape, strict=True))
    across = np.bitwise_or.reduceat(bits, columns, axis=1)
    return np.asarray(np.bitwise_or.reduceat(across, rows, axis=0))


def runs(bits: NDArray[np.uint16]) -> str:
    """A bit mask row by row as pairs of a value and how often it follows itself, 16 bits each, in base64."""
    flat = bits.ravel()
    starts = np.concatenate([[0], np.flatnonzero(np.diff(flat)) + 1])
    lengths = np.diff(np.append(starts, flat.size))
    times = -(-lengths // LONGEST_RUN)
    lengths = np.repeat(lengths, times)
    last = np.cumsum(times) - 1
    remainder = lengths[last] - (times - 1) * LONGEST_RUN
    lengths[:] = LONGEST_RUN
    lengths[last] = remainder
    pairs = np.stack([np.repeat(flat[starts], times), lengths], axis=1)
    return text(pairs.astype("<u2").tobytes())


def text(content: bytes) -> str:
    """Bytes in base64."""
    return base64.b64encode(content).decode("ascii")
