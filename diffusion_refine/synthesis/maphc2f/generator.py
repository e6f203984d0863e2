"""The MaPhC2F generator: a recipe's defects on a picture, each worked out in stages, its surroundings untouched."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from diffusion_refine.editing.pixels import Pixels
from diffusion_refine.synthesis.generator import FrameStream, GeneratedFrame, Ids, Mask, SourceFrame
from diffusion_refine.synthesis.maphc2f.options import Stages, Wavelet
from diffusion_refine.synthesis.maphc2f.physics import Drawn, PhysicalDefect, Physics
from diffusion_refine.synthesis.maphc2f.references import References
from diffusion_refine.synthesis.maphc2f.stages import Staged, coarse, fine, physical
from diffusion_refine.synthesis.maphc2f.wavelets import reach
from diffusion_refine.synthesis.maphc2f.windows import window_around
from diffusion_refine.synthesis.pasting.pastes import Paste, as_fractions, differs, like, pasted_frame

if TYPE_CHECKING:
    from diffusion_refine.synthesis.maphc2f.model import Model

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
        made, told = self._staged(good, window.cut(drawn.appearance), window.cut(drawn.ids), defect, random)
        there, own = window.inside(pixels.shape)
        found = made.pixels[own] if pixels.ndim == 3 else made.pixels[own][..., 0]
        return Paste(
            there[0].start,
            there[1].start,
            made.changed[own] & free[there],
            like(found, pixels),
            defect.class_name,
            record={"mechanism": defect.mechanism.value, "drawn_with": seed, "stages": told},
            labelled=(window.cut(drawn.ids) == defect.number)[own],
        )

    def _staged(
        self,
        good: NDArray[np.float64],
        appearance: NDArray[np.float64],
        ids: Ids,
        defect: PhysicalDefect,
        random: np.random.Generator,
    ) -> tuple[Staged, dict[str, Any]]:
        """A defect worked out as far as is asked for, in a window (H, W, C), and the records of its stages."""
        inside = ids == defect.number
        if self.stages is Stages.physics:
            return physical(good, appearance, inside), {}
        network = None if self.model is None else self.model.networks
        made = coarse(
            good,
            appearance,
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
        return made, told


def _seen(pastes: Sequence[Paste], image: Pixels) -> list[Paste]:
    return [paste for paste in pastes if differs(paste, image)]
