"""A few large steps between a picture and noise, and the way back through one of them ([Wang 2025], III-A (1) to (3)).

Step t of T takes x_{t-1} to x_t; x_0 is the picture. The paper names no levels of noise; these are the variance
preserving ones that denoising diffusion GANs have [Xiao 2022].
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

FIRST_TIME = 1e-3  # of the continuous process, whose time runs to 1


@dataclass(frozen=True)
class StepSchedule:
    """The levels of noise. steps: T; beta_min, beta_max: the continuous process's rate where it begins and ends."""

    steps: int = 4
    beta_min: float = 0.1
    beta_max: float = 20.0

    def __post_init__(self) -> None:
        if self.steps < 1 or not 0.0 < self.beta_min < self.beta_max or not math.isfinite(self.beta_max):
            raise ValueError(f"{self} is no schedule; expected at least a step and 0 < beta_min < beta_max")

    @cached_property
    def alpha_bars(self) -> Tensor:
        """(T + 1,) float64: the share of the picture's variance in x_0 to x_T; the first is 1."""
        times = torch.linspace(FIRST_TIME, 1.0, self.steps + 1, dtype=torch.float64)
        logarithms = -(times.square()) * (self.beta_max - self.beta_min) / 2 - times * self.beta_min
        return torch.exp(logarithms - logarithms[0])

    @cached_property
    def betas(self) -> Tensor:
        """(T,) float64: the variance of the noise that each step adds, its first entry that of step 1."""
        return 1.0 - self.alpha_bars[1:] / self.alpha_bars[:-1]

    def noisy(self, clean: Tensor, noise: Tensor, timestep: int | Tensor) -> Tensor:
        """x_t of pictures (B, C, H, W) and Gaussian noise alike; timestep: 0 to T, one or (B,); x_0 is the picture."""
        level = _as_image(self.alpha_bars[_number(timestep)], clean)
        return level.sqrt() * clean + (1.0 - level).sqrt() * noise

    def noisier(self, previous: Tensor, noise: Tensor, timestep: int | Tensor) -> Tensor:
        """x_t of x_{t-1}; timestep: t, 1 to T."""
        beta = _as_image(self.betas[_number(timestep) - 1], previous)
        return (1.0 - beta).sqrt() * previous + beta.sqrt() * noise

    def posterior(self, timestep: int | Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """A_t, B_t and σ_t² of q(x_{t-1} | x_t, x̂_0), float64; (3) of the paper. At t = 1 they are 1, 0 and 0."""
        number = _number(timestep)
        before, level, beta = self.alpha_bars[number - 1], self.alpha_bars[number], self.betas[number - 1]
        rest = 1.0 - level
        return beta * before.sqrt() / rest, (1.0 - beta).sqrt() * (1.0 - before) / rest, beta * (1.0 - before) / rest

    def previous(self, noisy: Tensor, clean: Tensor, noise: Tensor, timestep: int | Tensor) -> Tensor:
        """x'_{t-1} of x_t and x̂_0 (B, C, H, W): (1) and (2), with the Gaussian noise given; t = 1 gives x̂_0 itself."""
        of_clean, of_noisy, variance = (_as_image(value, noisy) for value in self.posterior(timestep))
        return of_clean * clean + of_noisy * noisy + variance.sqrt() * noise


def _number(timestep: int | Tensor) -> Tensor:
    return torch.as_tensor(timestep).cpu()


def _as_image(values: Tensor, like: Tensor) -> Tensor:
    """One value, or (B,) of them, for pictures (B, C, H, W) of their device and precision."""
    return values.to(like.device, like.dtype, non_blocking=True).reshape(-1, 1, 1, 1)
