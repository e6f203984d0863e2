"""The procedural generator: a scene's layers on the picture that the scene was drawn for."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from diffusion_refine.synthesis.generator import FrameStream, GeneratedFrame, Mask, SourceFrame
from diffusion_refine.synthesis.procedural.painting import painted


@dataclass(frozen=True)
class ProceduralGenerator:
    """gloss: share of the picture that is mirrored in the surface."""

    gloss: float

    def generate(self, frame: SourceFrame, mask: Mask, stream: FrameStream) -> GeneratedFrame:
        """The frame with all that its scene holds; nothing is drawn here that the scene does not say."""
        made = painted(frame.image, frame.scene, self.gloss)
        return GeneratedFrame(made.pixels, made.classes, made.defects, made.impurities, made.instances)

    def described(self, variant: int) -> dict[str, Any]:
        return {"method": "procedural", "settings": asdict(self)}
