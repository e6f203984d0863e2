"""The difference of two pictures as pictures: pixels in "jet", edges in "hot" ([Jo 2025], structural fidelity)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation, gaussian_filter, sobel

Picture = NDArray[np.floating[Any]]

FULL_PIXEL_CHANGE = 0.25  # of full scale: drawn in the last colour
FULL_EDGE_CHANGE = 0.5  # of the strongest edge that there can be
SOBEL_GAIN = 4.0  # of the kernel 1 2 1 across a step
MARK = (255, 40, 40)  # the outline of where the change should be
CELL_GAP, MARGIN, TITLE = 6, 10, 22  # pixels of a sheet


def luminance(picture: Picture) -> NDArray[np.float64]:
    """(H, W) of a picture (H, W) or (H, W, 3) in [0, 1]: the mean of its channels."""
    array = np.asarray(picture, np.float64)
    return array if array.ndim == 2 else array.mean(axis=2)


def edges(picture: Picture, sigma: float = 0.0) -> NDArray[np.float64]:
    """(H, W) steepness of the luminance, 0..1 where 1 is a step from black to white; smoothed by sigma pixels first."""
    grey = luminance(picture)
    grey = gaussian_filter(grey, sigma) if sigma else grey
    magnitude: NDArray[np.float64] = np.hypot(sobel(grey, axis=0), sobel(grey, axis=1)) / SOBEL_GAIN
    return magnitude


def pixel_difference(before: Picture, after: Picture) -> NDArray[np.float64]:
    """(H, W) of |after − before|, the mean over the channels."""
    return luminance(np.abs(np.asarray(after, np.float64) - before))


def edge_difference(before: Picture, after: Picture) -> NDArray[np.float64]:
    """(H, W) of how much the edges differ."""
    difference: NDArray[np.float64] = np.abs(edges(after) - edges(before))
    return difference


def coloured(values: NDArray[np.floating[Any]], colours: str, full: float) -> NDArray[np.uint8]:
    """(H, W, 3) of (H, W) values from 0 to `full` in one of matplotlib's colour maps."""
    from matplotlib import colormaps

    return (colormaps[colours](np.clip(values / full, 0.0, 1.0))[..., :3] * 255.0).round().astype(np.uint8)


def pixel_difference_picture(before: Picture, after: Picture, mask: NDArray[np.bool_] | None = None) -> NDArray[Any]:
    """(H, W, 3) uint8; the outline of mask (H, W) shows where the change should be."""
    return outlined(coloured(pixel_difference(before, after), "jet", FULL_PIXEL_CHANGE), mask)


def edge_difference_picture(before: Picture, after: Picture, mask: NDArray[np.bool_] | None = None) -> NDArray[Any]:
    """(H, W, 3) uint8; black where every edge is as it was."""
    return outlined(coloured(edge_difference(before, after), "hot", FULL_EDGE_CHANGE), mask)


def outlined(picture: NDArray[np.uint8], mask: NDArray[np.bool_] | None) -> NDArray[np.uint8]:
    """A line just outside mask (H, W) on a picture (H, W, 3)."""
    if mask is None:
        return picture
    result = picture.copy()
    result[binary_dilation(mask, iterations=2) & ~binary_dilation(mask)] = MARK
    return result


@dataclass(frozen=True, eq=False)
class Comparison:
    """One line of a sheet: a title, the two pictures in [0, 1] and mask (H, W), of one shape."""

    title: str
    before: Picture
    after: Picture
    mask: NDArray[np.bool_]


def comparison_sheet(comparisons: Sequence[Comparison], height: int = 240) -> NDArray[np.uint8]:
    """Before, after, pixel difference and edge difference side by side, one line a comparison: (H, W, 3) uint8.

    height: pixels of a picture; smaller pictures are enlarged without smoothing by a whole factor, so that every pixel
    can be judged.
    """
    from PIL import Image, ImageDraw, ImageFont

    lines = []
    for comparison in comparisons:
        before, after, mask = comparison.before, comparison.after, comparison.mask
        panels = [
            eight_bits(before),
            eight_bits(after),
            pixel_difference_picture(before, after, mask),
            edge_difference_picture(before, after, mask),
        ]
        lines.append((comparison.title, [fitted(panel, height) for panel in panels]))
    widths = [max(panels[k].shape[1] for _, panels in lines) for k in range(4)]
    wide = sum(widths) + 3 * CELL_GAP + 2 * MARGIN
    tall = 2 * MARGIN + TITLE + sum(panels[0].shape[0] + TITLE + CELL_GAP for _, panels in lines)
    sheet = Image.new("RGB", (wide, tall), (24, 24, 24))
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(13)
    lefts = [MARGIN + sum(widths[:k]) + k * CELL_GAP for k in range(4)]
    for left, name in zip(lefts, ("before", "after", "pixel difference", "edge difference"), strict=True):
        pen.text((left, MARGIN), name, fill=(235, 235, 235), font=font)
    top = MARGIN + TITLE
    for title, panels in lines:
        pen.text((MARGIN, top + 3), title, fill=(170, 170, 170), font=font)
        for left, panel in zip(lefts, panels, strict=True):
            sheet.paste(Image.fromarray(panel), (left, top + TITLE))
        top += panels[0].shape[0] + TITLE + CELL_GAP
    return np.asarray(sheet)


def eight_bits(picture: Picture) -> NDArray[np.uint8]:
    """(H, W, 3) uint8 of a picture in [0, 1]."""
    levels = (np.clip(picture, 0.0, 1.0) * 255.0).round().astype(np.uint8)
    return levels if levels.ndim == 3 else np.repeat(levels[..., None], 3, axis=2)


def fitted(picture: NDArray[np.uint8], height: int) -> NDArray[np.uint8]:
    """A picture (H, W, 3) enlarged by a whole factor, or reduced, to about `height` pixels."""
    from PIL import Image

    tall, wide = picture.shape[:2]
    if tall * 2 <= height:
        return picture.repeat(height // tall, axis=0).repeat(height // tall, axis=1)
    if tall <= height:
        return picture
    size = (max(1, round(wide * height / tall)), height)
    return np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.LANCZOS))
