"""Defects that a pipeline of diffusers makes in masks; the rest of the picture as it was, bit for bit."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from diffusion_refine.editing.pixels import Pixels, colour
from diffusion_refine.editing.windows import made_around
from diffusion_refine.prompts.captions import base_prompt
from diffusion_refine.synthesis.baseline.pipelines import Asked, Baseline, Picture
from diffusion_refine.synthesis.generator import FrameStream, GeneratedFrame, Mask, SourceFrame
from diffusion_refine.synthesis.pasting.pastes import Paste, drawn_frame, like_in_colour
from diffusion_refine.synthesis.refine.swap_words import word_of
from diffusion_refine.synthesis.sard.masks import DrawnMask, MaskSource

CLASS = "{class}"  # of a prompt, what stands for the word of a defect's class


@dataclass(frozen=True, eq=False)
class BaselineGenerator:
    """side: pixels of the windows that the pipeline sees. bits: class name -> bit of the class masks that are made."""

    baseline: Baseline
    masks: MaskSource
    prompt: str | None
    asked: Asked
    side: int
    bits: dict[str, int]

    def described(self, variant: int) -> dict[str, Any]:
        return {
            "method": f"baseline {self.baseline.kind.value}",
            "model": {"name": self.baseline.name, "device": self.baseline.pipeline.device.type},
            "settings": {"prompt": self.prompt, "side": self.side, **asdict(self.asked), **self.masks.written()},
        }

    def prompt_of(self, class_name: str) -> str:
        """What a pipeline is told of a defect; by default the paper's base prompt."""
        word = word_of(class_name)
        return base_prompt(word) if self.prompt is None else self.prompt.replace(CLASS, word)

    def generate(self, frame: SourceFrame, mask: Mask, stream: FrameStream) -> GeneratedFrame:
        """A defect in each mask that is drawn where `mask` is."""
        random = stream.generator()
        pastes = [self._paste(frame, one, random) for one in self.masks.drawn(frame, mask, random)]
        return drawn_frame(frame, pastes, self.bits)

    def _paste(self, frame: SourceFrame, one: DrawnMask, random: np.random.Generator) -> Paste:
        marked = np.zeros(frame.image.shape[:2], dtype=bool)
        own = tuple(
            slice(start, start + length) for start, length in zip((one.top, one.left), one.mask.shape, strict=True)
        )
        marked[own] = one.mask
        prompt = self.prompt_of(one.class_name)
        seed = int(random.integers(2**63))
        made = self._made(frame.image, marked, prompt, seed)
        record = {**one.record, "prompt": prompt, "seed": seed}
        return Paste(one.top, one.left, one.mask, made[own], one.class_name, record=record, parents=one.parents)

    def _made(self, pixels: Pixels, mask: Mask, prompt: str, seed: int) -> Pixels:
        """Pixels of a picture's type; only what the mask (H, W) marks is of use."""

        def made(pictures: list[Picture], masks: list[Mask]) -> list[Picture]:
            return [
                self.baseline.made(picture, marked, prompt, self.asked, seed)
                for picture, marked in zip(pictures, masks, strict=True)
            ]

        return like_in_colour(made_around(mask, colour(pixels), self.side, self.baseline.step, made), pixels)
