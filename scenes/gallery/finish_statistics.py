"""Figures of a surface as a picture shows it, by which renders and photographs are compared."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

TENSOR_SCALE = 8.0  # px over which the orientation of a texture is averaged
BACKGROUND_SHARE = 0.15  # of the shorter side: the scale above which brightness is illumination, not texture
LONGEST = 384  # px: a larger picture is looked at in its middle, at its own scale


@dataclass(frozen=True)
class TextureStatistics:
    """Statistics of one picture of a finish.

    coherence: mean of (λ₁−λ₂)/(λ₁+λ₂) of the structure tensor, 0 without direction to 1. lay_ratio: correlation length
    along the lay over that across it.
    """

    coherence: float
    lay_ratio: float


@dataclass(frozen=True)
class FinishStatistics:
    """What one picture, of brightness 0 to 1, says of a surface and its light.

    brightness: mean. spread: between the 5th and the 95th percentile. unevenness: deviation of what is coarser than
    texture. texture: deviation of what is finer. grain: deviation of what differs from pixel to pixel. neighbours:
    correlation of neighbouring pixels of the texture. coherence, lay_ratio: see `TextureStatistics`.
    """

    brightness: float
    spread: float
    unevenness: float
    texture: float
    grain: float
    neighbours: float
    coherence: float
    lay_ratio: float


SAID = {
    "brightness": "Mean brightness, 0 black to 1 white.",
    "spread": "Brightness between the darkest and the brightest 5 % of the pixels.",
    "unevenness": "Deviation of what is coarser than the texture: light, shape, stains.",
    "texture": "Deviation of what is finer.",
    "grain": "Deviation from pixel to pixel: the sensor's noise and the finest of the finish.",
    "neighbours": "Correlation of neighbouring pixels of the texture: low is noise, high is blur.",
    "coherence": "How much the texture has a direction: 0 none, 1 nothing but.",
    "lay_ratio": "How much farther the texture reaches along its lay than across.",
}


def finish_statistics(grey: ArrayLike) -> FinishStatistics:
    """Measure a picture (H, W) of brightness 0 to 1."""
    values = middle_of(np.asarray(grey, dtype=np.float64))
    coarse = _coarse(values)
    texture = values - coarse
    low, high = np.percentile(values, (5, 95))
    # The second difference is blind to slopes; of noise without neighbours its deviation is √6 times as large.
    grain = float(np.std(np.diff(values, n=2, axis=1)) / np.sqrt(6)) if values.shape[1] > 2 else 0.0
    moments = _of_texture(texture) if texture.std() > 0 else TextureStatistics(0.0, 1.0)
    return FinishStatistics(
        brightness=float(values.mean()),
        spread=float(high - low),
        unevenness=float(coarse.std()),
        texture=float(texture.std()),
        grain=grain,
        neighbours=neighbour_correlation(texture),
        coherence=moments.coherence,
        lay_ratio=moments.lay_ratio,
    )


def middle_of(values: Floats) -> Floats:
    """The middle of a picture, of no more than LONGEST pixels a side."""
    row, column = (max(0, (side - LONGEST) // 2) for side in values.shape)
    return values[row : row + LONGEST, column : column + LONGEST]


def neighbour_correlation(texture: Floats) -> float:
    """Mean correlation of a pixel with the next one along rows and columns; 0 where nothing varies."""
    found = []
    for first, second in ((texture[:, :-1], texture[:, 1:]), (texture[:-1], texture[1:])):
        scale = float(first.std() * second.std())
        found.append(float(((first - first.mean()) * (second - second.mean())).mean() / scale) if scale > 0 else 0.0)
    return float(np.mean(found))


def texture_statistics(picture: ArrayLike) -> TextureStatistics:
    """Measure an (H, W) grey picture of a bare surface, of any scale of brightness."""
    grey = np.asarray(picture, dtype=np.float64)
    return _of_texture(grey - _coarse(grey))


def _coarse(grey: Floats) -> Floats:
    """What of a picture (H, W) is illumination."""
    from scipy.ndimage import gaussian_filter

    return np.asarray(gaussian_filter(grey, BACKGROUND_SHARE * min(grey.shape)))


def _of_texture(texture: Floats) -> TextureStatistics:
    from scipy.ndimage import gaussian_filter

    gradient_y, gradient_x = np.gradient(gaussian_filter(texture, 1.0))
    xx, yy, xy = gradient_x**2, gradient_y**2, gradient_x * gradient_y
    local = [gaussian_filter(product, TENSOR_SCALE) for product in (xx, yy, xy)]
    sum_, difference = local[0] + local[1], np.hypot(local[0] - local[1], 2.0 * local[2])
    coherence = float(np.mean(difference / np.maximum(sum_, np.finfo(np.float64).tiny)))
    across = 0.5 * np.arctan2(2.0 * xy.mean(), xx.mean() - yy.mean())  # brightness changes fastest across the lay
    correlation = _correlation(texture)
    lags = np.arange(0.0, 0.45 * min(texture.shape), 0.25)
    along = _correlation_length(correlation, across + np.pi / 2, lags)
    return TextureStatistics(coherence, along / _correlation_length(correlation, across, lags))


def _correlation(texture: Floats) -> Floats:
    """The autocorrelation of a texture (H, W) at every lag, (2 H, 2 W), negative ones from the end."""
    shape = [2 * side for side in texture.shape]
    spectrum = np.abs(np.fft.rfft2(texture - texture.mean(), shape)) ** 2
    overlap = np.fft.irfft2(np.abs(np.fft.rfft2(np.ones(texture.shape), shape)) ** 2, shape)
    return np.asarray(np.fft.irfft2(spectrum, shape) / np.maximum(overlap, 1.0))


def _correlation_length(correlation: Floats, direction: float, lags: Floats) -> float:
    """The lag in px along `direction` (radians from +column to +row) at which the autocorrelation falls to 1/e."""
    from scipy.ndimage import map_coordinates

    rows, columns = lags * np.sin(direction), lags * np.cos(direction)
    profile = map_coordinates(correlation, [rows, columns], order=1, mode="grid-wrap") / correlation[0, 0]
    below = np.flatnonzero(profile < np.exp(-1.0))
    if len(below) == 0:
        return float(lags[-1])
    last = below[0] - 1
    return float(np.interp(-np.exp(-1.0), -profile[[last, below[0]]], lags[[last, below[0]]]))
