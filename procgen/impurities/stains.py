"""Dried water stains: Algorithm 1 of "Sequential PatchCore" [Mao 2025]."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from procgen.errors import BlemishError
from procgen.surface.binning import boxes_around, near_pairs
from procgen.surface.checks import require
from procgen.surface.layer import Family, LayerSample, SurfacePoints
from procgen.surface.noise import PERLIN_BOUND, fractal, perlin
from procgen.surface.placement import centres_around, jittered_centres, nearest_centre, unpacked
from procgen.surface.tiles import over_tiles

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]

RING_NOISE = 16  # seeds from that of the outline to those of the rings
DRIP_SHORTEST = 0.3  # of the drips, over the longest
DRIP_NECK, DRIP_BEAD = 0.75, 1.25  # width of a drip along its course and at its end, over its width
DRIP_ROOT = 0.7  # over the radius: a centre further off the surface than that leaves too little water to drip
DEPOSIT_OCTAVES = 3
TILE = 65536  # points that are evaluated at once
DEPOSIT_FREQUENCY = 2.0  # of the deposit's coarsest octave, over the frequency of the outline


@dataclass(frozen=True)
class WaterStains:
    """A population of stains, one round each random centre of a grid, or a single stain round `centre`.

    cell_size: m, edge of the cells that hold a centre each, G. radius: m, r. frequency: 1/m, f, and amplitude: m, A, of
    the noise on the outline. gamma: how much of the change sits at the rim. alpha: change of reflectance there, < 0 for
    the dark rims of the paper. seed: of the centres. occupancy: share of the cells that hold a stain.
    heterogeneity: depth of the patchy deposit inside the outline, as a share of alpha; the paper names its lack.
    roughness_change: of the dried film. centre: (3,) m. noise_seed: of the outline, 0 for the reference Perlin noise.
    rings: number of rings inside the outline, where the drop stood for a while as it dried; each is a smaller stain of
    the same kind, ring_spacing times as large and ring_contrast times as strong as the one around it.
    drip_length: m, of the longest drip that runs from a stain, drip_width: m, its width, drip_direction: (3,) where
    down was; drip_share: share of the stains that drip. A drip has the rim of its stain and a bead at its end.
    With the last eleven left alone this is Algorithm 1 to the letter.
    Raises BlemishError for values out of range, and where r + A or a drip is longer than G, when one ring of cells does
    not hold every stain.
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
    rings: int = 0
    ring_spacing: float = 0.82
    ring_contrast: float = 0.6
    drip_length: float = 0.0
    drip_width: float = 2e-3
    drip_direction: tuple[float, float, float] = (0.0, -1.0, 0.0)
    drip_share: float = 0.5

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
            rings=(self.rings, "not negative"),
            ring_spacing=(self.ring_spacing, "0 to 1"),
            ring_contrast=(self.ring_contrast, "not negative"),
            drip_length=(self.drip_length, "not negative"),
            drip_width=(self.drip_width, "positive"),
            drip_share=(self.drip_share, "0 to 1"),
            **{f"drip_direction[{i}]": (value, "finite") for i, value in enumerate(self.drip_direction)},
        )
        if not any(self.drip_direction):
            raise BlemishError("water stains: found a drip_direction of length 0; expected a direction")
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
            if self.drip_length > 0.0 and self._drip_reach > self.cell_size:
                raise BlemishError(
                    f"water stains: found drips that end {self._drip_reach:g} m from their centre; expected at "
                    f"most the cell size, {self.cell_size:g} m, or they would be cut off: use larger cells"
                )

    def evaluate(self, points: SurfacePoints | ArrayLike) -> LayerSample:
        """Algorithm 1 at N points: radius r' (line 3), nearest centre (4 to 9), reflectance (10 to 15)."""
        points = SurfacePoints.of(points)
        sample = LayerSample.blank(len(points))

        def fill(which: slice) -> None:
            of_tile = self._evaluated(points.tile(which))
            for name in ("inside", "instance", "reflectance", "roughness"):
                getattr(sample, name)[which] = getattr(of_tile, name)

        over_tiles(len(points), fill, TILE)
        return sample

    def _evaluated(self, points: SurfacePoints) -> LayerSample:
        positions = points.positions
        sample = LayerSample.blank(len(positions))
        distance, instance = self._nearest(positions)

        # Perlin noise costs more than all the rest: ask for it only where some noise could put the point inside.
        near = np.flatnonzero(distance <= self.radius + self.amplitude * PERLIN_BOUND)
        noise = perlin(positions[near] * self.frequency, self.noise_seed)
        outline = self.radius + self.amplitude * noise
        is_inside = (distance[near] <= outline) & (outline > 0.0)
        inside = near[is_inside]
        relative = distance[inside] / outline[is_inside]
        change = relative**self.gamma
        if self.rings > 0:
            change += self._rings(positions[inside], distance[inside])
        if self.drip_length > 0.0:
            inside, change, instance = self._with_drips(points, inside, relative, change, instance)
        if self.heterogeneity > 0.0:
            change += self.heterogeneity * self._deposit(positions[inside])

        sample.inside[inside] = True
        sample.instance[inside] = instance[inside]
        sample.reflectance[inside] = self.alpha * change
        sample.roughness[inside] = self.roughness_change
        return sample

    def _nearest(self, positions: Floats) -> tuple[Floats, Indices]:
        if self.centre is not None:
            distance = np.linalg.norm(positions - np.array(self.centre), axis=1)
            return distance, np.ones(len(positions), dtype=np.int64)
        assert self.cell_size is not None  # __post_init__
        # Noise above 1 is possible in principle and could reach past the one ring; the cell size ends it there.
        reach = min(self.radius + self.amplitude * PERLIN_BOUND, self.cell_size)
        return nearest_centre(positions, self.cell_size, self.seed, self.occupancy, reach)

    def _deposit(self, positions: Floats) -> Floats:
        """What the water left behind, (N,) from 0 to 1: nothing over about half of the area, then patches."""
        noise = fractal(positions * self.frequency * DEPOSIT_FREQUENCY, DEPOSIT_OCTAVES, self.noise_seed + 1)
        return np.clip(0.5 * noise, 0.0, 1.0)

    def _rings(self, positions: Floats, distance: Floats) -> Floats:
        """What the rings add (n,) to the change at points in a stain."""
        change = np.zeros(len(positions))
        for ring in range(1, self.rings + 1):
            noise = perlin(positions * self.frequency, self.noise_seed + RING_NOISE + ring)
            outline = self.ring_spacing**ring * (self.radius + self.amplitude * noise)
            within = (distance <= outline) & (outline > 0.0)
            change[within] += self.ring_contrast**ring * (distance[within] / outline[within]) ** self.gamma
        return change

    def _with_drips(
        self, points: SurfacePoints, inside: Indices, relative: Floats, change: Floats, instance: Indices
    ) -> tuple[Indices, Floats, Indices]:
        """The points in a stain or its drip, the change there, and the instance of every point."""
        across, owner = self._across_drip(points)
        in_stain = np.full(len(points), np.inf)
        in_stain[inside] = relative
        all_changes = np.zeros(len(points))
        all_changes[inside] = change
        # Where a drip leaves its stain, neither has a rim.
        dripped = np.flatnonzero((across <= 1.0) & (across < in_stain))
        all_changes[dripped] = across[dripped] ** self.gamma
        instance = instance.copy()
        instance[dripped] = owner[dripped]
        inside = np.flatnonzero((in_stain < np.inf) | (across <= 1.0))
        return inside, all_changes[inside], instance

    def _across_drip(self, points: SurfacePoints) -> tuple[Floats, Indices]:
        """How far (N,) a point is from the middle of a drip, 1 at its edge, and the id (N,) of the stain that drips."""
        nearest = np.full(len(points), np.inf)
        owner = np.zeros(len(points), dtype=np.int64)
        if len(points) == 0:
            return nearest, owner
        columns = np.ascontiguousarray(points.positions.T)
        if self.centre is not None:
            boxes = boxes_around(columns, self._drip_reach)
            centres, ids = np.array([self.centre]), np.ones(1, dtype=np.int64)
            lengths = np.full(1, self.drip_length)
        else:
            assert self.cell_size is not None  # __post_init__
            boxes, centres, ids = centres_around(columns, self.cell_size, self.seed, self.occupancy)
            cells = unpacked(ids)
            drips, share, _ = (jittered_centres(cells, 1.0, self.seed + 1) - cells).T
            lengths = self.drip_length * (DRIP_SHORTEST + (1.0 - DRIP_SHORTEST) * share)
            which = drips < self.drip_share
            centres, ids, lengths = centres[which], ids[which], lengths[which]
        down = np.array(self.drip_direction) / np.linalg.norm(self.drip_direction)
        for point, stain in near_pairs(boxes, centres, self._drip_reach):
            away, normal = points.positions[point] - centres[stain], points.normals[point]
            off = _dot(away, normal)
            slope = down - _dot(np.broadcast_to(down, normal.shape), normal)[:, np.newaxis] * normal
            steepness = np.sqrt(_dot(slope, slope))
            runs = (np.abs(off) <= DRIP_ROOT * self.radius) & (steepness > 0.1)  # not on a level surface
            point, stain, off, away = point[runs], stain[runs], off[runs], away[runs]
            fall = _dot(away, slope[runs]) / steepness[runs]
            run = np.clip(fall, 0.0, lengths[stain])
            aside = np.sqrt(np.maximum(_dot(away, away) - off**2 - fall**2, 0.0) + (fall - run) ** 2)
            bead = np.exp(-(((lengths[stain] - run) / self.drip_width) ** 2))
            half = 0.5 * self.drip_width * (DRIP_NECK + (DRIP_BEAD - DRIP_NECK) * bead)
            across = aside / half
            closer = across < nearest[point]
            nearest[point[closer]] = across[closer]
            owner[point[closer]] = ids[stain[closer]]
        return nearest, owner

    @property
    def _drip_reach(self) -> float:
        """How far a drip ends from its stain's centre at most, m."""
        return float(np.hypot(self.drip_length + 0.5 * DRIP_BEAD * self.drip_width, DRIP_ROOT * self.radius))


def _dot(one: Floats, other: Floats) -> Floats:
    # Not by matrix product: BLAS rounds a row differently when other rows are asked for with it.
    result: Floats = np.einsum("nk,nk->n", one, other)
    return result
