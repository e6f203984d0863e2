"""One defect drawn into a picture of any size, in windows of the model's round its mask."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from diffusion_refine.editing.pixels import Pixels, colour
from diffusion_refine.editing.windows import around, assembled, padded, padded_shape
from diffusion_refine.synthesis.generator import Mask
from diffusion_refine.synthesis.pasting.pastes import like_in_colour
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
    shape = padded_shape(pixels.shape, model.size, 1)
    image, marked = padded(colour(pixels), shape), padded(mask, shape)
    marked[mask.shape[0] :], marked[:, mask.shape[1] :] = False, False
    windows = around(marked, model.size, 1)
    pieces: list[NDArray[np.float64]] = []
    rng = torch.Generator().manual_seed(int(random.integers(2**63)))
    for start in range(0, len(windows), BATCH):
        batch = windows[start : start + BATCH]
        good = torch.stack([torch.from_numpy(image[window.slices]).permute(2, 0, 1) for window in batch])
        masks = torch.stack([torch.from_numpy(marked[window.slices])[None] for window in batch])
        asked = (torch.full((len(batch),), number, device=model.device) for number in (label, surface))
        found = sample(
            model.network,
            model.schedule,
            (good * 2 - 1).float().to(model.device),
            masks.to(model.device),
            Conditions(*asked),
            rng,
            model.background,
        )
        pieces += list(((found.double().cpu() + 1) / 2).permute(0, 2, 3, 1).numpy())
    whole, _ = assembled(pieces, windows, shape)
    return like_in_colour(whole[: mask.shape[0], : mask.shape[1]], pixels)
