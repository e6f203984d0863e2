"""The DRAEM generator: a foreign texture, half transparent, where Perlin noise is high."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from diffusion_refine.synthesis.draem.perlin import perlin_mask
from diffusion_refine.synthesis.draem.textures import texture
from diffusion_refine.synthesis.generator import FrameStream, GeneratedFrame, Mask, SourceFrame
from diffusion_refine.synthesis.pasting.pastes import Paste, as_fractions, differs, like, pasted_frame

TRIES = 20  # masks that mark nothing, before a frame has no room


@dataclass(frozen=True)
class DraemSettings:
    """The defaults are those of [Zavrtanik 2021]. threshold: of the noise. opacity: of the texture, least and most."""

    threshold: float = 0.5
    opacity: tuple[float, float] = (0.1, 1.0)
    class_name: str = "draem"


@dataclass(frozen=True)
class DraemGenerator:
    """bits: class name -> bit of the class masks that are made."""

    settings: DraemSettings
    bits: dict[str, int]

    def described(self, variant: int) -> dict[str, Any]:
        return {"method": "draem", "settings": asdict(self.settings)}

    def generate(self, frame: SourceFrame, mask: Mask, stream: FrameStream) -> GeneratedFrame:
        """A texture over the frame where the noise exceeds the threshold, within the mask."""
        random = stream.generator()
        tried = (self._paste(frame, mask, random) for _ in range(TRIES))
        paste = next(filter(None, tried), None)
        return pasted_frame(frame, [] if paste is None else [paste], self.bits)

    def _paste(self, frame: SourceFrame, free: Mask, random: np.random.Generator) -> Paste | None:
        """I = (1 − β)·I + β·A inside the mask, β the opacity [Zavrtanik 2021]; None where it changes nothing."""
        shape = (frame.image.shape[0], frame.image.shape[1])
        marked = perlin_mask(shape, self.settings.threshold, random) & free
        if not marked.any():
            return None
        rows, columns = (np.flatnonzero(marked.any(axis=axis)) for axis in (1, 0))
        box = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
        opacity = float(random.uniform(*self.settings.opacity))
        kind, foreign = texture((int(np.ptp(rows)) + 1, int(np.ptp(columns)) + 1), random)
        own = as_fractions(frame.image[box])
        other = as_fractions(foreign) if own.ndim == 3 else as_fractions(foreign).mean(axis=2)
        blended = like((1.0 - opacity) * own + opacity * other, frame.image)
        record = {"opacity": opacity, "texture": kind}
        paste = Paste(
            int(rows[0]), int(columns[0]), marked[box], blended, self.settings.class_name, apart=True, record=record
        )
        return paste if differs(paste, frame.image) else None
