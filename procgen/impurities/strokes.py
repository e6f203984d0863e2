"""What an inspector drew on the part: strokes of chalk and of a felt-tip marker."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from procgen.errors import BlemishError
from procgen.finish.solid import drawn_out, isotropic
from procgen.surface.checks import require
from procgen.surface.layer import Family, LayerSample, SurfacePoints
from procgen.surface.noise import fractal
from procgen.surface.paths import Path

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]
Colour = tuple[float, float, float]
Sign = Literal["circle", "cross", "line", "tick", "zigzag"]

STEPS = 48  # of every line of a sign
UNSTEADINESS = 0.025  # standard deviation of the hand from the line that it means to draw, over the sign's size
OVERSHOOT = 1.12  # turns of a circle drawn by hand
ROUGH_EDGE = 0.05  # of a chalk line: standard deviation of its half width, relative
MOST_RAGGED = 2.0  # of these standard deviations, the most
CHALK_OCTAVES = 2
CHALK_SOFTNESS = 0.22  # standard deviations of the surface's relief over which chalk gives way to bare surface
POWDER = 0.12  # share of the light that the powder which fell into the valleys hides, where chalk was pressed on
TIP_STREAKS = (16.0, 0.12)  # length and breadth of the streaks that a felt tip leaves, over its half width
INK_EDGE = 0.18  # more ink where a line dries from its edges inwards, relative
INK_POOL = 0.35  # and where the tip rested at either end
INK_ROUGHNESS = 0.3


def hand_drawn(sign: Sign, size: float, rng: np.random.Generator) -> list[Floats]:
    """The lines of a sign about `size` m across, drawn by hand round (0, 0): arrays (STEPS + 1, 2) in m."""
    along = np.linspace(0.0, 1.0, STEPS + 1)
    half = 0.5 * size
    corners: dict[Sign, list[list[tuple[float, float]]]] = {
        "circle": [],
        "cross": [[(-1, 1), (1, -1)], [(1, 1), (-1, -1)]],
        "line": [[(-1, 0), (1, 0)]],
        "tick": [[(-1, 0.1), (-0.35, -0.7), (1, 0.9)]],
        "zigzag": [[(-1, 0.5), (-0.6, -0.5), (-0.2, 0.5), (0.2, -0.5), (0.6, 0.5), (1, -0.5)]],
    }
    lines = [np.array([np.interp(along, np.linspace(0, 1, len(c)), axis) for axis in np.array(c).T]).T
             for c in corners[sign]]  # fmt: skip
    if sign == "circle":
        angle = 2 * np.pi * (OVERSHOOT * along + rng.random())
        radius = 1.0 + 0.1 * (along - 0.5) + 0.06 * np.cos(2 * angle + 2 * np.pi * rng.random())
        lines = [np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)]
    return [half * (line + _tremor(along, rng)) for line in lines]


def _tremor(along: Floats, rng: np.random.Generator) -> Floats:
    """How a hand strays, (n, 2): a few slow waves and a shift, over half of the sign's size."""
    waves = np.arange(1, 5)
    phase = 2 * np.pi * (along[:, np.newaxis, np.newaxis] * waves + rng.random((2, 4)))
    swing = rng.standard_normal((2, 4)) / waves
    result: Floats = 2.0 * UNSTEADINESS * (np.sum(swing * np.sin(phase), axis=2) + rng.standard_normal(2))
    return result


@dataclass(frozen=True, eq=False)
class Chalk:
    """Lines of chalk on a part.

    width: m. colour: linear red, green, blue. pressure: share of the surface that the middle of a line covers. lay,
    tooth_along, tooth_across: direction (3,) and correlation lengths (m) of the relief that the chalk rubs off on, of
    which it skips the valleys; a layer does not know the finish below it, so say here what it is. instance: their id.
    Its mask is the lines with their gaps, as someone marks them.
    Raises BlemishError for values out of range.
    """

    lines: tuple[Path, ...]
    width: float
    colour: Colour = (0.85, 0.85, 0.82)
    pressure: float = 0.6
    lay: tuple[float, float, float] = (1.0, 0.0, 0.0)
    tooth_along: float = 6e-4
    tooth_across: float = 1e-4
    seed: int = 0
    instance: int = 1

    family: ClassVar[Family] = "impurity"
    class_name: ClassVar[str] = "chalk"

    def __post_init__(self) -> None:
        _require_stroke("chalk", self.width, self.colour, self.seed, self.instance)
        require(
            "chalk",
            pressure=(self.pressure, "0 to 1"),
            tooth_along=(self.tooth_along, "positive"),
            tooth_across=(self.tooth_across, "positive"),
            **{f"lay[{i}]": (value, "finite") for i, value in enumerate(self.lay)},
        )
        if not any(self.lay):
            raise BlemishError("chalk: found a lay of length 0; expected a direction")

    def evaluate(self, points: SurfacePoints | ArrayLike) -> LayerSample:
        """Inside is as far from a line as its chalk is wide there; what it covers is grainy."""
        points = SurfacePoints.of(points)
        sample = LayerSample.blank(len(points), coloured=True)
        cover = np.zeros(len(points))
        broadest = 1.0 + MOST_RAGGED * ROUGH_EDGE
        for number, (near, along, offset, _) in enumerate(_strokes(self.lines, points, broadest * self.width)):
            outward = np.abs(offset) * broadest / self._half_width(number, along, offset)
            on = outward <= 1.0
            touched, outward = near[on], outward[on]
            # A line over a line fills the gaps that the first one left.
            cover[touched] = 1.0 - (1.0 - cover[touched]) * (1.0 - self._cover(points.positions[touched], outward))
            sample.inside[touched] = True
            sample.instance[touched] = self.instance
        sample.opacity[:] = cover
        sample.reflectance[:] = cover[:, np.newaxis] * np.array(self.colour)
        sample.roughness[:] = cover
        return sample

    def _half_width(self, number: int, along: Floats, offset: Floats) -> Floats:
        """How wide (n,) the chalk is here, over half of its width: rough at the edge, another way on either side."""
        side = np.where(offset < 0.0, 0.27, 0.73) + number
        lattice = np.stack([4.0 * along / self.width, side, np.full_like(along, 0.37)], axis=1)
        ragged = fractal(lattice, CHALK_OCTAVES, 8 * self.seed + 1)
        return 1.0 + ROUGH_EDGE * np.clip(ragged, -MOST_RAGGED, MOST_RAGGED)

    def _cover(self, positions: Floats, outward: Floats) -> Floats:
        """The share (n,) of the surface under chalk: where its relief stands higher than the chalk reaches down."""
        relief = drawn_out(positions, self.lay, self.tooth_along, self.tooth_across, CHALK_OCTAVES, 8 * self.seed + 3)
        crumbs = isotropic(positions, 3.0 * self.tooth_across, CHALK_OCTAVES, 8 * self.seed + 5)
        share = np.clip(self.pressure * (1.0 - 0.85 * outward**4), 1e-3, 1.0 - 1e-3)
        reached = _normal_quantile(share)
        standing = (relief + 0.7 * crumbs) / np.hypot(1.0, 0.7)
        rubbed = 1.0 / (1.0 + np.exp(-np.clip((standing + reached) / CHALK_SOFTNESS, -30.0, 30.0)))
        return np.asarray(rubbed + POWDER * share * (1.0 - rubbed))


@dataclass(frozen=True, eq=False)
class Marker:
    """Lines of a felt-tip marker on a part.

    width: m. colour: linear red, green, blue, of thick ink. opacity: share of the surface that one line hides.
    streaks: how unevenly the tip lets go of its ink, relative. fading: share of the ink that is missing at the end of
    a line as the tip runs dry. instance: their id. Where lines cross, ink lies on ink.
    Raises BlemishError for values out of range.
    """

    lines: tuple[Path, ...]
    width: float
    colour: Colour = (0.005, 0.02, 0.2)
    opacity: float = 0.75
    streaks: float = 0.08
    fading: float = 0.1
    seed: int = 0
    instance: int = 1

    family: ClassVar[Family] = "impurity"
    class_name: ClassVar[str] = "marker"

    def __post_init__(self) -> None:
        _require_stroke("marker", self.width, self.colour, self.seed, self.instance)
        require(
            "marker",
            opacity=(self.opacity, "0 to 1"),
            streaks=(self.streaks, "0 to 1"),
            fading=(self.fading, "0 to 1"),
        )

    def evaluate(self, points: SurfacePoints | ArrayLike) -> LayerSample:
        """Inside is within half the width of a line."""
        points = SurfacePoints.of(points)
        sample = LayerSample.blank(len(points), coloured=True)
        seen_through = np.ones(len(points))
        for number, (near, along, offset, length) in enumerate(_strokes(self.lines, points, self.width)):
            seen_through[near] *= 1.0 - self._ink(number, along, offset, length)
            sample.inside[near] = True
            sample.instance[near] = self.instance
        hidden = 1.0 - seen_through
        sample.opacity[:] = hidden
        sample.reflectance[:] = hidden[:, np.newaxis] * np.array(self.colour)
        sample.roughness[:] = INK_ROUGHNESS * hidden
        return sample

    def _ink(self, number: int, along: Floats, offset: Floats, length: float) -> Floats:
        """The share (n,) that the ink of one line hides."""
        half = 0.5 * self.width
        long, broad = TIP_STREAKS
        lattice = np.stack([along / (long * half), offset / broad, np.full_like(along, 5.37 * number + 0.37)], axis=1)
        amount = 1.0 + self.streaks * fractal(lattice, 2, 8 * self.seed + 1)
        amount += INK_EDGE * offset**6
        for distance in (along + half, length + half - along):
            amount += INK_POOL * np.exp(-distance / half)
        amount *= 1.0 - self.fading * np.clip(along / length, 0.0, 1.0)
        # Beer and Lambert: twice the ink lets through the square of what the ink lets through.
        return np.asarray(1.0 - (1.0 - min(self.opacity, 0.999)) ** np.maximum(amount, 0.0))


def _strokes(
    lines: tuple[Path, ...], points: SurfacePoints, width: float
) -> Iterator[tuple[Indices, Floats, Floats, float]]:
    """For every line: the points on it (n,), where along it (n,) m and across it (n,), ±1 at its edges; its length, m.

    Lines are round at their ends: along runs from -width/2 to the length + width/2.
    """
    half = 0.5 * width
    for line in lines:
        first, last = line.vertices[[0, 1]], line.vertices[[-1, -2]]
        tips = [end - half * (inward - end) / np.linalg.norm(inward - end) for end, inward in (first, last)]
        near, along, offset = Path(np.vstack([tips[0], line.vertices, tips[1]])).beside(points, half)
        along -= half
        past = np.maximum(np.maximum(-along, along - line.length), 0.0)
        away = np.hypot(offset, past) / half
        on = away <= 1.0
        yield near[on], along[on], np.where(offset < 0.0, -away, away)[on], line.length


def _require_stroke(owner: str, width: float, colour: Colour, seed: int, instance: int) -> None:
    require(
        owner,
        width=(width, "positive"),
        **{f"colour[{i}]": (value, "0 to 1") for i, value in enumerate(colour)},
        seed=(seed, "not negative"),
        instance=(instance, "positive"),
    )


def _normal_quantile(share: Floats) -> Floats:
    from scipy.special import ndtri

    return np.asarray(ndtri(share))
