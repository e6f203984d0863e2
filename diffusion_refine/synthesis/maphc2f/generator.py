"""The MaPhC2F generator: a recipe's defects on a picture, each worked out in two stages, its surroundings untouched."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from diffusion_refine.editing.pixels import Pixels
from diffusion_refine.synthesis.generator import FrameStream, GeneratedFrame, Mask, SourceFrame
from diffusion_refine.synthesis.maphc2f.model import Model
from diffusion_refine.synthesis.maphc2f.options import Stages, Wavelet
from diffusion_refine.synthesis.maphc2f.physics import Drawn, PhysicalDefect, Physics
from diffusion_refine.synthesis.maphc2f.references import References
from diffusion_refine.synthesis.maphc2f.stages import coarse, fine
from diffusion_refine.synthesis.maphc2f.wavelets import reach
from diffusion_refine.synthesis.maphc2f.windows import window_around
from diffusion_refine.synthesis.pasting.pastes import Paste, as_fractions, differs, like, pasted_frame

MARGIN = 9  # pixels beyond what a stage changes, in which fields fade out


@dataclass(frozen=True, eq=False)
class MaPhC2FGenerator:
    """model: None for the solver. references: of the fine stage, None where there is none. bits: class name -> bit."""

    physics: Physics
    stages: Stages
    wavelet: Wavelet
    model: Model | None
    references: References | None
    bits: dict[str, int]

    def described(self, variant: int) -> dict[str, Any]:
        told = {"method": "maphc2f", "settings": {"stages": self.stages.value, "wavelet": self.wavelet.value}}
        return told if self.model is None else {**told, "model": {"sha256": self.model.sha256}}

    @torch.no_grad()
    def generate(self, frame: SourceFrame, mask: Mask, stream: FrameStream) -> GeneratedFrame:
        """What the recipe draws where `mask` is, one defect after the other."""
        random = stream.generator()
        seed = int(random.integers(2**31))
        drawn = self.physics.on(frame.image, mask, seed)
        pixels, pastes = frame.image.copy(), []
        for defect in drawn.defects:
            paste = self._paste(pixels, drawn, defect, mask, random, seed)
            pixels[paste.slices][paste.mask] = paste.pixels[paste.mask]
            pastes.append(paste)
        return pasted_frame(frame, _seen(pastes, frame.image), self.bits)

    def _paste(
        self, pixels: Pixels, drawn: Drawn, defect: PhysicalDefect, free: Mask, random: np.random.Generator, seed: int
    ) -> Paste:
        """A defect on pixels (H, W[, 3]) that may show others already."""
        window = window_around(defect.box, 2 * reach(self.wavelet) + MARGIN)
        good = as_fractions(window.cut(pixels))
        good = good if good.ndim == 3 else good[..., None]
        ids = window.cut(drawn.ids)
        inside = ids == defect.number
        network = None if self.model is None else self.model.networks
        made = coarse(
            good,
            window.cut(drawn.appearance),
            inside,
            (ids > 0) & ~inside,
            defect.mechanism,
            None if network is None else network.coarse,
        )
        told = {"coarse": made.record}
        if self.stages is Stages.fine:
            assert self.references is not None
            wanted = self.references.drawn(defect.class_name, random)
            made = fine(good, made, wanted, self.wavelet, None if network is None else network.fine)
            told["fine"] = made.record
        there, own = window.inside(pixels.shape)
        found = made.pixels[own] if pixels.ndim == 3 else made.pixels[own][..., 0]
        return Paste(
            there[0].start,
            there[1].start,
            made.changed[own] & free[there],
            like(found, pixels),
            defect.class_name,
            record={"mechanism": defect.mechanism.value, "drawn_with": seed, "stages": told},
            labelled=inside[own],
        )


def _seen(pastes: Sequence[Paste], image: Pixels) -> list[Paste]:
    return [paste for paste in pastes if differs(paste, image)]
