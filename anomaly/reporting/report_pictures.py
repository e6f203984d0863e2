"""Pictures of a report as data URIs: thumbnails, class overlays, truth outlines, heat maps."""

import base64
import io
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from matplotlib import colormaps
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from skimage.segmentation import find_boundaries

from scenes.pictures.on_disk import ByRows, Rows
from scenes.pictures.regions import bands

Size = tuple[int, int]  # width, height in pixels

HEAT = "inferno"  # brightness grows along it, so that it also reads in grey
HEAT_STOPS = tuple("rgb({} {} {})".format(*colour[:3]) for colour in colormaps[HEAT](np.linspace(0, 1, 9), bytes=True))
TRUTH_OUTLINE = (0, 255, 220)
PREDICTED_OUTLINE = (255, 255, 255)
FILL_OPACITY, EDGE_OPACITY = 70, 255
OVERLAY_LENGTH, OVERLAY_GAP = 1024, 6  # pixels: longest side of the picture in an overlay, and between its two halves
DIMMED = 0.35  # of the light of what nobody looks at
HEAT_FROM, HEAT_ABOVE = 0.5, 1.5  # times the threshold: where the heat map of an overlay is black, and palest


def fitted(width: int, height: int, longest: int) -> Size:
    """The size scaled down so that no side is longer than `longest`."""
    scale = min(1.0, longest / max(width, height))
    return max(1, round(width * scale)), max(1, round(height * scale))


def shrunk(image: Rows, size: Size) -> NDArray[np.uint8]:
    """(H, W, 3) scaled to `size`."""
    return shrunk_by_bands(lambda rows: image[rows], image.shape, size)


def shrunk_mask(mask: ByRows, size: Size) -> NDArray[np.bool_]:
    """(H, W) scaled to `size`; a pixel is set when any of what it shows is not 0: a hairline crack stays visible."""
    box = Image.Resampling.BOX
    any_set: NDArray[np.bool_] = shrunk_by_bands(lambda rows: mask[rows].astype(np.float32), mask.shape, size, box) > 0
    return any_set


def shrunk_by_bands(
    band_of: Callable[[slice], NDArray[Any]],
    shape: tuple[int, ...],
    size: Size,
    resampling: Image.Resampling = Image.Resampling.LANCZOS,
) -> NDArray[Any]:
    """A picture of that shape (H, W, …), of which `band_of` gives rows, scaled to `size` as Pillow scales the whole.

    Pillow scales across first, row by row, so that a picture need not be in memory.
    """
    narrow = [
        np.asarray(Image.fromarray(band_of(rows)).resize((size[0], rows.stop - rows.start), resampling))
        for rows in bands(shape)
    ]
    return np.asarray(Image.fromarray(np.concatenate(narrow)).resize(size, resampling))


def jpeg(image: NDArray[np.uint8], quality: int = 82) -> str:
    """(H, W, 3) as a data URI."""
    return _uri(Image.fromarray(image), "jpeg", quality=quality, optimize=True, subsampling=0)


def overlay(mask: NDArray[np.bool_], colour: str) -> str:
    """A transparent PNG of mask (H, W): its inside tinted, a line around it in full colour (#rrggbb)."""
    picture = Image.fromarray(np.where(find_boundaries(mask, mode="outer"), np.uint8(2), mask.astype(np.uint8)))
    rgb = list(bytes.fromhex(colour.removeprefix("#")))
    picture.putpalette([0, 0, 0] + 2 * rgb)
    return _uri(picture, "png", transparency=bytes([0, FILL_OPACITY, EDGE_OPACITY]), optimize=True)


def outlined(image: NDArray[np.uint8], mask: NDArray[np.bool_], colour: tuple[int, int, int]) -> NDArray[np.uint8]:
    """image (H, W, 3) with a line two pixels wide around mask (H, W), just outside it."""
    result = image.copy()
    nearest = find_boundaries(mask, mode="outer")
    result[nearest | find_boundaries(mask | nearest, mode="outer")] = colour
    return result


def heat(values: NDArray[np.floating[Any]], low: float, high: float) -> NDArray[np.uint8]:
    """(H, W, 3) colours of (H, W) values, black at `low` and below, pale yellow at `high` and above."""
    shares = np.clip((values - low) / ((high - low) or 1.0), 0, 1)
    colours: NDArray[np.uint8] = colormaps[HEAT](shares, bytes=True)[..., :3]
    return colours


def overlaid(
    image: Rows,
    anomaly_map: Rows,
    threshold: float,
    mask: Rows,
    boxes: Sequence[tuple[int, int, int, int]],
    looked_at: Rows | None = None,
) -> NDArray[np.uint8]:
    """image (H, W, 3) beside its heat map (H, W), each with mask (H, W) outlined and boxes around its places.

    boxes: left, top, width, height in pixels. looked_at: (H, W), 0 where the image is dimmed. Reduced so that no
    side of the image is longer than `OVERLAY_LENGTH`. The heat map is black from `HEAT_FROM` times the threshold down
    and palest from `HEAT_ABOVE` times it up, so that pictures of one inspector compare.
    """
    size = fitted(image.shape[1], image.shape[0], OVERLAY_LENGTH)
    scale = size[0] / image.shape[1]
    small, places = shrunk(image, size), shrunk_mask(mask, size)
    if looked_at is not None:
        seen = shrunk_mask(looked_at, size)[..., None]
        small = np.where(seen, small, (DIMMED * small).astype(np.uint8))
    warm = shrunk_by_bands(
        lambda rows: heat(anomaly_map[rows], HEAT_FROM * threshold, HEAT_ABOVE * threshold), anomaly_map.shape, size
    )
    halves = (outlined(small, places, TRUTH_OUTLINE), outlined(warm, places, PREDICTED_OUTLINE))
    gap = np.full((size[1], OVERLAY_GAP, 3), 255, np.uint8)
    both = Image.fromarray(np.concatenate([halves[0], gap, halves[1]], axis=1))
    draw = ImageDraw.Draw(both)
    for left, top, width, height in boxes:
        corners = [scale * left - 4, scale * top - 4, scale * (left + width) + 3, scale * (top + height) + 3]
        limits = (0, 0, size[0] - 1, size[1] - 1)
        corners = [
            max(corners[0], limits[0]),
            max(corners[1], 0),
            min(corners[2], limits[2]),
            min(corners[3], limits[3]),
        ]
        draw.rectangle(corners, outline=TRUTH_OUTLINE)
    return np.asarray(both)


def _uri(picture: Image.Image, format: str, **options: object) -> str:
    buffer = io.BytesIO()
    picture.save(buffer, format, **options)
    return f"data:image/{format};base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"
