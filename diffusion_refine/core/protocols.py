"""What samplers ask of a diffusion model: one thing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from torch import Tensor

if TYPE_CHECKING:
    from diffusion_refine.core.models import Prompt


class Denoiser(Protocol):
    """Predicts the noise in latents; `diffusion_refine.core.models.Model` is one."""

    def noise(self, latents: Tensor, timestep: Tensor | int, conditions: Prompt) -> Tensor:
        """ε, float32 (B, C, h, w), in latents (B, C, h, w) of one timestep under one prompt, or one for each."""
