"""A camera's sensor: from the light that arrives to the numbers in the picture file."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from scenes.scene import Sensor

Singles = NDArray[np.float32]

LUMINANCE = np.array([0.2126, 0.7152, 0.0722], dtype=np.float32)  # ITU-R BT.709, the primaries of the linear render
SRGB_KNEE, SRGB_SLOPE = 0.0031308, 12.92  # IEC 61966-2-1
MANY = 30.0  # photo-electrons, whose distribution is smooth enough to be expanded
MOST_OF_FEW = 90  # photo-electrons: ten standard deviations and more above fewer than MANY
GAUSSIAN_REACH = 4.0  # standard deviations; 6e-5 of the flux lies beyond


def develop(linear: Singles, sensor: Sensor) -> NDArray[np.uint8] | NDArray[np.uint16]:
    """The picture that a sensor takes of a linear radiance image.

    linear: (H, W, 3) float32, W/m²/sr, BT.709 primaries, from a render without noise of its own sensor.
    Returns (H, W, 3), or (H, W) for a monochrome sensor; uint8 or uint16 as `sensor.bits` says.
    In the order of the physics: exposure, vignetting, blur by the optics, shot noise, read noise, saturation, transfer
    curve, quantisation. Raises ValueError for another shape or for radiance that is not finite.
    """
    if linear.ndim != 3 or linear.shape[2] != 3:
        raise ValueError(f"found an image of shape {linear.shape}; expected (height, width, 3)")
    if not np.isfinite(linear).all():
        raise ValueError("found NaN or infinite radiance; expected finite numbers")
    light = linear @ LUMINANCE[:, None] if sensor.monochrome else linear
    exposed = np.float32(sensor.exposure) * light
    shaded = exposed * relative_illumination(linear.shape[0], linear.shape[1], sensor.vignetting)[..., None]
    noisy = with_noise(blurred(shaded, sensor.blur), sensor)
    stored = quantised(transferred(np.clip(noisy, 0, 1), sensor.transfer), sensor.bits)
    return stored[..., 0] if sensor.monochrome else stored


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


def blurred(image: Singles, deviation: float) -> Singles:
    """(H, W, C) convolved with a Gaussian of `deviation` pixels; mirrored at the borders, so that no light is lost."""
    if deviation == 0:
        return image
    from scipy.ndimage import gaussian_filter

    return np.asarray(
        gaussian_filter(image, (deviation, deviation, 0), mode="reflect", truncate=GAUSSIAN_REACH), dtype=np.float32
    )


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


def transferred(fractions: Singles, transfer: str) -> Singles:
    """Fractions of full well, 0 to 1, to fractions of the largest stored number."""
    if transfer == "linear":
        return fractions
    power = 1.055 * np.maximum(fractions, SRGB_KNEE) ** np.float32(1 / 2.4) - 0.055
    return np.where(fractions <= SRGB_KNEE, SRGB_SLOPE * fractions, power).astype(np.float32)


def linearised(stored: NDArray[np.floating[Any]], transfer: str) -> NDArray[np.float64]:
    """The inverse of `transferred`: fractions of the largest stored number to fractions of full well."""
    stored = np.asarray(stored, dtype=np.float64)
    if transfer == "linear":
        return stored
    return np.where(stored <= SRGB_SLOPE * SRGB_KNEE, stored / SRGB_SLOPE, ((stored + 0.055) / 1.055) ** 2.4)


def quantised(fractions: Singles, bits: int) -> NDArray[np.uint8] | NDArray[np.uint16]:
    """Fractions 0 to 1 to the nearest whole number of `bits` bits."""
    steps = 2**bits - 1
    result: NDArray[np.uint8] | NDArray[np.uint16] = np.rint(fractions * np.float32(steps)).astype(
        np.uint8 if bits == 8 else np.uint16
    )
    return result
