"""Pictures of surfaces, with what is labelled on them, as frames to paste on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation

from diffusion_refine.synthesis.dataset_frames import lineage
from diffusion_refine.synthesis.generator import FrameSource, Ids, Mask, SourceFrame
from diffusion_refine.synthesis.pasting.chosen import digest_of
from procgen.surface.layer import Family, Instance
from scenes.datasets.reader import Dataset, Frame
from scenes.formats.numbering import NumberedMaps, numbered
from scenes.formats.provenance import parents_of
from scenes.formats.sample import Sample
from scenes.formats.truth import Truth
from scenes.pictures.reading import Photograph, Pixels, read_photograph
from scenes.recipes.on_photographs import draw_on
from scenes.recipes.recipe import Recipe
from scenes.scene import Scene


class Surfaces(FrameSource, Protocol):
    """Frames to paste on. families: of the classes that are labelled on them already."""

    @property
    def families(self) -> dict[str, Family]: ...

    def written(self) -> dict[str, Any]:
        """What dataset.json says of them."""


@dataclass(frozen=True, eq=False)
class PictureFrame:
    """A picture and what is labelled on it. bits: class name -> bit in `classes`."""

    index: int
    photograph: Photograph
    truth: Truth
    scene: Scene
    bits: dict[str, int]

    @property
    def image(self) -> Pixels:
        return self.photograph.pixels

    @cached_property
    def _numbered(self) -> NumberedMaps:
        return numbered(self.truth, self.bits)

    @property
    def classes(self) -> Ids:
        return self._numbered.classes

    @property
    def defects(self) -> Ids:
        return self._numbered.defects

    @property
    def impurities(self) -> Ids:
        return self._numbered.impurities

    @property
    def instances(self) -> tuple[Instance, ...]:
        return self._numbered.instances


class PictureFrames:
    """`count` frames of every picture of a list; frame v·N + i is variant v of picture i of N.

    recipe: its part, finish and camera stand for the surface in the frames' scenes; nothing of it is drawn. folder: of
    the labelled set that the pictures come from. Raises BlemishError for a picture or mask that cannot be read.
    """

    def __init__(self, samples: Sequence[Sample], recipe: Recipe, count: int, seed: int, folder: Path | None) -> None:
        self.samples, self.count, self._seed, self._folder = tuple(samples), count, seed, folder
        self._recipe = recipe.only()
        self.families: dict[str, Family] = {
            name: family for sample in self.samples for family, name in sample.truth().kinds()
        }
        self._bits = {name: bit for bit, name in enumerate(self.families)}
        self._last: tuple[int, Photograph] | None = None

    @property
    def folder(self) -> Path | None:
        return self._folder

    @property
    def recipe(self) -> Recipe:
        return self._recipe

    @property
    def seed(self) -> int:
        return self._seed

    def __len__(self) -> int:
        return self.count * len(self.samples)

    def at(self, index: int) -> tuple[PictureFrame, int]:
        variant, number = divmod(index, len(self.samples))
        photograph = self._photograph(number)
        scene = draw_on(photograph, self.recipe, self.seed, index, None, None)
        return PictureFrame(number, photograph, self.samples[number].truth(), scene, self._bits), variant

    def parents(self, frame: SourceFrame) -> list[dict[str, Any]]:
        return parents_of(self.samples[frame.index], frame.index, self._photograph(frame.index), self.folder)

    def written(self) -> dict[str, Any]:
        return {"set": self.folder.resolve().name if self.folder else None, **digest_of(self.samples)}

    def _photograph(self, number: int) -> Photograph:
        if self._last is None or self._last[0] != number:
            sample = self.samples[number]
            photograph = read_photograph(sample.image_path, sample.options, cut_out=True, sha256=sample.sha256)
            self._last = number, photograph
        return self._last[1]


class ChosenFrames:
    """`count` frames of every frame of a list of a finished dataset; frame v·N + i is variant v of frame i of N."""

    def __init__(self, dataset: Dataset, samples: Sequence[Sample], count: int) -> None:
        self.dataset, self.samples, self.count = dataset, tuple(samples), count

    @property
    def families(self) -> dict[str, Family]:
        """In the order of their bits."""
        entries = sorted(self.dataset.header.classes.items(), key=lambda item: item[1].bit)
        return {name: entry.family for name, entry in entries}

    @property
    def folder(self) -> Path | None:
        return self.dataset.path

    @property
    def recipe(self) -> Recipe:
        return self.dataset.recipe

    @property
    def seed(self) -> int:
        return self.dataset.seed

    def __len__(self) -> int:
        return self.count * len(self.samples)

    def at(self, index: int) -> tuple[Frame, int]:
        variant, number = divmod(index, len(self.samples))
        return Frame(self.dataset.path, int(self.samples[number].name), self.dataset.header), variant

    def parents(self, frame: SourceFrame) -> list[dict[str, Any]]:
        return lineage(self.dataset, frame.index)

    def written(self) -> dict[str, Any]:
        return {"recipe": self.dataset.recipe_name, "seed": self.seed, **digest_of(self.samples)}


def free_surface(frame: SourceFrame) -> Mask:
    """(H, W) where a frame shows bare surface: not transparent, and neither labelled nor next to what is."""
    labelled: NDArray[np.bool_] = (frame.defects > 0) | (frame.impurities > 0)
    free: Mask = ~binary_dilation(labelled, np.ones((3, 3)))
    surface = frame.photograph.surface if isinstance(frame, PictureFrame) else None
    return free if surface is None else free & surface
