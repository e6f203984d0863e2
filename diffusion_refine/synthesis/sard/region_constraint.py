"""Region-constrained diffusion: after every step only the mask has changed ([Wang 2025], III-A (6) and (7)).

The paper prints two things. Equation (6) keeps x_t outside the mask, whose noise then never falls; the text says that
the background of the forward diffusion is used again. `forward` does what the text says: outside the mask lies the good
picture at the level of noise of x_{t-1}, the noise being one and the same at all levels, and in the end the picture
itself. `literal` does what is printed, and the picture is put back after the last step.
"""

from __future__ import annotations

import torch
from torch import Tensor

from diffusion_refine.synthesis.sard.readings import Background
from diffusion_refine.synthesis.sard.schedule import StepSchedule


def fused(made: Tensor, background: Tensor, mask: Tensor) -> Tensor:
    """(6): what was made (B, C, H, W) within mask (B, 1, H, W) of bool, the background, to the last bit, elsewhere."""
    return torch.where(mask, made, background)


def background_at(
    schedule: StepSchedule, good: Tensor, trajectory: Tensor, noisy: Tensor, timestep: int, background: Background
) -> Tensor:
    """What lies outside the mask in x_{t-1}.

    good: the picture (B, C, H, W); trajectory: the noise that it has at every level; noisy: x_t; timestep: t.
    """
    return noisy if background is Background.literal else schedule.noisy(good, trajectory, timestep - 1)
