"""The unit in which a window is drawn.

The paper's pictures reach from -1 to 1. Defects of machined surfaces differ from their ground by a tenth of that, which
the noise of the first level, a standard deviation of .7, hides from both networks. So a window can be measured by what
surrounds its mask: from its mean, in multiples of its spread.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from diffusion_refine.synthesis.sard.readings import Contrast

SPREAD = 0.25  # of the surroundings in their own unit
MOST_GAIN = 4.0  # so that noise of a sensor is not taken for a surface
FEWEST = 64  # pixels round a mask of which a spread is told


@dataclass(frozen=True)
class Unit:
    """mean, gain: (B, 1, 1, 1) each."""

    mean: Tensor
    gain: Tensor

    def measured(self, pictures: Tensor) -> Tensor:
        """Pictures (B, C, H, W) from -1 to 1 in this unit."""
        return (pictures - self.mean) * self.gain

    def restored(self, measured: Tensor) -> Tensor:
        """The inverse; what would be darker than black or brighter than white is cut."""
        return (measured / self.gain + self.mean).clamp(-1.0, 1.0)


def unit_of(pictures: Tensor, mask: Tensor, contrast: Contrast) -> Unit:
    """The unit of pictures (B, C, H, W) from -1 to 1, of which mask (B, 1, H, W) of bool is drawn.

    Where the mask leaves fewer than `FEWEST` pixels, the gain is 1.
    """
    if contrast is Contrast.picture:
        nothing = pictures.new_zeros((len(pictures), 1, 1, 1))
        return Unit(nothing, nothing + 1.0)
    grey = pictures.mean(dim=1, keepdim=True)
    around = (~mask).to(pictures.dtype)
    count = around.sum(dim=(1, 2, 3), keepdim=True)
    mean = (grey * around).sum(dim=(1, 2, 3), keepdim=True) / count.clamp(min=1)
    spread = (((grey - mean).square() * around).sum(dim=(1, 2, 3), keepdim=True) / count.clamp(min=1)).sqrt()
    gain = (SPREAD / spread.clamp(min=SPREAD / MOST_GAIN)).clamp(min=1.0)
    return Unit(mean, torch.where(count < FEWEST, 1.0, gain))
