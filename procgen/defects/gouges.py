"""Gouges: wide, torn scratches of something blunt, with ragged sides and the torn metal smeared out at their end."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from procgen.errors import BlemishError
from procgen.surface.checks import require
from procgen.surface.layer import Family, LayerSample, SurfacePoints
from procgen.surface.noise import fractal
from procgen.surface.paths import Path

Floats = NDArray[np.float64]

OCTAVES = 3
RAGGEDNESS_LIMIT = 2.5  # standard deviations at which the sides' noise is held
FLATNESS = 4  # of the floor: depth ∝ 1 − q⁴ across, flatter than the parabola of a sharp tip
STRIATION = 8.0  # how many times longer than wide the grooves are that the tool's edge tears into the floor
LIP_WIDTH = 0.35  # of the torn lips, over the half-width there
FOLDS = 0.4  # relative height of the laps of the smeared end
SIDES = {1.0: 1, -1.0: 2}  # streams of noise; 0 is the floor, 3 the smear


@dataclass(frozen=True, eq=False)
class Gouge:
    """A gouge along a path as a layer; its mask is the torn groove and the smeared end, without the lips.

    width, depth: m. run_in: m, over which the tool digs in. smear: m, at the end of the path, over which torn metal
    lies smeared, smear_height (m) high at most. ragged: standard deviation of the logarithm of either half-width over
    lengths of ragged_length (m). tear: of the floor's height over the depth. lip: m, height of the torn lips at most.
    reflectance_change, roughness_change: of the torn metal. seed: of all its noise. instance: its id.
    Raises BlemishError for values out of range.
    """

    path: Path
    width: float
    depth: float
    run_in: float = 0.0
    smear: float = 0.0
    smear_height: float = 0.0
    ragged: float = 0.25
    ragged_length: float = 8e-4
    tear: float = 0.2
    lip: float = 0.0
    reflectance_change: float = 0.0
    roughness_change: float = 0.0
    seed: int = 0
    instance: int = 1

    family: ClassVar[Family] = "defect"
    class_name: ClassVar[str] = "gouge"

    def __post_init__(self) -> None:
        positive = ("width", "depth", "ragged_length", "instance")
        free = ("run_in", "smear", "smear_height", "ragged", "tear", "lip", "seed")
        require(
            "gouge",
            **{name: (getattr(self, name), "positive") for name in positive},
            **{name: (getattr(self, name), "not negative") for name in free},
            **{name: (getattr(self, name), "finite") for name in ("reflectance_change", "roughness_change")},
        )
        if not self.run_in + self.smear < self.path.length:
            raise BlemishError(
                f"gouge: found run_in + smear = {self.run_in + self.smear:g} m on a path of {self.path.length:g} m; "
                "expected less, so that a groove is left between them"
            )

    def evaluate(self, points: SurfacePoints | ArrayLike) -> LayerSample:
        """Groove, lips and smear at N points, by how far along the path and how far beside it they lie."""
        points = SurfacePoints.of(points)
        sample = LayerSample.blank(len(points))
        widest = 0.5 * self.width * float(np.exp(RAGGEDNESS_LIMIT * self.ragged))
        near, along, offset = self.path.beside(points, widest * (1.0 + LIP_WIDTH))
        half = self._half_width(along, offset)
        q = np.divide(np.abs(offset), half, out=np.full_like(half, np.inf), where=half > 0.0)
        inside = q <= 1.0
        ends = self.path.length - self.smear
        in_smear = along > ends
        in_groove = ~in_smear

        striae = self._noise(along / STRIATION, offset, 0)
        dug = np.sqrt(self._dug(along))  # the lips and the floor follow the depth, and that the tool's way in
        height = np.zeros(len(near))
        floor = inside & in_groove
        torn = np.maximum(1.0 + self.tear * striae[floor], 0.0)
        height[floor] = -self.depth * dug[floor] ** 2 * (1.0 - q[floor] ** FLATNESS) * torn
        lips = ~inside & in_groove & (q < 1.0 + LIP_WIDTH)
        across = (q[lips] - 1.0) / LIP_WIDTH
        patchy = np.clip(self._noise(along[lips], offset[lips], 3), 0.0, 1.0)
        height[lips] = self.lip * dug[lips] * 4.0 * across * (1.0 - across) * patchy
        heap = inside & in_smear
        if heap.any():
            beyond = (along[heap] - ends) / self.smear
            laps = 1.0 + FOLDS * np.clip(self._noise(along[heap], offset[heap] / STRIATION, 3), -2.0, 2.0)
            rise = np.minimum(4.0 * beyond, 1.0) * (1.0 - beyond)
            height[heap] = self.smear_height * rise * (1.0 - q[heap] ** 2) * laps
        sample.height[near] = height

        chosen = near[inside]
        sample.inside[chosen] = True
        sample.instance[chosen] = self.instance
        bared = np.clip(0.75 + 0.25 * striae[inside], 0.25, 1.25) * dug[inside]
        sample.reflectance[chosen] = self.reflectance_change * bared
        sample.roughness[chosen] = self.roughness_change * dug[inside]
        return sample

    def _dug(self, along: Floats) -> Floats:
        """Depth over full depth (n,) along the path: the tool digs in, and stays in until it is torn off."""
        return np.clip(along / self.run_in, 0.0, 1.0) if self.run_in > 0.0 else np.ones_like(along)

    def _half_width(self, along: Floats, offset: Floats) -> Floats:
        """Half-width (n,) m on the side of each offset; the smear narrows to a tongue."""
        half = 0.5 * self.width * np.sqrt(self._dug(along))
        if self.smear > 0.0:
            beyond = np.clip((along - self.path.length + self.smear) / self.smear, 0.0, 1.0)
            half = half * np.sqrt(1.0 - beyond**2)
        for side, stream in SIDES.items():
            here = np.where(offset >= 0.0, 1.0, -1.0) == side
            noise = self._noise(along[here], np.zeros(int(here.sum())), stream)
            half[here] *= np.exp(self.ragged * np.clip(noise, -RAGGEDNESS_LIMIT, RAGGEDNESS_LIMIT))
        return half

    def _noise(self, along: Floats, offset: Floats, stream: int) -> Floats:
        """Noise of unit variance (n,) that changes over ragged_length."""
        place = np.stack([along, offset, np.full_like(along, 0.37 * self.ragged_length)], axis=1)
        return fractal(0.5 * place / self.ragged_length, OCTAVES, OCTAVES * (4 * self.seed + stream))
