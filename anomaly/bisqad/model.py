"""BiSQAD as mathematics: a segmentation head on the features of a frozen backbone."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext

import torch
from torch import Tensor
from torch.nn import functional

from anomaly.backbone.patch_extractor import PatchExtractor
from anomaly.backbone.patch_scorer import PatchScorer
from anomaly.patchcore.distance_bounds import full_precision
from anomaly.weighting.bilevel import SegmentationHead

PREFIX = "head."  # of the head's tensors in an inspector's file


class BisqadModel(PatchScorer):
    """Scores images (B, 3, H, W), ImageNet-normalised, by what the head says of their patches.

    A score is −ln(1 − p) of the probability p that a patch is defective: from 0 on, and the surest patches can still be
    told apart. `mean` and `deviation` (1, D, 1, 1) are those of the features that were learnt from.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, extractor: PatchExtractor) -> None:
        super().__init__(extractor)
        self.head = SegmentationHead(extractor.channels)
        self.register_buffer("mean", torch.zeros(1, extractor.channels, 1, 1))
        self.register_buffer("deviation", torch.ones(1, extractor.channels, 1, 1))

    def distances_of(self, grid: Tensor) -> Tensor:
        """(B, 1, h, w) scores of features (B, D, h, w)."""
        with nullcontext() if torch.compiler.is_exporting() else full_precision(grid.device):
            return functional.softplus(self.head((grid - self.mean) / self.deviation))

    def tensors(self) -> dict[str, Tensor]:
        """What of it is kept in a file, beside the backbone."""
        own = {"mean": self.mean, "deviation": self.deviation, **self.head.state_dict()}
        return {f"{PREFIX}{name}": value for name, value in own.items()}

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Become the one whose `tensors` these are. Raises KeyError, RuntimeError or ValueError for another's."""
        own = {name.removeprefix(PREFIX): value for name, value in tensors.items() if name.startswith(PREFIX)}
        mean, deviation = own.pop("mean"), own.pop("deviation")
        if mean.shape != self.mean.shape or deviation.shape != self.mean.shape or not (deviation > 0).all():
            raise ValueError(f"features' mean and deviation are of shape {tuple(mean.shape)}, or no deviations")
        self.head.load_state_dict(own)
        self.mean, self.deviation = mean, deviation
        self.eval().requires_grad_(False)
