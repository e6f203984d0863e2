"""Levels of noise, DDIM's step between them, and the order in which timesteps are visited (C12 to C14)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import torch
from torch import Tensor

FIRST_BETA, LAST_BETA, TRAINED = 1e-4, 0.02, 1000  # the linear schedule of [Ho 2020], which the networks are trained at


def trained_alpha_bars() -> Tensor:
    """(1000,) float64: the share of a picture's variance in what the networks see at every timestep of training."""
    return (1.0 - torch.linspace(FIRST_BETA, LAST_BETA, TRAINED, dtype=torch.float64)).cumprod(0)


@dataclass(frozen=True)
class Schedule:
    """steps: timesteps that the thousand of training are thinned to. start: of them, from which the picture is noised.

    jump, samples: RePaint's time travel [Lugmayr 2022]: every `jump` timesteps back by as many, so that each stretch is
    gone through `samples` times. to_the_end: whether the last step leads to the picture itself, not to the first level.
    """

    steps: int = 250
    start: int = 30
    jump: int = 10
    samples: int = 3
    to_the_end: bool = True

    def __post_init__(self) -> None:
        if not (1 <= self.start <= self.steps <= TRAINED and self.jump >= 1 and self.samples >= 1):
            raise ValueError(f"{self}; expected 1 <= start <= steps <= {TRAINED}, and jump and samples of 1 or more")

    @cached_property
    def trained_at(self) -> tuple[int, ...]:
        """The timestep of training that each of ours is: evenly spread, the first and the last among them."""
        stride = (TRAINED - 1) / max(1, self.steps - 1)
        return tuple(round(number * stride) for number in range(self.steps))

    @cached_property
    def alpha_bars(self) -> tuple[float, ...]:
        """ᾱ of every timestep, and last, as that of -1, the picture's own: 1."""
        levels = trained_alpha_bars()
        return (*(float(levels[place]) for place in self.trained_at), 1.0)

    @cached_property
    def timesteps(self) -> tuple[int, ...]:
        """C13: as they are visited; a timestep above the one before it is reached by adding noise."""
        left = dict.fromkeys(range(0, self.start - self.jump, self.jump), self.samples - 1)
        visited, now = [], self.start
        while now >= 1:
            now -= 1
            visited.append(now)
            if left.get(now, 0):
                left[now] -= 1
                visited += range(now + 1, now + self.jump + 1)
                now += self.jump
        return (*visited, -1) if self.to_the_end else tuple(visited)

    @cached_property
    def moves(self) -> tuple[tuple[int, int], ...]:
        """Pairs of timesteps, from and to."""
        return tuple(pairwise(self.timesteps))

    @cached_property
    def turns(self) -> int:
        """How often the noise begins to grow again."""
        falling = [True, *(to < now for now, to in self.moves)]
        return sum(before and not after for before, after in pairwise(falling))

    @property
    def visits(self) -> int:
        """At how many timesteps the models are asked: each that is denoised from, and each before time travel."""
        return sum(to < now for now, to in self.moves) + self.turns

    def noisy(self, clean: Tensor, noise: Tensor, timestep: int) -> Tensor:
        """x_t of pictures and Gaussian noise alike; C14 begins with that of `start`, or of the last timestep."""
        level = self.alpha_bars[min(timestep, self.steps - 1)]
        return math.sqrt(level) * clean + math.sqrt(1.0 - level) * noise

    def clean(self, noisy: Tensor, epsilon: Tensor, timestep: int) -> Tensor:
        """C1: what is seen of the picture in x_t, given its noise."""
        level = self.alpha_bars[timestep]
        return ((noisy - math.sqrt(1.0 - level) * epsilon) / math.sqrt(level)).clamp(-1.0, 1.0)

    def previous(
        self, clean: Tensor, epsilon: Tensor, timestep: int, to: int, noise: Tensor | None = None, sigma: float = 0.0
    ) -> Tensor:
        """C12, DDIM [Song 2021]: from x̂_0 and ε at a timestep to a cleaner one; sigma 0 adds no noise."""
        level, after = self.alpha_bars[timestep], self.alpha_bars[to]
        added = 0.0
        if sigma and timestep:
            added = sigma * math.sqrt((1.0 - after) / (1.0 - level) * (1.0 - level / after))
        moved = math.sqrt(after) * clean + math.sqrt(max(0.0, 1.0 - after - added**2)) * epsilon
        return moved + added * noise if added and noise is not None else moved

    def noisier(self, noisy: Tensor, noise: Tensor, timestep: int) -> Tensor:
        """C13: x_{t+1} of x_t, t being `timestep`."""
        kept = self.alpha_bars[timestep + 1] / self.alpha_bars[timestep]
        return math.sqrt(kept) * noisy + math.sqrt(1.0 - kept) * noise

    def smart_decay(self, timestep: int) -> float:
        """C11: √(ᾱ_t / ᾱ_0), which rates are multiplied by: a step in x_t is so much larger in x̂_0."""
        return math.sqrt(self.alpha_bars[timestep] / self.alpha_bars[0])
