"""What [Mao 2025], section V.B does to training pictures at random: light, flips, blur, noise and a masked border.

The paper gives no values; these are mild enough for a ground surface to stay one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Augmentation:
    """Each of light, blur and noise is applied with an even chance, each flip too; the border always is.

    brightness: at most so much of full scale is added; contrast: at most so much is added to the factor 1 about the
    mean grey; blur: largest deviation in pixels; noise: largest deviation as a share of full scale; border: largest
    share of the picture's side that one masked half-plane takes off.
    """

    brightness: float = 0.15
    contrast: float = 0.3
    blur: float = 1.2
    noise: float = 0.02
    border: float = 0.2

    def __call__(
        self, image: NDArray[np.uint8], valid_mask: NDArray[np.bool_] | None, rng: np.random.Generator
    ) -> tuple[NDArray[np.uint8], NDArray[np.bool_] | None]:
        """An RGB image (H, W, 3) and where it shows the surface (H, W), both changed; None: everywhere.

        The masked border is black but stays valid: its edge is what the bank shall know.
        """
        for axis in (0, 1):
            if rng.random() < 0.5:
                image = np.flip(image, axis)
                valid_mask = None if valid_mask is None else np.flip(valid_mask, axis)
        levels = image.astype(np.float32) / 255
        if rng.random() < 0.5:
            mean = float(levels.mean() if valid_mask is None or not valid_mask.any() else levels[valid_mask].mean())
            levels = mean + (levels - mean) * (1 + self.contrast * rng.random()) + self.brightness * rng.random()
        if rng.random() < 0.5:
            levels = _blurred(levels, self.blur * rng.random())
        if rng.random() < 0.5:
            levels = levels + self.noise * rng.random() * rng.standard_normal(levels.shape[:2], np.float32)[..., None]
        if self.border > 0:
            height, width = levels.shape[:2]
            levels = np.where(_beyond_a_line((height, width), self.border, rng)[..., None], np.float32(0), levels)
        changed = np.rint(levels.clip(0, 1) * 255).astype(np.uint8)
        if valid_mask is not None:
            changed[~valid_mask] = 0
        return changed, valid_mask


def _blurred(levels: NDArray[np.float32], deviation: float) -> NDArray[np.float32]:
    from scipy.ndimage import gaussian_filter

    blurred: NDArray[np.float32] = gaussian_filter(levels, (deviation, deviation, 0), mode="nearest")
    return blurred


def _beyond_a_line(shape: tuple[int, int], share: float, rng: np.random.Generator) -> NDArray[np.bool_]:
    """(H, W) one side of the picture, cut off along a line tilted by up to a tenth against it."""
    along, across = (int(side) for side in rng.permutation(2))
    depth = share * rng.random() * shape[across]
    tilt = 0.1 * rng.uniform(-1, 1)
    grid = np.ogrid[: shape[0], : shape[1]]
    distance = grid[across] if rng.random() < 0.5 else shape[across] - 1 - grid[across]
    beyond: NDArray[np.bool_] = distance < depth + tilt * (grid[along] - shape[along] / 2)
    return beyond
