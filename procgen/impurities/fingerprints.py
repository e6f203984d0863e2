"""Fingerprints: the ridge flow of a finger, printed in skin grease by a touch of uneven pressure."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from procgen.surface.anchor import Anchor
from procgen.surface.checks import require
from procgen.surface.layer import Family, LayerSample, SurfacePoints
from procgen.surface.noise import fractal

if TYPE_CHECKING:
    from scipy.sparse import csr_array

Floats = NDArray[np.float64]
Pattern = Literal["arch", "loop", "whorl"]

CELLS_PER_PERIOD = 6  # of the grid on which ridges grow; a cubic spline reads them at any resolution
GROWTH_STEPS = 24  # by then the ridges have stopped moving
GAIN = 3.0  # by which each step amplifies before it saturates
BANDWIDTH = 0.15  # standard deviation of the ridges' frequency, over their frequency
BENDING = 1.05  # over the frequency aimed at: smoothing along straight lines lengthens waves that bend (measured)
STRAIGHTNESS = 0.8  # standard deviation, in periods, of the smoothing along the ridges
LINE_REACH, LINE_STEP = 2.0, 1.0 / 3.0  # periods, of the taps of that smoothing
# Where cores and deltas lie, in half widths across and half lengths along the finger, fingertip up.
CORES: dict[Pattern, tuple[tuple[float, float], ...]] = {
    "arch": (),
    "loop": ((0.0, 0.12),),
    "whorl": ((0.03, 0.24), (-0.03, -0.02)),
}
DELTAS: dict[Pattern, tuple[tuple[float, float], ...]] = {
    "arch": (),
    "loop": ((-0.75, -0.62),),
    "whorl": ((-0.8, -0.6), (0.8, -0.62)),
}
ARCH_HEIGHT = 1.9  # steepest slope of an arch's ridges
CORE_SCATTER = 0.12  # standard deviation, in half widths and lengths, of where on the contact the pattern lies
OUTLINE_FREQUENCY, OUTLINE_RAGGEDNESS = 1.2, 0.05  # of the contact area, per half width, and as a share of it
BLOTCH_SIZE = 2.0e-3  # m, of better and worse greased skin
GRAIN_SIZE = 9e-5  # m, of the droplets that grease breaks up into
RESIDUE = 0.55  # reflectance of grease that scatters, linear
RESIDUE_ROUGHNESS = 0.55
VALLEY_FILM = 0.12  # share of a ridge's grease that the valleys leave


@dataclass(frozen=True)
class FingerprintParameters:
    """A finger and how it touched.

    pattern: of the ridge flow. width, length: m, of the contact area. ridge_period: m, from ridge to ridge, .4 to .55
    mm in adults. pressure: 0 prints the crests of the ridges alone, 1 floods the valleys.
    Raises BlemishError for values out of range.
    """

    width: float = 14e-3
    length: float = 19e-3
    pattern: Pattern = "loop"
    ridge_period: float = 0.45e-3
    pressure: float = 0.5

    def __post_init__(self) -> None:
        require(
            "fingerprint",
            width=(self.width, "positive"),
            length=(self.length, "positive"),
            ridge_period=(self.ridge_period, "positive"),
            pressure=(self.pressure, "0 to 1"),
        )


@dataclass(frozen=True)
class RidgeField:
    """Ridges without a resolution: cubic spline coefficients (rows, columns) every `spacing` m, from `corner` (x, y) m.

    Values are about 1 on crests and -1 in valleys.
    """

    coefficients: Floats
    spacing: float
    corner: tuple[float, float]

    def at(self, place: Floats) -> Floats:
        """The ridges (n,) at (n, 2) metres; beyond the grid, those of its border."""
        from scipy.ndimage import map_coordinates

        index = (place - self.corner) / self.spacing
        return np.asarray(
            map_coordinates(self.coefficients, index[:, ::-1].T, order=3, prefilter=False, mode="nearest")
        )


def ridge_direction(parameters: FingerprintParameters, x: Floats, y: Floats, core: tuple[float, float]) -> Floats:
    """The direction of the ridges (rad, modulo π) at x, y (m) by the zero-pole model.

    It turns by half a turn round every core and back round every delta (Sherlock and Monro, "A model for interpreting
    fingerprint topology", 1993); arches, which have neither, by Cappelli's formula (SFinGe, 2004). core: where the
    pattern's middle lies, m.
    """
    half_width, half_length = 0.5 * parameters.width, 0.5 * parameters.length
    across, along = (x - core[0]) / half_width, (y - core[1]) / half_length
    if parameters.pattern == "arch":
        steepness = ARCH_HEIGHT * np.exp(-0.5 * ((along + 0.1) / 0.55) ** 2)
        return np.asarray(np.arctan(-steepness * np.sin(np.pi * np.clip(across, -1.0, 1.0))))
    direction = np.zeros(np.broadcast_shapes(x.shape, y.shape))
    for sign, singularities in ((0.5, CORES[parameters.pattern]), (-0.5, DELTAS[parameters.pattern])):
        for u, v in singularities:
            direction += sign * np.arctan2(half_length * (along - v), half_width * (across - u))
    return direction


def simulate_ridges(parameters: FingerprintParameters, rng: np.random.Generator) -> RidgeField:
    """Grow ridges out of noise by filtering it again and again along their direction and at their period.

    So ridges begin, end and fork where the flow leaves room for more or fewer of them: minutiae come by themselves
    (Cappelli, Maio and Maltoni, "SFinGe", 2004).
    """
    from scipy.ndimage import spline_filter

    period = parameters.ridge_period
    spacing = period / CELLS_PER_PERIOD
    half = 0.5 * np.array([parameters.width, parameters.length]) + 2.0 * period
    columns, rows = (int(count) for count in np.ceil(2.0 * half / spacing))
    x = (np.arange(columns) - 0.5 * (columns - 1)) * spacing
    y = (np.arange(rows) - 0.5 * (rows - 1)) * spacing
    core_x, core_y = CORE_SCATTER * rng.standard_normal(2) * (0.5 * parameters.width, 0.5 * parameters.length)
    direction = ridge_direction(parameters, x[np.newaxis, :], y[:, np.newaxis], (core_x, core_y))
    along_ridges = _line_smoothing(np.broadcast_to(direction, (rows, columns)))

    frequency = np.hypot(np.fft.fftfreq(rows)[:, np.newaxis], np.fft.rfftfreq(columns)) * CELLS_PER_PERIOD
    band = np.exp(-0.5 * ((frequency - BENDING) / BANDWIDTH) ** 2)
    ridges = rng.standard_normal((rows, columns))
    for _ in range(GROWTH_STEPS):
        ridges = np.fft.irfft2(np.fft.rfft2(ridges) * band, s=(rows, columns))
        ridges = (along_ridges @ ridges.ravel()).reshape(rows, columns)
        ridges = np.tanh(GAIN * ridges / max(float(ridges.std()), np.finfo(np.float64).tiny) / np.sqrt(2.0))
    ridges = np.fft.irfft2(np.fft.rfft2(ridges) * band, s=(rows, columns))  # crests as round as they grew
    ridges /= np.sqrt(2.0) * ridges.std()
    return RidgeField(spline_filter(ridges, order=3, mode="nearest"), spacing, (float(x[0]), float(y[0])))


@dataclass(frozen=True)
class Fingerprint:
    """A print laid down with its middle at the anchor, the fingertip towards the anchor's y axis.

    haze: share of the light that the grease of a ridge scatters. seed: of its outline and blotches. instance: its id.
    Its mask is the whole contact area, ridges and valleys, as someone marks a fingerprint who cannot trace its ridges.
    Raises BlemishError for values out of range.
    """

    anchor: Anchor
    parameters: FingerprintParameters
    ridges: RidgeField
    haze: float = 0.35
    seed: int = 0
    instance: int = 1

    family: ClassVar[Family] = "impurity"
    class_name: ClassVar[str] = "fingerprint"

    def __post_init__(self) -> None:
        require(
            "fingerprint",
            haze=(self.haze, "0 to 1"),
            seed=(self.seed, "not negative"),
            instance=(self.instance, "positive"),
        )

    def evaluate(self, points: SurfacePoints | ArrayLike) -> LayerSample:
        """Inside is where the finger pressed on the surface."""
        points = SurfacePoints.of(points)
        sample = LayerSample.blank(len(points))
        longest = 0.5 * max(self.parameters.width, self.parameters.length) * (1.0 + 4.0 * OUTLINE_RAGGEDNESS)
        near, place = self.anchor.unrolled(points, longest)
        pressure = self._pressure(place)
        touched = pressure > 0.0
        near, place, pressure = near[touched], place[touched], pressure[touched]
        grease = self.haze * self._grease(place, pressure)
        sample.inside[near] = True
        sample.instance[near] = self.instance
        sample.opacity[near] = grease
        sample.reflectance[near] = RESIDUE * grease
        sample.roughness[near] = RESIDUE_ROUGHNESS * grease
        return sample

    def _pressure(self, place: Floats) -> Floats:
        """From 1 in the middle of the contact (n,) to 0 at its edge and less outside, where nothing touches."""
        across, along = 2.0 * place[:, 0] / self.parameters.width, 2.0 * place[:, 1] / self.parameters.length
        # A finger is broader towards its joint and rounder at its tip.
        square = (across * (1.0 + 0.1 * along)) ** 2 + np.abs(along) ** np.where(along > 0.0, 2.0, 2.6)
        ragged = self._noise(place, 0.5 * self.parameters.width / OUTLINE_FREQUENCY, 2, stream=0)
        return np.asarray(1.0 - np.sqrt(square) * (1.0 + OUTLINE_RAGGEDNESS * np.clip(ragged, -2.5, 2.5)))

    def _grease(self, place: Floats, pressure: Floats) -> Floats:
        """How much (n,) was left behind, 0 to 1: crests first, broader ridges where it pressed harder."""
        blotches = self._noise(place, BLOTCH_SIZE, 2, stream=1)
        grain = self._noise(place, GRAIN_SIZE, 1, stream=2)
        # Crests stand at 1, valleys at -1; a ridge prints down to the level that the pressure reaches.
        level = 0.9 - 2.2 * self.parameters.pressure * np.sqrt(pressure) - 0.25 * blotches
        printed = 1.0 / (1.0 + np.exp(-np.clip((self.ridges.at(place) - level) / 0.16, -30.0, 30.0)))
        amount = VALLEY_FILM + (1.0 - VALLEY_FILM) * printed
        edge = np.clip(pressure / 0.06, 0.0, 1.0)  # fades out over the last of the contact
        return np.asarray(np.clip(amount * edge * (0.8 + 0.12 * blotches + 0.2 * grain), 0.0, 1.0))

    def _noise(self, place: Floats, size: float, octaves: int, stream: int) -> Floats:
        lattice = np.column_stack([place / size, np.full(len(place), 0.37)])
        return fractal(lattice, octaves, 8 * self.seed + 2 * stream + 1)


def _line_smoothing(direction: Floats) -> "csr_array":
    """The sparse matrix that averages a (rows, columns) grid along a direction (rad) given in every cell."""
    from scipy.sparse import csr_array

    rows, columns = direction.shape
    row, column = np.indices(direction.shape)
    taps = np.arange(-LINE_REACH, LINE_REACH + 0.5 * LINE_STEP, LINE_STEP)
    weights = np.exp(-0.5 * (taps / STRAIGHTNESS) ** 2)
    weights /= weights.sum()
    targets, shares = [], []
    for tap, weight in zip(taps * CELLS_PER_PERIOD, weights, strict=True):
        r = np.clip(row + tap * np.sin(direction), 0.0, rows - 1.001)
        c = np.clip(column + tap * np.cos(direction), 0.0, columns - 1.001)
        i, j = r.astype(np.int64), c.astype(np.int64)
        for down, up in ((0, 1 - (r - i)), (1, r - i)):
            for right, left in ((0, 1 - (c - j)), (1, c - j)):
                targets.append(((i + down) * columns + j + right).ravel())
                shares.append((weight * up * left).ravel())
    width, count = len(targets), rows * columns
    table = (np.stack(shares, 1).ravel(), np.stack(targets, 1).ravel(), np.arange(0, count * width + 1, width))
    return csr_array(table, shape=(count, count))
