"""Drawing where on a chart something lies."""

import math

from scenes.atlas import Chart
from scenes.lot import Lot


def place_within(surface: Chart, lot: Lot) -> tuple[float, float]:
    """A point of the chart, uniform over its area."""
    return surface.size[0] * lot.chance("place.u"), surface.size[1] * lot.chance("place.v")


def place_on_border(surface: Chart, lot: Lot, *, ends_only: bool) -> tuple[tuple[float, float], float]:
    """A point of the border, uniform over its length, and the direction (radians) from there into the chart.

    ends_only: of its lower and upper border.
    """
    width, height = surface.size
    along = lot.chance("place") * (2 * width if ends_only else 2 * (width + height))
    if along < width:
        return (along, 0.0), math.pi / 2
    if along < 2 * width:
        return (along - width, height), -math.pi / 2
    if along < 2 * width + height:
        return (0.0, along - 2 * width), 0.0
    return (width, along - 2 * width - height), math.pi
