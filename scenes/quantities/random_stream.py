"""The randomness of a frame: a generator of its own for every quantity, and the units that quantities are drawn in.

A generator is keyed by seed, frame and the quantity's path in the recipe. So no quantity depends on which others are
drawn: a family that is switched off, or a number that becomes a distribution, changes nothing else.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from zlib import crc32

import numpy as np

from scenes.quantities.distribution import Distribution
from scenes.quantities.recipe_model import RecipeModel

if TYPE_CHECKING:
    from scenes.catalogue.placement.sites import Site

Colour = tuple[float, float, float]

MM = 1e-3
UM = 1e-6
NM = 1e-9
CM2 = 1e-4
HOUR = 3600.0
# What the end of a field's name says of its unit, and that unit in SI; the longest that fits counts.
UNITS = {
    "_per_mm": 1 / MM,
    "_per_cm2": 1 / CM2,
    "_mm": MM,
    "_um": UM,
    "_nm": NM,
    "_degrees": math.pi / 180,
    "_hours": HOUR,
}


@dataclass(frozen=True)
class RandomStream:
    """The randomness of one frame at one place of the recipe.

    site: where the things drawn with it may lie, if the recipe says so.
    """

    seed: int
    index: int
    path: str = ""
    site: Site | None = None

    def at(self, name: str | int) -> RandomStream:
        return replace(self, path=f"{self.path}.{name}" if self.path else str(name))

    def on(self, site: Site | None) -> RandomStream:
        return replace(self, site=site)

    def generator(self) -> np.random.Generator:
        return np.random.default_rng(np.random.SeedSequence([self.seed, self.index, crc32(self.path.encode())]))

    def draw(self, name: str, quantity: Distribution) -> float:
        return quantity.sample(self.at(name).generator())

    def whole(self, name: str, quantity: Distribution) -> int:
        return quantity.sample_whole(self.at(name).generator())

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
    """No lot, but the largest that could be drawn of every quantity."""

    def draw(self, name: str, quantity: Distribution) -> float:
        return quantity.high

    def whole(self, name: str, quantity: Distribution) -> int:
        return int(quantity.high)
