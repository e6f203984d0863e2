"""The whole fit: a broad design, an emulator learnt from it, two verified rounds, a last fit to all, and a verdict on
other photographs.

What the photographs do not determine stays: a parameter moves freely only where renders that the inversion has not seen
give it away; others move by WITHIN at the most, and only if both distances fall.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from scenes.calibration.distances import (
    centre_and_scale,
    floor_distance,
    projected,
    quantile_distance,
    quantiles,
    share_nearer,
)
from scenes.calibration.emulator import emulator, inverted, recovered
from scenes.calibration.fitting import WIDEST, Population, Search, Shapes, Target, fitted
from scenes.calibration.measuring import Bench, Measured, Shot, View
from scenes.calibration.parameters import CalibrationError, Parameter, shapes, with_shapes, with_values
from scenes.calibration.photographs import Photographs
from scenes.recipes.recipe import Recipe

Floats = NDArray[np.float64]

DETERMINED = 0.5  # share of a parameter's variance that pictures have to give away for it to move freely
WITHIN = 0.3  # by which share of itself another may move, if that brings both distances down
ENOUGH = 0.95  # share of draws in which a distance has to fall; by .8, two null fits in five would pass
ROUNDS = 2
NEAR = 0.2  # share of the design's frames that each round draws about the solution so far
AROUND = 0.15  # unit coordinates about that solution, at the least
FAR = 0.02  # what a render far from a solution counts for, beside one at it
LOOK_STRIDE = 100_003  # from a frame's number to those whose sensors look at it too
VERIFIED_FROM = 1_000_000  # numbers of frames that verify; those of the design are below
LEAST_SCALE = 0.05  # of a statistic's deviation over the design: differences below it count as noise
REACH = 0.005  # share of the design that lies beyond what it is said to reach, on either side


@dataclass(frozen=True)
class Plan:
    """How much is rendered: of the design, a share of it near what each round finds, with so many looks each, and to
    verify. draws: for the intervals. All from one seed.
    """

    renders: int = 300
    looks: int = 4
    verified: int = 32
    draws: int = 24
    seed: int = 0


@dataclass(frozen=True)
class Distance:
    """How far frames lie from the kept-back photographs, and how far other photographs do (floor)."""

    statistics: float
    features: float | None


@dataclass(frozen=True, eq=False)
class Calibration:
    """What came of a fit.

    recipe: the fitted one, with its defects. parameters, determined (K,), moved (K,), before and after with intervals
    (K, 2) of centre and of half-width. frames: before and after. verdict: in one sentence. accepted: whether the fit is
    to be used. reachable (d,): of which statistics the design comes as far as the photographs.
    """

    recipe: Recipe
    parameters: tuple[Parameter, ...]
    determined: Floats
    moved: NDArray[np.bool_]
    before: Shapes
    after: Shapes
    centre_interval: Floats
    half_width_interval: Floats
    frames_before: Measured
    frames_after: Measured
    floor: Distance
    distance_before: Distance
    distance_after: Distance
    share_statistics: float
    share_features: float | None
    reachable: NDArray[np.bool_]
    accepted: bool
    verdict: str


@dataclass(frozen=True, eq=False)
class _Judge:
    """Distances to the photographs; each statistic and feature in units of its robust deviation among them."""

    real: Photographs
    scale: Floats
    feature_middle: Floats
    feature_scale: Floats
    seed: int

    def statistics(self, measured: Measured) -> Floats:
        """(V, d) of first looks."""
        return np.asarray(measured.statistics[:, 0] / self.scale)

    def features(self, rows: Floats) -> Floats:
        return projected((rows - self.feature_middle) / self.feature_scale, self.seed)

    @property
    def has_features(self) -> bool:
        return self.real.features.shape[1] > 0

    def distance(self, measured: Measured, *, reserved: bool = True) -> Distance:
        chosen = self.real.reserved if reserved else ~self.real.reserved
        statistics = quantile_distance(self.real.statistics[chosen] / self.scale, self.statistics(measured))
        if not self.has_features:
            return Distance(statistics, None)
        real = self.features(self.real.features)[chosen]
        return Distance(statistics, quantile_distance(real, self.features(measured.features)))

    def floor(self) -> Distance:
        count = int(self.real.reserved.sum())
        statistics = floor_distance(self.real.statistics / self.scale, self.real.groups, count, self.seed)
        if not self.has_features:
            return Distance(statistics, None)
        return Distance(
            statistics, floor_distance(self.features(self.real.features), self.real.groups, count, self.seed)
        )

    def share_nearer(self, before: Measured, after: Measured) -> float:
        """In which share of draws the statistics are nearer to the photographs that are fitted to."""
        rows = self.real.statistics[~self.real.reserved] / self.scale
        return share_nearer(rows, self.statistics(before), self.statistics(after), self.seed)

    def shares(self, before: Measured, after: Measured) -> tuple[float, float | None]:
        """In which share of draws each distance to the kept-back photographs falls."""
        kept = self.real.reserved
        rows = self.real.statistics[kept] / self.scale
        statistics = share_nearer(rows, self.statistics(before), self.statistics(after), self.seed)
        if not self.has_features:
            return statistics, None
        real = self.features(self.real.features)[kept]
        ours, theirs = (self.features(measured.features) for measured in (before, after))
        return statistics, share_nearer(real, ours, theirs, self.seed)


def calibrate(recipe: Recipe, real: Photographs, bench: Bench, plan: Plan = Plan()) -> Calibration:
    """Fit the free distributions of a recipe to photographs, rendering at `bench`.

    Raises CalibrationError where the photographs determine nothing.
    """
    parameters = bench.parameters
    bare = recipe.without("defects")
    start = Shapes(*shapes(parameters))
    design = bench.measured("design", design_views(bare, parameters, plan), judged=False)
    before = bench.measured("recipe as it is", verifying_views("before", bare, plan), judged=True)
    _, statistics = design.rows()
    scale = centre_and_scale(real.statistics, LEAST_SCALE * np.maximum(statistics.std(axis=0), 1e-9))[1]
    judge = _judge(real, scale, plan.seed)
    determined = given_away(design, plan.seed)
    is_free = determined >= DETERMINED
    if not is_free.any():
        most = parameters[int(determined.argmax())].path
        raise CalibrationError(
            f"{recipe.name}: found no parameter that pictures give away (most of all {most}, {determined.max():.2f} of "
            f"its variance, where {DETERMINED:g} is needed); mark others under calibrate, or wider bounds"
        )
    photographs = real.statistics[~real.reserved]
    target, reachable = _target(photographs, statistics, scale)
    rounds = _Rounds(parameters, target, plan, real.reserved, start)
    search = rounds.free(is_free)

    seen = [design, before]
    found = rounds.fit(seen, start, search, [start, _guess(design, photographs)])
    candidates = []
    for number in range(1, ROUNDS + 1):
        name = f"round {number}"
        near = near_views(f"near-{number}", bare, parameters, found, is_free, plan, number)
        seen.append(bench.measured(f"{name}, nearby", near, judged=False))
        found = rounds.fit(seen, found, search, [found, start])
        candidates.append((found, rounds.verified(bench, name, bare, found, is_free)))
        seen.append(candidates[-1][1])
    found = rounds.fit(seen, found, search, [found, start])
    candidates.append((found, rounds.verified(bench, "all rounds", bare, found, is_free)))
    seen.append(candidates[-1][1])
    chosen, frames = candidates[-1]
    for earlier, others in candidates[:-1]:
        if judge.share_nearer(frames, others) >= ENOUGH:
            chosen, frames = earlier, others
    moved = is_free

    wider = rounds.free(is_free, others_within=WITHIN)
    if not is_free.all():
        other = rounds.fit(seen, found, wider, [chosen, start])
        everything = np.ones_like(is_free)
        other_frames = rounds.verified(bench, "the others a little", bare, other, everything)
        if _fell(judge.shares(frames, other_frames)):
            chosen, frames, moved, search = other, other_frames, everything, wider

    solutions = [chosen, *(shape for shape, _ in candidates)]
    draws = rounds.draws(seen, photographs, search, chosen, bench)
    shares = judge.shares(before, frames)
    accepted = _fell(shares)
    distances = judge.distance(before), judge.distance(frames)
    return Calibration(
        recipe=with_shapes(recipe, parameters, chosen.centres, chosen.half_widths, moved),
        parameters=tuple(parameters),
        determined=determined,
        moved=moved,
        before=start,
        after=chosen,
        centre_interval=_interval(
            [each.centres for each in solutions], [each.centres for each in draws], len(photographs)
        ),
        half_width_interval=_interval(
            [each.half_widths for each in solutions], [each.half_widths for each in draws], len(photographs)
        ),
        frames_before=before,
        frames_after=frames,
        floor=judge.floor(),
        distance_before=distances[0],
        distance_after=distances[1],
        share_statistics=shares[0],
        share_features=shares[1],
        reachable=reachable,
        accepted=accepted,
        verdict=_verdict(accepted, distances[0], distances[1], shares),
    )


def given_away(design: Measured, seed: int) -> Floats:
    """(K,) the share of every parameter's variance that pictures of the design give away; see `recovered`."""
    units, statistics = design.rows()
    renders = np.repeat(np.arange(len(design.units)), design.units.shape[1])
    return recovered(units, statistics, renders, seed)


def design_views(recipe: Recipe, parameters: Sequence[Parameter], plan: Plan) -> list[View]:
    """Frames whose parameters are spread evenly between their bounds [McKay 1979]; sensors differ from look to look."""
    rng = np.random.default_rng([plan.seed, 1])
    bounds = np.tile([0.0, 1.0], (len(parameters), 1))
    return _spread_views("design", recipe, parameters, bounds, plan.renders - ROUNDS * near_count(plan), 0, plan, rng)


def near_views(
    name: str,
    recipe: Recipe,
    parameters: Sequence[Parameter],
    about: Shapes,
    is_free: NDArray[np.bool_],
    plan: Plan,
    number: int,
) -> list[View]:
    """Frames of a round whose free parameters are spread evenly about a solution, all else as the recipe has it."""
    free = [parameter for parameter, chosen in zip(parameters, is_free, strict=True) if chosen]
    reach = np.maximum(about.half_widths, AROUND)[is_free]
    centres = about.centres[is_free]
    bounds = np.clip(np.stack([centres - reach, centres + reach], axis=1), 0, 1)
    rng = np.random.default_rng([plan.seed, 3, number])
    return _spread_views(name, recipe, free, bounds, near_count(plan), number * plan.renders, plan, rng)


def near_count(plan: Plan) -> int:
    """How many frames of the design are drawn in each round."""
    return round(NEAR * plan.renders)


def _spread_views(
    name: str,
    recipe: Recipe,
    parameters: Sequence[Parameter],
    bounds: Floats,
    count: int,
    number: int,
    plan: Plan,
    rng: np.random.Generator,
) -> list[View]:
    """So many frames from a number on, their parameters (K,) spread evenly within bounds (K, 2)."""
    from scipy.stats import qmc

    def spread(rows: int) -> Floats:
        shares = qmc.LatinHypercube(len(parameters), seed=rng).random(rows)
        return np.asarray(bounds[:, 0] + (bounds[:, 1] - bounds[:, 0]) * shares)

    of_frames, of_looks = spread(count), spread(count * plan.looks)
    is_sensor = np.array([parameter.of_sensor for parameter in parameters])
    views = []
    for k in range(count):
        looks = []
        for look in range(plan.looks):
            units = np.where(is_sensor, of_looks[k * plan.looks + look], of_frames[k])
            looks.append(Shot(with_values(recipe, parameters, units), plan.seed, number + k + look * LOOK_STRIDE))
        views.append(View(f"{name}-{k:05d}", looks[0], tuple(looks)))
    return views


def verifying_views(name: str, recipe: Recipe, plan: Plan) -> list[View]:
    """Frames as a dataset of the recipe has them, the same numbers for every recipe."""
    views = []
    for k in range(plan.verified):
        looks = [Shot(recipe, plan.seed, VERIFIED_FROM + k + look * LOOK_STRIDE) for look in range(plan.looks)]
        views.append(View(f"{name}-{k:05d}", looks[0], tuple(looks)))
    return views


@dataclass(frozen=True, eq=False)
class _Rounds:
    """What all fits of one calibration have in common."""

    parameters: Sequence[Parameter]
    target: Target
    plan: Plan
    reserved: NDArray[np.bool_]
    start: Shapes

    def free(self, is_free: NDArray[np.bool_], others_within: float = 0.0) -> Search:
        """Bounds within which some parameters move freely, the others by a share of what the recipe has."""
        centres, half_widths = [], []
        for k, parameter in enumerate(self.parameters):
            centre, half_width = self.start.centres[k], self.start.half_widths[k]
            if is_free[k]:
                centres.append((0.0, 1.0))
                half_widths.append((0.0, WIDEST) if parameter.varies else (half_width, half_width))
                continue
            value = float(parameter.value(centre))
            low, high = parameter.unit(np.sort(np.array([value * (1 - others_within), value * (1 + others_within)])))
            centres.append((min(float(low), centre), max(float(high), centre)))
            share = others_within if parameter.varies else 0.0
            half_widths.append((half_width * (1 - share), half_width * (1 + share)))
        return Search(np.array(centres), np.array(half_widths))

    def fit(self, seen: Sequence[Measured], about: Shapes, search: Search, starts: Sequence[Shapes]) -> Shapes:
        """What an emulator that was learnt from all renders, above all from those near a solution, says is best."""
        units, statistics, local = _stacked(seen)
        learnt = emulator(units, statistics, self.weights(units, about, search), local)
        return fitted(Population(self.parameters, learnt, self.plan.seed), self.target, search, starts, self.start)

    def weights(self, units: Floats, about: Shapes, search: Search) -> Floats:
        """What renders (n, K) count for: those as near to a solution as its own pictures all, those far away little."""
        free = search.centres[:, 1] > search.centres[:, 0]
        apart = (units - about.centres)[:, free] / np.maximum(about.half_widths, AROUND)[free]
        return np.asarray(FAR + np.exp(-0.5 * (apart**2).mean(axis=1)))

    def verified(self, bench: Bench, what: str, recipe: Recipe, found: Shapes, moved: NDArray[np.bool_]) -> Measured:
        """Frames of the recipe with what was found."""
        shaped = with_shapes(recipe, self.parameters, found.centres, found.half_widths, moved)
        return bench.measured(what, verifying_views(what.replace(" ", "-"), shaped, self.plan), judged=True)

    def draws(
        self, seen: Sequence[Measured], photographs: Floats, search: Search, chosen: Shapes, bench: Bench
    ) -> list[Shapes]:
        """What the fit finds from draws with replacement of the photographs and of the renders [Efron 1993]."""
        rng = np.random.default_rng([self.plan.seed, 2])
        units, values, local = _stacked(seen)
        weights = self.weights(units, chosen, search)
        looks = self.plan.looks
        renders = len(units) // looks
        found = []
        for draw in range(self.plan.draws):
            rows = photographs[rng.integers(len(photographs), size=len(photographs))]
            counts = np.repeat(np.bincount(rng.integers(renders, size=renders), minlength=renders), looks)
            kept = counts > 0
            learnt = emulator(units[kept], values[kept], (weights * counts)[kept], local[kept])
            population = Population(self.parameters, learnt, self.plan.seed + 1 + draw)
            target = replace(self.target, quantiles=quantiles(rows))
            found.append(fitted(population, target, search, [chosen], self.start))
            bench.progress("intervals", draw + 1, self.plan.draws)
        return found


def _interval(rounds: Sequence[Floats], draws: Sequence[Floats], count: int) -> Floats:
    """(K, 2) the standard interval of the draws, 95 %, widened to what the rounds found: that they differ is doubt too.

    Draws are too few for quantiles of their own; and those from `count` photographs lie nearer to each other than fits
    to other photographs would, hence Student's quantile and the factor beside it [Hesterberg 2015].
    """
    from scipy.stats import t

    rows = np.array(draws)
    middle, deviation = rows.mean(axis=0), rows.std(axis=0, ddof=1)
    reach = float(t.ppf(0.975, count - 1)) * np.sqrt(count / (count - 1)) * deviation
    ends = [np.minimum(middle - reach, np.min(rounds, axis=0)), np.maximum(middle + reach, np.max(rounds, axis=0))]
    interval: Floats = np.clip(np.stack(ends, axis=1), 0.0, 1.0)
    return interval


def _stacked(seen: Sequence[Measured]) -> tuple[Floats, Floats, NDArray[np.bool_]]:
    """Units and statistics of all rows, and which of them are of the last round."""
    rows = [measured.rows() for measured in seen]
    local = [np.full(len(units), k >= len(seen) - 2 and k > 1) for k, (units, _) in enumerate(rows)]
    return np.vstack([units for units, _ in rows]), np.vstack([values for _, values in rows]), np.concatenate(local)


def _judge(real: Photographs, scale: Floats, seed: int) -> _Judge:
    if real.features.shape[1]:
        middle, deviation = centre_and_scale(real.features, 0.1 * real.features.std(axis=0))
    else:
        middle = deviation = np.zeros(0)
    return _Judge(real, scale, middle, deviation, seed)


def _target(photographs: Floats, statistics: Floats, scale: Floats) -> tuple[Target, NDArray[np.bool_]]:
    """What is fitted to; statistics that the design does not come near to are left out, and told of."""
    low, high = np.quantile(statistics, (REACH, 1 - REACH), axis=0)
    middle = np.median(photographs, axis=0)
    reachable = (middle > low - scale) & (middle < high + scale)
    if not reachable.any():
        raise CalibrationError(
            "the photographs: found no statistic to which any frame of the recipe comes near; expected photographs of "
            "the recipe's part, or wider bounds under calibrate"
        )
    return Target(quantiles(photographs), scale, reachable.astype(np.float64)), reachable


def _guess(design: Measured, photographs: Floats) -> Shapes:
    """What the inversion makes of the photographs, as a place to start from."""
    units, statistics = design.rows()
    centres, deviation = centre_and_scale(inverted(units, statistics, photographs))
    return Shapes(centres, np.minimum(np.sqrt(3) * deviation, WIDEST))


def _fell(shares: tuple[float, float | None]) -> bool:
    return all(share >= ENOUGH for share in shares if share is not None)


def _verdict(accepted: bool, before: Distance, after: Distance, shares: tuple[float, float | None]) -> str:
    def course(name: str, first: float, last: float, share: float) -> str:
        return f"that of {name} from {first:.2f} to {last:.2f} (it falls in {100 * share:.0f} % of draws)"

    told = [course("statistics", before.statistics, after.statistics, shares[0])]
    if shares[1] is not None and before.features is not None and after.features is not None:
        told.append(course("features", before.features, after.features, shares[1]))
    changed = " and ".join(told)
    if accepted:
        return f"the distance to photographs that nothing was fitted to goes down, {changed}"
    return f"the distance to photographs that nothing was fitted to goes, {changed}; expected both to fall"
