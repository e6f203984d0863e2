"""Centres and spreads of the parameters with which emulated pictures are distributed as the photographs are."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scenes.calibration.descent import descended, half_square
from scenes.calibration.distances import quantiles
from scenes.calibration.emulator import Emulator
from scenes.calibration.parameters import Parameter

Floats = NDArray[np.float64]

PICTURES = 256  # emulated ones of a candidate
WIDEST = 0.5  # half-width, of all between the bounds
PULL = 0.02  # towards what the recipe has, for a whole range, beside a mean loss of about 1


@dataclass(frozen=True)
class Shapes:
    """Centres and half-widths (K,) in unit coordinates."""

    centres: Floats
    half_widths: Floats


@dataclass(frozen=True)
class Target:
    """What the photographs say: quantiles (q, d) of their statistics, in units of `scale` (d,); weights (d,)."""

    quantiles: Floats
    scale: Floats
    weights: Floats


@dataclass(frozen=True)
class Search:
    """Where a fit may go: bounds (K, 2) of centres and of half-widths; both equal where a parameter stays."""

    centres: Floats
    half_widths: Floats


class Population:
    """Pictures of one recipe as an emulator sees them; the same draws for every shape, so that differences are true."""

    def __init__(self, parameters: Sequence[Parameter], emulator: Emulator, seed: int) -> None:
        from scipy.stats import qmc

        self.parameters, self.emulator = parameters, emulator
        rng = np.random.default_rng(seed)
        self.shares = np.clip(qmc.Sobol(len(parameters), seed=rng).random(PICTURES), 1e-6, 1 - 1e-6)
        self.residuals = emulator.residuals[rng.integers(len(emulator.residuals), size=PICTURES)]

    def statistics(self, shapes: Shapes) -> Floats:
        """(PICTURES, d)."""
        units = np.stack(
            [
                parameter.drawn(float(shapes.centres[k]), float(shapes.half_widths[k]), self.shares[:, k])
                for k, parameter in enumerate(self.parameters)
            ],
            axis=1,
        )
        return np.asarray(self.emulator(units) + self.residuals)


def residuals(population: Population, target: Target, shapes: Shapes, start: Shapes) -> Floats:
    """(q d + 2 K) what half the sum of squares of which is how far emulated pictures lie from the photographs.

    Each statistic's distance counts as itself once it is large, as its square while it is small: what no parameter can
    reach shall not outweigh what one can.
    """
    apart = (quantiles(population.statistics(shapes)) - target.quantiles) / target.scale
    held = 2 / (1 + np.sqrt(1 + (apart**2).mean(axis=0)))  # times the mean square: 2 (sqrt(1 + mean square) - 1)
    each = apart * np.sqrt(held * target.weights / target.weights.sum() / len(apart))
    moved = np.concatenate([shapes.centres - start.centres, shapes.half_widths - start.half_widths])
    return np.concatenate([each.ravel(), math.sqrt(2 * PULL) * moved])


def fitted(population: Population, target: Target, search: Search, starts: Sequence[Shapes], recipe: Shapes) -> Shapes:
    """The best that a descent from each start finds."""
    count = len(recipe.centres)
    bounds = np.vstack([search.centres, search.half_widths])
    free = np.flatnonzero(bounds[:, 1] > bounds[:, 0])
    best, least = recipe, half_square(residuals(population, target, recipe, recipe))
    for start in starts:
        whole = np.clip(np.concatenate([start.centres, start.half_widths]), bounds[:, 0], bounds[:, 1])

        def at(some: Floats, whole: Floats = whole) -> Shapes:
            filled = whole.copy()
            filled[free] = some
            return Shapes(filled[:count], filled[count:])

        def missed(some: Floats, at: Callable[[Floats], Shapes] = at) -> Floats:
            return residuals(population, target, at(some), recipe)

        found = descended(missed, whole[free], bounds[free])
        loss = half_square(missed(found))
        if loss < least:
            best, least = at(found), loss
    return best
