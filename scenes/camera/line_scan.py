"""What a line-scan camera adds: columns that answer differently, and rows that the belt has shaken."""

import numpy as np
from numpy.typing import NDArray

Singles = NDArray[np.float32]

GAIN, OFFSET, JITTER = 1, 2, 3  # each of them has a generator of its own


def column_gains(width: int, deviation: float, seed: int) -> Singles:
    """(W,) sensitivity of each column over the mean: normal about 1, never negative."""
    rng = np.random.default_rng([seed, GAIN])
    return np.maximum(1 + deviation * rng.standard_normal(width), 0).astype(np.float32)


def column_offsets(width: int, deviation: float, seed: int) -> Singles:
    """(W,) what each column adds to its pixels, fractions of full well: normal about 0."""
    rng = np.random.default_rng([seed, OFFSET])
    return (deviation * rng.standard_normal(width)).astype(np.float32)


def jittered(image: Singles, deviation: float, seed: int) -> Singles:
    """(H, W, C) with each row shifted sideways by a normal number of pixels, between pixels linearly.

    deviation: pixels, of the shifts. Beyond the borders their last pixels go on.
    """
    if deviation == 0:
        return image
    height, width, _ = image.shape
    shifts = deviation * np.random.default_rng([seed, JITTER]).standard_normal(height)
    place = np.clip(np.arange(width)[None, :] - shifts[:, None], 0, width - 1)
    left = np.minimum(place.astype(np.intp), max(width - 2, 0))
    share = (place - left).astype(np.float32)[..., None]
    right = np.minimum(left + 1, width - 1)
    rows = np.arange(height)[:, None]
    result: Singles = (1 - share) * image[rows, left] + share * image[rows, right]
    return result
