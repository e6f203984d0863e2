"""Which quantities of a defect make it how long, broad, dark and frequent, and how they are moved."""

from __future__ import annotations

import math

import numpy as np

from scenes.calibration.defects.measuring import class_key
from scenes.calibration.parameters import rounded
from scenes.quantities.distribution import Choice, Constant, Distribution, LogUniform, Normal, Poisson, Uniform, Within
from scenes.recipes.paths import Quantity, allowed_at, quantity_at
from scenes.recipes.recipe import Recipe

# By the names of fields: what a flaw's longer and shorter axis follow, or the quotient of the two.
ALONG = ("length_mm", "diameter_um", "diameter_mm", "size_mm", "gap_mm")
ACROSS = ("width_um", "width_mm", "reach_mm")
FLATTER, LONGER = ("aspect",), ("elongation",)  # shorter over longer axis; longer over shorter
CHANGES, LEVELS = ("reflectance_change",), ("reflectance",)  # added to the surface's, or in its place
DENSITIES = ("density_per_cm2", "spots_per_cm2")
GROWN = ("pitting", "rust", "filiform_corrosion")  # in time: their sizes follow hours, not fields of their own
SPREAD = 2.0  # times narrower or wider a distribution may become in one step
CHOICES = 20  # values of a choice of how many there are


def of_class(recipe: Recipe, name: str) -> list[int]:
    """Positions of the recipe's defects of a class, named by its key."""
    return [
        k
        for k, entry in enumerate(recipe.defects)
        if class_key(entry.class_name) == name and not recipe.is_off("defects", k)
    ]


def has(recipe: Recipe, position: int, names: tuple[str, ...]) -> list[str]:
    """Paths of those quantities that a defect has and that can be scaled."""
    entry = recipe.defects[position]
    if names in (ALONG, ACROSS, FLATTER, LONGER) and entry.kind in GROWN:
        return []
    found = []
    for name in names:
        value = getattr(entry, name, None)
        if isinstance(value, Distribution | float) and not isinstance(value, Poisson):
            found.append(f"defects.{position}.{name}")
    return found


def scaled(recipe: Recipe, path: str, factor: float, spread: float = 1.0) -> Quantity:
    """The quantity at a path, its middle so many times as large, its logarithm's spread so many times as wide."""
    quantity = quantity_at(recipe, path)
    allowed = allowed_at(recipe, path) or Within(-math.inf, math.inf)

    def held(value: float) -> float:
        return rounded(min(max(value, allowed.low), allowed.high))

    match quantity:
        case Uniform() | LogUniform():
            low, high = _ends(quantity.low, quantity.high, factor, spread)
            return type(quantity)(held(low), held(high))
        case Normal(mean, deviation, clip):
            wider = deviation * abs(factor) * spread
            ends = None if clip is None else (held(clip[0] * factor), held(clip[1] * factor))
            return Normal(held(mean * factor), rounded(wider), ends)
        case Choice(values):
            return Choice(tuple(held(value * factor) for value in values))
        case Constant(value):
            return Constant(held(value * factor))
    assert isinstance(quantity, float)
    return held(quantity * factor)


def _ends(low: float, high: float, factor: float, spread: float) -> tuple[float, float]:
    if low * high <= 0 or low == high:
        return low * factor, high * factor
    sign = math.copysign(1.0, low)
    middle = math.sqrt(low * high) * factor
    reach = abs(high / low) ** (spread / 2)
    ends = sorted((sign * middle / reach, sign * middle * reach))
    return ends[0], ends[1]


def mean_count(recipe: Recipe, position: int) -> float | None:
    """How many of a defect the recipe draws a frame, on average; None of a kind that is not counted."""
    count = getattr(recipe.defects[position], "count", None)
    match count:
        case Poisson(rate):
            return rate
        case Choice(values):
            return float(np.mean(values))
        case Normal(mean, _, _):
            return mean
        case Distribution():
            return (count.low + count.high) / 2
    return None


def with_mean(count: Quantity, mean: float) -> Quantity | None:
    """How many there are, with another mean; None of what cannot say it."""
    match count:
        case Poisson():
            return Poisson(rounded(mean))
        case Choice():
            from scipy.stats import poisson

            shares = (np.arange(CHOICES) + 0.5) / CHOICES
            values = [float(value) for value in poisson.ppf(shares, mean)]
            return Choice((*values[:-1], max(values[-1], 1.0)))  # a class that is there does not vanish
    return None
