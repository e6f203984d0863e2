"""Defects drawn into good pictures: T steps from noise, after each of which only the mask has changed.

The region constraint ([Wang 2025], III-A (6) and (7)) is printed in two ways. Equation (6) keeps x_t outside the mask,
whose noise then never falls; the text says that the background of the forward diffusion is used again. `forward` does
what the text says: outside the mask lies the good picture at the level of noise of x_{t-1}, the noise being one and the
same at all levels, and in the end the picture itself. `literal` does what is printed, and the picture is put back after
the last step.
"""

from __future__ import annotations

import torch
from torch import Tensor

from diffusion_refine.synthesis.sard.network import Conditions, GeneratorNetwork
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


@torch.no_grad()
def sample(
    network: GeneratorNetwork,
    schedule: StepSchedule,
    good: Tensor,
    mask: Tensor,
    conditions: Conditions,
    rng: torch.Generator,
    background: Background | None = Background.forward,
) -> Tensor:
    """Pictures (B, 3, H, W) in [-1, 1] that are `good`, to the last bit, outside mask (B, 1, H, W) of bool.

    background: what lies outside the mask between the steps; None where nothing is held there until the end, as in a
    denoising diffusion GAN without regions.
    """

    def gaussian(shape: torch.Size) -> Tensor:
        return torch.randn(shape, generator=rng).to(good.device, good.dtype)

    trajectory = gaussian(good.shape)  # the background's noise at every level
    noise = trajectory if background is None else fused(gaussian(good.shape), trajectory, mask)
    noisy = schedule.noisy(good, noise, schedule.steps)
    for timestep in range(schedule.steps, 0, -1):
        latent = gaussian(torch.Size((len(good), network.shape.latent)))
        told = torch.full((len(good),), timestep, device=good.device)
        clean = network(noisy, told, latent, conditions, mask)
        made = schedule.previous(noisy, clean, gaussian(good.shape), timestep)
        if background is not None:
            made = fused(made, background_at(schedule, good, trajectory, noisy, timestep, background), mask)
        noisy = made
    return fused(noisy, good, mask)
