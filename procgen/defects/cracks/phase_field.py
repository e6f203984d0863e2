"""Cracks from the regularised energy of fracture: the AT2 phase field, under anti-plane shear."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from procgen.defects.cracks.fluctuations import along_graph, on_grid
from procgen.defects.cracks.graph import CrackGraph, degrees, reduced, relaxed, thinned
from procgen.defects.cracks.opening import Opening, opened
from procgen.errors import BlemishError
from procgen.surface.checks import require

Floats = NDArray[np.float64]

CELLS = 128  # of the simulation, from the start of the crack to its end
REGULARISATION = 3.0  # cells, the length l over which damage is spread
RESIDUAL_STIFFNESS = 1e-3  # of what is broken, kappa
LEAST_TOUGHNESS = 0.3  # of the mean; a normal distribution has no least value, a material has one
NOTCH = 24  # cells, length of the notch before the start, where the strip is longer by as much
NARROWEST_STRIP = 0.3  # breadth over the way from start to end
GRIP = 6  # cells at either border of the strip that do not break
GRIP_TOUGHNESS = 10.0
FIRST_LOAD, LOAD_STEP, HIGHEST_LOAD = 1.4, 0.1, 3.0  # over that of a long sharp crack in uniform material
ROUNDS_PER_LOAD = 150  # of relaxing displacement and damage in turn
SETTLED = 2e-3  # largest change of damage in a round that counts as none
ACCURACY = 1e-4  # of a solution, as the share of the right-hand side that its residual may have; at 1e-3 tips stall
MOST_ITERATIONS = 200
BROKEN = 0.75  # damage
FLAW_HALF_LENGTH = (2.0, 6.0)  # cells
FIRST_FLAW = 16  # cells from the start to the first flaw
FLAW_TURN = 0.6  # rad, of a flaw from the way, at most
ROUGHNESS = ((1.0, 2.5), (0.5, 1.0))  # cells for each unit of toughness_sigma, and over which length, in cells
SMOOTHING_ROUNDS = 6  # of the thinned band, to lose the steps of its pixels


@dataclass(frozen=True, kw_only=True)
class PhaseFieldParameters(Opening):
    """The strip of material that tears; see Opening for the width and depth of the crack.

    toughness_sigma: standard deviation of the fracture energy over its mean. toughness_correlation: m, of that field.
    flaws: how many small cracks lie before the large one, which it may turn to, join, or pass. breadth: of the strip,
    over the way from start to end. start_taper, end_taper: shares of that way over which the crack closes towards its
    start, and towards its other free ends.
    Raises BlemishError for values out of range.
    """

    toughness_sigma: float = 0.25
    toughness_correlation: float = 1e-3
    flaws: int = 6
    breadth: float = 0.5
    start_taper: float = 0.15
    end_taper: float = 0.15

    def __post_init__(self) -> None:
        super().__post_init__()
        require(
            "crack",
            toughness_sigma=(self.toughness_sigma, "not negative"),
            toughness_correlation=(self.toughness_correlation, "not negative"),
            flaws=(self.flaws, "not negative"),
            breadth=(self.breadth, "0 to 1"),
            start_taper=(self.start_taper, "0 to 1"),
            end_taper=(self.end_taper, "0 to 1"),
        )
        if self.breadth < NARROWEST_STRIP:
            raise BlemishError(
                f"crack: found a breadth of {self.breadth:g}; expected at least {NARROWEST_STRIP:g}, "
                "or the crack would feel the grips"
            )


def simulate_phase_field_crack(
    parameters: PhaseFieldParameters, start: ArrayLike, end: ArrayLike, rng: np.random.Generator
) -> CrackGraph:
    """Tear a strip that runs from start to end, (2,) m, from a notch at its start until the crack has crossed it.

    The load rises in steps; in each, displacement and damage are relaxed in turn. What broke is thinned to lines, so
    that the resolution of the simulation is none of the crack's.
    Raises BlemishError where start and end are the same point.
    """
    start, end = np.asarray(start, dtype=np.float64), np.asarray(end, dtype=np.float64)
    length = float(np.linalg.norm(end - start))
    if not length > 0.0:
        raise BlemishError(f"crack: found start and end at the same point, {start.tolist()}; expected two points")
    cell = length / CELLS
    rows = round(parameters.breadth * CELLS)
    strip = Strip(_toughness(parameters, (rows, NOTCH + CELLS), parameters.toughness_correlation / cell, rng))
    strip.damage[rows // 2 - 1 : rows // 2 + 1, :NOTCH] = 1.0  # one cell alone would still pass half of the load on
    for flaw in _flaws(rows, parameters.flaws, rng):
        strip.damage[flaw] = 1.0

    load = FIRST_LOAD
    crack = _main_crack(strip)
    while load <= HIGHEST_LOAD and not crack[:, -1].any():
        for _ in strip.relax(load * strip.critical_load):
            crack = _main_crack(strip)
            if crack[:, -1].any():
                break
        load += LOAD_STEP
    pixels, edges = _roughened(*_centre_line(crack), parameters.toughness_sigma, rng)

    forward = (end - start) / length
    across, along = (pixels[:, 0] + 0.5 - rows // 2) * cell, (pixels[:, 1] + 0.5 - NOTCH) * cell
    vertices = start + along[:, None] * forward + across[:, None] * np.array([-forward[1], forward[0]])
    tips = np.flatnonzero(degrees(len(vertices), edges) == 1)
    origin = tips[np.argmin(along[tips])]
    closing = {int(tip): (parameters.start_taper if tip == origin else parameters.end_taper) * length for tip in tips}
    return opened(parameters, vertices, edges, rng, closing)


@dataclass
class Strip:
    """A strip in anti-plane shear, u = ±load at its lower and upper border, its ends free. Lengths in cells, mu = 1.

    toughness: (rows, columns), fracture energy over its mean, which is 1. displacement, damage: (rows, columns).
    The energy is ∫ ((1-d)² + kappa) ½|∇u|² + Gc (d²/2l + l/2 |∇d|²) (Bourdin, Francfort, Marigo, Journal of the
    Mechanics and Physics of Solids 48, 2000), in differences between neighbouring cells.
    """

    toughness: Floats
    displacement: Floats = field(init=False)
    damage: Floats = field(init=False)

    def __post_init__(self) -> None:
        self.displacement, self.damage = np.zeros((2, *self.toughness.shape))

    @property
    def critical_load(self) -> float:
        """The load under which a long crack in the middle of a uniform strip just runs: energy 2 load²/rows = Gc."""
        return float(np.sqrt(0.5 * self.toughness.shape[0]))

    def relax(self, load: float) -> Iterator[float]:
        """Minimise the energy over displacement and damage in turn until both settle; yields it after each.

        Damage never heals, and the energy never rises. For damage that is more than it seems: each cell takes the
        larger of its damage and of that in the minimum without constraint. As all couplings pull neighbours together,
        the energy is submodular, E(a∨b) + E(a∧b) ≤ E(a) + E(b), so this lies no higher than what was before.
        """
        for _ in range(ROUNDS_PER_LOAD):
            self._relax_displacement(load)
            yield self.energy(load)
            change = self._relax_damage(load)
            yield self.energy(load)
            if change < SETTLED:
                return

    def energy(self, load: float) -> float:
        elastic = np.sum(self._stiffness() * self._strain_energy(load))
        length = REGULARISATION
        surface = np.sum(self.toughness * self.damage**2) / (2.0 * length)
        along, across = _means(self.toughness)
        gradient = np.sum(along * np.diff(self.damage, axis=1) ** 2) + np.sum(
            across * np.diff(self.damage, axis=0) ** 2
        )
        return float(elastic + surface + 0.5 * length * gradient)

    def _stiffness(self) -> Floats:
        return (1.0 - self.damage) ** 2 + RESIDUAL_STIFFNESS

    def _strain_energy(self, load: float) -> Floats:
        """½|∇u|² per cell, for stiffness 1: half of each spring between cells belongs to either of them."""
        density = np.zeros_like(self.damage)
        u = self.displacement
        along, across = 0.25 * np.diff(u, axis=1) ** 2, 0.25 * np.diff(u, axis=0) ** 2
        density[:, :-1] += along
        density[:, 1:] += along
        density[:-1] += across
        density[1:] += across
        density[0] += (u[0] + load) ** 2  # the grips hold the outer cells by springs of half the length
        density[-1] += (u[-1] - load) ** 2
        return density

    def _relax_displacement(self, load: float) -> None:
        stiffness = self._stiffness()
        along, across = _means(stiffness)
        grips = np.zeros_like(stiffness)
        grips[0], grips[-1] = 2.0 * stiffness[0], 2.0 * stiffness[-1]
        pull = np.zeros_like(stiffness)
        pull[0], pull[-1] = -load * grips[0], load * grips[-1]
        solver = _spectral(stiffness.shape, float(np.exp(np.mean(np.log(stiffness)))), 0.0, held=True)
        self.displacement = _solved(lambda u: _spread(u, along, across) + grips * u, pull, self.displacement, solver)

    def _relax_damage(self, load: float) -> float:
        """Returns the largest change."""
        drive = 2.0 * self._strain_energy(load)
        along, across = (REGULARISATION * mean for mean in _means(self.toughness))
        diagonal = self.toughness / REGULARISATION + drive
        solver = _spectral(drive.shape, REGULARISATION, float(np.exp(np.mean(np.log(diagonal)))), held=False)
        least = _solved(lambda d: _spread(d, along, across) + diagonal * d, drive, self.damage, solver)
        before, self.damage = self.damage, np.maximum(self.damage, least)
        return float(np.max(self.damage - before))


def _means(values: Floats) -> tuple[Floats, Floats]:
    """Of neighbours along the rows and across them."""
    return 0.5 * (values[:, 1:] + values[:, :-1]), 0.5 * (values[1:] + values[:-1])


def _spread(values: Floats, along: Floats, across: Floats) -> Floats:
    """-∇·(c ∇ values), c given between neighbours, nothing passing the border."""
    flow, total = along * np.diff(values, axis=1), np.zeros_like(values)
    total[:, :-1] -= flow
    total[:, 1:] += flow
    flow = across * np.diff(values, axis=0)
    total[:-1] -= flow
    total[1:] += flow
    return total


def _spectral(shape: tuple[int, ...], coupling: float, diagonal: float, *, held: bool) -> Callable[[Floats], Floats]:
    """The inverse of -coupling Δ + diagonal, by cosines; by sines across the strip where its borders are held."""
    from scipy.fft import dct, dst, idct, idst

    rows, columns = shape
    across = 2.0 - 2.0 * np.cos(np.pi * (np.arange(rows) + held) / rows)
    along = 2.0 - 2.0 * np.cos(np.pi * np.arange(columns) / columns)
    eigenvalues = coupling * (across[:, None] + along) + diagonal
    there, back = (dst, idst) if held else (dct, idct)

    def solve(right: Floats) -> Floats:
        spectrum = there(dct(right, axis=1), axis=0) / eigenvalues
        return np.asarray(idct(back(spectrum, axis=0), axis=1))

    return solve


def _solved(
    apply: Callable[[Floats], Floats], right: Floats, guess: Floats, precondition: Callable[[Floats], Floats]
) -> Floats:
    """Preconditioned conjugate gradients from a guess: every iteration lowers the energy of the quadratic form."""
    from scipy.sparse.linalg import LinearOperator, cg

    def flat(operator: Callable[[Floats], Floats]) -> LinearOperator:
        return LinearOperator(
            (right.size, right.size), lambda values: operator(values.reshape(right.shape)).ravel(), dtype=right.dtype
        )

    solution, _ = cg(
        flat(apply), right.ravel(), guess.ravel(), rtol=ACCURACY, maxiter=MOST_ITERATIONS, M=flat(precondition)
    )
    return np.asarray(solution.reshape(right.shape))


def _toughness(
    parameters: PhaseFieldParameters, shape: tuple[int, int], correlation: float, rng: np.random.Generator
) -> Floats:
    toughness = np.maximum(1.0 + parameters.toughness_sigma * on_grid(shape, correlation, rng), LEAST_TOUGHNESS)
    toughness[:GRIP] = toughness[-GRIP:] = GRIP_TOUGHNESS
    return toughness


def _flaws(rows: int, count: int, rng: np.random.Generator) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Cells (rows, columns) of short lines, two cells thick, strewn along the way, apart from the grips."""
    shape = (rows, NOTCH + CELLS)
    flaws = []
    for _ in range(count):
        middle = rng.uniform((0.25 * rows, NOTCH + FIRST_FLAW), (0.75 * rows, shape[1]))
        angle, half = rng.uniform(-FLAW_TURN, FLAW_TURN), rng.uniform(*FLAW_HALF_LENGTH)
        way = np.linspace(-half, half, 4 * round(half) + 1)
        line = np.floor(middle + way[:, None] * (np.sin(angle), np.cos(angle))).astype(np.int64)
        line = line[(line >= 0).all(axis=1) & (line < shape).all(axis=1)]
        flaws.append((np.concatenate([line[:, 0], line[:, 0] - 1]), np.tile(line[:, 1], 2)))
    return flaws


def _main_crack(strip: Strip) -> NDArray[np.bool_]:
    """What broke in one piece with the notch."""
    from scipy.ndimage import label

    pieces, _ = label(strip.damage > BROKEN, np.ones((3, 3)))
    return np.asarray(pieces == pieces[len(pieces) // 2, 0])


def _centre_line(crack: NDArray[np.bool_]) -> tuple[Floats, NDArray[np.int64]]:
    """The line (row, column) in the middle of a band, over the length of the way from start to end.

    Thinning eats away the ends of a band: it is thinned with its notch, and longer than it is.
    """
    longer = np.pad(crack, ((0, 0), (0, NOTCH)), mode="edge")
    pixels, edges = thinned(longer, shortest_spur=round(2.0 * REGULARISATION))
    on_the_way = (pixels[:, 1] >= NOTCH) & (pixels[:, 1] < crack.shape[1])
    return reduced(relaxed(pixels, edges, SMOOTHING_ROUNDS), edges, on_the_way)


def _roughened(
    pixels: Floats, edges: NDArray[np.int64], sigma: float, rng: np.random.Generator
) -> tuple[Floats, NDArray[np.int64]]:
    """A line (row, column) with what the cells of the simulation were too coarse for; free ends stay where they are."""
    middles = len(pixels) + np.arange(len(edges))
    finer = np.concatenate([pixels, pixels[edges].mean(axis=1)])
    edges = np.concatenate([np.column_stack([edges[:, 0], middles]), np.column_stack([middles, edges[:, 1]])])
    inner = degrees(len(finer), edges) > 1
    for height, length in ROUGHNESS:
        noise = np.column_stack([along_graph(finer, edges, length, rng) for _ in range(2)])
        finer = finer + height * sigma * np.where(inner[:, None], noise, 0.0)
    return finer, edges
