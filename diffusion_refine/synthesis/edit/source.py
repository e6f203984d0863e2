"""Surfaces, all frames of one picture after each other, so that it is inverted once."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from diffusion_refine.synthesis.generator import SourceFrame
from diffusion_refine.synthesis.pasting.surfaces import Surfaces
from procgen.surface.layer import Family
from scenes.recipes.recipe import Recipe


@dataclass(frozen=True)
class PictureByPicture:
    """Of `surfaces` with `count` frames a picture: frame i·count + v is variant v of picture i."""

    surfaces: Surfaces
    count: int

    @property
    def families(self) -> dict[str, Family]:
        return self.surfaces.families

    @property
    def folder(self) -> Path | None:
        return self.surfaces.folder

    @property
    def recipe(self) -> Recipe:
        return self.surfaces.recipe

    @property
    def seed(self) -> int:
        return self.surfaces.seed

    def __len__(self) -> int:
        return len(self.surfaces)

    def at(self, index: int) -> tuple[SourceFrame, int]:
        picture, variant = divmod(index, self.count)
        return self.surfaces.at(variant * (len(self) // self.count) + picture)

    def parents(self, frame: SourceFrame) -> list[dict[str, Any]]:
        return self.surfaces.parents(frame)

    def written(self) -> dict[str, Any]:
        return self.surfaces.written()
