"""The randomness of a frame: a generator of its own for every quantity.

A generator is keyed by seed, frame and the quantity's path in the recipe. So no quantity depends on which others are
drawn: a family that is switched off, or a number that becomes a distribution, changes nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Self
from zlib import crc32

import numpy as np

from scenes.quantities.distribution import Distribution
from scenes.quantities.recipe_model import RecipeModel
from scenes.quantities.units import UNITS

Colour = tuple[float, float, float]


@dataclass(frozen=True)
class RandomStream:
    """The randomness of one frame at one place of the recipe.

    side: 0, or another number for another face of the same part, whose draws are its own.
    heard: takes down every quantity that is drawn, as the recipe's distribution gives it, by its path.
    """

    seed: int
    index: int
    path: str = ""
    side: int = 0
    heard: dict[str, float] | None = field(default=None, repr=False, compare=False)

    def at(self, name: str | int) -> Self:
        return replace(self, path=f"{self.path}.{name}" if self.path else str(name))

    def generator(self) -> np.random.Generator:
        key = [self.seed, self.index, crc32(self.path.encode()), *([self.side] if self.side else [])]
        return np.random.default_rng(np.random.SeedSequence(key))

    def draw(self, name: str, quantity: Distribution) -> float:
        value = quantity.sample(self.at(name).generator())
        if self.heard is not None:
            self.heard[self.at(name).path] = value
        return value

    def whole(self, name: str, quantity: Distribution) -> int:
        value = quantity.sample_whole(self.at(name).generator())
        if self.heard is not None:
            self.heard[self.at(name).path] = value
        return value

    def chance(self, name: str) -> float:
        """Uniform in [0, 1)."""
        return float(self.at(name).generator().random())

    def colour(self, name: str, channels: tuple[Distribution, Distribution, Distribution]) -> Colour:
        """Red, green and blue, drawn one by one."""
        red, green, blue = (self.draw(f"{name}.{channel}", quantity) for channel, quantity in enumerate(channels))
        return red, green, blue

    def layer_seed(self) -> int:
        """A seed for what is simulated later."""
        return int(self.at("seed").generator().integers(2**31))

    def quantities(self, section: RecipeModel, *, omit: tuple[str, ...] = ()) -> dict[str, Any]:
        """Every distribution of a section but those of `omit`, drawn, in SI units, under its name without the unit.

        `radius_mm` becomes `radius` in metres, `density_per_cm2` `density` in 1/m², `lay_degrees` `lay` in radians.
        """
        drawn = {}
        for name in type(section).model_fields:
            quantity = getattr(section, name)
            if isinstance(quantity, Distribution) and name not in omit:
                unit = max((unit for unit in UNITS if name.endswith(unit)), key=len, default="")
                drawn[name.removesuffix(unit)] = UNITS.get(unit, 1.0) * self.draw(name, quantity)
        return drawn


class LargestStream(RandomStream):
    """Nothing random, but the largest that could be drawn of every quantity."""

    def draw(self, name: str, quantity: Distribution) -> float:
        return quantity.high

    def whole(self, name: str, quantity: Distribution) -> int:
        return int(quantity.high)
