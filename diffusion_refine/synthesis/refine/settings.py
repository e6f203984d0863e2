"""All that a refinement depends on, beside the dataset and the model."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from diffusion_refine.editing.label_check import Limits
from diffusion_refine.editing.painting import PaintSettings
from diffusion_refine.editing.realism import RealismSettings
from diffusion_refine.editing.relabelling import RelabelSettings
from diffusion_refine.editing.word_swap import SwapSettings

ATTEMPTS = 4


@dataclass(frozen=True)
class RefineSettings:
    """What is to be done to every frame.

    limits: of the label check, None without one. variants: of every frame with a defect in sight, beside the refined
    frame. words: that a defect may become; those of the material's corpus when empty. attempts: with other noise, and
    other words, before a defect is left as it was. originals: whether the refined frames come before the variants.
    keep_classes: whether a variant's defects stay of their classes. relabel: how masks are found again, None where they
    stay. base_prompt: whether words are swapped in `captions.base_prompt`, which says nothing of the surface.
    paint: how a painter makes variants.
    """

    realism: RealismSettings = field(default_factory=RealismSettings)
    swap: SwapSettings = field(default_factory=SwapSettings)
    limits: Limits | None = field(default_factory=Limits)
    variants: int = 0
    words: tuple[str, ...] = ()
    attempts: int = ATTEMPTS
    seed: int = 0
    originals: bool = True
    keep_classes: bool = False
    relabel: RelabelSettings | None = None
    base_prompt: bool = False
    paint: PaintSettings = field(default_factory=PaintSettings)

    def written(self) -> dict[str, Any]:
        """All that frames depend on, as JSON; the number of variants is none of it, so that it may grow."""
        swap = {**asdict(self.swap), "blocks": list(self.swap.blocks)}
        # What is as it was before there was a choice is not told, so that datasets begun then can be gone on with.
        chosen = {
            **({} if self.originals else {"originals": False}),
            **({"keep_classes": True} if self.keep_classes else {}),
            **({} if self.relabel is None else {"relabel": asdict(self.relabel)}),
            **({"base_prompt": True} if self.base_prompt else {}),
        }
        return {
            "realism": asdict(self.realism),
            "swap": swap,
            "limits": None if self.limits is None else asdict(self.limits),
            "words": list(self.words),
            "attempts": self.attempts,
            "seed": self.seed,
            **chosen,
        }
