"""What lies around a thing in a picture, by which it is judged how much it stands out."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

GAP, RING = 2, 8  # pixels: what the optics blur around a thing's border, and how wide its surroundings are beyond
LEAST = 16  # pixels of surroundings by which anything is judged

Brightness = NDArray[np.floating[Any]]


def within_and_around(
    grey: Brightness, mask: NDArray[np.bool_], bare: NDArray[np.bool_]
) -> tuple[Brightness, Brightness] | None:
    """The brightnesses (n,) within a mask and (m,) from GAP to GAP + RING pixels away; None for fewer than LEAST there.

    grey: (H, W). mask: (H, W), not empty. bare: (H, W), what surroundings are of: neither defects nor impurities.
    """
    from scipy.ndimage import maximum_filter

    rows, columns = np.nonzero(mask)
    reach = GAP + RING
    window = tuple(slice(max(0, int(axis.min()) - reach), int(axis.max()) + reach + 1) for axis in (rows, columns))
    inside = mask[window]
    near, far = (maximum_filter(inside, 2 * distance + 1, mode="constant") for distance in (GAP, reach))
    around = grey[window][far & ~near & bare[window]]
    return (grey[window][inside], around) if len(around) >= LEAST else None
