"""What a painter holds the content of a hole to be: of several prompts, that with which it tells its noise best.

Noise is put on the picture and predicted back with each of the prompts. A model that has learnt pictures by their
prompts predicts better with the one that is true: it is a classifier that nobody trained as one (Li et al., "Your
Diffusion Model is Secretly a Zero-Shot Classifier", ICCV 2023, eq. 6). All prompts see the same noise.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from diffusion_refine.core.models import Model
from diffusion_refine.core.schedule import Schedule
from diffusion_refine.editing.realism import Batched, Seeing, as_batch, surroundings, without
from diffusion_refine.editing.windows import Window, padded, padded_shape

Picture = NDArray[np.floating[Any]]
Mask = NDArray[np.bool_]

LEVELS = (0.16, 0.32, 0.48, 0.64, 0.8)  # shares of the schedule that are denoised when the noise is told


@torch.no_grad()
def noise_errors(
    model: Model,
    picture: Picture,
    hole: Mask,
    windows: Sequence[Window],
    prompts: Sequence[str],
    steps: int,
    generator: torch.Generator,
) -> NDArray[np.float64]:
    """(P,): mean squares of what a model that paints mistakes of the noise in a hole (H, W), with each of P prompts.

    picture: (H, W, 3) in [0, 1], the hole filled. windows: over all of the hole. Only differences mean something; the
    smallest error is of the prompt that says best what is there.
    """
    schedule = Schedule(model, steps)
    shape = padded_shape(hole.shape, model.size, model.factor)
    whole, inside = padded(np.asarray(picture, np.float64), shape), padded(hole, shape)
    seen = without(whole, inside)
    conditions = model.encode_prompt(list(prompts))
    errors, texels = np.zeros(len(prompts)), 0.0
    for window in windows:
        cut = inside[window.slices]
        known = surroundings(model, as_batch([seen[window.slices]]), torch.from_numpy(cut[None]))
        latents, painted = model.encode(as_batch([whole[window.slices]])), known[:, :1] > 0
        denoiser = Seeing(Batched(model), known)
        for share in LEVELS:
            index = min(round(share * steps), steps - 1)
            level = schedule.levels(index)[0]
            noise = torch.randn(latents.shape, generator=generator).to(latents)
            noisy = (latents * level**0.5 + noise * (1 - level) ** 0.5).expand(len(prompts), -1, -1, -1)
            told = denoiser.noise(noisy, schedule.timesteps[index], conditions)
            errors += ((told - noise) ** 2 * painted).sum(dim=(1, 2, 3)).double().cpu().numpy()
        texels += float(painted.sum()) * latents.shape[1] * len(LEVELS)
    return errors / max(texels, 1.0)


def margin(errors: NDArray[np.float64]) -> float:
    """By how much the first of several prompts says better what is there than the best of the others."""
    return float(errors[1:].min() - errors[0])
