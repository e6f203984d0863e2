"""SQE, the Synthesis Quality Estimator (P10), and the weights that follow from what it says (P11)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from anomaly.weighting.strangeness import FIGURES

LEAST, MOST = 0.1, 10.0  # that a picture weighs
HALVINGS = 60  # of the interval in which weights' scale is looked for
USUAL, STRICT = 1.5, 4.0  # strangeness at which q is a half, and how fast it falls with more
LEARNT = 0.5  # by how much at most what is learnt adds to that: a few dozen defects teach little, and noise much
DIFFERENCE = 4.0  # times which the change of the picture is shown, so that a faint one counts


class QualityEstimator(nn.Module):
    """q in (0, 1), (B,), of windows (B, 3, S, S) from 0 to 1, what they would be without defects, and their masks.

    masks: (B, 1, S, S) of 0 and 1. strangeness: (B, F), how far figures of the defects are from what is usual where the
    detector shall do well. What is seen is averaged over the window, and over the mask alone. Before anything is learnt
    a defect is the worse the stranger it is.
    """

    def __init__(self, figures: int = FIGURES, channels: int = 24) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            nn.Conv2d(before, channels, 3, stride=2, padding=1) for before in (7, channels, channels)
        )
        self.verdict = nn.Sequential(nn.Linear(2 * channels + figures, channels), nn.SiLU(), nn.Linear(channels, 1))
        last = self.verdict[-1]
        nn.init.zeros_(last.weight)  # type: ignore[arg-type]  # begun with what strangeness says
        nn.init.zeros_(last.bias)  # type: ignore[arg-type]

    def forward(self, pictures: Tensor, filled: Tensor, masks: Tensor, strangeness: Tensor) -> Tensor:
        features = torch.cat([2 * pictures - 1, DIFFERENCE * (pictures - filled), masks], dim=1)
        for layer in self.layers:
            features = functional.silu(layer(features))
        share = functional.adaptive_avg_pool2d(masks, (features.shape[-2], features.shape[-1]))
        within = (features * share).sum(dim=(2, 3)) / share.sum(dim=(2, 3)).clamp(min=1e-3)
        told = self.verdict(torch.cat([features.mean(dim=(2, 3)), within, strangeness - USUAL], dim=1))[:, 0]
        return torch.sigmoid(LEARNT * torch.tanh(told) + STRICT * (USUAL - strangeness.square().mean(dim=1).sqrt()))


def weights_of(qualities: Tensor, temperature: float) -> Tensor:
    """w (n,) of P11: n softmax(q / τ), from LEAST to MOST, scaled so that their mean is 1 within these limits too.

    The gradient goes through the limits, so that what has reached one can come back.
    """
    weights = torch.softmax(qualities / temperature, dim=0) * len(qualities)
    low, high = 1e-6, 1e6
    for _ in range(HALVINGS):
        middle = (low * high) ** 0.5
        mean = float((weights.detach() * middle).clamp(LEAST, MOST).mean())
        low, high = (middle, high) if mean < 1.0 else (low, middle)
    scaled = weights * low
    return scaled + (scaled.clamp(LEAST, MOST) - scaled).detach()
