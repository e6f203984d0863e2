"""Connected regions of masks."""

import numpy as np
from numpy.typing import NDArray


def numbered_regions(mask: NDArray[np.bool_]) -> NDArray[np.int32]:
    """(H, W): the number, from 1, of the 8-connected region of the mask (H, W) that a pixel is in; 0 outside."""
    import cv2

    regions: NDArray[np.int32] = cv2.connectedComponents(np.ascontiguousarray(mask, np.uint8), connectivity=8)[1]
    return regions
