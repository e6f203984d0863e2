"""JPEG's traces: a picture as it comes back from the compression that the camera stored it with."""

from io import BytesIO

import numpy as np
from numpy.typing import NDArray


def through_jpeg(picture: NDArray[np.uint8], quality: int) -> NDArray[np.uint8]:
    """(H, W) or (H, W, 3) compressed and decompressed, with colours at half the resolution as cameras do.

    quality: 1 to 100, libjpeg's. The same picture gives the same numbers with the same libjpeg.
    """
    from PIL import Image

    file = BytesIO()
    Image.fromarray(picture).save(file, "JPEG", quality=quality, subsampling="4:2:0")
    with Image.open(file) as opened:
        return np.asarray(opened).copy()
