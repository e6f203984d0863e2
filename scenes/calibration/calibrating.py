"""The whole fit: a broad design, an emulator learnt from it, two verified rounds, and a verdict on other photographs.

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
ENOUGH = 0.8  # share of draws in which a distance has to fall
LOCAL = 3.0  # what a render near the solution counts for, beside one of the design
LOOK_STRIDE = 100_003  # from a frame's number to those whose sensors look at it too
VERIFIED_FROM = 1_000_000  # numbers of frames that verify; those of the design are below
LEAST_SCALE = 0.05  # of a statistic's deviation over the design: differences below it count as noise
REACH = 0.005  # share of the design that lies beyond what it is said to reach, on either side


@dataclass(frozen=True)
class Plan:
    """How much is rendered: of the design, with so many looks each, and to verify; from one seed."""

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
    units, statistics = design.rows()
    scale = centre_and_scale(real.statistics, LEAST_SCALE * np.maximum(statistics.std(axis=0), 1e-9))[1]
    judge = _judge(real, scale, plan.seed)
    renders = np.repeat(np.arange(len(design.units)), design.units.shape[1])
    determined = recovered(units, statistics / scale, renders, plan.seed)
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

    seen: list[Measured] = [design, before]
    first = rounds.fit(seen, local=None, search=search, starts=[start, _guess(parameters, design, photographs, scale)])
    measured_first = bench.measured(
        "round 1", verifying_views("round-1", rounds.recipe(bare, first, is_free), plan), judged=True
    )
    seen.append(measured_first)
    second = rounds.fit(seen, local=measured_first, search=search, starts=[first, start])
    measured_second = bench.measured(
        "round 2", verifying_views("round-2", rounds.recipe(bare, second, is_free), plan), judged=True
    )
    seen.append(measured_second)
    candidates = [(first, measured_first), (second, measured_second)]
    chosen, frames = min(candidates, key=lambda found: judge.distance(found[1], reserved=False).statistics)
    moved = is_free

    wider = rounds.free(is_free, others_within=WITHIN)
    if not is_free.all():
        third = rounds.fit(seen, local=frames, search=wider, starts=[chosen, start])
        everything = np.ones_like(is_free)
        views = verifying_views("wider", rounds.recipe(bare, third, everything), plan)
        measured_third = bench.measured("the others a little", views, judged=True)
        seen.append(measured_third)
        if _fell(judge.shares(frames, measured_third)):
            chosen, frames, moved, search = third, measured_third, everything, wider

    centre_interval, half_width_interval = rounds.intervals(
        seen, photographs, statistics, scale, frames, search, chosen, bench
    )
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
        centre_interval=centre_interval,
        half_width_interval=half_width_interval,
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


def design_views(recipe: Recipe, parameters: Sequence[Parameter], plan: Plan) -> list[View]:
    """Frames whose parameters are spread evenly between their bounds [McKay 1979]; sensors differ from look to look."""
    from scipy.stats import qmc

    rng = np.random.default_rng([plan.seed, 1])
    of_frames = qmc.LatinHypercube(len(parameters), seed=rng).random(plan.renders)
    of_looks = qmc.LatinHypercube(len(parameters), seed=rng).random(plan.renders * plan.looks)
    is_sensor = np.array([parameter.of_sensor for parameter in parameters])
    views = []
    for k in range(plan.renders):
        looks = []
        for look in range(plan.looks):
            units = np.where(is_sensor, of_looks[k * plan.looks + look], of_frames[k])
            looks.append(Shot(with_values(recipe, parameters, units), plan.seed, k + look * LOOK_STRIDE))
        views.append(View(f"design-{k:05d}", looks[0], tuple(looks)))
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

    def fit(self, seen: Sequence[Measured], local: Measured | None, search: Search, starts: Sequence[Shapes]) -> Shapes:
        units, statistics, weights, is_local = _stacked(seen, local)
        population = Population(self.parameters, emulator(units, statistics, weights, is_local), self.plan.seed)
        return fitted(population, self.target, search, starts, self.start)

    def recipe(self, recipe: Recipe, found: Shapes, moved: NDArray[np.bool_]) -> Recipe:
        return with_shapes(recipe, self.parameters, found.centres, found.half_widths, moved)

    def intervals(
        self,
        seen: Sequence[Measured],
        photographs: Floats,
        statistics: Floats,
        scale: Floats,
        local: Measured,
        search: Search,
        chosen: Shapes,
        bench: Bench,
    ) -> tuple[Floats, Floats]:
        """(K, 2) the middle 90 % of centres and half-widths, over draws of photographs and of renders."""
        rng = np.random.default_rng([self.plan.seed, 2])
        units, values, weights, is_local = _stacked(seen, local)
        looks = seen[0].units.shape[1]
        found = []
        for draw in range(self.plan.draws):
            rows = photographs[rng.integers(len(photographs), size=len(photographs))]
            renders = len(units) // looks
            counts = np.repeat(np.bincount(rng.integers(renders, size=renders), minlength=renders), looks)
            kept = counts > 0
            drawn = emulator(units[kept], values[kept], (weights * counts)[kept], is_local[kept])
            population = Population(self.parameters, drawn, self.plan.seed + 1 + draw)
            target = replace(self.target, quantiles=quantiles(rows))
            found.append(fitted(population, target, search, [chosen], self.start))
            bench.progress("intervals", draw + 1, self.plan.draws)
        centres = np.array([entry.centres for entry in found])
        half_widths = np.array([entry.half_widths for entry in found])
        return tuple(np.quantile(rows, (0.05, 0.95), axis=0).T for rows in (centres, half_widths))


def _stacked(seen: Sequence[Measured], local: Measured | None) -> tuple[Floats, Floats, Floats, NDArray[np.bool_]]:
    """Units, statistics and weights of all rows, the design's first, and which are local."""
    rows = [measured.rows() for measured in seen]
    weights = [np.full(len(units), 1.0 if k == 0 else LOCAL) for k, (units, _) in enumerate(rows)]
    is_local = [np.full(len(units), measured is local) for measured, (units, _) in zip(seen, rows, strict=True)]
    return (
        np.vstack([units for units, _ in rows]),
        np.vstack([values for _, values in rows]),
        np.concatenate(weights),
        np.concatenate(is_local),
    )


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


def _guess(parameters: Sequence[Parameter], design: Measured, photographs: Floats, scale: Floats) -> Shapes:
    """What the inversion makes of the photographs, as a place to start from."""
    units, statistics = design.rows()
    middle = statistics.mean(axis=0)
    found = inverted(units, (statistics - middle) / scale, (photographs - middle) / scale)
    centres, deviation = centre_and_scale(found)
    return Shapes(centres, np.minimum(np.sqrt(3) * deviation, WIDEST))


def _fell(shares: tuple[float, float | None]) -> bool:
    return all(share >= ENOUGH for share in shares if share is not None)


def _verdict(accepted: bool, before: Distance, after: Distance, shares: tuple[float, float | None]) -> str:
    def course(name: str, first: float | None, last: float | None, share: float | None) -> str:
        assert None not in (first, last, share)
        return f"that of {name} from {first:.2f} to {last:.2f} (it falls in {100 * share:.0f} % of draws)"

    told = [course("statistics", before.statistics, after.statistics, shares[0])]
    if shares[1] is not None:
        told.append(course("features", before.features, after.features, shares[1]))
    changed = " and ".join(told)
    if accepted:
        return f"the distance to photographs that nothing was fitted to goes down, {changed}"
    return f"the distance to photographs that nothing was fitted to goes, {changed}; expected both to fall"
