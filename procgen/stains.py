"""Dried water stains: Algorithm 1 of Mao et al., "Sequential PatchCore" (seed 003)."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from procgen.checks import require
from procgen.errors import BlemishError
from procgen.layer import Family, LayerSample, SurfacePoints
from procgen.noise import PERLIN_BOUND, fractal, perlin
from procgen.placement import nearest_centre

DEPOSIT_OCTAVES = 3
DEPOSIT_FREQUENCY = 2.0  # of the deposit's coarsest octave, over the frequency of the outline


@dataclass(frozen=True)
class WaterStains:
    """A population of stains, one round each random centre of a grid, or a single stain round `centre`.

    cell_size: m, edge of the cells that hold a centre each, G. radius: m, r. frequency: 1/m, f, and amplitude: m, A, of
    the noise on the outline. gamma: how much of the change sits at the rim. alpha: change of reflectance there, < 0 for
    the dark rims of the paper. seed: of the centres. occupancy: share of the cells that hold a stain.
    heterogeneity: depth of the patchy deposit inside the outline, as a share of alpha; the paper names its lack.
    roughness_change: of the dried film. centre: (3,) m. noise_seed: of the outline, 0 for the reference Perlin noise.
    With the last five left alone this is Algorithm 1 to the letter.
    Raises BlemishError for values out of range, and where r + A > G, when one ring of cells does not hold every stain.
    """

    cell_size: float | None
    radius: float
    frequency: float
    amplitude: float
    gamma: float
    alpha: float
    seed: int = 0
    occupancy: float = 1.0
    heterogeneity: float = 0.0
    roughness_change: float = 0.0
    centre: tuple[float, float, float] | None = None
    noise_seed: int = 0

    family: ClassVar[Family] = "impurity"
    class_name: ClassVar[str] = "water_stain"

    def __post_init__(self) -> None:
        require(
            "water stains",
            radius=(self.radius, "positive"),
            frequency=(self.frequency, "positive"),
            amplitude=(self.amplitude, "not negative"),
            gamma=(self.gamma, "positive"),
            alpha=(self.alpha, "finite"),
            occupancy=(self.occupancy, "0 to 1"),
            heterogeneity=(self.heterogeneity, "not negative"),
            roughness_change=(self.roughness_change, "finite"),
            seed=(self.seed, "not negative"),
            noise_seed=(self.noise_seed, "not negative"),
        )
        if self.centre is not None:
            x, y, z = self.centre
            require("water stains", centre_x=(x, "finite"), centre_y=(y, "finite"), centre_z=(z, "finite"))
        elif self.cell_size is None:
            raise BlemishError("water stains: found neither a centre nor a cell size; expected one of them")
        else:
            require("water stains", cell_size=(self.cell_size, "positive"))
            if self.radius + self.amplitude > self.cell_size:
                raise BlemishError(
                    f"water stains: found radius + amplitude = {self.radius + self.amplitude:g} m; expected at most "
                    f"the cell size, {self.cell_size:g} m, or stains would be cut off: use larger cells"
                )

    def evaluate(self, points: SurfacePoints | ArrayLike) -> LayerSample:
        """Algorithm 1 at N points: radius r' (line 3), nearest centre (4 to 9), reflectance (10 to 15)."""
        positions = SurfacePoints.of(points).positions
        sample = LayerSample.blank(len(positions))
        distance, instance = self._nearest(positions)

        # Perlin noise costs more than all the rest: ask for it only where some noise could put the point inside.
        near = np.flatnonzero(distance <= self.radius + self.amplitude * PERLIN_BOUND)
        noise = perlin(positions[near] * self.frequency, self.noise_seed)
        outline = self.radius + self.amplitude * noise
        is_inside = (distance[near] <= outline) & (outline > 0.0)
        inside = near[is_inside]
        change = (distance[inside] / outline[is_inside]) ** self.gamma
        if self.heterogeneity > 0.0:
            change += self.heterogeneity * self._deposit(positions[inside])

        sample.inside[inside] = True
        sample.instance[inside] = instance[inside]
        sample.reflectance[inside] = self.alpha * change
        sample.roughness[inside] = self.roughness_change
        return sample

    def _nearest(self, positions: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        if self.centre is not None:
            distance = np.linalg.norm(positions - np.array(self.centre), axis=1)
            return distance, np.ones(len(positions), dtype=np.int64)
        assert self.cell_size is not None  # __post_init__
        # Noise above 1 is possible in principle and could reach past the one ring; the cell size ends it there.
        reach = min(self.radius + self.amplitude * PERLIN_BOUND, self.cell_size)
        return nearest_centre(positions, self.cell_size, self.seed, self.occupancy, reach)

    def _deposit(self, positions: NDArray[np.float64]) -> NDArray[np.float64]:
        """What the water left behind, (N,) from 0 to 1: nothing over about half of the area, then patches."""
        noise = fractal(positions * self.frequency * DEPOSIT_FREQUENCY, DEPOSIT_OCTAVES, self.noise_seed + 1)
        return np.clip(0.5 * noise, 0.0, 1.0)
