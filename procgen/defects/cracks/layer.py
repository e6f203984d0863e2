"""What a crack looks like, and where it is."""

from dataclasses import dataclass, fields
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from procgen.defects.cracks.graph import CrackGraph
from procgen.errors import BlemishError
from procgen.finish.solid import isotropic
from procgen.surface.binning import boxes_around, near_pairs
from procgen.surface.checks import require
from procgen.surface.layer import Family, LayerSample, SurfacePoints

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]
Booleans = NDArray[np.bool_]

REACHES_PER_BOX = 1.0  # size of the boxes that sort out the points that are nowhere near, over an edge's median reach
NEARLY_UP = 0.85  # share of the groove that grit fills where it fills it
FILL_EDGE, FILL_OCTAVES = 0.5, 3  # standard deviations of the fill's noise from open to filled
LIP_END = 3.0  # half widths from the middle at which a lip has run out: it is as broad as the crack
# Widths in texels: up to the first, a texel is changed by what the crack covers of it; from the second on, by what its
# centre sees. In between, one gives way to the other.
HAIRLINE, RESOLVED = 0.75, 1.5
NARROWEST_MASK = 2.0  # texels, which is a pixel of a rendered picture: its centre sees only every second texel
POINTLIKE = 1e-6  # half widths, under which the extent of a texel makes no difference but for rounding
NUDGE = 1e-6  # texels by which edges are moved before they are cut, so that none runs along the border of two texels
SPALLED_DEPTH, SPALLED_SHADE = 0.15, 0.3  # of the most, where edges have broken away
LEAST_GAPING = 1e-3  # of the width
# Means over the width of the crack of 1 - |x| and of 1 - x⁴, where x runs from -1 to 1 across it.
MEAN_GROOVE, MEAN_SHADE = 1.0 / 2.0, 4.0 / 5.0


@dataclass(frozen=True)
class Crack:
    """A crack graph on a part, (V, 3), as a layer: a V-shaped groove, darker towards its bottom.

    reflectance_change: of the base colour at the bottom, < 0. roughness_change: of its walls. lip: height of the raised
    lips, as a share of the depth beside them; they fall to nothing within a width of the crack. instance: its id.
    filled: share of its way on which grit and dirt fill it nearly up, in turns of filled_size (m). seed: of those.
    spalled: share of its width where it does not gape, and its edges have broken away, shallow and less dark.

    Of points alone, those are inside that lie no further than half the width from an edge. Of texels, points of a grid,
    also those are inside whose centre an edge passes within a texel, so that a hairline keeps its mask, as a connected
    band of two texels, however thin it is. Their look gives way from the groove as the texel's centre sees it to its
    mean over the texel, so that a hairline changes each texel by the share of it that it covers, and all texels
    together by its whole area. So what is said of a texel depends on its size, never on other texels.
    Raises BlemishError for a graph that is not embedded in space.
    """

    graph: CrackGraph
    reflectance_change: float = -0.2
    roughness_change: float = 0.3
    instance: int = 1
    lip: float = 0.0
    filled: float = 0.0
    filled_size: float = 5e-3
    spalled: float = 0.0
    seed: int = 0

    family: ClassVar[Family] = "defect"
    class_name: ClassVar[str] = "crack"

    def __post_init__(self) -> None:
        if self.graph.vertices.shape[1:] != (3,):
            raise BlemishError(
                f"crack: found vertices of shape {self.graph.vertices.shape}; expected (V, 3): embed it in a part"
            )
        require(
            "crack",
            reflectance_change=(self.reflectance_change, "finite"),
            roughness_change=(self.roughness_change, "finite"),
            instance=(self.instance, "positive"),
            lip=(self.lip, "not negative"),
            filled=(self.filled, "0 to 1"),
            filled_size=(self.filled_size, "positive"),
            spalled=(self.spalled, "0 to 1"),
            seed=(self.seed, "not negative"),
        )

    def evaluate(self, points: SurfacePoints | ArrayLike) -> LayerSample:
        """The groove and its lips at N points."""
        points = SurfacePoints.of(points)
        sample = LayerSample.blank(len(points))
        near = self._profile(points)
        texel = 0.0 if points.spacing is None else float(np.sqrt(points.spacing[0] * points.spacing[1]))
        resolved: Floats = np.ones(len(near.point))
        if texel > 0.0:
            resolved = np.interp(2.0 * near.half_width / texel, (HAIRLINE, RESOLVED), (0.0, 1.0))
        covered = (1.0 - resolved) * np.minimum(near.coverage, 1.0)

        in_groove = near.offset <= 1.0
        (groove, mean_groove), (shade, mean_shade) = self._across(near.offset, 0.5 * texel / near.half_width)
        falling = np.clip((LIP_END - near.offset) / (LIP_END - 1.0), 0.0, 1.0) ** 2
        lips = self.lip * np.where(in_groove, near.offset, falling)
        sample.height[near.point] = near.depth * (resolved * (lips - groove) - covered * mean_groove)

        masked = near.point[in_groove | near.masked]
        sample.inside[masked] = True
        sample.instance[masked] = self.instance
        # Little light gets into a crack and less comes back: it is dark nearly up to its edges.
        sample.reflectance[near.point] = self.reflectance_change * (resolved * shade + covered * mean_shade)
        sample.roughness[near.point] = self.roughness_change * (resolved * in_groove + covered)
        if self.filled > 0.0:
            left = self._open(points.positions[near.point])
            sample.height[near.point] *= left
            sample.reflectance[near.point] *= left
        return sample

    def _across(self, offset: Floats, reach: Floats) -> tuple[tuple[Floats, float], tuple[Floats, float]]:
        """How deep and how dark it is over offset ± reach (n,), as shares of the most; each with its mean over all."""
        groove, shade = _means_across(offset, reach)
        if self.spalled == 0.0:
            return (groove, MEAN_GROOVE), (shade, MEAN_SHADE)
        gaping = max(1.0 - self.spalled, LEAST_GAPING)
        inner_groove, inner_shade = _means_across(offset / gaping, reach / gaping)
        return (
            (inner_groove + SPALLED_DEPTH * (groove - inner_groove), _mixed(MEAN_GROOVE, gaping, SPALLED_DEPTH)),
            (inner_shade + SPALLED_SHADE * (shade - inner_shade), _mixed(MEAN_SHADE, gaping, SPALLED_SHADE)),
        )

    def _open(self, positions: Floats) -> NDArray[np.float32]:
        """Share of the groove that is left open at (n, 3) places, m."""
        if self.filled == 1.0:
            return np.full(len(positions), 1.0 - NEARLY_UP, dtype=np.float32)
        from scipy.special import ndtri

        level = isotropic(positions, self.filled_size, FILL_OCTAVES, self.seed + 1) + ndtri(self.filled)
        return np.asarray(1.0 - NEARLY_UP * np.clip(0.5 + level / FILL_EDGE, 0.0, 1.0), dtype=np.float32)

    def _profile(self, points: SurfacePoints) -> "_Profile":
        """Where the points near the crack lie in its profile."""
        edges = _Edges(self.graph, points.spacing, LIP_END if self.lip > 0.0 else 1.0)
        near = _within_box(points.positions, self.graph.vertices, float(edges.reach.max(initial=0.0)))
        profile = _Profile.blank(near)
        if not len(near) or not len(edges.reach):
            return profile.touched()
        positions = points.positions[near]
        frame = None if points.spacing is None else _Frame.of(points, near)
        boxes = boxes_around(np.ascontiguousarray(positions.T), REACHES_PER_BOX * float(np.median(edges.reach)))
        for point, edge in near_pairs(boxes, edges.middles, edges.reach):
            edges.compare(profile, positions, frame, point, edge)
        return profile.touched()


def _mixed(mean: float, gaping: float, spalled: float) -> float:
    """The mean over the width of a profile, of which a part is as broad as the crack and the rest as its gap."""
    return mean * (spalled + (1.0 - spalled) * gaping)


class _Edges:
    """The edges of a graph, made ready to be compared with points.

    outermost: distance over half the width up to which an edge has anything to say of a point.
    """

    def __init__(self, graph: CrackGraph, spacing: tuple[float, float] | None, outermost: float) -> None:
        self.outermost = outermost
        rows_apart, columns_apart = spacing or (0.0, 0.0)
        self.texel_area, self.half_diagonal = (
            rows_apart * columns_apart,
            0.5 * float(np.hypot(rows_apart, columns_apart)),
        )
        tail, head = graph.vertices[graph.edges[:, 0]], graph.vertices[graph.edges[:, 1]]
        self.middles, self.spans = 0.5 * (tail + head), head - tail
        self.squares = np.maximum(np.einsum("nk,nk->n", self.spans, self.spans), np.finfo(np.float64).tiny)
        self.half_widths, self.depths = 0.5 * graph.widths[graph.edges], graph.depths[graph.edges]
        # It exceeds the half diagonal; nudged, so that of rows of texels that lie just as far none is there in part.
        self.half_mask = (0.5 * NARROWEST_MASK + NUDGE) * max(rows_apart, columns_apart)
        self.reach = 0.5 * np.sqrt(self.squares) + np.maximum(
            outermost * self.half_widths.max(axis=1, initial=0.0), self.half_mask
        )
        # What is broader has the centre of every texel that it crosses inside, and no need to be looked up.
        self.thin = self.half_widths.min(axis=1) < self.half_mask

    def compare(
        self, profile: "_Profile", positions: Floats, frame: "_Frame | None", point: Indices, edge: Indices
    ) -> None:
        """Enter into the profile what the edges (n,) are to the points (n,), no point twice."""
        away = positions[point] - self.middles[edge]
        close = np.flatnonzero(np.einsum("nk,nk->n", away, away) <= (self.reach**2)[edge])
        point, edge = point[close], edge[close]
        span, square, half_widths = self.spans[edge], self.squares[edge], self.half_widths[edge]
        away = away[close] + 0.5 * span
        along = np.clip(np.einsum("nk,nk->n", away, span) / square, 0.0, 1.0)
        distance = np.linalg.norm(away - along[:, np.newaxis] * span, axis=1)
        half_width = _between(half_widths, along)
        offset = np.divide(distance, half_width, out=np.full(len(edge), np.inf), where=half_width > 0.0)
        matters = offset <= self.outermost
        if frame is not None:
            masked = self.thin[edge] & (distance <= self.half_mask) & (half_width > 0.0)
            profile.masked[point[masked]] = True
            matters |= masked
            may = np.flatnonzero(self.thin[edge] & (distance <= self.half_diagonal))
            enter, leave = _crossed(away[may], span[may], frame.at(point[may]), self.half_diagonal)
            breadth = 2.0 * _between(half_widths[may], 0.5 * (enter + leave))
            area = (leave - enter) * np.sqrt(square[may]) * breadth
            profile.coverage[point[may]] += area / self.texel_area
            matters[may] |= area > 0.0
        nearer = matters & (offset < profile.offset[point])
        point, edge = point[nearer], edge[nearer]
        profile.offset[point] = offset[nearer]
        profile.half_width[point] = half_width[nearer]
        profile.depth[point] = _between(self.depths[edge], along[nearer])


@dataclass(frozen=True)
class _Frame:
    """Axes (n, 3) of texels: along tangent and bitangent in texels, 1/m, along the normal of unit length."""

    tangent: Floats
    bitangent: Floats
    normal: Floats

    @classmethod
    def of(cls, points: SurfacePoints, near: Indices) -> "_Frame":
        rows_apart, columns_apart = points.spacing or (1.0, 1.0)
        tangents, normals = points.tangents[near], points.normals[near]
        return cls(tangents / columns_apart, np.cross(normals, tangents) / rows_apart, normals)

    def at(self, point: Indices) -> "_Frame":
        return _Frame(self.tangent[point], self.bitangent[point], self.normal[point])


@dataclass(frozen=True)
class _Profile:
    """Points in the profile of the nearest edge, nearest in terms of its width.

    point: (n,) which one. offset: distance from the edge over half the width there. half_width, depth: m, there.
    coverage: share of the texel that the crack covers, over 1 where edges meet. masked: whether an edge passes the
    texel's centre so near that it is inside.
    """

    point: Indices
    offset: Floats
    half_width: Floats
    depth: Floats
    coverage: Floats
    masked: Booleans

    @classmethod
    def blank(cls, point: Indices) -> "_Profile":
        half_width, depth, coverage = np.zeros((3, len(point)))
        return cls(point, np.full(len(point), np.inf), half_width, depth, coverage, np.zeros(len(point), dtype=bool))

    def touched(self) -> "_Profile":
        here = np.isfinite(self.offset)
        return _Profile(*(getattr(self, field.name)[here] for field in fields(self)))


def _means_across(offset: Floats, reach: Floats) -> tuple[Floats, Floats]:
    """Means over offset ± reach (n,) of the groove 1 - |x| and of its shade 1 - x⁴, both 0 where offset > 1.

    They are taken as differences of the integrals; where the reach is so short that these are equal but for rounding,
    they are the values themselves.
    """
    pointlike = reach < POINTLIKE
    reach = np.where(pointlike, 1.0, reach)
    low, high = np.clip(offset - reach, -1.0, 1.0), np.clip(offset + reach, -1.0, 1.0)
    groove = (high - low - 0.5 * (high * np.abs(high) - low * np.abs(low))) / (2.0 * reach)
    shade = (high - low - (high**5 - low**5) / 5.0) / (2.0 * reach)
    groove, shade = np.where(pointlike, 1.0 - offset, groove), np.where(pointlike, 1.0 - offset**4, shade)
    outside = offset > 1.0
    return np.where(outside, 0.0, groove), np.where(outside, 0.0, shade)


def _between(ends: Floats, along: Floats) -> Floats:
    """(n,) values that run from ends[:, 0] to ends[:, 1]."""
    return np.asarray(ends[:, 0] + along * (ends[:, 1] - ends[:, 0]))


def _within_box(positions: Floats, vertices: Floats, reach: float) -> Indices:
    """Which points lie in the box round the vertices."""
    low, high = vertices.min(axis=0) - reach, vertices.max(axis=0) + reach
    within = np.ones(len(positions), dtype=bool)
    for coordinate, least, most in zip(positions.T, low, high, strict=True):
        within &= (coordinate >= least) & (coordinate <= most)
    return np.flatnonzero(within)


def _crossed(away: Floats, span: Floats, frame: _Frame, thickness: float) -> tuple[Floats, Floats]:
    """The stretch of each segment within its texel, as two shares of its length (n,), equal where it misses the texel.

    away: (n, 3) m, from the segment's tail to the texel's centre. span: (n, 3) m, from tail to head. frame: of the
    texels. thickness: m, how far above or beneath its texel a segment may run, as it does where the surface is curved.
    """
    enter, leave = np.zeros(len(away)), np.ones(len(away))
    for axis, half in ((frame.tangent, 0.5), (frame.bitangent, 0.5), (frame.normal, thickness)):
        start, slope = half * NUDGE - np.einsum("nk,nk->n", away, axis), np.einsum("nk,nk->n", span, axis)
        with np.errstate(divide="ignore", invalid="ignore"):
            one, other = (-half - start) / slope, (half - start) / slope
        parallel = slope == 0.0
        beside = np.abs(start) > half
        one[parallel] = np.where(beside, np.inf, -np.inf)[parallel]
        other[parallel] = np.inf
        enter, leave = np.maximum(enter, np.minimum(one, other)), np.minimum(leave, np.maximum(one, other))
    missed = ~(leave > enter)
    enter[missed] = leave[missed] = 0.0
    return enter, leave
