"""A method from outside the package: blackens what a recipe would draw on photographs, and needs one attempt more."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from diffusion_refine.editing.label_check import Limits
from diffusion_refine.synthesis.generator import (
    Editing,
    FrameStream,
    GeneratedFrame,
    Mask,
    SourceFrame,
    Synthesis,
)
from diffusion_refine.synthesis.procedural.photograph_frames import PhotographFrames
from diffusion_refine.synthesis.request import Request
from scenes.datasets.reader import Dataset
from scenes.recipes.recipe import load_recipe


def synthesis(
    request: Request,
    *,
    recipe: Annotated[Path, typer.Option(help="What is drawn.")],
    depth: Annotated[float, typer.Option(min=0, max=1, help="How black it gets.")] = 0.5,
) -> Synthesis:
    source = PhotographFrames(request.inputs, load_recipe(str(recipe)), 2, request.seed)
    limits = None if request.label_check is False else Limits(stray=1e9, spill=1e9)
    editing = Editing(lambda frame, variant: (frame.defects > 0).astype(np.int64), limits, 2, lambda *_: {})
    generator = Blackened(depth)
    return Synthesis(
        "blackened", "blackening", source, generator, request.seed, {"depth": depth}, editing=editing, report=told
    )


def told(made: Dataset) -> list[str]:
    return [f"{len(made)} blackened"]


@dataclass(frozen=True)
class Blackened:
    depth: float

    def generate(self, frame: SourceFrame, mask: Mask, stream: FrameStream) -> GeneratedFrame:
        image = frame.image.copy()
        image[mask] = (image[mask] * (1 - self.depth * stream.generator().random())).astype(image.dtype)
        return GeneratedFrame(image, frame.classes, frame.defects, frame.impurities, frame.instances, ("black",))

    def described(self, variant: int) -> dict[str, Any]:
        return {"settings": {"depth": self.depth}}
