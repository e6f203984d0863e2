"""Fibres: lint and hair that lie on the surface, curled."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from procgen.surface.checks import require
from procgen.surface.layer import Family, LayerSample, SurfacePoints
from procgen.surface.paths import Path

Floats = NDArray[np.float64]
Colour = tuple[float, float, float]

STEPS = 120  # of a fibre
CURL_PERSISTENCE = 0.25  # share of its length over which a fibre forgets how it was bent
FIBRE_ROUGHNESS = 0.5


def curled(length: float, curl: float, waviness: float, rng: np.random.Generator) -> Floats:
    """The course of a fibre `length` m long round (0, 0): (STEPS + 1, 2) m.

    curl: radians by which it turns from end to end on average. waviness: standard deviation of the turn by which it
    strays from that, radians over its length; its curvature is an Ornstein-Uhlenbeck process along it.
    Raises BlemishError for values out of range.
    """
    require("fibre", length=(length, "positive"), curl=(curl, "finite"), waviness=(waviness, "not negative"))
    keep = float(np.exp(-1.0 / (STEPS * CURL_PERSISTENCE)))
    kicks = rng.standard_normal(STEPS)
    kicks[1:] *= np.sqrt(1.0 - keep**2)
    bend = np.empty(STEPS)
    bend[0] = kicks[0]
    for step in range(1, STEPS):
        bend[step] = keep * bend[step - 1] + kicks[step]
    # The integral of the process over the fibre has this standard deviation.
    turn = np.sqrt(2.0 * CURL_PERSISTENCE * (1.0 - CURL_PERSISTENCE * (1.0 - np.exp(-1.0 / CURL_PERSISTENCE))))
    heading = np.cumsum(curl + waviness / turn * bend) / STEPS + rng.uniform(0.0, 2.0 * np.pi)
    course = np.cumsum(np.stack([np.cos(heading), np.sin(heading)], axis=1), axis=0) * (length / STEPS)
    course = np.concatenate([np.zeros((1, 2)), course])
    result: Floats = course - course.mean(axis=0)
    return result


@dataclass(frozen=True, eq=False)
class Fibre:
    """A fibre along a path on a part.

    width: m. colour: linear red, green, blue. opacity: share of the surface that it hides. instance: its id.
    On texels broader than the fibre it is as broad as a texel, with a mask without gaps, and hides as much less as it
    is narrower: its area stays.
    Raises BlemishError for values out of range.
    """

    path: Path
    width: float = 3e-5
    colour: Colour = (0.05, 0.06, 0.1)
    opacity: float = 0.9
    instance: int = 1

    family: ClassVar[Family] = "impurity"
    class_name: ClassVar[str] = "fibre"

    def __post_init__(self) -> None:
        require(
            "fibre",
            width=(self.width, "positive"),
            opacity=(self.opacity, "0 to 1"),
            instance=(self.instance, "positive"),
            **{f"colour[{i}]": (value, "0 to 1") for i, value in enumerate(self.colour)},
        )

    def evaluate(self, points: SurfacePoints | ArrayLike) -> LayerSample:
        """Inside is within half of the width, or of a texel, of the path."""
        points = SurfacePoints.of(points)
        sample = LayerSample.blank(len(points), coloured=True)
        texel = 0.0 if points.spacing is None else max(points.spacing)
        breadth = max(self.width, texel)
        near, _, offset = self.path.beside(points, 0.5 * breadth)
        hidden = self.opacity * self.width / breadth
        sample.inside[near] = True
        sample.instance[near] = self.instance
        sample.opacity[near] = hidden
        sample.reflectance[near] = hidden * np.array(self.colour)
        sample.roughness[near] = hidden * FIBRE_ROUGHNESS
        # A round thread lies on the surface; broadened to a texel, its mean height is that of its cross-section.
        thread = np.sqrt(np.maximum(0.25 * self.width**2 - offset**2, 0.0)) + 0.5 * self.width
        mean = (0.25 * np.pi + 1.0) * 0.5 * self.width * self.width / breadth
        sample.height[near] = thread if breadth == self.width else mean
        return sample
