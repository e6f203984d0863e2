"""Any backbone's channels on one scale, `resnet50:scaled`: each divided by its deviation on procedural pictures."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import cast

from torch import Tensor, nn

from anomaly.backbone.feature_statistics import channel_deviations
from anomaly.backbone.patch_extractor import SCALED, PatchExtractor, patch_extractor


class ScaledExtractor(nn.Module):
    """Features (B, D, ⌈H/s⌉, ⌈W/s⌉) of the backbone before `:scaled`, divided by (D,) deviations.

    These depend on no training set, so that banks of different sets can be melded, and travel with the weights.

    Raises:
        BackboneError: the backbone is not to be had.
    """

    def __init__(
        self, backbone: str, *, pretrained: bool = False, weights: Path | str | None = None, seed: int = 0
    ) -> None:
        super().__init__()
        within = patch_extractor(backbone.removesuffix(SCALED), pretrained=pretrained, weights=weights, seed=seed)
        self.within = cast(nn.Module, within)
        self.backbone, self.weights, self.pretrained = within.backbone + SCALED, within.weights, within.pretrained
        self.channels, self.strides = within.channels, within.strides
        self._deviation: Tensor | None = None  # found when first asked for: what is read back brings its own
        self.requires_grad_(False).eval()

    def train(self, mode: bool = True) -> ScaledExtractor:
        """Stay in eval mode."""
        return super().train(False)

    def weight_tensors(self) -> dict[str, Tensor]:
        """The backbone's own, and the deviations."""
        return {**self._extractor().weight_tensors(), "deviation": self.deviation}

    def load_weights(self, tensors: Mapping[str, Tensor]) -> None:
        """Take all of them over; raises KeyError, RuntimeError or ValueError for another's."""
        taken = dict(tensors)
        deviation = taken.pop("deviation")
        if deviation.shape != (self.channels,):
            raise ValueError(f"expected {self.channels} deviations, found {tuple(deviation.shape)}")
        self._extractor().load_weights(taken)
        self._deviation = deviation

    @property
    def deviation(self) -> Tensor:
        """(D,) of each channel on procedural pictures."""
        if self._deviation is None:
            self._deviation = channel_deviations(self._extractor())
        return self._deviation

    def forward(self, images: Tensor) -> Tensor:
        return self._extractor()(images) / self.deviation.to(images)[:, None, None]

    def _extractor(self) -> PatchExtractor:
        return cast(PatchExtractor, self.within)
