"""What of a recipe may be fitted to photographs: its free quantities, their bounds, their centres and spreads.

A quantity lives in unit coordinates: 0 at the lower bound, 1 at the upper, even in its logarithm where it is a scale.
Its distribution there is a centre and a half-width, whatever kind it is of.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from procgen.errors import BlemishError
from scenes.quantities.distribution import Constant, Distribution, LogUniform, Normal, Uniform, Within
from scenes.recipes.paths import Quantity, allowed_at, quantity_at, replaced, within
from scenes.recipes.recipe import Recipe

Floats = NDArray[np.float64]

DIGITS = 4  # significant, of what is fitted
WIDER = 3.0  # by default a scale may become so many times smaller or larger than its ends
SCALE_FROM = 2.5  # upper bound over lower, from which on a quantity is even in its logarithm
# Fields that photographs cannot tell apart from others, and why they stay.
CONFOUNDED = {
    "light.power_w": "a picture shows its product with exposure alone",
    "light.radiance_w_per_m2_sr": "a picture shows its product with exposure alone",
    "finish.base_colour": "a picture shows its product with light and exposure alone",
    "finish.brightness": "a picture shows its product with light and exposure alone",
    "finish.metallic": "it trades with colour, roughness and light",
    "finish.roughness": "it trades with the place and size of the lights",
    "finish.anisotropy": "it trades with the place and size of the lights",
    "finish.height_rms_um": "it trades with streaks and roughness",
    "finish.ra_um": "it trades with contrast and roughness",
    "finish.groove_depth_um": "it trades with the contrast of grooves and the light",
    "finish.pit_depth_um": "it trades with the light",
    "light.diameter_mm": "it trades with roughness and the part's curvature",
    "light.height_mm": "it trades with roughness and the part's curvature",
    "light.ambient_w_per_m2_sr": "it trades with power and exposure",
    "light.opening_mm": "it trades with the part's curvature",
    "light.opening_radiance_w_per_m2_sr": "it trades with power and exposure",
    "light.backdrop_w_per_m2_sr": "it trades with power and exposure",
    "camera.working_distance_mm": "a photograph does not say how large things are",
    "camera.magnification": "a photograph does not say how large things are",
    "camera.focal_length_mm": "a photograph does not say how large things are",
}
SENSOR = "sensor."  # how paths of what needs no new render begin
FREE_SECTIONS = ("finish", "light", "camera", "sensor")
# Of light and camera only these by default; of finish and sensor, all that is not confounded.
FREE_LIGHT_AND_CAMERA = ("light.imbalance", "camera.margin")
# What shows nowhere while another quantity is 0.
NEEDS = {
    "sensor.dirt_radius": "sensor.dirt_spots",
    "sensor.dirt_opacity": "sensor.dirt_spots",
    "sensor.sharpening_px": "sensor.sharpening",
}
# What belongs together: were both free, each would take what is the other's.
ONE_OF = tuple(
    (brightness, "sensor.exposure")
    for brightness in ("light.power_w", "light.radiance_w_per_m2_sr", "finish.brightness")
)

ANYTHING = Within(0.0, math.inf)  # of a plain number

Held = TypeVar("Held", bound=Recipe)


class CalibrationError(BlemishError):
    """A recipe or photographs that nothing can be fitted to, or a fit that is no better."""


@dataclass(frozen=True)
class Parameter:
    """One free quantity: where it stands, as the recipe has it, and its bounds in the recipe's unit."""

    path: str
    quantity: Quantity
    low: float
    high: float

    @property
    def is_scale(self) -> bool:
        return self.low > 0 and (isinstance(self.quantity, LogUniform) or self.high / self.low >= SCALE_FROM)

    @property
    def varies(self) -> bool:
        """Whether its spread between pictures is fitted, not its centre alone."""
        return not isinstance(self.quantity, float | Constant)

    @property
    def of_sensor(self) -> bool:
        """Whether a frame need not be rendered again for it."""
        return self.path.startswith(SENSOR)

    def unit(self, values: float | Floats) -> Floats:
        """Unit coordinates of values, held within the bounds."""
        held = np.clip(np.asarray(values, dtype=np.float64), self.low, self.high)
        if self.is_scale:
            return np.asarray(np.log(held / self.low) / math.log(self.high / self.low))
        return np.asarray((held - self.low) / (self.high - self.low))

    def value(self, units: float | Floats) -> Floats:
        """Values at unit coordinates."""
        units = np.asarray(units, dtype=np.float64)
        if self.is_scale:
            return np.asarray(self.low * (self.high / self.low) ** units)
        return np.asarray(self.low + (self.high - self.low) * units)

    def shape(self) -> tuple[float, float]:
        """Centre and half-width of the distribution that the recipe has, in unit coordinates."""
        match self.quantity:
            case Normal(mean, deviation):
                reach = math.sqrt(3) * deviation  # a uniform distribution of the same deviation
                ends = self.unit(np.array([mean - reach, mean + reach]))
            case Distribution():
                ends = self.unit(np.array([self.quantity.low, self.quantity.high]))
            case _:
                ends = self.unit(np.array([self.quantity, self.quantity]))
        return float(ends.mean()), float(ends[1] - ends[0]) / 2

    @property
    def middle(self) -> float:
        """The centre of that, in unit coordinates."""
        return self.shape()[0]

    def ends(self, centre: float, half_width: float) -> tuple[float, float]:
        """Lowest and highest value about a centre, rounded as they are written."""
        low, high = self.value(np.clip(np.array([centre - half_width, centre + half_width]), 0, 1))
        return rounded(float(low)), rounded(float(high))

    def with_shape(self, centre: float, half_width: float) -> Quantity:
        """The quantity of the same kind with another centre and half-width, as a recipe may write it."""
        low, high = self.ends(centre, half_width if self.varies else 0.0)
        match self.quantity:
            case Uniform():
                return Uniform(low, high)
            case LogUniform():
                return LogUniform(low, high)
            case Normal(mean, deviation, clip):
                middle, spread = rounded((low + high) / 2), rounded((high - low) / (2 * math.sqrt(3)))
                if clip is None:
                    return Normal(middle, spread)
                wider = spread / deviation if deviation > 0 else 1.0
                held = [rounded(min(max(middle + wider * (end - mean), self.low), self.high)) for end in clip]
                return Normal(middle, spread, (held[0], held[1]))
            case Constant():
                return Constant(low)
        return low

    def drawn(self, centre: float, half_width: float, shares: Floats) -> Floats:
        """Unit coordinates as far up in the distribution as `shares` (0 to 1) are; all of one shape."""
        low, high = self.value(np.clip(np.array([centre - half_width, centre + half_width]), 0, 1))
        if isinstance(self.quantity, Normal):
            from scipy.special import ndtri

            return self.unit((low + high) / 2 + (high - low) / (2 * math.sqrt(3)) * ndtri(shares))
        if isinstance(self.quantity, LogUniform):
            return self.unit(low * (high / low) ** shares)
        return self.unit(low + (high - low) * shares)


def rounded(value: float) -> float:
    """A number with as many digits as a fit deserves."""
    return float(f"{value:.{DIGITS}g}")


def free_parameters(recipe: Recipe) -> list[Parameter]:
    """What the recipe marks as free, or, where it marks nothing, what photographs may say something of.

    Raises CalibrationError where a mark is of no use.
    """
    if recipe.scene is not None:
        raise CalibrationError(f"{recipe.name}: found a scene of your own; expected a recipe of Blemish's own stage")
    marks = recipe.calibrate or default_marks(recipe)
    of_lots = changed_by_lots(recipe)
    parameters = []
    for path, (low, high) in marks.items():
        quantity = quantity_at(recipe, path)
        allowed = allowed_at(recipe, path) or ANYTHING
        where = f"{recipe.name}: calibrate.{path}"
        if path in of_lots:
            raise CalibrationError(f"{where}: {of_lots[path]}; expected a quantity that is the same in all of them")
        if not isinstance(quantity, float | Constant | Uniform | LogUniform | Normal):
            raise CalibrationError(f"{where}: found {quantity}; expected a number, uniform, log_uniform or normal")
        if low < allowed.low or high > allowed.high:
            raise CalibrationError(
                f"{where}: found [{low:g}, {high:g}]; expected bounds within {allowed.low:g} to {allowed.high:g}"
            )
        if allowed.whole:
            raise CalibrationError(f"{where}: found a quantity of whole numbers; expected one that may be any number")
        if isinstance(quantity, LogUniform) and low <= 0:
            raise CalibrationError(f"{where}: found [{low:g}, {high:g}]; expected bounds above 0 for {quantity}")
        parameters.append(Parameter(path, quantity, low, high))
    if not parameters:
        raise CalibrationError(f"{recipe.name}: found nothing that may be fitted; mark quantities under calibrate")
    for pair in ONE_OF:
        if all(path in recipe.calibrate for path in pair):
            raise CalibrationError(
                f"{recipe.name}: calibrate: found {' and '.join(pair)}; expected one of them, for a picture shows "
                "their product alone"
            )
    return parameters


def default_marks(recipe: Recipe) -> dict[str, tuple[float, float]]:
    """Which quantities may be fitted, and between which bounds, of a recipe that does not say so."""
    marks = {}
    of_lots = changed_by_lots(recipe)
    for path in _quantities(recipe):
        if path in of_lots or not _shows(recipe, path):
            continue
        if path.startswith(("light.", "camera.")) and path not in FREE_LIGHT_AND_CAMERA:
            continue
        if path in CONFOUNDED or any(path.startswith(f"{name}.") for name in CONFOUNDED) or path.endswith("_degrees"):
            continue
        if bounds := _default_bounds(quantity_at(recipe, path), allowed_at(recipe, path) or ANYTHING):
            marks[path] = bounds
    return marks


def _shows(recipe: Recipe, path: str) -> bool:
    """Whether any frame of the recipe shows a quantity."""
    needed = quantity_at(recipe, NEEDS[path]) if path in NEEDS else 1.0
    return (needed.high if isinstance(needed, Distribution) else needed) > 0


def changed_by_lots(recipe: Recipe) -> dict[str, str]:
    """Quantities that some lots of the recipe have of their own, and which: no fit of one distribution is theirs."""
    found: dict[str, list[str]] = {}
    for lot in recipe.lots:
        for path in lot.quantities:
            found.setdefault(path, []).append(lot.name)
    return {path: f"found a quantity that is another in lot {', '.join(names)}" for path, names in found.items()}


def confounded_in(recipe: Recipe, free: Sequence[Parameter]) -> dict[str, str]:
    """What the recipe has that photographs cannot determine, with the reason; what is marked as free is not of it."""
    marked = {parameter.path for parameter in free}
    found = changed_by_lots(recipe)
    for path, reason in CONFOUNDED.items():
        section, _, name = path.partition(".")
        has = getattr(getattr(recipe, section), name, None) is not None
        if has and path not in marked and not any(mark.startswith(f"{path}.") for mark in marked):
            found[path] = reason
    return found


def with_shapes(
    recipe: Held, parameters: Sequence[Parameter], centres: Floats, half_widths: Floats, moved: NDArray[np.bool_]
) -> Held:
    """The recipe with the centres and half-widths (K,) of those parameters that moved; all else as it was."""
    quantities = {
        parameter.path: parameter.with_shape(float(centres[k]), float(half_widths[k]))
        for k, parameter in enumerate(parameters)
        if moved[k]
    }
    return replaced(recipe, quantities)


def with_values(recipe: Held, parameters: Sequence[Parameter], units: Floats) -> Held:
    """The recipe with all parameters held at unit coordinates (K,)."""
    quantities: dict[str, Quantity] = {}
    for parameter, unit in zip(parameters, units, strict=True):
        value = float(parameter.value(float(unit)))
        quantities[parameter.path] = value if isinstance(parameter.quantity, float) else Constant(value)
    return replaced(recipe, quantities)


def shapes(parameters: Sequence[Parameter]) -> tuple[Floats, Floats]:
    """Centres and half-widths (K,) as the recipe has them."""
    found = np.array([parameter.shape() for parameter in parameters])
    return found[:, 0], found[:, 1]


def as_written(quantities: Mapping[str, Quantity]) -> dict[str, object]:
    """Quantities as a recipe writes them."""
    return {
        path: quantity.written() if isinstance(quantity, Distribution) else quantity
        for path, quantity in quantities.items()
    }


def _quantities(recipe: Recipe) -> list[str]:
    """Paths of the distributions, and of the plain numbers that count as such, of finish, light, camera and sensor."""
    paths = []
    for section in FREE_SECTIONS:
        model = getattr(recipe, section)
        for name, field in type(model).model_fields.items():
            value = getattr(model, name)
            allowed = within(field)
            if isinstance(value, Distribution) and allowed is not None and not allowed.whole:
                paths.append(f"{section}.{name}")
    if recipe.sensor.full_well_electrons is not None and "sensor.full_well_electrons" not in paths:
        paths.append("sensor.full_well_electrons")
    return paths


def _default_bounds(quantity: Quantity, allowed: Within) -> tuple[float, float] | None:
    """A few times below and above what the recipe has; None for what it has none of, or that takes certain values."""
    if not isinstance(quantity, float | Constant | Uniform | LogUniform | Normal):
        return None
    low, high = (quantity, quantity) if isinstance(quantity, float) else (quantity.low, quantity.high)
    if not math.isfinite(low + high) or low == high == 0:
        return None
    if low > 0:
        bounds = low / WIDER, high * WIDER
    else:
        reach = max(high - low, abs(high), abs(low))
        bounds = (low if low == 0 else low - reach), high + reach
    bounds = rounded(max(bounds[0], allowed.low)), rounded(min(bounds[1], allowed.high))
    return bounds if bounds[0] < bounds[1] else None
