"""A detector that learns windows whose features are at hand: its examples, its weighted loss (P12), its steps."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from anomaly.backbone.extractor import seeded
from anomaly.weighting.bilevel import Parameters, SegmentationHead, called, inner_loss, picture_losses

STEPS, BATCH, RATE = 100, 16, 3e-3


@dataclass(frozen=True, eq=False)
class Examples:
    """What a detector learns from. features: (N, D, h, w) of the backbone; truth: (N, 1, h, w), shares of patches."""

    features: Tensor
    truth: Tensor

    def __len__(self) -> int:
        return len(self.features)

    def chosen(self, numbers: Tensor) -> Examples:
        """Those of some numbers (n,)."""
        return Examples(self.features[numbers], self.truth[numbers])


@dataclass(frozen=True, eq=False)
class Detector:
    """A head that has learnt, and the mean and deviation (1, D, 1, 1) of the features that it learnt from."""

    head: SegmentationHead
    mean: Tensor
    deviation: Tensor

    @torch.no_grad()
    def __call__(self, features: Tensor) -> Tensor:
        """Logits (B, 1, h, w) of features (B, D, h, w)."""
        found: Tensor = self.head((features - self.mean) / self.deviation)
        return found


def detector_of(
    flawed: Examples, weights: Tensor, good: Tensor, seed: int, steps: int = STEPS, batch: int = BATCH
) -> Detector:
    """One that learnt examples by their weights (N,), and features (M, D, h, w) without defects, M perhaps 0."""
    mean, deviation = spread(flawed.features)
    mine = Examples((flawed.features - mean) / deviation, flawed.truth)
    rng = torch.Generator().manual_seed(seed)
    with seeded(seed):
        head = SegmentationHead(mine.features.shape[1])
    learning = torch.optim.Adam(head.parameters(), RATE)
    for _ in range(steps):
        chosen = drawn(len(mine), batch, rng)
        clean = (good[drawn(len(good), batch, rng)] - mean) / deviation if len(good) else good
        loss = weighted_loss(head, weights[chosen], mine.chosen(chosen), clean)
        descend(learning, torch.autograd.grad(loss, list(head.parameters())))
    return Detector(head.eval(), mean, deviation)


def weighted_loss(head: SegmentationHead, weights: Tensor, mine: Examples, clean: Tensor) -> Tensor:
    """P12's of examples by their weights (n,), and of features (m, D, h, w) without a defect."""
    parameters = dict(head.named_parameters())
    nothing = torch.zeros(len(clean), 1, *clean.shape[2:])
    return inner_loss(
        weights,
        losses(head, parameters, mine.features, mine.truth),
        losses(head, parameters, clean, nothing),
    )


def losses(head: SegmentationHead, parameters: Parameters, features: Tensor, truth: Tensor) -> Tensor:
    """l (B,) of features (B, D, h, w) under other parameters than the head's own; one 0 of no picture."""
    return picture_losses(called(head, parameters, features), truth) if len(features) else features.new_zeros(1)


def descend(optimizer: torch.optim.Optimizer, slopes: tuple[Tensor, ...]) -> None:
    """One step down these slopes of an optimizer's parameters."""
    for parameter, slope in zip(optimizer.param_groups[0]["params"], slopes, strict=True):
        parameter.grad = slope
    optimizer.step()


def drawn(count: int, batch: int, rng: torch.Generator) -> Tensor:
    """(batch,) numbers below count, each as likely."""
    return torch.randint(count, (batch,), generator=rng)


def spread(features: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and deviation (1, D, 1, 1) of each channel of features (N, D, h, w)."""
    mean = features.mean(dim=(0, 2, 3), keepdim=True)
    return mean, features.std(dim=(0, 2, 3), keepdim=True).clamp(min=1e-6)
