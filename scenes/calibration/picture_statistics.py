"""Statistics of one picture, by which renders are fitted to photographs."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scenes.calibration.distances import NORMAL
from scenes.gallery.finish_statistics import Floats, TextureStatistics, middle_of, texture_statistics

QUANTILES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
OCTAVES = (2.0, 2.83, 4.0, 8.0, 16.0, 32.0, 64.0)  # px, ends of the bands of wavelengths
LAGS = (1, 2, 4)  # px
FINE = 6.0  # px, the deviation of the blur that parts texture from light and shape
LEAST = 0.2 / 255  # deviation below which 8 bits show nothing; keeps logarithms finite
BORDER, BESIDE = 3, 16  # px, of a picture's border and of what is compared with it
GRID = 8  # cells a side, in which the course of the light is seen
NO_TEXTURE = TextureStatistics(coherence=0.0, lay_ratio=1.0)  # of what is black or saturated throughout
PLAIN = 4.0 / 255  # difference of channels below which a picture is grey
COLOURED = 0.1  # share of a picture's pixels that have more, for it to have colours

SAID = {
    "brightness": "Brightness below which that share of the pixels lies.",
    "band": "Deviation of what has wavelengths of so many pixels, logarithm; across or along the lay.",
    "lag": "Correlation of pixels so far apart, of the texture; across or along the lay.",
    "tail": "How far the texture's extremes lie from its middle half, and to which side.",
    "noise": "Deviation of the second difference along the lay, and of that in both directions, in the dark and bright "
    "thirds, logarithm.",
    "light": "The course of light over the picture: corners, slopes, curvatures, patchiness.",
    "profile": "Deviation of the means of whole columns and rows about their course, logarithm.",
    "border": "How much darker the picture's border is than what lies beside it.",
    "direction": "Coherence of the structure tensor, and correlation length along the lay over that across it.",
    "colour": "Logarithms of red and blue to green, saturation, deviation of colour from pixel to pixel.",
}


def picture_statistics(pixels: NDArray[Any], colour: bool) -> dict[str, float]:
    """Measure a picture (H, W) or (H, W, 3) of 8 or 16 bits; of a large one the middle, at its own scale.

    colour: whether its colours are measured, too. Names are GROUP:WHAT, where SAID tells of the group.
    """
    scaled = np.asarray(pixels, dtype=np.float64) / np.iinfo(pixels.dtype).max
    grey = middle_of(scaled if scaled.ndim == 2 else scaled.mean(axis=2))
    upright = grey if _varies_across_rows(grey) else grey.T
    found = {
        **_brightness(grey),
        **_texture(upright),
        **_light(upright),
    }
    if colour:
        found |= _colour(np.dstack([middle_of(scaled[..., k]) for k in range(3)]))
    return found


def is_colour(pixels: NDArray[Any]) -> bool:
    """Whether a picture (H, W) or (H, W, 3) has colours."""
    if pixels.ndim == 2:
        return False
    spread = np.ptp(pixels.astype(np.float64), axis=2) / np.iinfo(pixels.dtype).max
    return bool(np.quantile(spread, 1 - COLOURED) > PLAIN)


def _varies_across_rows(grey: Floats) -> bool:
    """Whether brightness changes more from column to column than from row to row: a lay that is upright."""
    return float((np.diff(grey, axis=1) ** 2).mean()) >= float((np.diff(grey, axis=0) ** 2).mean())


def _brightness(grey: Floats) -> dict[str, float]:
    return {f"brightness:{q:g}": float(v) for q, v in zip(QUANTILES, np.quantile(grey, QUANTILES), strict=True)}


def _texture(grey: Floats) -> dict[str, float]:
    """Of what is fine; grey (H, W) with its lay along the columns."""
    from scipy.ndimage import gaussian_filter

    coarse = gaussian_filter(grey, FINE)
    fine = grey - coarse
    found = _bands(grey)
    for lag in LAGS:
        found[f"lag:across {lag}"] = _correlation(fine[:, :-lag], fine[:, lag:])
        found[f"lag:along {lag}"] = _correlation(fine[:-lag], fine[lag:])
    low, quarter, middle, three, high = np.quantile(fine, (0.005, 0.25, 0.5, 0.75, 0.995))
    spread = max(float(high - low), LEAST)
    found["tail:weight"] = float(np.log(spread / max(float(three - quarter), LEAST)))
    found["tail:side"] = float((high + low - 2 * middle) / spread)
    # Along the lay a surface changes least, so that the sensor's noise is most of what is left.
    rough = np.diff(grey, n=2, axis=0)
    level = coarse[1:-1]
    dark, bright = np.quantile(level, (1 / 3, 2 / 3))
    found["noise:dark"] = _logarithm(rough[level <= dark].std() / np.sqrt(6))
    found["noise:bright"] = _logarithm(rough[level >= bright].std() / np.sqrt(6))
    # What is neither along nor across, and of that the middle half, is noise all the more [Immerkær 1996].
    finest, level = np.diff(rough, n=2, axis=1), coarse[1:-1, 1:-1]
    found["noise:finest dark"] = _logarithm(NORMAL * np.median(np.abs(finest[level <= dark])) / 6)
    found["noise:finest bright"] = _logarithm(NORMAL * np.median(np.abs(finest[level >= bright])) / 6)
    directed = texture_statistics(grey) if fine.std() > LEAST else NO_TEXTURE
    found["direction:coherence"] = directed.coherence
    found["direction:ratio"] = float(np.log(directed.lay_ratio))
    return found


def _bands(grey: Floats) -> dict[str, float]:
    """Deviations in bands of wavelengths, of what changes across and along the columns."""
    window = np.outer(np.hanning(grey.shape[0] + 2)[1:-1], np.hanning(grey.shape[1] + 2)[1:-1])
    weighted = (grey - np.average(grey, weights=window)) * window
    power = np.abs(np.fft.fft2(weighted)) ** 2 / (grey.size * (window**2).sum())
    down, right = np.meshgrid(*(np.fft.fftfreq(side) for side in grey.shape), indexing="ij")
    frequency = np.hypot(down, right)
    is_across = np.abs(right) >= np.abs(down)
    found = {}
    for shortest, longest in pairwise(OCTAVES):
        inside = (frequency > 1 / longest) & (frequency <= 1 / shortest)
        for name, side in (("across", is_across), ("along", ~is_across)):
            found[f"band:{name} {shortest:g}"] = _logarithm(np.sqrt(power[inside & side].sum()))
    return found


def _light(grey: Floats) -> dict[str, float]:
    """The course of brightness over a picture, relative to its mean."""
    mean = max(float(grey.mean()), LEAST)
    cells = np.array(
        [[part.mean() for part in np.array_split(row, GRID, axis=1)] for row in np.array_split(grey, GRID)]
    )
    cells = cells / mean - 1
    place = np.linspace(-1, 1, GRID)
    down, right = np.meshgrid(place, place, indexing="ij")
    terms = np.stack([np.ones_like(down), down, right, down**2 - 1 / 3, right**2 - 1 / 3, down * right], axis=-1)
    flat = terms.reshape(-1, terms.shape[-1])
    solved, *_ = np.linalg.lstsq(flat, cells.ravel(), rcond=None)
    rest = cells.ravel() - flat @ solved
    corners = np.mean([cells[0, 0], cells[0, -1], cells[-1, 0], cells[-1, -1]])
    half = GRID // 2
    found = {
        "light:corners": float(corners - cells[half - 1 : half + 1, half - 1 : half + 1].mean()),
        "light:slope along": float(abs(solved[1])),
        "light:slope across": float(abs(solved[2])),
        "light:curvature along": float(solved[3]),
        "light:curvature across": float(solved[4]),
        "light:patches": _logarithm(rest.std()),
    }
    from scipy.ndimage import gaussian_filter1d

    for name, profile in (("columns", grey.mean(axis=0)), ("rows", grey.mean(axis=1))):
        found[f"profile:{name}"] = _logarithm(np.std(profile - gaussian_filter1d(profile, FINE)))
    for name, turned in (("along", grey), ("across", grey.T)):
        edge = 0.5 * (turned[:BORDER].mean() + turned[-BORDER:].mean())
        near = 0.5 * (turned[BORDER:BESIDE].mean() + turned[-BESIDE:-BORDER].mean())
        found[f"border:{name}"] = float((edge - near) / mean)
    return found


def _colour(channels: Floats) -> dict[str, float]:
    red, green, blue = (max(float(np.median(channels[..., k])), LEAST) for k in range(3))
    most, least = channels.max(axis=2), channels.min(axis=2)
    saturation = (most - least) / np.maximum(most, LEAST)
    low, middle, high = np.quantile(saturation, (0.1, 0.5, 0.9))
    found = {
        "colour:red": float(np.log(red / green)),
        "colour:blue": float(np.log(blue / green)),
        "colour:saturation": float(middle),
        "colour:saturation spread": float(high - low),
    }
    for name, other in (("red", 0), ("blue", 2)):
        difference = np.diff(channels[..., other] - channels[..., 1], n=2, axis=0)
        found[f"colour:{name} noise"] = _logarithm(difference.std() / np.sqrt(6))
    return found


def _correlation(first: Floats, second: Floats) -> float:
    scale = float(first.std() * second.std())
    return float(((first - first.mean()) * (second - second.mean())).mean() / scale) if scale > 0 else 0.0


def _logarithm(deviation: float) -> float:
    return float(np.log(max(float(deviation), LEAST)))
