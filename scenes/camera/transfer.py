"""From fractions of full well to stored numbers and back: the transfer curve and quantisation."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Singles = NDArray[np.float32]

SRGB_KNEE, SRGB_SLOPE = 0.0031308, 12.92  # IEC 61966-2-1


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
