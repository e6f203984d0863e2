"""The unsharp mask that cameras sharpen their pictures with."""

import numpy as np
from numpy.typing import NDArray

from scenes.camera.optics import blurred

Singles = NDArray[np.float32]


def sharpened(stored: Singles, amount: float, radius: float) -> Singles:
    """(H, W, C) fractions of the largest stored number, plus `amount` times what a blur of `radius` pixels takes away.

    Held between 0 and 1, as the camera's numbers are.
    """
    if amount == 0:
        return stored
    return np.clip(stored + np.float32(amount) * (stored - blurred(stored, radius)), 0, 1)
