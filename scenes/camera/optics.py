"""What the lens does to the light: natural vignetting, dirt on it, and its blur."""

import numpy as np
from numpy.typing import NDArray

from scenes.scene import LensSpot

Singles = NDArray[np.float32]

GAUSSIAN_REACH = 4.0  # standard deviations; 6e-5 of the flux lies beyond


def relative_illumination(height: int, width: int, vignetting: float) -> Singles:
    """(H, W) share of the light that reaches each pixel: 1 at the centre, 1 - vignetting in the corners.

    cos⁴ of the field angle, the natural vignetting of a lens, its angle scaled to give that loss.
    """
    x = (np.arange(width) - (width - 1) / 2)[None, :]
    y = (np.arange(height) - (height - 1) / 2)[:, None]
    corner = max((width - 1) ** 2 / 4 + (height - 1) ** 2 / 4, 1.0)
    corner_tangent_squared = (1 - vignetting) ** -0.5 - 1
    result: Singles = ((1 + corner_tangent_squared * (x**2 + y**2) / corner) ** -2).astype(np.float32)
    return result


def dirt_transmission(height: int, width: int, spots: tuple[LensSpot, ...]) -> Singles:
    """(H, W) share of the light that spots of dirt on the lens let through to each pixel.

    Far out of focus, a spot dims a Gaussian neighbourhood: by its `opacity` in the middle, by e^-½ of that at its
    radius. Spots that overlap dim one after the other.
    """
    through = np.ones((height, width))
    x = (np.arange(width) + 0.5)[None, :] / width
    y = (np.arange(height) + 0.5)[:, None] / width
    for spot in spots:
        squared = ((x - spot.x) ** 2 + (y - spot.y) ** 2) / spot.radius**2
        through *= 1 - spot.opacity * np.exp(-squared / 2)
    return through.astype(np.float32)


def blurred(image: Singles, deviation: float) -> Singles:
    """(H, W, C) convolved with a Gaussian of `deviation` pixels; mirrored at the borders, so that no light is lost."""
    if deviation == 0:
        return image
    from scipy.ndimage import gaussian_filter

    return np.asarray(
        gaussian_filter(image, (deviation, deviation, 0), mode="reflect", truncate=GAUSSIAN_REACH), dtype=np.float32
    )
