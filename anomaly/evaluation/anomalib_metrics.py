"""anomalib's pixel metrics in constant memory: the figures of `anomaly.evaluation.metrics` from histograms of scores.

anomalib's own threshold, AUROC and AUPRO keep every pixel of every picture, and AUPRO wants all pictures of one size.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from anomalib.metrics import AnomalibMetric
from anomalib.metrics import Evaluator as AnomalibEvaluator
from anomalib.metrics import F1Score as AnomalibF1Score
from anomalib.metrics.auroc import AUROC as AnomalibAUROC
from anomalib.post_processing import PostProcessor
from torch import Tensor
from torchmetrics import Metric

from anomaly.evaluation.metrics import KEYS, Histograms


class _Binned(Metric):
    """Pixels by bin of their score: all, those of defects, and shares of defect regions."""

    full_state_update = False
    everything: Tensor
    defective: Tensor
    shares: Tensor
    regions: Tensor

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.add_state("everything", torch.zeros(KEYS, dtype=torch.int64), dist_reduce_fx="sum")
        self.add_state("defective", torch.zeros(KEYS, dtype=torch.int64), dist_reduce_fx="sum")
        self.add_state("shares", torch.zeros(KEYS, dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("regions", torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")

    def update(self, preds: Tensor, target: Tensor) -> None:
        """Take in maps (B, 1, H, W) or (B, H, W) and masks of the same pixels."""
        maps = preds.detach().float().cpu().numpy().reshape(-1, *preds.shape[-2:])
        masks = target.detach().cpu().numpy().reshape(-1, *target.shape[-2:]) > 0
        counts = Histograms()
        for anomaly_map, defect in zip(maps, masks, strict=True):
            counts.add(anomaly_map, defect)
        for state, values in (
            (self.everything, counts.all),
            (self.defective, counts.bad),
            (self.shares, counts.overlap),
            (self.regions, np.int64(counts.regions)),
        ):
            state += torch.as_tensor(values).to(state)

    def _histograms(self) -> Histograms:
        everything, defective, shares = (s.cpu().numpy() for s in (self.everything, self.defective, self.shares))
        return Histograms(everything, defective, shares, int(self.regions))


class PixelThreshold(AnomalibMetric, _Binned):
    """The threshold of best F1; just above the highest score where no pixel is defective."""

    def compute(self) -> Tensor:
        return torch.tensor(self._histograms().threshold(), dtype=torch.float32)


class AUROC(AnomalibMetric, _Binned):
    """Area under the receiver operating characteristic over pixels; NaN while only one kind of pixel was seen."""

    def compute(self) -> Tensor:
        area = self._histograms().auroc()
        return torch.tensor(float("nan") if area is None else area)


class AUPRO(AnomalibMetric, _Binned):
    """Area under the per-region overlap up to 30 % of good pixels; NaN while only one kind of pixel was seen."""

    def compute(self) -> Tensor:
        area = self._histograms().aupro()
        return torch.tensor(float("nan") if area is None else area)


class BinnedPostProcessor(PostProcessor):
    """anomalib's post-processor, its pixel threshold found in constant memory."""

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self._pixel_threshold_metric = PixelThreshold(fields=["anomaly_map", "gt_mask"], strict=False)


def binned_evaluator() -> AnomalibEvaluator:
    """anomalib's usual figures under their usual names, and AUPRO, in constant memory for pixels."""
    pixels = {"fields": ["anomaly_map", "gt_mask"], "prefix": "pixel_", "strict": False}
    return AnomalibEvaluator(
        test_metrics=[
            AnomalibAUROC(fields=["pred_score", "gt_label"], prefix="image_"),
            AnomalibF1Score(fields=["pred_label", "gt_label"], prefix="image_"),
            AUROC(**pixels),
            AUPRO(**pixels),
            AnomalibF1Score(fields=["pred_mask", "gt_mask"], prefix="pixel_", strict=False),
        ]
    )
