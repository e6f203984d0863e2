"""The colour of a black body."""

import numpy as np
from numpy.typing import NDArray

# [Wyman 2013], the multi-lobe fit of the CIE 1931 observer: weight, centre and the deviations below and above, in nm.
LOBES = (
    ((1.056, 599.8, 37.9, 31.0), (0.362, 442.0, 16.0, 26.7), (-0.065, 501.1, 20.4, 26.2)),
    ((0.821, 568.8, 46.9, 40.5), (0.286, 530.9, 16.3, 31.1)),
    ((1.217, 437.0, 11.8, 36.0), (0.681, 459.0, 26.0, 13.8)),
)
XYZ_TO_BT709 = np.array(
    [[3.2404542, -1.5371385, -0.4985314], [-0.9692660, 1.8760108, 0.0415560], [0.0556434, -0.2040259, 1.0572252]]
)
LUMINANCE = np.array([0.2126729, 0.7151522, 0.0721750])
SECOND_RADIATION_CONSTANT = 1.438776877e-2  # m K, CODATA 2018
WAVELENGTHS = np.arange(380.0, 781.0, 5.0)  # nm


def black_body_colour(temperature: float) -> tuple[float, float, float]:
    """Linear BT.709 of a black body of `temperature` kelvin, of luminance 1; no channel below 0."""
    metres = WAVELENGTHS * 1e-9
    spectrum = metres**-5.0 / np.expm1(SECOND_RADIATION_CONSTANT / (metres * temperature))
    spectrum /= spectrum.max()
    observed = [sum(_lobe(*lobe) for lobe in lobes) @ spectrum for lobes in LOBES]
    linear = np.maximum(XYZ_TO_BT709 @ observed, 0.0)
    red, green, blue = (linear / (LUMINANCE @ linear)).tolist()
    return red, green, blue


def _lobe(weight: float, centre: float, below: float, above: float) -> NDArray[np.float64]:
    deviation = np.where(centre > WAVELENGTHS, below, above)
    lobe: NDArray[np.float64] = weight * np.exp(-0.5 * ((WAVELENGTHS - centre) / deviation) ** 2)
    return lobe
