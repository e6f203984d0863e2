"""Networks of cracks in a skin that shrinks: glaze, lacquer, chilled or heat-checked metal, dried coatings."""

from collections.abc import Sequence
from dataclasses import dataclass
from heapq import heappop, heappush
from itertools import pairwise
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from procgen.defects.cracks.graph import CrackGraph
from procgen.defects.cracks.opening import Opening, opened
from procgen.errors import BlemishError
from procgen.surface.checks import require

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]
_Network = tuple[Floats, Indices, Floats]  # vertices (V, 2), m; edges (E, 2); share of the width (V,)
Junctions = Literal["right", "triple"]

PIECES = 6  # into which a crack as long as a cell is cut, to wind
STEADIER = 1.25  # power of the wave number with which the waves of that winding get lower
MARGIN = 2.0  # cells that the network runs on beyond what is asked for
MOST_CELLS = 1000  # about a second
UNEVEN = 0.3  # how far cells are strewn from a regular honeycomb, over its spacing
FIRST_SIDES = 24  # of the round piece of skin that divides
LARGEST = 1.4  # cells; what is larger divides, which leaves cells of 1 on average
UNEQUAL = 0.3  # standard deviation of the logarithm of that size
OFF_CENTRE = 0.1  # standard deviation of where a cell divides, over its root area
OFF_AXIS = (0.2, 0.4, 0.8, 1.6)  # rad, standard deviations of that direction, one for each attempt to divide it
FROM_CORNERS = 0.02  # share of a side that junctions keep from its ends
YOUNGER = 0.9  # width of a crack over that of the cracks that it ends at
NARROWEST = 0.4  # of the youngest, over the oldest
FADING = 0.5  # share of the radius of a patch over which its cracks close


@dataclass(frozen=True, kw_only=True)
class CrazingParameters(Opening):
    """The skin that crazes; see Opening for the width and depth of its cracks.

    cell: m, root of the mean area that cracks enclose. junctions: "right" where cracks came one after another and end
    at older ones at right angles, as in glaze and mud; "triple" where they matured until three meet at 120°. winding:
    how far cracks stray from the straight or smooth line, as a share of their length. radius: m, of a round patch to
    which the network is confined, or None.
    Raises BlemishError for values out of range.
    """

    cell: float
    junctions: Junctions = "right"
    winding: float = 0.03
    radius: float | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        require("crazing", cell=(self.cell, "positive"), winding=(self.winding, "0 to 1"))
        if self.radius is not None:
            require("crazing", radius=(self.radius, "positive"))
        if self.junctions not in get_args(Junctions):
            raise BlemishError(f"crazing: found junctions {self.junctions!r}; expected 'right' or 'triple'")


def simulate_crazing(
    parameters: CrazingParameters,
    size: ArrayLike,
    rng: np.random.Generator,
    centre: ArrayLike | None = None,
) -> CrackGraph:
    """A network over a chart of extents `size` (2,), m, or over the patch of the parameters' radius round `centre`.

    Raises BlemishError where so many cells would be needed that it would take long.
    """
    low, high = np.zeros(2), np.asarray(size, dtype=np.float64)
    middle = 0.5 * high if centre is None else np.asarray(centre, dtype=np.float64)
    if parameters.radius is not None:
        low, high = np.maximum(low, middle - parameters.radius), np.minimum(high, middle + parameters.radius)
    cells = cells_on((high - low).tolist(), parameters.cell)
    low, high = low - MARGIN * parameters.cell, high + MARGIN * parameters.cell
    if cells > MOST_CELLS:
        raise BlemishError(
            f"crazing: found a cell of {parameters.cell:g} m, which makes {cells:.0f} cells; "
            f"expected at most {MOST_CELLS}: use larger cells or a smaller patch"
        )
    network = _divided if parameters.junctions == "right" else _matured
    vertices, edges, shares = network(parameters, low, high, rng)
    if parameters.radius is not None:
        distance = np.linalg.norm(vertices - middle, axis=1) / parameters.radius
        shares = shares * np.sqrt(np.clip((1.0 - distance) / FADING, 0.0, 1.0))
    graph = opened(parameters, vertices, edges, rng, share=shares)
    gaping = (graph.widths[edges] > 0.0).any(axis=1)
    return CrackGraph(vertices, edges[gaping], graph.widths, graph.depths)


def cells_on(size: Sequence[float], cell: float) -> float:
    """How many cells a network over extents `size` (2,), m, has to have."""
    return (size[0] / cell + 2.0 * MARGIN) * (size[1] / cell + 2.0 * MARGIN)


def smallest_cell(size: Sequence[float]) -> float:
    """The smallest cell, m, of a network over extents `size` (2,), m: the root of cells_on(size, cell) = MOST_CELLS."""
    left, edges = MOST_CELLS - 4.0 * MARGIN**2, MARGIN * (size[0] + size[1])
    return float((edges + np.sqrt(edges**2 + left * size[0] * size[1])) / left)


def _matured(parameters: CrazingParameters, low: Floats, high: Floats, rng: np.random.Generator) -> _Network:
    """The borders between the cells of points strewn round a honeycomb, bent so that three always meet at 120°.

    Three cracks that pull alike are in balance so: maturing columns of basalt and drying starch get there (Goehring,
    Mahadevan, Morris, "Nonequilibrium scale selection mechanism for columnar jointing", PNAS 106, 2009).
    """
    from scipy.spatial import Voronoi

    spacing = parameters.cell * np.sqrt(2.0 / np.sqrt(3.0))
    columns, rows = np.ceil((high - low) / (spacing, 0.5 * np.sqrt(3.0) * spacing)).astype(np.int64) + 1
    row, column = np.divmod(np.arange(rows * columns), columns)
    honeycomb = np.column_stack([column + 0.5 * (row % 2), 0.5 * np.sqrt(3.0) * row]) * spacing
    cells = Voronoi(low + honeycomb + rng.uniform(-UNEVEN, UNEVEN, honeycomb.shape) * spacing)
    sides = np.array(cells.ridge_vertices)
    corners = cells.vertices
    inside = ((corners >= low) & (corners <= high)).all(axis=1)
    sides = sides[(sides >= 0).all(axis=1)]
    sides = sides[inside[sides].all(axis=1)]
    used, sides = np.unique(sides, return_inverse=True)
    corners, sides = corners[used], sides.reshape(-1, 2)

    spans = corners[sides[:, 1]] - corners[sides[:, 0]]
    lengths = np.linalg.norm(spans, axis=1)[:, None]
    leaving = _stars(len(corners), sides, spans)
    t = np.linspace(0.0, 1.0, PIECES + 1)[1:-1, None]
    between = _hermite(
        t,
        corners[sides[:, :1]],
        leaving[:, :1] * lengths[:, None],
        corners[sides[:, 1:]],
        leaving[:, 1:] * lengths[:, None],
    )
    waves = _waves(t[:, 0], len(sides), PIECES // 2, rng)[..., None] * parameters.winding
    between += waves * np.stack([-spans[:, 1], spans[:, 0]], axis=1)[:, None]
    numbers = len(corners) + np.arange(len(sides) * (PIECES - 1)).reshape(len(sides), PIECES - 1)
    lines = np.column_stack([sides[:, 0], numbers, sides[:, 1]])
    vertices = np.concatenate([corners, between.reshape(-1, 2)])
    return vertices, np.stack([lines[:, :-1], lines[:, 1:]], axis=-1).reshape(-1, 2), np.ones(len(vertices))


def _divided(parameters: CrazingParameters, low: Floats, high: Floats, rng: np.random.Generator) -> _Network:
    """Cells divided one after another, the largest first, each across its long axis between two of its sides.

    A crack leaves and meets older ones at right angles, because they have taken the tension along them away (Bohn,
    Pauchard, Couder, "Hierarchical crack pattern as formed by successive domain divisions", Physical Review E 71,
    2005).
    """
    skin = _Skin(0.5 * (low + high), 0.5 * float(np.linalg.norm(high - low)))
    whole = list(range(FIRST_SIDES))
    waiting = [(-skin.area(whole), whole)]
    while waiting:
        _, outline = heappop(waiting)
        outline = skin.refined(outline)
        corners = np.array([skin.vertices[vertex] for vertex in outline])
        if (corners.max(axis=0) < low).any() or (corners.min(axis=0) > high).any():
            continue
        limit = LARGEST * parameters.cell**2 * np.exp(UNEQUAL * rng.standard_normal())
        if skin.area(outline) > limit:
            for half in skin.divided(outline, parameters, rng):
                heappush(waiting, (-skin.area(half), half))
    edges = np.array(list(skin.cracks), dtype=np.int64).reshape(-1, 2)
    return np.array(skin.vertices), edges, np.array(skin.shares)


class _Skin:
    """A round piece of skin being divided. Outlines of its cells are lists of vertices, counter-clockwise.

    vertices: (x, y) m. shares: of the width, by vertex. cracks: share of the width by edge, its vertices in rising
    order; the border of the skin is not among them. halved: vertices that were set on edges later.
    """

    def __init__(self, centre: Floats, radius: float) -> None:
        turn = 2.0 * np.pi * np.arange(FIRST_SIDES) / FIRST_SIDES
        outline = centre + radius / np.cos(np.pi / FIRST_SIDES) * np.column_stack([np.cos(turn), np.sin(turn)])
        self.vertices = [(x, y) for x, y in outline.tolist()]
        self.shares = [1.0 / YOUNGER] * FIRST_SIDES
        self.cracks: dict[tuple[int, int], float] = {}
        self.halved: dict[tuple[int, int], int] = {}

    def area(self, outline: list[int]) -> float:
        corners = np.array([self.vertices[vertex] for vertex in outline])
        following = _following(corners)
        return 0.5 * float(corners[:, 0] @ following[:, 1] - following[:, 0] @ corners[:, 1])

    def refined(self, outline: list[int]) -> list[int]:
        """The outline with the vertices that younger cracks of neighbouring cells have set on it."""
        refined: list[int] = []
        pending = [(outline[i], outline[(i + 1) % len(outline)]) for i in reversed(range(len(outline)))]
        while pending:
            tail, head = pending.pop()
            middle = self.halved.get((min(tail, head), max(tail, head)))
            if middle is None:
                refined.append(tail)
            else:
                pending += [(middle, head), (tail, middle)]
        return refined

    def divided(self, outline: list[int], parameters: CrazingParameters, rng: np.random.Generator) -> list[list[int]]:
        """The two cells that a new crack makes of one; none where it is so crooked that no crack crosses it."""
        corners = np.array([self.vertices[vertex] for vertex in outline])
        chord = self._chord(corners, rng)
        if chord is None:
            return []
        (side, at), (other_side, other_at) = chord
        spans = _following(corners) - corners
        start, end = corners[side] + at * spans[side], corners[other_side] + other_at * spans[other_side]
        inward, other_inward = (_leftwards(spans[i]) for i in (side, other_side))
        line = _arch(start, inward, end, other_inward, parameters, rng)

        count = len(outline)
        ends = [
            self._halved(outline[i], outline[(i + 1) % count], place) for i, place in ((side, start), (other_side, end))
        ]
        share = max(NARROWEST, YOUNGER * min(self.shares[ends[0]], self.shares[ends[1]]))
        new = list(range(len(self.vertices), len(self.vertices) + len(line)))
        self.vertices += [(x, y) for x, y in line.tolist()]
        self.shares += [share] * len(line)
        crack = [ends[0], *new, ends[1]]
        for tail, head in pairwise(crack):
            self.cracks[min(tail, head), max(tail, head)] = share
        after = [outline[(side + 1 + i) % count] for i in range((other_side - side) % count)]
        before = [outline[(other_side + 1 + i) % count] for i in range((side - other_side) % count)]
        return [[ends[0], *after, *reversed(crack[1:])], [ends[1], *before, *crack[:-1]]]

    @staticmethod
    def _chord(corners: Floats, rng: np.random.Generator) -> tuple[tuple[int, float], tuple[int, float]] | None:
        """Two sides of an outline, and where on them, between which its short way leads through about its middle."""
        centre, short_axis, root_area = _moments(corners)
        for spread in OFF_AXIS:
            through = centre + OFF_CENTRE * root_area * rng.standard_normal(2)
            turn = spread * rng.standard_normal()
            across = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]) @ short_axis
            first, last = _struck(corners, through, across), _struck(corners, through, -across)
            if first is not None and last is not None and first[0] != last[0]:
                return first, last
        return None

    def _halved(self, tail: int, head: int, place: Floats) -> int:
        """A new vertex on an edge."""
        edge, middle = (min(tail, head), max(tail, head)), len(self.vertices)
        self.vertices.append((float(place[0]), float(place[1])))
        self.halved[edge] = middle
        share = self.cracks.pop(edge, None)
        self.shares.append(1.0 / YOUNGER if share is None else share)
        if share is not None:
            self.cracks[edge[0], middle] = self.cracks[edge[1], middle] = share
        return middle


def _moments(corners: Floats) -> tuple[Floats, Floats, float]:
    """Centre, direction of the short axis and root of the area within an outline (n, 2), by Green's theorem."""
    following = _following(corners)
    cross = corners[:, 0] * following[:, 1] - following[:, 0] * corners[:, 1]
    area = 0.5 * cross.sum()
    centre = np.sum((corners + following) * cross[:, None], axis=0) / (6.0 * area)
    a, b = corners - centre, following - centre
    cross = a[:, 0] * b[:, 1] - b[:, 0] * a[:, 1]
    xx, yy = np.sum((a * a + a * b + b * b) * cross[:, None], axis=0) / 12.0
    xy = np.sum((a[:, 0] * b[:, 1] + 2 * a[:, 0] * a[:, 1] + 2 * b[:, 0] * b[:, 1] + b[:, 0] * a[:, 1]) * cross) / 24.0
    _, axes = np.linalg.eigh(np.array([[xx, xy], [xy, yy]]))
    return centre, axes[:, 0], float(np.sqrt(area))


def _struck(corners: Floats, origin: Floats, direction: Floats) -> tuple[int, float] | None:
    """The side of an outline that a ray meets first, and where on it, 0 to 1."""
    spans, away = _following(corners) - corners, corners - origin
    with np.errstate(divide="ignore", invalid="ignore"):
        cross = direction[0] * spans[:, 1] - direction[1] * spans[:, 0]
        distance = (away[:, 0] * spans[:, 1] - away[:, 1] * spans[:, 0]) / cross
        at = (away[:, 0] * direction[1] - away[:, 1] * direction[0]) / cross
    met = (distance > 0.0) & (at >= 0.0) & (at <= 1.0)
    if not met.any():
        return None
    side = int(np.argmin(np.where(met, distance, np.inf)))
    return side, float(np.clip(at[side], FROM_CORNERS, 1.0 - FROM_CORNERS))


def _following(corners: Floats) -> Floats:
    return np.concatenate([corners[1:], corners[:1]])


def _leftwards(span: Floats) -> Floats:
    result: Floats = np.array([-span[1], span[0]]) / np.linalg.norm(span)
    return result


def _arch(
    start: Floats,
    inward: Floats,
    end: Floats,
    other_inward: Floats,
    parameters: CrazingParameters,
    rng: np.random.Generator,
) -> Floats:
    """The inner vertices of a winding crack that leaves two sides at right angles: a cubic Hermite curve and waves."""
    way = end - start
    length = float(np.linalg.norm(way))
    pieces = int(np.clip(round(PIECES * length / parameters.cell), 4, 200))
    t = np.linspace(0.0, 1.0, pieces + 1)[1:-1]
    curve = _hermite(t[:, None], start, length * inward, end, length * other_inward)
    wave = _waves(t, 1, max(2, pieces // 4), rng)[0] * parameters.winding
    result: Floats = curve + wave[:, None] * np.array([-way[1], way[0]])
    return result


def _stars(count: int, sides: Indices, spans: Floats) -> Floats:
    """The directions (E, 2, 2) in which sides leave their two ends, turned so that three leave a corner 120° apart."""
    angles = np.arctan2(*np.stack([spans, -spans], axis=1).transpose(2, 0, 1)[::-1])  # (E, 2), at tail and head
    corner, flat = sides.ravel(), angles.ravel()
    order = np.lexsort((flat, corner))
    degree = np.bincount(corner, minlength=count)
    rank = np.arange(len(order)) - np.repeat(np.cumsum(degree) - degree, degree)
    third = 2.0 * np.pi / 3.0 * rank
    # How far the star has turned: the mean of what its three arms say, as a mean of unit vectors.
    says = np.exp(1j * (flat[order] - third))
    turned = np.bincount(corner[order], says.real, count) + 1j * np.bincount(corner[order], says.imag, count)
    arms = flat.copy()
    of_three = degree[corner[order]] == 3
    arms[order[of_three]] = (np.angle(turned)[corner[order]] + third)[of_three]
    result: Floats = np.stack([np.cos(arms), np.sin(arms)], axis=-1).reshape(-1, 2, 2)
    return result


def _hermite(t: Floats, start: Floats, leaving: Floats, end: Floats, leaving_end: Floats) -> Floats:
    """Cubic curve at t, 0 to 1, between two points that it leaves along two vectors."""
    result: Floats = (
        (1 + 2 * t) * (1 - t) ** 2 * start
        + t * (1 - t) ** 2 * leaving
        + t * t * (3 - 2 * t) * end
        + t * t * (1 - t) * leaving_end
    )
    return result


def _waves(along: Floats, count: int, modes: int, rng: np.random.Generator) -> Floats:
    """(count, n) random waves at n places from 0 to 1, level at both ends so that junctions keep their angles."""
    number = np.arange(1, modes + 1)
    amplitudes = rng.standard_normal((count, modes)) / number**STEADIER
    return np.asarray(amplitudes @ (np.sin(np.pi * along) * np.sin(np.pi * number[:, None] * along)))
