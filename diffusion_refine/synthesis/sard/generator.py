"""The SARD generator: defects drawn by a trained model into masks, the rest of the picture as it was, bit for bit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from diffusion_refine.synthesis.generator import FrameStream, GeneratedFrame, Mask, SourceFrame
from diffusion_refine.synthesis.pasting.pastes import Paste, drawn_frame
from diffusion_refine.synthesis.sard.drawing import drawn
from diffusion_refine.synthesis.sard.masks import DrawnMask, MaskSource
from diffusion_refine.synthesis.sard.model import SardModel


@dataclass(frozen=True, eq=False)
class SardGenerator:
    """surface: one of the model's. bits: class name -> bit of the class masks that are made."""

    model: SardModel
    masks: MaskSource
    surface: str
    bits: dict[str, int]

    def described(self, variant: int) -> dict[str, Any]:
        return {
            "method": "sard",
            "settings": {"surface": self.surface, **self.masks.written()},
            "model": {"sha256": self.model.sha256, "device": self.model.device.type},
        }

    def generate(self, frame: SourceFrame, mask: Mask, stream: FrameStream) -> GeneratedFrame:
        """A defect in each mask that is drawn where `mask` is."""
        random = stream.generator()
        pastes = [self._paste(frame, one, random) for one in self.masks.drawn(frame, mask, random)]
        return drawn_frame(frame, pastes, self.bits)

    def _paste(self, frame: SourceFrame, one: DrawnMask, random: np.random.Generator) -> Paste:
        """Drawn in a cut-out of the picture that holds the mask and what the windows round it see."""
        near = self.model.size
        rows, columns = (
            slice(max(0, start - near), min(whole, start + own + near))
            for start, own, whole in zip((one.top, one.left), one.mask.shape, frame.image.shape[:2], strict=True)
        )
        cut = frame.image[rows, columns]
        marked = np.zeros(cut.shape[:2], dtype=bool)
        own = tuple(
            slice(start - low.start, start - low.start + length)
            for start, low, length in zip((one.top, one.left), (rows, columns), one.mask.shape, strict=True)
        )
        marked[own] = one.mask
        label = self.model.labels.index(one.class_name)
        made = drawn(self.model, cut, marked, label, self.model.surfaces.index(self.surface), random)
        return Paste(one.top, one.left, one.mask, made[own], one.class_name, record=one.record, parents=one.parents)
