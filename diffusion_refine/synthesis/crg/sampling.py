"""CRG's sampler: both models denoise side by side from the noised picture on, the context guided at every timestep."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

import torch
from torch import Tensor

from diffusion_refine.synthesis.crg.attention import AttentionSettings, Focus, attended, background_of
from diffusion_refine.synthesis.crg.guidance import (
    Aim,
    GuidanceSettings,
    Judged,
    guided,
    lost,
    strayed,
    windows_of,
)
from diffusion_refine.synthesis.crg.schedule import Schedule


class ContextModel(Protocol):
    """Knows good pictures: their noise ε (B, C, H, W) in x_t; timestep: of the thousand of training."""

    def __call__(self, noisy: Tensor, timestep: int) -> Tensor: ...


class PriorModel(Protocol):
    """Knows defects: the noise ε (B, C, h, w) in c_t; labels: (B,) of its classes."""

    def __call__(self, noisy: Tensor, timestep: int, labels: Tensor) -> Tensor: ...


@dataclass(frozen=True)
class CrgSettings:
    """All of the mechanism. resync: timesteps after which the prior begins again with what the context shows; C15.

    sigma: of DDIM's noise. optimised: whether x_t is guided before time travel, too.
    """

    attention: AttentionSettings = field(default_factory=AttentionSettings)
    guidance: GuidanceSettings = field(default_factory=GuidanceSettings)
    schedule: Schedule = field(default_factory=Schedule)
    resync: int | None = 10
    sigma: float = 0.0
    optimised: bool = True


def literal() -> CrgSettings:
    """As the published code is: no box, the prior begun again at timestep 0 alone, what is left of the noise kept."""
    return CrgSettings(
        attention=AttentionSettings(reach=None),
        guidance=GuidanceSettings(means=True),
        schedule=Schedule(to_the_end=False),
        resync=None,
    )


@dataclass(frozen=True)
class Calls:
    """How often each network was asked, a batch at a time."""

    context: int
    prior: int


def expected_calls(settings: CrgSettings) -> tuple[Calls, Calls]:
    """How often the networks are asked by the schedule: at least, where no step was too long, and at most."""
    schedule, guidance = settings.schedule, settings.guidance
    denoised = schedule.visits - schedule.turns
    visits = schedule.visits if settings.optimised and guidance.steps else denoised
    again = sum(resynchronises(settings, now) for now, to in schedule.moves if to < now)
    prior = visits + again
    return (
        Calls(visits * (1 + guidance.steps), prior),
        Calls(visits * (1 + guidance.steps * guidance.tries), prior),
    )


def resynchronises(settings: CrgSettings, timestep: int) -> bool:
    """C15: every `resync` timesteps; as the published code has it, whose condition is true of timestep 0 alone."""
    return timestep == 0 if settings.resync is None else timestep % settings.resync == 0


@dataclass(frozen=True, eq=False)
class Drawn:
    """pictures: (B, C, H, W) in [-1, 1]; attention: (B, 1, h, w), the last timestep's; patches: what the prior drew."""

    pictures: Tensor
    attention: Tensor
    patches: Tensor
    calls: Calls


class _Counted:
    """Models that say how often they were asked."""

    def __init__(self, context: ContextModel, prior: PriorModel) -> None:
        self._context, self._prior = context, prior
        self.contexts = self.priors = 0

    def context(self, noisy: Tensor, timestep: int) -> Tensor:
        self.contexts += 1
        return self._context(noisy, timestep)

    @torch.no_grad()
    def prior(self, noisy: Tensor, timestep: int, labels: Tensor) -> Tensor:
        self.priors += 1
        return self._prior(noisy, timestep, labels)


@dataclass(frozen=True, eq=False)
class _Visit:
    """What both models saw at a timestep, after the guidance."""

    context: Judged
    patch: Tensor
    epsilon: Tensor
    clean: Tensor
    attention: Tensor


def draw(
    context: ContextModel,
    prior: PriorModel,
    good: Tensor,
    corners: Tensor,
    labels: Tensor,
    focus: Focus,
    side: int,
    settings: CrgSettings,
    rng: torch.Generator,
) -> Drawn:
    """A defect in a window of each good picture (B, C, H, W) in [-1, 1], all of one batch.

    corners: of the windows, (B, 2) rows and columns; labels: (B,) of the prior's classes; focus: where the boxes lie in
    their windows; side: of these, pixels.
    """
    schedule, guidance = settings.schedule, settings.guidance
    asked = _Counted(context, prior)

    def gaussian(like: Tensor) -> Tensor:
        return torch.randn(like.shape, generator=rng).to(like.device, like.dtype)

    def visit(noisy: Tensor, patch: Tensor, timestep: int, rate: float, keep: float) -> _Visit:
        trained = schedule.trained_at[timestep]
        epsilon = asked.prior(patch, trained, labels)
        clean = schedule.clean(patch, epsilon, timestep)
        now = attended(
            windows_of(good, corners, side),
            clean,
            attention,
            settings.attention.momentum_at(timestep, schedule.steps),
            focus,
            settings.attention,
        )
        background = background_of(now) if settings.attention.background else torch.zeros_like(now)
        aim = Aim(good, clean, now, background, corners)

        def judge(point: Tensor) -> Judged:
            found = asked.context(point, trained)
            seen = schedule.clean(point, found, timestep)
            return Judged(point, lost(seen, aim, guidance) + strayed(point, noisy, keep), found, seen)

        return _Visit(guided(noisy, judge, rate * schedule.smart_decay(timestep), guidance), patch, epsilon, clean, now)

    def again(seen: _Visit, timestep: int) -> Tensor:
        """What the prior begins again with."""
        window = windows_of(seen.context.clean, corners, side)
        return schedule.noisy(window, gaussian(window), timestep)

    attention: Tensor | None = None
    noisy = schedule.noisy(good, gaussian(good), schedule.start)
    patch = windows_of(noisy, corners, side)
    rate, keep, falling = guidance.rate, guidance.keep, True
    for now, to in schedule.moves:
        if to > now:
            if falling and settings.optimised and guidance.steps:
                seen = visit(noisy, patch, now, rate, keep)
                noisy = seen.context.point
                if resynchronises(settings, now):
                    patch = again(seen, now)
            falling = False
            noisy = schedule.noisier(noisy, gaussian(noisy), now)
            patch = schedule.noisier(patch, gaussian(patch), now)
            rate, keep = rate / guidance.rate_growth, keep / guidance.keep_growth
            continue
        falling = True
        seen = visit(noisy, patch, now, rate, keep)
        attention, patch, epsilon, clean = seen.attention, seen.patch, seen.epsilon, seen.clean
        if resynchronises(settings, now):
            patch = again(seen, now)
            epsilon = asked.prior(patch, schedule.trained_at[now], labels)
            clean = schedule.clean(patch, epsilon, now)
        noises = (gaussian(noisy), gaussian(patch)) if settings.sigma else (None, None)
        noisy = schedule.previous(seen.context.clean, seen.context.epsilon, now, to, noises[0], settings.sigma)
        patch = schedule.previous(clean, epsilon, now, to, noises[1], settings.sigma)
        rate, keep = rate * guidance.rate_growth, keep * guidance.keep_growth
    assert attention is not None  # a schedule has a move
    return Drawn(noisy.clamp(-1.0, 1.0), attention, patch.clamp(-1.0, 1.0), Calls(asked.contexts, asked.priors))
