"""White balance: the gains of a camera that was set for light of another colour temperature."""

import numpy as np
from numpy.typing import NDArray

RENDERED_KELVIN = 6504.0  # what renders take for white, as BT.709 does
COLDEST, HOTTEST = 1667.0, 25000.0  # kelvin, between which the approximation holds
XYZ_TO_BT709 = np.array([[3.2406, -1.5372, -0.4986], [-0.9689, 1.8758, 0.0415], [0.0557, -0.2040, 1.0570]])


def chromaticity(kelvin: float) -> tuple[float, float]:
    """CIE 1931 x and y of a black body, to .001 or so [Kang 2002]."""
    t = 1e3 / kelvin
    if kelvin <= 4000:
        x = -0.2661239 * t**3 - 0.2343589 * t**2 + 0.8776956 * t + 0.179910
    else:
        x = -3.0258469 * t**3 + 2.1070379 * t**2 + 0.2226347 * t + 0.240390
    if kelvin <= 2222:
        y = -1.1063814 * x**3 - 1.34811020 * x**2 + 2.18555832 * x - 0.20219683
    elif kelvin <= 4000:
        y = -0.9549476 * x**3 - 1.37418593 * x**2 + 2.09137015 * x - 0.16748867
    else:
        y = 3.0817580 * x**3 - 5.87338670 * x**2 + 3.75112997 * x - 0.37001483
    return x, y


def black_body(kelvin: float) -> NDArray[np.float64]:
    """(3,) linear BT.709 colour of a black body, its luminance 1; none of its parts below a thousandth."""
    x, y = chromaticity(kelvin)
    return np.maximum(XYZ_TO_BT709 @ [x / y, 1.0, (1 - x - y) / y], 1e-3)


def gains(kelvin: float) -> NDArray[np.float32]:
    """(3,) of red, green and blue in a camera that takes light of `kelvin` for white, under light of RENDERED_KELVIN.

    The least of them is 1, so that what saturates every colour stays white.
    """
    raw = black_body(RENDERED_KELVIN) / black_body(kelvin)
    result: NDArray[np.float32] = (raw / raw.min()).astype(np.float32)
    return result
