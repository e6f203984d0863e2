"""Thin films of oil on metal, coloured by interference."""

from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from procgen.surface.anchor import Anchor
from procgen.surface.checks import require
from procgen.surface.layer import Family, LayerSample, SurfacePoints
from procgen.surface.noise import fractal

Floats = NDArray[np.float64]
Metal = Literal["aluminium", "copper", "iron"]

OIL_INDEX = 1.47  # mineral oil
# Complex refractive indices at 450, 550 and 650 nm, about as [Rakić 1995] (aluminium), [Johnson 1972] (copper) and
# [Johnson 1974] (iron) have them.
METALS: dict[Metal, tuple[complex, complex, complex]] = {
    "aluminium": (0.62 + 5.47j, 0.96 + 6.69j, 1.49 + 7.82j),
    "copper": (1.15 + 2.47j, 1.02 + 2.58j, 0.21 + 3.67j),
    "iron": (2.63 + 2.90j, 2.89 + 3.07j, 2.93 + 3.25j),
}
METAL_WAVELENGTHS = (450e-9, 550e-9, 650e-9)
# A camera's red, green and blue: centre and standard deviation of each band, m.
BANDS = ((605e-9, 32e-9), (540e-9, 36e-9), (460e-9, 28e-9))
WAVELENGTHS = np.arange(380e-9, 700.5e-9, 2e-9)
THICKEST = 4e-6  # m; beyond, the orders lie so close that a camera sees no colour
TABLE_STEP = 1e-9  # m, of thickness, between the entries of the table of colours
OCTAVES = 2  # of outline and thickness: oil levels out what is finer
OUTLINE_FREQUENCY = 1.1  # of the outline, per radius
RIM = 0.9  # share of the radius over which the film thins out towards its edge
FLOW_SIZE = 0.7  # of the thickness's slow variation, over the radius


def airy_reflectance(wavelength: ArrayLike, thickness: ArrayLike, film: ArrayLike, substrate: ArrayLike) -> Floats:
    """Share of light that a film on a substrate reflects straight back, all interreflections summed (Airy 1833).

    wavelength, thickness: m. film, substrate: complex refractive indices, n + ik. All broadcast together.
    """
    film, substrate = np.asarray(film, dtype=np.complex128), np.asarray(substrate, dtype=np.complex128)
    outer, inner = (1.0 - film) / (1.0 + film), (film - substrate) / (film + substrate)
    there_and_back = np.exp(4j * np.pi * film * np.asarray(thickness) / np.asarray(wavelength))
    amplitude = (outer + inner * there_and_back) / (1.0 + outer * inner * there_and_back)
    return np.asarray(np.abs(amplitude) ** 2)


def film_colour(thickness: ArrayLike, metal: Metal = "iron", index: float = OIL_INDEX) -> Floats:
    """Reflectance (N, 3), red, green and blue, of films of thickness (N,) m, each averaged over its band of light."""
    wavelengths = WAVELENGTHS[np.newaxis, :]
    spectrum = airy_reflectance(wavelengths, np.asarray(thickness)[:, np.newaxis], index, _metal_index(metal))
    weights = np.array([np.exp(-0.5 * ((WAVELENGTHS - centre) / width) ** 2) for centre, width in BANDS])
    return np.asarray(np.einsum("nw,cw->nc", spectrum, weights / weights.sum(axis=1, keepdims=True)))


@dataclass(frozen=True)
class OilFilm:
    """A film spread round its anchor.

    radius: m. raggedness: of its outline, relative. thickness: m, in the middle; it varies by the share `unevenness`
    and thins out to nothing at the edge, where the colours follow each other in Newton's order. elongation: how much
    longer than broad, along the anchor's x axis. metal: below it. roughness_change: where the film is thick, < 0 as it
    levels the finish. seed: of its outline and flow. instance: its id.
    The base colour changes by the difference that the film makes to the clean metal, seen straight on; what else made
    the surface brighter or darker stays.
    Raises BlemishError for values out of range.
    """

    anchor: Anchor
    radius: float
    thickness: float = 4.5e-7
    unevenness: float = 0.4
    raggedness: float = 0.25
    elongation: float = 1.0
    metal: Metal = "iron"
    roughness_change: float = -0.05
    seed: int = 0
    instance: int = 1

    family: ClassVar[Family] = "impurity"
    class_name: ClassVar[str] = "oil_film"

    def __post_init__(self) -> None:
        require(
            "oil film",
            radius=(self.radius, "positive"),
            thickness=(self.thickness, "positive"),
            unevenness=(self.unevenness, "0 to 1"),
            raggedness=(self.raggedness, "0 to 1"),
            elongation=(self.elongation, "positive"),
            roughness_change=(self.roughness_change, "finite"),
            seed=(self.seed, "not negative"),
            instance=(self.instance, "positive"),
        )

    def evaluate(self, points: SurfacePoints | ArrayLike) -> LayerSample:
        """Inside is where there is oil."""
        points = SurfacePoints.of(points)
        sample = LayerSample.blank(len(points), coloured=True)
        longest = self.radius * max(1.0, self.elongation) * (1.0 + 3.0 * self.raggedness)
        near, place = self.anchor.unrolled(points, longest)
        thickness = self.thickness_at(place)
        wet = thickness > 0.0
        near, thickness = near[wet], thickness[wet]
        sample.inside[near] = True
        sample.instance[near] = self.instance
        table = _change_by_thickness(self.metal)
        steps = np.minimum(thickness / TABLE_STEP, len(table) - 1.0)
        lower = np.minimum(steps.astype(np.int64), len(table) - 2)
        share = (steps - lower)[:, np.newaxis]
        sample.reflectance[near] = (1.0 - share) * table[lower] + share * table[lower + 1]
        sample.roughness[near] = self.roughness_change * np.clip(thickness / self.thickness, 0.0, 1.0)
        return sample

    def thickness_at(self, place: Floats) -> Floats:
        """Thickness (n,) m at (n, 2) m from the anchor, 0 where there is none."""
        spread = place / (self.radius * np.array([self.elongation, 1.0]))
        ragged = np.clip(self._noise(spread * OUTLINE_FREQUENCY, 0), -3.0, 3.0)
        outline = np.maximum(1.0 + self.raggedness * ragged, 0.05)
        inwards = 1.0 - np.hypot(spread[:, 0], spread[:, 1]) / outline
        flow = np.maximum(1.0 + self.unevenness * self._noise(spread / FLOW_SIZE, 1), 0.05)
        # A wedge at the edge, level further in.
        return np.where(inwards > 0.0, self.thickness * flow * np.tanh(np.maximum(inwards, 0.0) / RIM), 0.0)

    def _noise(self, lattice: Floats, stream: int) -> Floats:
        return fractal(np.column_stack([lattice, np.full(len(lattice), 0.37)]), OCTAVES, 8 * self.seed + 4 * stream + 1)


@lru_cache(maxsize=len(METALS))
def _change_by_thickness(metal: Metal) -> Floats:
    """Change of reflectance (T, 3) by films TABLE_STEP apart in thickness, from none at all."""
    colours = film_colour(np.arange(0.0, THICKEST, TABLE_STEP), metal)
    result: Floats = colours - colours[0]
    return result


def _metal_index(metal: Metal) -> NDArray[np.complex128]:
    return np.interp(WAVELENGTHS, METAL_WAVELENGTHS, METALS[metal])
