"""Photographs of good surfaces, each under scenes drawn from a recipe, as what is worked on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from diffusion_refine.synthesis.generator import Ids, SourceFrame
from diffusion_refine.synthesis.procedural.painting import Painted, painted
from procgen.surface.layer import Instance
from scenes.pictures.reading import (
    MOST_PHOTO_PIXELS,
    Photograph,
    Pixels,
    ReadingOptions,
    read_photograph,
    with_white_level,
)
from scenes.quantities.random_stream import RandomStream
from scenes.recipes.on_photographs import Lamp, draw_on
from scenes.recipes.recipe import Recipe
from scenes.scene import Scene

FULL_SCALE = 65535  # white of 16 bits


@dataclass(frozen=True, eq=False)
class PhotographFrame:
    """A photograph and what a recipe draws on it: the scene, and masks of what the picture does not show yet."""

    index: int
    photograph: Photograph
    scene: Scene

    @property
    def image(self) -> Pixels:
        return self.photograph.pixels

    @cached_property
    def _painted(self) -> Painted:
        return painted(self.image, self.scene, gloss=0.0)  # which masks do not depend on

    @property
    def classes(self) -> Ids:
        return self._painted.classes

    @property
    def defects(self) -> Ids:
        return self._painted.defects

    @property
    def impurities(self) -> Ids:
        return self._painted.impurities

    @property
    def instances(self) -> tuple[Instance, ...]:
        return self._painted.instances


class PhotographFrames:
    """`count` frames of every photograph, those of one after each other, each under a scene drawn from a recipe.

    scale: metres per pixel. See `draw_on` for scale and lamp. one_class: of a frame's defects those of one
    class. options: of reading them. Raises PictureError for a picture that cannot be read.
    """

    def __init__(
        self,
        photographs: Sequence[Path],
        recipe: Recipe,
        count: int = 1,
        seed: int = 0,
        *,
        scale: float | None = None,
        lamp: Lamp | None = None,
        one_class: bool = False,
        options: ReadingOptions = ReadingOptions(most_pixels=MOST_PHOTO_PIXELS),
    ) -> None:
        self.paths, self._recipe, self.count, self._seed = tuple(photographs), recipe, count, seed
        self.scale, self.lamp, self.one_class = scale, lamp, one_class
        # All of them before anything is written; their pixels only when their turn comes.
        self._options = with_white_level(self.paths, options, "the photographs")
        read = (read_photograph(path, self._options) for path in self.paths)
        self.files = [(photograph.name, photograph.sha256) for photograph in read]
        self._last: tuple[int, Photograph] | None = None

    @property
    def folder(self) -> Path | None:
        return None

    @property
    def recipe(self) -> Recipe:
        return self._recipe

    @property
    def seed(self) -> int:
        return self._seed

    def __len__(self) -> int:
        return self.count * len(self.paths)

    def at(self, index: int) -> tuple[PhotographFrame, int]:
        number, variant = divmod(index, self.count)
        photograph = self._photograph(number)
        scene = self._of_one_class(photograph, index) if self.one_class else self._drawn(photograph, self.recipe, index)
        return PhotographFrame(number, photograph, scene), variant

    def parents(self, frame: SourceFrame) -> list[dict[str, Any]]:
        name, sha256 = self.files[frame.index]
        return [{"photo": name, "frame": frame.index, "sha256": sha256}]

    def written(self) -> dict[str, Any]:
        """What dataset.json says of the photographs and of how they are taken."""
        return {
            "photos": [{"name": name, "sha256": sha256} for name, sha256 in self.files],
            "frames_per_photo": self.count,
            "metres_per_pixel": self.scale,
            **({"one_class": True} if self.one_class else {}),
            **self._white_level(),
            "lamp": None if self.lamp is None else [self.lamp.azimuth, self.lamp.elevation, self.lamp.ambient],
        }

    def _white_level(self) -> dict[str, float]:
        """What white is, where it is not the most that the pixels hold."""
        white = self._options.white_level
        return {} if white in (None, FULL_SCALE) else {"white_level": white}

    def _drawn(self, photograph: Photograph, recipe: Recipe, index: int) -> Scene:
        return draw_on(photograph, recipe, self.seed, index, self.scale, self.lamp)

    def _of_one_class(self, photograph: Photograph, index: int) -> Scene:
        """The frame's scene with the defects of one class alone, any of those that it has; all else is as it was."""
        names = [entry.class_name for entry in self.recipe.defects]
        good = scene = self._drawn(photograph, self.recipe.without("defects"), index)
        for name in RandomStream(self.seed, index, "one_class").generator().permutation(sorted(set(names))):
            others = (f"defects.{number}" for number, other in enumerate(names) if other != name)
            off = (*self.recipe.switched_off, *others)
            scene = self._drawn(photograph, self.recipe.model_copy(update={"switched_off": off}), index)
            if len(scene.layers) > len(good.layers):
                break
        return scene

    def _photograph(self, number: int) -> Photograph:
        if self._last is None or self._last[0] != number:
            self._last = number, read_photograph(self.paths[number], self._options)
        return self._last[1]
