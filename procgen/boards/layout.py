"""Printed circuit boards: a layout of pads, tracks and print, its look over a laminate, and what goes wrong with it."""

from dataclasses import dataclass, field
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from procgen.surface.binning import Boxes, boxes_around, near_pairs
from procgen.surface.checks import require
from procgen.surface.layer import Family, Finish, FinishSample, LayerSample, SurfacePoints
from procgen.surface.noise import perlin

Floats = NDArray[np.float64]

COPPER_HEIGHT = 35e-6  # m: one ounce a square foot, under the mask
EDGE = 40e-6  # m over which the mask slopes down from a track
REACH = 4e-4  # m; distances to copper are exact up to here, and at least this beyond
PIECE = 2e-3  # m; tracks are cut into pieces no longer, so that each is near few points
# Linear red, green, blue that copper adds to the look of the mask above it, and the colours of what is not masked.
COPPER_THROUGH_MASK = np.array([0.045, 0.13, 0.035])
GOLD = np.array([0.80, 0.56, 0.21])
COPPER = np.array([0.84, 0.48, 0.30])  # clean, by its reflectance in air [Johnson 1972]
BARE_LAMINATE = np.array([0.28, 0.22, 0.08])
PRINT = np.array([0.75, 0.75, 0.72])
HOLE = np.array([0.008, 0.008, 0.008])
PAD_ROUGHNESS, PRINT_ROUGHNESS, LAMINATE_ROUGHNESS = 0.32, 0.6, 0.8
POUR_CLEARANCE = 2.5e-4  # m that a poured area keeps from all other copper
OPENING = 1e-4  # m by which the mask stays off a pad
PRINT_WIDTH = 1.6e-4  # m
BLOCKS_PER_BOARD = 96  # of points, along its longer side

CopperClass = Literal["missing_hole", "mouse_bite", "open_circuit", "pin_hole", "short", "spur", "spurious_copper"]
ADDS: dict[str, bool] = {
    "missing_hole": True, "mouse_bite": False, "open_circuit": False, "pin_hole": False, "short": True, "spur": True,
    "spurious_copper": True,
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Board:
    """A layout on the plane z = 0, metres.

    tracks: (T, 2, 2) ends; widths: (T,); nets: (T,) which of them conduct together. pads: (P, 2) centres; pad_halves:
    (P, 2) half their extents, round where both are equal; drills: (P,) radius of the hole, 0 for none; pad_nets: (P,).
    prints: (S, 2, 2) strokes of the white print. pours: (Q, 5) areas of copper as centre, half extents and cut corners;
    each is a net of its own, and keeps clear of tracks and pads. masked: whether solder mask and print cover it.
    """

    tracks: Floats
    widths: Floats
    nets: NDArray[np.int64]
    pads: Floats
    pad_halves: Floats
    drills: Floats
    pad_nets: NDArray[np.int64]
    prints: Floats
    pours: Floats = field(default_factory=lambda: np.zeros((0, 5)))
    masked: bool = True

    def track_distance(self, xy: Floats) -> Floats:
        """(N,) signed distance to the nearest track, negative inside; REACH where it is at least that."""
        return _stroke_distance(xy, self.tracks, self.widths / 2, REACH)

    def pad_distance(self, xy: Floats) -> tuple[Floats, Floats]:
        """(N,) signed distance to the nearest pad, and to the nearest hole; REACH where it is at least that."""
        pad, hole = np.full((2, len(xy)), REACH)
        if len(xy) and len(self.pads):
            for point, member in near_pairs(_boxes(xy), _flat(self.pads), np.hypot(*self.pad_halves.T) + REACH):
                away = xy[point] - self.pads[member]
                half = self.pad_halves[member]
                is_round = half[:, 0] == half[:, 1]
                beyond = np.abs(away) - half
                box = np.hypot(*np.maximum(beyond, 0).T) + np.minimum(beyond.max(axis=1), 0)
                centre = np.hypot(*away.T)
                pad[point] = np.minimum(pad[point], np.where(is_round, centre - half[:, 0], box))
                drill = self.drills[member]
                hole[point] = np.minimum(hole[point], np.where(drill > 0, centre - drill, REACH))
        return pad, hole

    def copper_distance(self, xy: Floats) -> Floats:
        """(N,) signed distance to the nearest copper, whatever its net; REACH where it is at least that."""
        return self.with_pours(xy, np.minimum(self.track_distance(xy), self.pad_distance(xy)[0]))

    def with_pours(self, xy: Floats, distance: Floats) -> Floats:
        """(N,) signed distance to tracks and pads, or to what is poured where that is nearer."""
        for pour in self.pours:
            distance = np.minimum(distance, np.maximum(pour_distance(xy, pour), POUR_CLEARANCE - distance))
        return distance


@dataclass(frozen=True, eq=False)
class BoardFinish:
    """A board's layout over the finish of its solder mask."""

    mask: Finish
    board: Board

    @property
    def anisotropy(self) -> float:
        return 0.0

    @property
    def coat(self) -> float:
        return self.mask.coat

    @property
    def lay_direction(self) -> tuple[float, float, float]:
        return self.mask.lay_direction

    def evaluate(self, points: SurfacePoints | ArrayLike) -> FinishSample:
        """The mask; copper shining through it; pads, print and holes. Only the upper side, at z = 0, has a layout.

        Of a board without a mask, the finish is that of the laminate, and copper lies on it.
        """
        points = SurfacePoints.of(points)
        below = self.mask.evaluate(points)
        xy = points.positions[:, :2]
        pad, hole = self.board.pad_distance(xy)
        covered = coverage(self.board.with_pours(xy, np.minimum(self.board.track_distance(xy), pad)))
        height = below.height + COPPER_HEIGHT * covered
        roughness, metallic = below.roughness.astype(np.float64), below.metallic.astype(np.float64)
        if self.board.masked:
            colour = below.base_colour + covered[:, None] * COPPER_THROUGH_MASK
            halves = np.full(len(self.board.prints), PRINT_WIDTH / 2)
            printed = _stroke_distance(xy, self.board.prints, halves, REACH) < 0
            painted = [
                (printed & (pad > OPENING), PRINT, PRINT_ROUGHNESS, 0.0),
                (pad < OPENING, BARE_LAMINATE, LAMINATE_ROUGHNESS, 0.0),
                (pad < 0, GOLD, PAD_ROUGHNESS, 1.0),
            ]
        else:
            colour = below.base_colour + covered[:, None] * (COPPER - below.base_colour)
            roughness += covered * (PAD_ROUGHNESS - roughness)
            metallic += covered * (1.0 - metallic)
            painted = []
        for where, paint, rough, metal in (*painted, (hole < 0, HOLE, 1.0, 0.0)):
            colour[where], roughness[where], metallic[where] = paint, rough, metal
        return FinishSample(
            height=height.astype(np.float32),
            base_colour=np.clip(colour, 0, 1).astype(np.float32),
            roughness=roughness.astype(np.float32),
            metallic=metallic.astype(np.float32),
        )


@dataclass(frozen=True, eq=False)
class CopperDefect:
    """Copper that is missing, or where none should be: a ragged stroke between two points of a board.

    start, end: (2,) m. radius: m, of the stroke. raggedness: share of the radius by which its border wanders.
    A missing hole is a stroke over a hole that was not drilled: it shows the pad's metal. instance: its id.
    Raises BlemishError for values out of range.
    """

    board: Board
    class_name: CopperClass
    start: tuple[float, float]
    end: tuple[float, float]
    radius: float
    raggedness: float = 0.0
    seed: int = 0
    instance: int = 1

    family: ClassVar[Family] = "defect"

    def __post_init__(self) -> None:
        require(
            self.class_name.replace("_", " "),
            radius=(self.radius, "positive"),
            raggedness=(self.raggedness, "0 to 1"),
            seed=(self.seed, "not negative"),
            instance=(self.instance, "positive"),
            **{f"start[{k}]": (value, "finite") for k, value in enumerate(self.start)},
            **{f"end[{k}]": (value, "finite") for k, value in enumerate(self.end)},
        )

    def evaluate(self, points: SurfacePoints | ArrayLike) -> LayerSample:
        """Inside is where the stroke lies and the copper is not as the layout has it."""
        positions = SurfacePoints.of(points).positions
        sample = LayerSample.blank(len(positions), coloured=True)
        ends = np.array([self.start, self.end])
        reach = 2 * self.radius
        box = (positions[:, :2] >= ends.min(axis=0) - reach) & (positions[:, :2] <= ends.max(axis=0) + reach)
        near = np.flatnonzero(box.all(axis=1) & (positions[:, 2] > -COPPER_HEIGHT))
        xy = positions[near, :2]
        radius = np.full(len(xy), self.radius)
        if self.raggedness > 0 and len(near):
            scaled = np.column_stack([xy / (1.1 * self.radius), np.full(len(xy), 0.37)])
            radius = self.radius * (1 + self.raggedness * perlin(scaled, self.seed + 1))
        within = _to_stroke(xy, ends[0], ends[1]) <= radius
        near, xy = near[within], xy[within]
        pad, hole = self.board.pad_distance(xy)
        if self.class_name == "missing_hole":
            inside = near[hole < 0]
            sample.opacity[inside] = 1.0
            sample.reflectance[inside] = GOLD
            sample.roughness[inside], sample.metallic[inside] = PAD_ROUGHNESS, 1.0
        else:
            copper = self.board.with_pours(xy, np.minimum(self.board.track_distance(xy), pad))
            adds = ADDS[self.class_name]
            wrong = ((copper > 0) == adds) & (self.board.masked | (hole > 0))
            inside = near[wrong]
            share = (1.0 - coverage(copper[wrong])) if adds else coverage(copper[wrong])
            if self.board.masked:
                change = share if adds else -share
                sample.reflectance[inside] = change[:, None] * COPPER_THROUGH_MASK
                sample.height[inside] = COPPER_HEIGHT * change
            else:
                colour, rough, metal = (
                    (COPPER, PAD_ROUGHNESS, 1.0) if adds else (BARE_LAMINATE, LAMINATE_ROUGHNESS, 0.0)
                )
                sample.opacity[inside] = share
                sample.reflectance[inside] = share[:, None] * colour
                sample.roughness[inside], sample.metallic[inside] = share * rough, share * metal
                sample.height[inside] = COPPER_HEIGHT * share * adds
        sample.inside[inside] = True
        sample.instance[inside] = self.instance
        return sample


def coverage(distance: Floats) -> Floats:
    """How much of the copper shows at a signed distance from its border: 1 inside, falling to 0 just outside."""
    ramp = np.clip(0.5 - distance / EDGE, 0.0, 1.0)
    return ramp * ramp * (3 - 2 * ramp)


def pour_distance(xy: Floats, pour: Floats) -> Floats:
    """(N,) signed distance to a rectangle with cut corners, centre, half extents and cut: a little short outside."""
    away = np.abs(xy - pour[:2])
    beyond = away - pour[2:4]
    diagonal = (away.sum(axis=1) - (pour[2] + pour[3] - pour[4])) / np.sqrt(2)
    result: Floats = np.maximum(beyond.max(axis=1), diagonal)
    return result


def _stroke_distance(xy: Floats, strokes: Floats, halves: Floats, reach: float) -> Floats:
    """(N,) signed distance to the nearest of (S, 2, 2) strokes of half-widths (S,); `reach` where it is at least it."""
    distance = np.full(len(xy), reach)
    if not len(xy) or not len(strokes):
        return distance
    length = np.hypot(*(strokes[:, 1] - strokes[:, 0]).T)
    cuts = np.maximum(np.ceil(length / PIECE), 1).astype(np.int64)
    owner = np.repeat(np.arange(len(strokes)), cuts)
    number = np.arange(len(owner)) - np.repeat(np.cumsum(cuts) - cuts, cuts)
    span = (strokes[:, 1] - strokes[:, 0])[owner] / cuts[owner][:, None]
    first = strokes[owner, 0] + number[:, None] * span
    for point, piece in near_pairs(
        _boxes(xy), _flat(first + span / 2), length[owner] / cuts[owner] / 2 + halves[owner] + reach
    ):
        away = xy[point] - first[piece]
        square = np.maximum((span[piece] ** 2).sum(axis=1), np.finfo(np.float64).tiny)
        along = np.clip((away * span[piece]).sum(axis=1) / square, 0, 1)
        here = np.hypot(*(away - along[:, None] * span[piece]).T) - halves[owner[piece]]
        distance[point] = np.minimum(distance[point], here)
    return distance


def _to_stroke(xy: Floats, start: Floats, end: Floats) -> Floats:
    span = end - start
    along = np.clip((xy - start) @ span / max(float(span @ span), np.finfo(np.float64).tiny), 0, 1)
    result: Floats = np.hypot(*(xy - start - along[:, None] * span).T)
    return result


def _flat(xy: Floats) -> Floats:
    return np.column_stack([xy, np.zeros(len(xy))])


def _boxes(xy: Floats) -> Boxes:
    size = max(float(np.ptp(xy, axis=0).max()) / BLOCKS_PER_BOARD, 2 * REACH)
    return boxes_around(np.ascontiguousarray(_flat(xy).T), size)
