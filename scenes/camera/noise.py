"""The noise of a sensor: photo-electrons are counted, and reading them adds to it."""

import numpy as np
from numpy.typing import NDArray

from scenes.scene import Sensor

Singles = NDArray[np.float32]

MANY = 30.0  # photo-electrons, whose distribution is smooth enough to be expanded
MOST_OF_FEW = 90  # photo-electrons: ten standard deviations and more above fewer than MANY


def with_noise(exposed: Singles, sensor: Sensor) -> Singles:
    """Shot and read noise on (H, W, C) fractions of full well; unchanged where the sensor has no full well.

    Photo-electrons are Poisson numbers, so the variance of the shot noise is the mean over `full_well`. The noise of a
    pixel depends on the seed, its place and its own light alone, so that twins differ only where the surface does.
    """
    if sensor.full_well is None:
        return exposed
    rng = np.random.default_rng(sensor.seed)
    # Beyond twice full well everything saturates whatever the noise.
    expected = np.clip(exposed, 0, 2).astype(np.float64) * sensor.full_well
    electrons = poisson_quantile(rng.standard_normal(exposed.shape), expected)
    electrons += sensor.read_noise * rng.standard_normal(exposed.shape)
    return (electrons / sensor.full_well).astype(np.float32)


def poisson_quantile(normal: NDArray[np.float64], mean: NDArray[np.float64]) -> NDArray[np.float64]:
    """The Poisson numbers as far up in their distribution as standard `normal` numbers are in theirs, float64.

    Exact where the mean is below MANY; beyond, to third order of the expansion of [Cornish 1938], which is then
    good to a few hundredths of a count.
    """
    deviation = np.sqrt(np.maximum(mean, MANY))
    count = np.rint(mean + deviation * normal + (normal**2 - 1) / 6 + (normal - normal**3) / (72 * deviation))
    few = mean < MANY
    if few.any():
        count[few] = _poisson_by_summing(normal[few], mean[few])
    result: NDArray[np.float64] = count
    return result


def _poisson_by_summing(normal: NDArray[np.float64], mean: NDArray[np.float64]) -> NDArray[np.float64]:
    """The same, counting how many terms of the distribution it takes to come up to the share below `normal`."""
    from scipy.special import ndtr

    share = ndtr(normal)
    term = np.exp(-mean)
    below, count = term.copy(), np.zeros_like(mean)
    for number in range(1, MOST_OF_FEW):
        short = below < share
        if not short.any():
            break
        count += short
        term *= mean / number
        below += term
    return count
