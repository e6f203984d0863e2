"""One defect drawn into a picture of any size, in windows of the model's round its mask."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from diffusion_refine.editing.pixels import Pixels, colour
from diffusion_refine.editing.windows import made_around
from diffusion_refine.synthesis.generator import Mask
from diffusion_refine.synthesis.pasting.pastes import like_in_colour
from diffusion_refine.synthesis.sard.contrast import unit_of
from diffusion_refine.synthesis.sard.model import SardModel
from diffusion_refine.synthesis.sard.network import Conditions
from diffusion_refine.synthesis.sard.sampling import sample

BATCH = 16  # windows at once


def drawn(
    model: SardModel, pixels: Pixels, mask: Mask, label: int, surface: int, random: np.random.Generator
) -> Pixels:
    """Pixels (H, W[, 3]) of a picture's type with a defect within mask (H, W); only what the mask marks is of use.

    A picture without colour stays so, also in a file of three channels. label, surface: numbers in the model's lists.
    """
    rng = torch.Generator().manual_seed(int(random.integers(2**63)))

    def made(pictures: list[NDArray[np.float64]], masks: list[Mask]) -> list[NDArray[np.float64]]:
        pieces: list[NDArray[np.float64]] = []
        for start in range(0, len(pictures), BATCH):
            good = torch.from_numpy(np.stack(pictures[start : start + BATCH])).permute(0, 3, 1, 2)
            good = (good * 2 - 1).float().to(model.device)
            region = torch.from_numpy(np.stack(masks[start : start + BATCH]))[:, None].to(model.device)
            unit = unit_of(good, region, model.network.shape.contrast)
            asked = (torch.full((len(good),), number, device=model.device) for number in (label, surface))
            found = sample(
                model.network,
                model.schedule,
                unit.measured(good),
                region,
                Conditions(*asked),
                rng,
                model.background,
            )
            pieces += list(((unit.restored(found).double().cpu() + 1) / 2).permute(0, 2, 3, 1).numpy())
        return pieces

    return like_in_colour(made_around(mask, colour(pixels), model.size, 1, made), pixels)
