"""Random toughness."""

import numpy as np
from numpy.typing import NDArray


def correlated(shape: tuple[int, ...], correlation: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """Gaussian noise of mean 0 and variance 1 whose autocorrelation falls to 1/e at a lag of `correlation` cells."""
    from scipy.ndimage import gaussian_filter

    # Noise under a Gaussian kernel of width s has the autocorrelation exp(-lag²/4s²), which is 1/e at lag 2s.
    sigma = 0.5 * correlation
    padding = int(np.ceil(4.0 * sigma))
    field = gaussian_filter(rng.standard_normal([n + 2 * padding for n in shape]), sigma, mode="wrap", truncate=4.0)
    impulse = np.zeros(8 * padding + 1)
    impulse[4 * padding] = 1.0
    gain = float(np.sum(gaussian_filter(impulse, sigma, truncate=4.0) ** 2)) ** (0.5 * len(shape))
    return np.asarray(field[tuple(slice(padding, padding + n) for n in shape)] / gain)
