"""Estimator and detector learn in turns (P12 to P14): the detector from weighted synthetic pictures, the estimator from
what that does to its loss on another set.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from anomaly.backbone.extractor import seeded
from anomaly.weighting.bilevel import Parameters, SegmentationHead, called, inner_loss, picture_losses, stepped
from anomaly.weighting.estimator import QualityEstimator, weights_of
from anomaly.weighting.windows import Shown

TEMPERATURE = 0.25


@dataclass(frozen=True)
class Settings:
    """What an estimator follows from, beside its pictures.

    rate: of the detector; unrolled: η, of the step that the estimator learns through, too short to overshoot. renewed:
    steps after which another detector begins: one that knows the spoiled pictures by heart tells nothing.
    """

    steps: int = 400
    batch: int = 16
    temperature: float = TEMPERATURE
    rate: float = 3e-3
    unrolled: float = 0.01
    estimator_rate: float = 1e-3
    decay: float = 0.1  # of the estimator's weights, so that it does not grow all too sure
    renewed: int = 20
    seed: int = 0


def learnt(
    synthetic: Shown,
    good: Tensor,
    validation: Shown,
    settings: Settings = Settings(),
    on_step: Callable[[int], None] = lambda done: None,
) -> tuple[QualityEstimator, list[float]]:
    """An estimator of synthetic windows, and the validation losses of its steps.

    good: features (M, D, h, w) of windows without defects, M perhaps 0.
    """
    rng = torch.Generator().manual_seed(settings.seed)
    mean, deviation = _spread(synthetic.features)
    synthetic, validation = (
        replace(each, features=(each.features - mean) / deviation) for each in (synthetic, validation)
    )
    good = (good - mean) / deviation
    with seeded(settings.seed):
        estimator = QualityEstimator()
    teaching = torch.optim.AdamW(estimator.parameters(), settings.estimator_rate, weight_decay=settings.decay)
    outer_losses = []
    for step in range(settings.steps):
        if step % settings.renewed == 0:
            with seeded(settings.seed + step):
                detector = SegmentationHead(synthetic.features.shape[1])
            learning = torch.optim.Adam(detector.parameters(), settings.rate)
        mine, theirs = (_drawn(len(each), settings.batch, rng) for each in (synthetic, validation))
        clean = good[_drawn(len(good), settings.batch, rng)] if len(good) else good
        qualities = estimator(synthetic.pictures[mine], synthetic.filled[mine], synthetic.masks[mine])
        weights = weights_of(qualities, settings.temperature)
        parameters = dict(detector.named_parameters())
        inner = inner_loss(
            weights,
            losses(detector, parameters, synthetic.features[mine], synthetic.truth[mine]),
            losses(detector, parameters, clean, torch.zeros(len(clean), 1, *clean.shape[2:])),
        )
        after = stepped(parameters, inner, settings.unrolled)
        outer = losses(detector, after, validation.features[theirs], validation.truth[theirs]).mean()
        slopes = torch.autograd.grad(outer, list(estimator.parameters()), retain_graph=True)
        own = torch.autograd.grad(inner, list(parameters.values()))
        _descend(teaching, slopes)
        _descend(learning, own)
        outer_losses.append(float(outer.detach()))
        on_step(step + 1)
    return estimator.eval(), outer_losses


def losses(detector: SegmentationHead, parameters: Parameters, features: Tensor, truth: Tensor) -> Tensor:
    """l (B,) of features (B, D, h, w) under other parameters than the detector's own; one 0 of no picture."""
    return picture_losses(called(detector, parameters, features), truth) if len(features) else features.new_zeros(1)


def _descend(optimizer: torch.optim.Optimizer, slopes: tuple[Tensor, ...]) -> None:
    for parameter, slope in zip(optimizer.param_groups[0]["params"], slopes, strict=True):
        parameter.grad = slope
    optimizer.step()


def _drawn(count: int, batch: int, rng: torch.Generator) -> Tensor:
    return torch.randint(count, (batch,), generator=rng)


def _spread(features: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and deviation (1, D, 1, 1) of each channel."""
    mean = features.mean(dim=(0, 2, 3), keepdim=True)
    return mean, features.std(dim=(0, 2, 3), keepdim=True).clamp(min=1e-6)
