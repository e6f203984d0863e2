"""Frames of a finished dataset, and variants of them, as what is worked on."""

from __future__ import annotations

import hashlib
from functools import cached_property
from pathlib import Path
from typing import Any

from diffusion_refine.synthesis.generator import SourceFrame
from procgen.errors import BlemishError
from scenes.datasets.files import sha256_of
from scenes.datasets.reader import Dataset, Frame
from scenes.datasets.schema import HEADER
from scenes.recipes.recipe import Recipe


class DatasetFrames:
    """The frames of a finished dataset, and so many variants more of every one that shows a defect.

        frame v·F + i    variant v of frame i of F; variant 0 is the frame itself

    With D frames that show a defect, variant v > 0 of the j-th of them is F + (v − 1)·D + j, so that more variants
    extend a dataset. originals: whether the frames themselves come first; without them the variants begin at 0.
    Raises BlemishError where the dataset is not finished, or shows no defect to make variants of.
    """

    def __init__(self, dataset: Dataset, variants: int = 0, originals: bool = True) -> None:
        if not dataset.complete:
            raise BlemishError(
                f"{dataset.path}: has {len(dataset)} of {dataset.header.frames} frames; run the command that began it "
                "again to finish it first"
            )
        self.dataset, self.variants = dataset, variants
        self.originals = len(dataset) if originals else 0
        if variants and not self.flawed:
            raise BlemishError(f"{dataset.path}: shows no defect, so there is none to swap; leave --variants out")

    @property
    def folder(self) -> Path | None:
        return self.dataset.path

    @property
    def recipe(self) -> Recipe:
        return self.dataset.recipe

    @property
    def seed(self) -> int:
        return self.dataset.seed

    @cached_property
    def flawed(self) -> tuple[int, ...]:
        """Numbers of the frames with a defect in sight; looked for only where variants are made."""
        return tuple(frame.index for frame in self.dataset if frame.defects.any()) if self.variants else ()

    def __len__(self) -> int:
        return self.originals + self.variants * len(self.flawed)

    def at(self, index: int) -> tuple[Frame, int]:
        if index < self.originals:
            return self.dataset[index], 0
        variant, place = divmod(index - self.originals, len(self.flawed))
        return self.dataset[self.flawed[place]], variant + 1

    def parents(self, frame: SourceFrame) -> list[dict[str, Any]]:
        """The frame, and before it, where it was made of another itself, its own parents."""
        return lineage(self.dataset, frame.index)

    def written(self) -> dict[str, Any]:
        """What dataset.json says of the dataset that frames came from."""
        header = (self.dataset.path / HEADER).read_bytes()
        return {"frames": len(self.dataset), "sha256": hashlib.sha256(header).hexdigest()}


def lineage(dataset: Dataset, index: int) -> list[dict[str, Any]]:
    """A frame of a dataset by its number, and before it, where it was made of another itself, its own parents."""
    own = dataset[dataset.indices.index(index)]
    digest = sha256_of(own.image_path)
    parent = {"recipe": dataset.recipe_name, "seed": dataset.seed, "frame": own.index, "sha256": digest}
    return [parent, *(own.refinement or {}).get("parents", ())]
