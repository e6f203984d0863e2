"""Severity: one knob from barely visible to gross, which every kind turns into a quantity of its own physics."""

from scenes.quantities.distribution import Distribution
from scenes.quantities.random_stream import RandomStream


def share_at(severity: Distribution, stream: RandomStream, *, least: float) -> float:
    """The share of a quantity that is left at a drawn severity: `least` at 0, all of it at 1, even steps in proportion.

    Eyes judge by proportion: from 0 to ½ a defect grows as many times over as from ½ to 1.
    """
    return float(least ** (1.0 - stream.draw("severity", severity)))
