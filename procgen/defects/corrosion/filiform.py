"""Filiform corrosion: threads that creep away from scratches and cracks under a coating, and never cross."""

import heapq
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from procgen.errors import BlemishError
from procgen.surface.binning import boxes_around, near_pairs
from procgen.surface.checks import require
from procgen.surface.layer import Family, LayerSample, SurfacePoints
from procgen.surface.noise import fractal

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]
Colour = tuple[float, float, float]

DAY = 86_400.0  # s; the time in which a scratch creeps as far as its parameters name
STEP = 0.4  # of a thread, over its width
CLEARANCE = 1.5  # widths between the middles of threads: a head turns away from metal that has been used up
TURNS = np.array([0.0, 0.3, -0.3, 0.7, -0.7, 1.2, -1.2, 1.8, -1.8])  # rad, tried in this order before a head dies
DEPARTURE = 0.35  # rad, standard deviation of the direction in which a thread leaves, about straight away
SPEED_VARIATION = 0.35  # standard deviation of the logarithm of the speed, from thread to thread
WIDTH_VARIATION = 0.22  # the same of the width, half of it from thread to thread and half along each
LENGTH_OF_A_POINT = 2e-3  # m; a single point sends out as many threads as so much of a scratch
MOST_STEPS = 150_000
FAR = 1e3  # m; no head is near
CREEP_EXPONENT = 0.5  # of the time: oxygen diffuses in from the scratch
OUTLINE_OCTAVES = 3
NEAREST_OUTLINE, FURTHEST_OUTLINE = 0.4, 1.6  # of the half width, wherever the noise would put it
EDGE = 0.25  # share of the half width over which the deposit fades out
BOXES = 128  # along the longer extent of the threads, to sort out the points that are nowhere near


@dataclass(frozen=True)
class FilamentParameters:
    """How threads start and grow.

    density: 1/m, threads per length of scratch that will ever start, at exponential times of mean decay (s). speed:
    m/s, median. width: m, median, .1 to .5 mm in life. persistence: m, the length over which a thread forgets its
    direction. creep: m, how far the coating is undermined to either side of the scratch after a day; it grows as √t.
    Raises BlemishError for values out of range.
    """

    density: float
    speed: float
    width: float
    persistence: float = 4e-3
    decay: float = 0.5 * DAY
    creep: float = 1e-4

    def __post_init__(self) -> None:
        require(
            "filiform corrosion",
            **{name: (getattr(self, name), "positive") for name in ("speed", "width", "persistence", "decay")},
            **{name: (getattr(self, name), "not negative") for name in ("density", "creep")},
        )


@dataclass(frozen=True)
class Filaments:
    """Threads and the scratches that they come from, as E straight pieces without a resolution.

    tails, heads: (E, 2) in a chart or (E, 3) on a part, m, the ends of each piece. half_widths: (E,) m. lags: (E, 2) m,
    how far the thread has gone since it passed either end, FAR on scratches. sources: (E,) number of the scratch.
    """

    tails: Floats
    heads: Floats
    half_widths: Floats
    lags: Floats
    sources: Indices

    def embedded(self, embed: Callable[[Floats], Floats]) -> "Filaments":
        """The same on a part; `embed` maps (N, 2) chart positions to (N, 3) positions, both in metres."""
        tails, heads = (np.asarray(embed(ends), dtype=np.float64) for ends in (self.tails, self.heads))
        return replace(self, tails=tails, heads=heads)


def simulate_filaments(
    parameters: FilamentParameters, sources: Sequence[Floats], time: float, rng: np.random.Generator
) -> Filaments:
    """The threads that have grown from polylines or points, each (V, 2) in m, after `time` (s).

    A head walks on with a direction that it forgets over the persistence length; where metal ahead has been used up, by
    its own tail or by another thread, it turns aside as little as it must, and dies where it cannot (Bautista, Progress
    in Organic Coatings 28, 1996: threads reflect and never cross). Heads move in the order of time, so that the same
    generator state gives the same threads at any time: later, they are only longer.
    Raises BlemishError for more than MOST_STEPS steps.
    """
    require("filiform corrosion", time=(time, "not negative"))
    walkers = [walker for number, line in enumerate(sources) for walker in _started(parameters, line, number, rng)]
    length = sum(max(0.0, time - walker.start) * walker.speed for walker in walkers)
    if length > MOST_STEPS * STEP * parameters.width:
        raise BlemishError(
            f"filiform corrosion: found threads of {length:g} m in all, {parameters.width:g} m wide; expected at most "
            f"{MOST_STEPS * STEP * parameters.width:g} m: fewer, slower or wider ones, or less time"
        )
    used = _UsedUp(CLEARANCE * parameters.width)
    for number, line in enumerate(sources):
        used.mark(_densified(line, STEP * parameters.width), -1 - number)
    pieces: list[tuple[Floats, Floats, float, float, float, int]] = []
    queue = [(walker.start, number) for number, walker in enumerate(walkers) if walker.start < time]
    heapq.heapify(queue)
    while queue:
        now, number = heapq.heappop(queue)
        walker = walkers[number]
        tail = walker.position
        if not walker.advance(parameters, used, number):
            continue
        arrival = now + walker.step / walker.speed
        share = min(1.0, (time - now) / (arrival - now))
        pieces.append((tail, tail + share * (walker.position - tail), walker.width, now, min(arrival, time), number))
        if arrival < time:
            heapq.heappush(queue, (arrival, number))
    return _assembled(parameters, sources, walkers, pieces, time)


class _Walker:
    """The head of a thread."""

    def __init__(
        self,
        parameters: FilamentParameters,
        position: Floats,
        angle: float,
        source: int,
        start: float,
        rng: np.random.Generator,
    ) -> None:
        self.rng = rng
        self.position, self.angle, self.source, self.start = position, angle, source, start
        self.speed = parameters.speed * float(np.exp(SPEED_VARIATION * rng.standard_normal()))
        self.own_width = parameters.width * float(np.exp(WIDTH_VARIATION * rng.standard_normal()))
        self.width, self.wave, self.step, self.steps = self.own_width, 0.0, STEP * parameters.width, 0

    def advance(self, parameters: FilamentParameters, used: "_UsedUp", number: int) -> bool:
        """Take one step to where the metal is fresh; False where there is none."""
        turn, swell = self.rng.standard_normal(2)
        forward = self.angle + float(turn) * np.sqrt(2.0 * self.step / parameters.persistence)
        for aside in TURNS:
            angle = forward + aside
            ahead = self.position + self.step * np.array([np.cos(angle), np.sin(angle)])
            if used.is_fresh(ahead, number, self.source, self.steps):
                break
        else:
            return False
        self.position, self.angle = ahead, angle
        self.steps += 1
        used.mark(ahead[np.newaxis], number, self.steps)
        self.wave = 0.9 * self.wave + np.sqrt(1 - 0.9**2) * float(swell)
        self.width = self.own_width * float(np.exp(WIDTH_VARIATION * self.wave))
        return True


class _UsedUp:
    """Where threads have been, in square cells as wide as the clearance."""

    def __init__(self, clearance: float) -> None:
        self.clearance = clearance
        self.cells: dict[tuple[int, int], list[tuple[float, float, int, int]]] = defaultdict(list)
        self.recent = int(np.ceil(2.0 * CLEARANCE / STEP))  # steps back to which a head is always near its own tail

    def mark(self, places: Floats, owner: int, step: int = 0) -> None:
        for x, y in places.tolist():
            self.cells[int(x // self.clearance), int(y // self.clearance)].append((x, y, owner, step))

    def is_fresh(self, place: Floats, owner: int, source: int, step: int) -> bool:
        x, y = place.tolist()
        column, row = int(x // self.clearance), int(y // self.clearance)
        for i in (column - 1, column, column + 1):
            for j in (row - 1, row, row + 1):
                for px, py, whose, when in self.cells.get((i, j), ()):
                    starting = whose == -1 - source and step <= self.recent
                    if (whose == owner and step - when <= self.recent) or starting:
                        continue
                    if (px - x) ** 2 + (py - y) ** 2 < self.clearance**2:
                        return False
        return True


def _started(parameters: FilamentParameters, line: Floats, source: int, rng: np.random.Generator) -> list[_Walker]:
    """The heads that ever leave a polyline, to either side of it; from a single point, in all directions."""
    line = np.asarray(line, dtype=np.float64).reshape(-1, 2)
    lengths = np.linalg.norm(np.diff(line, axis=0), axis=1)
    total = float(lengths.sum())
    count = int(rng.poisson(parameters.density * max(total, LENGTH_OF_A_POINT)))
    walkers = []
    for along, side, scatter, start in zip(
        rng.uniform(0.0, total, count),
        rng.choice([-0.5, 0.5], count) * np.pi,
        rng.normal(0.0, DEPARTURE, count),
        rng.exponential(parameters.decay, count),
        strict=True,
    ):
        if total > 0.0:
            ends = np.cumsum(lengths)
            edge = min(int(np.searchsorted(ends, along)), len(lengths) - 1)
            way = (line[edge + 1] - line[edge]) / lengths[edge]
            place = line[edge] + (along - ends[edge] + lengths[edge]) * way
            angle = float(np.arctan2(way[1], way[0])) + side + scatter
        else:
            place, angle = line[0].copy(), float(rng.uniform(0.0, 2.0 * np.pi))
        own = np.random.default_rng(rng.integers(2**63))  # so that no head's way depends on how far others have come
        walkers.append(_Walker(parameters, place, angle, source, float(start), own))
    return walkers


def _densified(line: Floats, spacing: float) -> Floats:
    """Points on a polyline at most `spacing` apart."""
    line = np.asarray(line, dtype=np.float64).reshape(-1, 2)
    pieces = [line[:1]]
    for start, end in pairwise(line):
        count = int(np.ceil(np.linalg.norm(end - start) / spacing))
        pieces.append(start + np.linspace(0.0, 1.0, count + 1)[1:, np.newaxis] * (end - start))
    return np.concatenate(pieces)


def _assembled(
    parameters: FilamentParameters,
    sources: Sequence[Floats],
    walkers: list[_Walker],
    pieces: list[tuple[Floats, Floats, float, float, float, int]],
    time: float,
) -> Filaments:
    """Pieces of threads, and those of the scratches, which creep."""
    tails, heads, half_widths, lags, numbers = [], [], [], [], []
    for tail, head, width, passed, arrived, walker in pieces:
        tails.append(tail)
        heads.append(head)
        half_widths.append(0.5 * width)
        lags.append([(time - moment) * walkers[walker].speed for moment in (passed, arrived)])
        numbers.append(walkers[walker].source)
    crept = parameters.creep * (time / DAY) ** CREEP_EXPONENT
    if crept > 0.0:
        for number, line in enumerate(sources):
            dense = _densified(line, 1e-3)
            dense = dense if len(dense) > 1 else np.repeat(dense, 2, axis=0)
            for tail, head in pairwise(dense):
                tails.append(tail)
                heads.append(head)
                half_widths.append(crept)
                lags.append([FAR, FAR])
                numbers.append(number)
    return Filaments(
        np.array(tails).reshape(-1, 2),
        np.array(heads).reshape(-1, 2),
        np.array(half_widths),
        np.array(lags).reshape(-1, 2),
        np.array(numbers, dtype=np.int64),
    )


@dataclass(frozen=True)
class FiliformCorrosion:
    """Threads on a part as a layer: raised under the coating, rusty behind, with a dark active head.

    An instance is a scratch with all that has grown from it. ragged: standard deviation of the outline, as a share of
    the half width, over lengths of ragged_size (m) and finer. blister: m, how high a thread of median width lifts the
    coating. head_length: m. tail_colour, head_colour: linear. opacity: share of the surface that the deposit hides.
    Raises BlemishError for values out of range and for threads that are not embedded in space.
    """

    filaments: Filaments
    ragged: float = 0.15
    ragged_size: float = 3e-4
    blister: float = 3e-5
    head_length: float = 8e-4
    tail_colour: Colour = (0.27, 0.13, 0.06)
    head_colour: Colour = (0.05, 0.045, 0.04)
    opacity: float = 0.85
    roughness: float = 0.7
    seed: int = 0

    family: ClassVar[Family] = "defect"
    class_name: ClassVar[str] = "filiform_corrosion"

    def __post_init__(self) -> None:
        if self.filaments.tails.shape[1:] != (3,):
            raise BlemishError(
                f"filiform corrosion: found ends of shape {self.filaments.tails.shape}; expected (E, 3): embed them in "
                "a part"
            )
        require(
            "filiform corrosion",
            **{name: (getattr(self, name), "not negative") for name in ("ragged", "blister", "seed")},
            **{name: (getattr(self, name), "positive") for name in ("ragged_size", "head_length")},
            **{name: (getattr(self, name), "0 to 1") for name in ("opacity", "roughness")},
            **{f"tail_colour[{channel}]": (value, "0 to 1") for channel, value in enumerate(self.tail_colour)},
            **{f"head_colour[{channel}]": (value, "0 to 1") for channel, value in enumerate(self.head_colour)},
        )

    def evaluate(self, points: SurfacePoints | ArrayLike) -> LayerSample:
        """Inside is where the distance to a piece is at most its half width, out to the uneven outline."""
        positions = SurfacePoints.of(points).positions
        sample = LayerSample.blank(len(positions), coloured=True)
        near, pairs = self._near(positions)
        if len(near) == 0:
            return sample
        positions = positions[near]
        noise = fractal(positions / self.ragged_size, OUTLINE_OCTAVES, self.seed)
        outline = np.clip(1.0 + self.ragged * noise, NEAREST_OUTLINE, FURTHEST_OUTLINE)
        offset, lag = np.full(len(near), np.inf), np.full(len(near), FAR)
        source = np.zeros(len(near), dtype=np.int64)
        threads = self.filaments
        for point, piece in pairs:
            span = threads.heads[piece] - threads.tails[piece]
            away = positions[point] - threads.tails[piece]
            square = np.maximum(np.einsum("nk,nk->n", span, span), np.finfo(np.float64).tiny)
            along = np.clip(np.einsum("nk,nk->n", away, span) / square, 0.0, 1.0)
            distance = np.linalg.norm(away - along[:, np.newaxis] * span, axis=1)
            relative = distance / (threads.half_widths[piece] * outline[point])
            closer = relative < offset[point]
            point, piece, along = point[closer], piece[closer], along[closer]
            offset[point] = relative[closer]
            source[point] = threads.sources[piece]
            passed, arrived = threads.lags[piece].T
            lag[point] = passed + along * (arrived - passed)

        inside = offset <= 1.0
        near, offset, lag, noise = near[inside], offset[inside], lag[inside], noise[inside]
        active = np.exp(-((lag / self.head_length) ** 2))
        deposit = self.opacity * np.clip((1.0 - offset) / EDGE, 0.0, 1.0)
        tone = np.exp(0.25 * noise)[:, np.newaxis]
        colour = np.clip(tone * np.array(self.tail_colour), 0.0, 1.0)
        colour += active[:, np.newaxis] * (np.array(self.head_colour) - colour)
        sample.inside[near] = True
        sample.instance[near] = 1 + source[inside]
        sample.height[near] = self.blister * np.sqrt(1.0 - offset**2)
        sample.opacity[near] = deposit
        sample.reflectance[near] = deposit[:, np.newaxis] * colour
        sample.roughness[near] = deposit * self.roughness
        return sample

    def _near(self, positions: Floats) -> tuple[Indices, list[tuple[Indices, Indices]]]:
        """The points that some piece may reach, (n,), and pairs of their ranks among these and pieces."""
        nobody: Indices = np.empty(0, dtype=np.int64)
        threads = self.filaments
        if len(threads.tails) == 0 or len(positions) == 0:
            return nobody, []
        middles = 0.5 * (threads.tails + threads.heads)
        reach = 0.5 * np.linalg.norm(threads.heads - threads.tails, axis=1) + FURTHEST_OUTLINE * threads.half_widths
        low, high = middles.min(axis=0) - reach.max(), middles.max(axis=0) + reach.max()
        near = np.flatnonzero(((positions >= low) & (positions <= high)).all(axis=1))
        if len(near) == 0:
            return nobody, []
        boxes = boxes_around(np.ascontiguousarray(positions[near].T), float((high - low).max()) / BOXES)
        pairs = list(near_pairs(boxes, middles, reach))
        touched = np.zeros(len(near), dtype=bool)
        for point, _ in pairs:
            touched[point] = True
        rank = np.cumsum(touched) - 1
        return near[touched], [(rank[point], piece) for point, piece in pairs]
