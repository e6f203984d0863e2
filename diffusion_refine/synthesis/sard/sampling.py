"""Defects drawn into good pictures: T steps from noise, of which only the mask keeps anything."""

from __future__ import annotations

import torch
from torch import Tensor

from diffusion_refine.synthesis.sard.network import Conditions, GeneratorNetwork
from diffusion_refine.synthesis.sard.readings import Background
from diffusion_refine.synthesis.sard.region_constraint import background_at, fused
from diffusion_refine.synthesis.sard.schedule import StepSchedule


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
