"""Laying out a printed circuit board: components, their pads, and tracks at multiples of 45° between them."""

import itertools
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from procgen.boards.layout import POUR_CLEARANCE, Board

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]
Point = tuple[float, float]

GRID = 0.3175e-3  # m; an eightieth of an inch
POWER = 2.0  # width of a supply's tracks over that of a signal's
SUPPLIES = 0.15  # share of the connections that are a supply's
MOST_PADS = 3  # in a net
CLEARANCE = 0.2e-3  # m between two nets
BORDER = 1.2e-3  # m along the board's edge without copper
TRIES = 60  # to find room for a component
NEIGHBOURS = 10  # nearest pads among which a connection is drawn
POURED = (0.06, 0.28)  # half extents of poured areas over the board's shorter side
CUT = (0.1, 0.58)  # of their corners, over the smaller half extent: .58 makes a regular octagon of a square
LONGEST_DETOUR = 3.0  # over the straight distance; longer connections are left to another layer, as in life


@dataclass
class Pads:
    """Pads as components are placed."""

    centres: list[tuple[float, float]] = field(default_factory=list)
    halves: list[tuple[float, float]] = field(default_factory=list)
    drills: list[float] = field(default_factory=list)
    components: list[int] = field(default_factory=list)


@dataclass(frozen=True)
class Footprint:
    """A component's pads about its middle, m: centres, half extents and drill of each; and its half extents."""

    centres: tuple[tuple[float, float], ...]
    half: tuple[float, float]
    drill: float
    body: tuple[float, float]


def small_outline(pins: int) -> Footprint:
    """An integrated circuit with two rows of pads, 1.27 mm apart."""
    along = (np.arange(pins // 2) - (pins // 2 - 1) / 2) * 1.27e-3
    centres = [(x, side * 2.7e-3) for side in (-1, 1) for x in along.tolist()]
    return Footprint(tuple(centres), (0.3e-3, 0.75e-3), 0.0, (along[-1] + 0.7e-3, 1.7e-3))


def header(pins: int) -> Footprint:
    """A row of drilled pads, 2.54 mm apart."""
    along = (np.arange(pins) - (pins - 1) / 2) * 2.54e-3
    return Footprint(tuple((x, 0.0) for x in along.tolist()), (0.85e-3, 0.85e-3), 0.5e-3, (along[-1] + 1.2e-3, 1.2e-3))


def chip() -> Footprint:
    """A resistor or capacitor, 0805."""
    return Footprint(((-0.95e-3, 0.0), (0.95e-3, 0.0)), (0.5e-3, 0.65e-3), 0.0, (1.6e-3, 0.85e-3))


def via() -> Footprint:
    """A plated hole from layer to layer."""
    return Footprint(((0.0, 0.0),), (0.4e-3, 0.4e-3), 0.2e-3, (0.0, 0.0))


def lay_out(
    width: float,
    height: float,
    density: float,
    track: float,
    rng: np.random.Generator,
    *,
    pours: int = 0,
    masked: bool = True,
) -> Board:
    """A board of width × height metres about the origin.

    density: components over what it comfortably holds. track: m, width of most tracks. pours: areas of copper, those
    left out that find no room. masked: under solder mask and print.
    """
    pads, prints = Pads(), list[tuple[Point, Point]]()
    boxes: list[tuple[float, ...]] = []
    area_cm2 = width * height * 1e4
    wanted = [header(int(rng.integers(4, 9))) for _ in range(max(1, round(density * area_cm2 / 8)))]
    wanted += [small_outline(int(rng.choice([8, 14, 16]))) for _ in range(max(1, round(density * area_cm2 / 5)))]
    wanted += [chip() for _ in range(round(density * area_cm2 * 0.9))]
    wanted += [via() for _ in range(round(density * area_cm2 * 1.6))]
    for number, footprint in enumerate(wanted):
        _place(footprint, number, width, height, pads, prints, boxes, rng)
    centres, halves = np.array(pads.centres).reshape(-1, 2), np.array(pads.halves).reshape(-1, 2)
    router = Router(width, height, centres, halves, np.array(pads.components, dtype=np.int64), rng)
    tracks, widths, nets = router.route(track)
    return Board(
        tracks=tracks,
        widths=widths,
        nets=nets,
        pads=centres,
        pad_halves=halves,
        drills=np.array(pads.drills),
        pad_nets=router.pad_nets,
        prints=np.array(prints).reshape(-1, 2, 2),
        pours=_poured(pours, width, height, rng),
        masked=masked,
    )


def _poured(wanted: int, width: float, height: float, rng: np.random.Generator) -> Floats:
    """(Q, 5) rectangles with cut corners that keep clear of each other: centre, half extents and cut, m."""
    side = min(width, height)
    found: list[Floats] = []
    for _ in range(wanted):
        for _ in range(TRIES):
            half = side * rng.uniform(*POURED, 2)
            centre = rng.uniform(-0.5, 0.5, 2) * (width, height)
            reach = np.concatenate([centre - half, centre + half]) + np.array([-1, -1, 1, 1]) * POUR_CLEARANCE
            if all((reach[:2] > p[:2] + p[2:4]).any() or (reach[2:] < p[:2] - p[2:4]).any() for p in found):
                found.append(np.array([*centre, *half, rng.uniform(*CUT) * half.min()]))
                break
    return np.array(found).reshape(-1, 5)


def _place(
    footprint: Footprint,
    number: int,
    width: float,
    height: float,
    pads: Pads,
    prints: list[tuple[Point, Point]],
    boxes: list[tuple[float, ...]],
    rng: np.random.Generator,
) -> None:
    """Find room for a component on the grid, upright or lying, and add its pads and its printed outline."""
    for _ in range(TRIES):
        quarter = bool(rng.integers(2))
        half = np.abs(_turned(footprint.half, quarter))
        centres = np.array([_turned(centre, quarter) for centre in footprint.centres])
        body = np.abs(_turned(footprint.body, quarter))
        extent = np.maximum(np.abs(centres).max(axis=0) + half, body) + 0.5e-3
        free = np.array([width, height]) / 2 - BORDER - extent
        if (free <= 0).any():
            continue
        middle = np.round(rng.uniform(-free, free) / GRID) * GRID
        box = (*(middle - extent), *(middle + extent))
        if any(box[0] < b[2] and b[0] < box[2] and box[1] < b[3] and b[1] < box[3] for b in boxes):
            continue
        boxes.append(box)
        for centre in (centres + middle).tolist():
            pads.centres.append((centre[0], centre[1]))
            pads.halves.append((float(half[0]), float(half[1])))
            pads.drills.append(footprint.drill)
            pads.components.append(number)
        if body.any():
            (x0, y0), (x1, y1) = (middle - body).tolist(), (middle + body).tolist()
            corners = [(x0, y0), (x1, y0), (x1, y1), (x0, y1)]
            prints.extend(itertools.pairwise([*corners, corners[0]]))
            if len(centres) > 2:  # a mark at pin 1
                prints.append(((x0 + 4e-4, y0 + 4e-4), (x0 + 4e-4, y0 + 4e-4 + 1e-6)))
        return


def _turned(point: Point, quarter: bool) -> Point:
    """A point as it is, or turned by a quarter."""
    return (-point[1], point[0]) if quarter else point


class Router:
    """Connections found one by one on a grid, each in the shortest way that keeps clear of the others."""

    def __init__(
        self, width: float, height: float, pads: Floats, halves: Floats, components: Indices, rng: np.random.Generator
    ) -> None:
        self.pads, self.halves, self.components, self.rng = pads, halves, components, rng
        self.columns, self.rows = int(width / GRID) + 1, int(height / GRID) + 1
        self.origin = -np.array([self.columns - 1, self.rows - 1]) * GRID / 2
        x, y = (self.origin[k] + np.arange(n) * GRID for k, n in ((0, self.columns), (1, self.rows)))
        self.x, self.y = x[None, :], y[:, None]
        self.pad_nets = np.arange(len(pads))
        self.edge = (np.abs(self.x) > width / 2 - BORDER) | (np.abs(self.y) > height / 2 - BORDER)
        self.strokes: list[tuple[Floats, Floats, float, int]] = []
        # (rows, columns): the net whose copper is nearest, and how near; -1 where there is none within reach
        self.gaps = {index: self._pad_gap(index) for index in range(len(pads))}

    def _pad_gap(self, pad: int) -> Floats:
        """(rows, columns) distance from each grid point to a pad."""
        dx = np.maximum(np.abs(self.x - self.pads[pad, 0]) - self.halves[pad, 0], 0)
        dy = np.maximum(np.abs(self.y - self.pads[pad, 1]) - self.halves[pad, 1], 0)
        result: Floats = np.hypot(dx, dy)
        return result

    def route(self, track: float) -> tuple[Floats, Floats, Indices]:
        """All tracks (T, 2, 2), their widths (T,) and nets (T,)."""
        distance = np.linalg.norm(self.pads[:, None] - self.pads[None], axis=2)
        distance[self.components[:, None] == self.components[None]] = np.inf
        nearest = np.array([row.min() for row in distance]) if len(distance) else np.zeros(0)
        gap_of_net = np.full((self.rows, self.columns), np.inf)
        net_of = np.full((self.rows, self.columns), -1, dtype=np.int64)
        second = np.full((self.rows, self.columns), np.inf)  # distance to the next nearest copper of another net
        for pad in range(len(self.pads)):
            _merge(gap_of_net, net_of, second, self.gaps[pad], pad)
        for pad in np.argsort(nearest, kind="stable").tolist():
            near = np.argsort(distance[pad], kind="stable")[:NEIGHBOURS]
            order = [k for k in self.rng.permutation(near).tolist() if np.isfinite(distance[pad, k])]
            for other in order[: 1 + int(self.rng.integers(2))]:
                joined = np.isin(self.pad_nets, [self.pad_nets[pad], self.pad_nets[other]]).sum()
                if self.pad_nets[other] == self.pad_nets[pad] or joined > MOST_PADS:
                    continue
                width = track * (POWER if self.rng.random() < SUPPLIES else 1.0)
                mine = (net_of == self.pad_nets[pad]) | (net_of == self.pad_nets[other])
                foreign = np.where(mine, second, gap_of_net)
                blocked = self.edge | (foreign < width / 2 + CLEARANCE)
                path = self._path(pad, other, blocked)
                if path is None:
                    continue
                corners = _straightened(path, blocked)
                points = self.origin + corners[:, ::-1] * GRID
                points = np.concatenate([[self.pads[pad]], points, [self.pads[other]]])
                old, new = int(self.pad_nets[other]), int(self.pad_nets[pad])
                self.pad_nets[self.pad_nets == old] = new
                net_of[net_of == old] = new
                for a, b in itertools.pairwise(points):
                    if np.hypot(*(b - a)) > 1e-9:
                        self.strokes.append((a, b, width, pad))
                        _merge(gap_of_net, net_of, second, self._stroke_gap(a, b) - width / 2, new)
        if not self.strokes:
            return np.zeros((0, 2, 2)), np.zeros(0), np.zeros(0, dtype=np.int64)
        tracks = np.array([[a, b] for a, b, _, _ in self.strokes])
        return tracks, np.array([w for _, _, w, _ in self.strokes]), self.pad_nets[[p for *_, p in self.strokes]]

    def _stroke_gap(self, a: Floats, b: Floats) -> Floats:
        span = b - a
        along = ((self.x - a[0]) * span[0] + (self.y - a[1]) * span[1]) / float(span @ span)
        along = np.clip(along, 0, 1)
        result: Floats = np.hypot(self.x - a[0] - along * span[0], self.y - a[1] - along * span[1])
        return result

    def _path(self, pad: int, other: int, blocked: NDArray[np.bool_]) -> Indices | None:
        """(K, 2) rows and columns of a free way over the grid, None where there is none short enough."""
        from skimage.graph import MCP_Geometric

        start, end = (
            tuple(int(k) for k in np.rint((self.pads[which] - self.origin) / GRID)[::-1]) for which in (pad, other)
        )
        cost = np.where(blocked, np.inf, 1.0)
        cost[start] = cost[end] = 1.0
        search = MCP_Geometric(cost)
        reached, _ = search.find_costs([start], [end])
        straight = np.hypot(end[0] - start[0], end[1] - start[1])
        if not reached[end] <= LONGEST_DETOUR * straight + 8:
            return None
        return np.array(search.traceback(end), dtype=np.int64)


def _merge(nearest: Floats, net_of: Indices, second: Floats, gap: Floats, net: int) -> None:
    """Take a new piece of copper of `net` into the distances to the nearest copper and to the next nearest net."""
    same = net_of == net
    nearer = gap < nearest
    np.copyto(second, nearest, where=nearer & ~same)
    np.copyto(second, np.minimum(second, gap), where=~nearer & ~same)
    np.copyto(nearest, gap, where=nearer)
    net_of[nearer] = net


def _straightened(path: Indices, blocked: NDArray[np.bool_]) -> Indices:
    """The corners of a way as straight as possible: one diagonal and one straight run wherever that is free."""
    corners, here = [path[0]], 0
    while here < len(path) - 1:
        for far in range(len(path) - 1, here, -1):
            bend = _bend(path[here], path[far], blocked)
            if bend is not None:
                break
        else:
            far, bend = here + 1, path[here + 1]
        corners += [bend, path[far]]
        here = far
    return np.array(corners)


def _bend(start: Indices, end: Indices, blocked: NDArray[np.bool_]) -> Indices | None:
    """Where a free way of one straight and one diagonal run bends, None where neither order is free."""
    step = end - start
    diagonal = int(np.abs(step).min())
    for bend in (start + np.sign(step) * diagonal, end - np.sign(step) * diagonal):
        cells = np.concatenate([_run(start, bend), _run(bend, end)])
        if not blocked[cells[1:-1, 0], cells[1:-1, 1]].any():
            result: Indices | None = bend
            return result
    return None


def _run(start: Indices, end: Indices) -> Indices:
    count = int(np.abs(end - start).max())
    result: Indices = start + np.sign(end - start) * np.arange(count + 1)[:, None]
    return result
