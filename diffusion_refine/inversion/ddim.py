"""DDIM inversion: the noise that a deterministic sampler would have made the picture of, and every latent between."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from diffusion_refine.core.models import Prompt
from diffusion_refine.core.protocols import Denoiser
from diffusion_refine.core.schedule import Schedule
from scenes.jobs.progress import Progress

# Told what is being done, how many of its steps are done, and of how many.


@dataclass(frozen=True)
class Trajectory:
    """Latents of B pictures at all T + 1 noise levels, the clean ones first: (T + 1, B, C, h, w) float32."""

    latents: Tensor

    def __len__(self) -> int:
        """How many pictures."""
        return self.latents.shape[1]

    def __getitem__(self, picture: int) -> Trajectory:
        """One picture's, still as a batch."""
        return Trajectory(self.latents[:, picture : picture + 1 or None])

    @property
    def clean(self) -> Tensor:
        return self.latents[0]

    @property
    def noisiest(self) -> Tensor:
        return self.latents[-1]

    def before(self, index: int) -> Tensor:
        """Latents that step `index` of denoising begins with, (B, C, h, w)."""
        return self.latents[len(self.latents) - 1 - index]

    def after(self, index: int) -> Tensor:
        """Latents that it should end with."""
        return self.latents[len(self.latents) - 2 - index]


@torch.no_grad()
def invert(
    model: Denoiser, latents: Tensor, prompt: Prompt, schedule: Schedule, progress: Progress | None = None
) -> Trajectory:
    """Follow the noise from clean latents (B, C, h, w) to the noisiest, T forwards, without guidance.

    From one level to the next, the model is asked at the noisier level's timestep, where denoising will ask it too.
    Guidance would amplify the error of taking the cleaner latents for the noisier ones. Source: Song et al., "Denoising
    Diffusion Implicit Models", as Mokady et al. use it.
    """
    states = [latents.float()]
    for index in reversed(range(schedule.steps)):
        epsilon = model.noise(states[-1], schedule.timesteps[index], prompt)
        states.append(schedule.step_back(states[-1], epsilon, index))
        if progress:
            progress("inverting", schedule.steps - index, schedule.steps)
    return Trajectory(torch.stack(states))
