"""The discriminator, and its branch that sees the mask's cells alone ([Wang 2025], III-B (1) and (2))."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from diffusers.models.embeddings import TimestepEmbedding, Timesteps
from torch import Tensor, nn
from torch.nn import functional

SLOPE = 0.2  # of the leaky rectifiers
VERDICT = 0.01  # standard deviation of the verdict's first weights


@dataclass(frozen=True)
class DiscriminatorShape:
    """channels: after the first convolution, then after each halving; foreground: halvings before the mask's branch."""

    channels: tuple[int, ...] = (32, 64, 96, 128, 128)
    foreground: int = 2
    embedding: int = 128

    @property
    def halvings(self) -> int:
        return len(self.channels) - 1


def cells_of(mask: Tensor, shape: tuple[int, int]) -> Tensor:
    """Up(m) of (2): mask (B, 1, H, W) of bool on a coarser grid; a cell belongs to it if any of its pixels does.

    The nearest pixel, which "Up" suggests, would lose defects thinner than a cell.
    """
    return functional.adaptive_max_pool2d(mask.float(), shape) > 0


def mean_over(values: Tensor, cells: Tensor) -> Tensor:
    """(B,): the mean of values (B, 1, h, w) over cells (B, 1, h, w) of bool; 0 where there is none."""
    counts = cells.sum(dim=(1, 2, 3))
    return torch.where(cells, values, 0.0).sum(dim=(1, 2, 3)) / counts.clamp(min=1)


class Halving(nn.Module):
    """Two convolutions told the timestep, beside a shortcut; half as many pixels a side."""

    def __init__(self, channels: int, out: int, embedding: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, out, 3, padding=1)
        self.second = nn.Conv2d(out, out, 3, padding=1)
        self.told = nn.Linear(embedding, out)
        self.shortcut = nn.Conv2d(channels, out, 1, bias=False)

    def forward(self, features: Tensor, embedding: Tensor) -> Tensor:
        inner = self.first(functional.leaky_relu(features, SLOPE)) + self.told(embedding)[..., None, None]
        inner = functional.avg_pool2d(self.second(functional.leaky_relu(inner, SLOPE)), 2)
        summed: Tensor = inner + self.shortcut(functional.avg_pool2d(features, 2))
        return summed / math.sqrt(2.0)


class Discriminator(nn.Module):
    """Tells x_{t-1} of real pictures from made ones, beside x_t, as that of a denoising diffusion GAN does [Xiao 2022].

    labels: kinds that a picture can be of; with several, their likeness to the features counts [Miyato 2018].
    """

    def __init__(self, shape: DiscriminatorShape, labels: int) -> None:
        super().__init__()
        first, last = shape.channels[0], shape.channels[-1]
        self.foreground_after = shape.foreground
        self.frequencies = Timesteps(shape.embedding, flip_sin_to_cos=True, downscale_freq_shift=0)
        self.embedding = TimestepEmbedding(shape.embedding, shape.embedding)
        self.entry = nn.Conv2d(6, first, 1)
        self.halvings = nn.ModuleList(
            Halving(before, after, shape.embedding)
            for before, after in zip(shape.channels[:-1], shape.channels[1:], strict=True)
        )
        self.exit = nn.Conv2d(last + 1, last, 3, padding=1)
        self.verdict = nn.Linear(last, 1)
        self.labels = nn.Embedding(labels, last) if labels > 1 else None
        inner = shape.channels[shape.foreground]
        self.foreground = nn.Sequential(
            nn.Conv2d(inner, inner, 3, padding=1), nn.LeakyReLU(SLOPE), nn.Conv2d(inner, 1, 1)
        )
        self._begin()

    @torch.no_grad()
    def _begin(self) -> None:
        """Weights with which activations keep their spread, so that the mask is judged from early on.

        The verdict, a sum over all cells, begins near 0.
        """
        for part in self.modules():
            if isinstance(part, nn.Conv2d | nn.Linear):
                nn.init.kaiming_normal_(part.weight, a=SLOPE)
        nn.init.normal_(self.verdict.weight, std=VERDICT)
        if self.labels is not None:
            nn.init.zeros_(self.labels.weight)

    def forward(
        self, less_noisy: Tensor, noisy: Tensor, timestep: Tensor, labels: Tensor, mask: Tensor
    ) -> tuple[Tensor, Tensor]:
        """(1): D_img and D_fg, (B,) each, 0 in the latter where the mask is empty.

        less_noisy, noisy: x_{t-1} and x_t, (B, 3, H, W); timestep: t, (B,); mask: (B, 1, H, W) bool.
        """
        embedding = self.embedding(self.frequencies(timestep))
        features = self.entry(torch.cat([less_noisy, noisy], dim=1))
        foreground = less_noisy.new_zeros(len(less_noisy))
        for depth, halving in enumerate(self.halvings, start=1):
            features = halving(features, embedding)
            if depth == self.foreground_after:
                foreground = self.of_cells(features, cells_of(mask, (features.shape[-2], features.shape[-1])))
        spread = features.std(dim=0, unbiased=False).mean()  # how much the batch differs
        features = torch.cat([features, spread.expand(len(features), 1, *features.shape[2:])], dim=1)
        pooled = functional.leaky_relu(self.exit(features), SLOPE).sum(dim=(2, 3))
        verdict = self.verdict(pooled)[:, 0]
        if self.labels is not None:
            verdict = verdict + (self.labels(labels) * pooled).sum(dim=1)
        return verdict, foreground

    def of_cells(self, features: Tensor, cells: Tensor) -> Tensor:
        """D_fg of (2), (B,): ψ of the features (B, C', h, w) within cells (B, 1, h, w), its mean over these."""
        return mean_over(self.foreground(features * cells), cells)
