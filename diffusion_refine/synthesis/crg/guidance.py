"""How the models guide each other: what is lost at a timestep, and steps down its slope (C9 to C11).

The means of C9 are over the published windows of 64 and pictures of 256 pixels a side, whatever the model's sizes are,
so that its weights are of a pixel and mean the same everywhere.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

WINDOW, PICTURE = 64, 256  # pixels a side that the published weights are for


@dataclass(frozen=True)
class GuidanceSettings:
    """defect, background, outside: weights of C9. keep: of C10, keep_growth: its factor a timestep.

    steps: a timestep, 0 without guidance. rate, rate_growth: of C11. shrink: the rate's factor where the loss rose;
    tries: of a step, the last of which does not move. means: over the model's own windows, as the published code's.
    """

    defect: float = 1e5
    background: float = 1e4
    outside: float = 5e4
    keep: float = 1e-4
    keep_growth: float = 1.01
    steps: int = 2
    rate: float = 0.1
    rate_growth: float = 1.012
    shrink: float = 0.8
    tries: int = 12
    means: bool = False


@dataclass(frozen=True, eq=False)
class Aim:
    """What a timestep is to come near to: pictures (B, C, H, W), windows and maps of these (B, C or 1, h, w).

    corners: rows and columns (B, 2) where the windows begin, on the processor, where slices are made.
    """

    good: Tensor
    defective: Tensor
    attention: Tensor
    background: Tensor
    corners: Tensor

    def windows(self, pictures: Tensor) -> Tensor:
        return windows_of(pictures, self.corners, self.defective.shape[-1])


@dataclass(frozen=True, eq=False)
class Judged:
    """A point x_t, its loss (B,), and what was computed on the way: the noise ε and the picture x̂_0 in it."""

    point: Tensor
    loss: Tensor
    epsilon: Tensor
    clean: Tensor

    def detached(self) -> Judged:
        return Judged(*(value.detach() for value in (self.point, self.loss, self.epsilon, self.clean)))


def windows_of(pictures: Tensor, corners: Tensor, side: int) -> Tensor:
    """(B, C, side, side): a window of each picture (B, C, H, W), from its corner (B, 2) on."""
    cut = zip(pictures, corners.tolist(), strict=True)
    return torch.stack([picture[:, top : top + side, left : left + side] for picture, (top, left) in cut])


def in_windows(pictures: Tensor, corners: Tensor, side: int) -> Tensor:
    """(B, 1, H, W) bool: 1_W of C9."""
    inside = torch.zeros_like(pictures[:, :1], dtype=torch.bool)
    for one, (top, left) in zip(inside, corners.tolist(), strict=True):
        one[:, top : top + side, left : left + side] = True
    return inside


def lost(clean: Tensor, aim: Aim, settings: GuidanceSettings) -> Tensor:
    """C9, (B,): away from the defect where the attention is, from the good picture beside it and outside the window."""
    side = aim.defective.shape[-1]
    window = aim.windows(clean)
    outside = ~in_windows(clean, aim.corners, side)
    terms = (
        (settings.defect, aim.attention * (window - aim.defective).square(), WINDOW**2),
        (settings.background, aim.background * (window - aim.windows(aim.good)).square(), WINDOW**2),
        (settings.outside, outside * (clean - aim.good).square(), PICTURE**2),
    )
    found = clean.new_zeros(len(clean))
    for weight, errors, pixels in terms:
        count = errors[0].numel() if settings.means else errors.shape[1] * pixels
        found = found + weight * errors.sum(dim=(1, 2, 3)) / count
    return found


def strayed(point: Tensor, start: Tensor, weight: float) -> Tensor:
    """C10, (B,): how far x_t has been moved."""
    return weight * (point - start).square().sum(dim=(1, 2, 3))


def guided(start: Tensor, judge: Callable[[Tensor], Judged], rate: float, settings: GuidanceSettings) -> Judged:
    """C11: x_t moved down the slope of its loss, each picture's at its own rate; the loss of none rises.

    judge: asks the model once, of all pictures; with the point's graph where gradients are recorded. It is called
    1 + steps times where no step was too long, and 1 + steps · tries times at most.
    """
    with torch.set_grad_enabled(settings.steps > 0):
        found = judge(start.detach().requires_grad_(settings.steps > 0))
    rates = torch.full((len(start), 1, 1, 1), rate, device=start.device, dtype=start.dtype)
    for step in range(settings.steps):
        (slope,) = torch.autograd.grad(found.loss.sum(), found.point)
        before = found.detached()
        last = step == settings.steps - 1
        for attempt in range(1, settings.tries + 1):
            moved = torch.where(rates > 0, before.point - rates * slope, before.point)
            with torch.set_grad_enabled(not last):
                found = judge(moved.requires_grad_(not last))
            worse = ~(found.loss.detach() <= before.loss)  # also where it is no number
            if attempt == settings.tries or not bool(worse.any()):
                break
            shrunk = settings.shrink if attempt < settings.tries - 1 else 0.0
            rates = torch.where(worse.reshape(-1, 1, 1, 1), rates * shrunk, rates)
    return found.detached()
