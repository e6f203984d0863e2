"""Estimator and detector learn in turns (P12 to P14): the detector from weighted synthetic pictures, the estimator from
what that does to its loss on another set.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from anomaly.backbone.extractor import seeded
from anomaly.weighting.bilevel import SegmentationHead, stepped
from anomaly.weighting.detector import Examples, descend, drawn, losses, spread, weighted_loss
from anomaly.weighting.estimator import QualityEstimator, weights_of
from anomaly.weighting.strangeness import References
from anomaly.weighting.windows import Shown

TEMPERATURE = 0.25


@dataclass(frozen=True)
class Settings:
    """What an estimator follows from, beside its pictures.

    rate: of the detector; unrolled: η, of the step that the estimator learns through, too short to overshoot. renewed:
    steps after which another detector begins: one that knows the spoiled pictures by heart tells nothing.
    """

    steps: int = 200
    batch: int = 16
    temperature: float = TEMPERATURE
    rate: float = 3e-3
    unrolled: float = 0.01
    estimator_rate: float = 1e-4
    decay: float = 0.1  # of the estimator's weights, so that it does not grow all too sure
    renewed: int = 20
    seed: int = 0


@dataclass(frozen=True, eq=False)
class Judge:
    """An estimator, and the references that its strangeness is told by."""

    estimator: QualityEstimator
    references: References

    @torch.no_grad()
    def qualities(self, shown: Shown) -> Tensor:
        """(N,) of windows."""
        found: Tensor = self.estimator(shown.pictures, shown.filled, shown.masks, self.references.strangeness(shown))
        return found


class Teaching:
    """An estimator, and how it learns from what a detector's step does to its loss on other examples."""

    def __init__(self, others: Examples, settings: Settings) -> None:
        self.others, self.settings = others, settings
        with seeded(settings.seed):
            self.estimator = QualityEstimator()
        self._descent = torch.optim.AdamW(
            self.estimator.parameters(), settings.estimator_rate, weight_decay=settings.decay
        )

    def weights(self, shown: Shown, strangeness: Tensor, chosen: Tensor) -> Tensor:
        """(n,) of some windows, whose strangeness is known."""
        qualities = self.estimator(
            shown.pictures[chosen], shown.filled[chosen], shown.masks[chosen], strangeness[chosen]
        )
        return weights_of(qualities, self.settings.temperature)

    def learn(self, detector: SegmentationHead, inner: Tensor, rng: torch.Generator) -> float:
        """One step of the estimator, whose weights stand in the detector's loss `inner`; the loss after that step."""
        parameters = dict(detector.named_parameters())
        after = stepped(parameters, inner, self.settings.unrolled)
        theirs = self.others.chosen(drawn(len(self.others), self.settings.batch, rng))
        outer = losses(detector, after, theirs.features, theirs.truth).mean()
        descend(self._descent, torch.autograd.grad(outer, list(self.estimator.parameters())))
        return float(outer.detach())


def learnt(
    synthetic: Shown,
    good: Tensor,
    validation: Shown,
    settings: Settings = Settings(),
    on_step: Callable[[int], None] = lambda done: None,
) -> tuple[Judge, list[float]]:
    """What judges synthetic windows, and the validation losses of its steps.

    good: features (M, D, h, w) of windows without defects, M perhaps 0.
    """
    rng = torch.Generator().manual_seed(settings.seed)
    mean, deviation = spread(synthetic.features)
    mine, others = (Examples((each.features - mean) / deviation, each.truth) for each in (synthetic, validation))
    good = (good - mean) / deviation
    references, strangeness = References.of(validation, synthetic, settings.seed)
    teaching = Teaching(others, settings)
    outer_losses = []
    for step in range(settings.steps):
        if step % settings.renewed == 0:
            with seeded(settings.seed + step):
                detector = SegmentationHead(synthetic.features.shape[1])
            learning = torch.optim.Adam(detector.parameters(), settings.rate)
        chosen = drawn(len(mine), settings.batch, rng)
        clean = good[drawn(len(good), settings.batch, rng)] if len(good) else good
        inner = weighted_loss(detector, teaching.weights(synthetic, strangeness, chosen), mine.chosen(chosen), clean)
        own = torch.autograd.grad(inner, list(detector.parameters()), retain_graph=True)
        outer_losses.append(teaching.learn(detector, inner, rng))
        descend(learning, own)
        on_step(step + 1)
    return Judge(teaching.estimator.eval(), references), outer_losses
