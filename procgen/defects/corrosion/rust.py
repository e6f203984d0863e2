"""Uniform rust: spots that spread as Fisher-KPP fronts, thicken with time, and colour the steel layer by layer."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from procgen.errors import BlemishError
from procgen.surface.checks import require
from procgen.surface.layer import Family, LayerSample, SurfacePoints
from procgen.surface.noise import fractal
from procgen.surface.placement import jittered_centres, nearest_centre, unpacked

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]
Colour = tuple[float, float, float]

DAY = 86_400.0  # s; the time in which rust grows as thick as its parameters name
STEP = 0.5  # of the simulation, in units of 1/r
CUT_OFF = 1e-4  # of u, below which there is no rust: round-off would run ahead of the front and drive it
MOST_CELLS_ASIDE = 400
MOST_STEPS = 1000
MOST_SPOTS = 100_000
SPOT_START = 0.5  # of u in the middle of a spot that has just broken out, as wide as a front
ON_THE_SURFACE = 0.1  # of u, above which there is rust to be seen
OUTLINE_OCTAVES = 4
PATCH_OF_OXIDE = 3.0  # length of the lighter and darker patches over that of the unevenness of the outline
FURTHEST_NOISE = 3.0  # standard deviations to which noise on the outline is kept
THICKENING = 0.52  # exponent of the thickness of rust on mild steel in time (atmospheric corrosion, about a half)

# Kubelka-Munk coefficients of the oxides, red, green, blue: scattering of a fine iron oxide pigment, and absorption so
# that a layer that hides the steel, under the 4 % that any dielectric reflects from its very surface, has the colour
# that rust has on photographs, CIE Lab (51, 10, 17).
SCATTERING = 8e4  # 1/m
ABSORPTION = np.array([1.09, 2.91, 6.18]) * SCATTERING
YOUNG = 0.6  # of that absorption in a fresh film, which is bright lepidocrocite, before it ages
DARKENING = 0.7  # standard deviation of the logarithm of the absorption from patch to patch, with mottle 1
SWELLING = 2.0  # oxides take up more room than the steel that they were
FILM_ROUGHNESS, FLAKING_ROUGHNESS = 0.55, 0.95
FLAKE_SHADE = 0.35  # how much thicker or thinner single flakes are, as the logarithm's half-range


@dataclass(frozen=True)
class RustParameters:
    """Where rust breaks out, and how it spreads.

    spots: 1/m², of all spots that will ever break out, at the rate spots/decay·exp(-t/decay), decay in s. front_speed:
    m/s, 2√(rD) of the equation u_t = DΔu + ru(1-u). front_width: m, √(D/r). patchiness: standard deviation of the
    logarithm of r from place to place, over lengths of patch_size (m).
    Raises BlemishError for values out of range.
    """

    spots: float
    front_speed: float
    front_width: float
    decay: float = 0.5 * DAY
    patchiness: float = 0.5
    patch_size: float = 3e-3

    def __post_init__(self) -> None:
        require(
            "rust",
            **{name: (getattr(self, name), "positive") for name in ("front_speed", "front_width", "decay")},
            **{name: (getattr(self, name), "not negative") for name in ("spots", "patchiness")},
            patch_size=(self.patch_size, "positive"),
        )


@dataclass(frozen=True)
class RustField:
    """Rust on a chart of `size` (m), at the centres of the cells of a grid, rows along v.

    cover: (rows, columns) 0 to 1, u. dose: (rows, columns) s, the integral of u over time. spots: (rows, columns) one
    id > 0 for each patch, that of the oldest spot in it, and beyond the patches that of the nearest.
    """

    size: tuple[float, float]
    cover: Floats
    dose: Floats
    spots: Indices

    def cover_at(self, uv: Floats) -> Floats:
        """(N,) u at (N, 2) chart points in metres; see `_between`."""
        return self._between(self.cover, uv)

    def dose_at(self, uv: Floats) -> Floats:
        """(N,) s, the dose at (N, 2) chart points in metres."""
        return self._between(self.dose, uv)

    def spots_at(self, uv: Floats) -> Indices:
        """(N,) ids of the patches at (N, 2) chart points in metres."""
        index = np.rint(self._cells(uv)).astype(np.int64)
        row, column = (np.clip(along, 0, count - 1) for along, count in zip(index, self.spots.shape, strict=True))
        result: Indices = self.spots[row, column]
        return result

    def _between(self, values: Floats, uv: Floats) -> Floats:
        """Cubic B-splines with the cells for coefficients: smooth, and growing wherever the cells grow."""
        from scipy.ndimage import map_coordinates

        result: Floats = map_coordinates(values, self._cells(uv), order=3, mode="nearest", prefilter=False)
        return result

    def _cells(self, uv: Floats) -> Floats:
        rows, columns = self.cover.shape
        return np.stack([uv[:, 1] * (rows / self.size[1]) - 0.5, uv[:, 0] * (columns / self.size[0]) - 0.5])


def spread(
    cover: Floats, rate: float | Floats, diffusivity: float, spacing: tuple[float, float], step: float
) -> Floats:
    """One step of u_t = DΔu + ru(1-u) on a grid whose border lets nothing through, in `step` seconds.

    cover: (rows, columns), u. rate: 1/s, r, one or one a cell. diffusivity: m²/s, D. spacing: m between rows, between
    columns. Exact reaction for half a step, exact diffusion of the cosine series, reaction again [Strang 1968]; below
    CUT_OFF u is none, so that fronts are as fast as [Brunet 1997] has it.
    """
    from scipy.fft import dctn, idctn

    wave = [np.pi * np.arange(count) / (count * width) for count, width in zip(cover.shape, spacing, strict=True)]
    damping = np.multiply.outer(*(np.exp(-diffusivity * step * number**2) for number in wave))
    gain = np.exp(0.5 * rate * step)
    cover = _reacted(cover, gain)
    cover = np.clip(idctn(dctn(cover) * damping), 0.0, 1.0)
    cover = _reacted(cover, gain)
    cover[cover < CUT_OFF] = 0.0
    return cover


def _reacted(cover: Floats, gain: float | Floats) -> Floats:
    return cover * gain / (1.0 + cover * (gain - 1.0))


def simulate_rust(
    parameters: RustParameters,
    size: tuple[float, float],
    time: float,
    rng: np.random.Generator,
    sources: ArrayLike | None = None,
) -> RustField:
    """The rust on a chart of `size` (m) after `time` (s).

    sources: (S, 2) chart points in metres at which alone spots break out; None for everywhere.
    Spots break out as a Poisson process and spread as fronts; what has rusted stays so. The same generator state gives
    the same rust at any time: later, it only covers more. Raises BlemishError for more spots or steps than are allowed.
    """
    require("rust", time=(time, "not negative"))
    finest = max(size) / MOST_CELLS_ASIDE
    width = max(parameters.front_width, finest)  # a narrower front is none on this grid
    rate, diffusivity = parameters.front_speed / (2.0 * width), 0.5 * parameters.front_speed * width
    step = STEP / rate
    steps = int(np.ceil(time / step))
    expected = parameters.spots * size[0] * size[1]
    if steps > MOST_STEPS:
        raise BlemishError(
            f"rust: found fronts of width {width:g} m that travel {parameters.front_speed * time:g} m; expected at "
            f"most {2.0 * MOST_STEPS * STEP:g} widths: shorten the time or widen the front"
        )
    if expected > MOST_SPOTS:
        raise BlemishError(
            f"rust: found {parameters.spots:g} spots per m² on {size[0]:g} x {size[1]:g} m, {expected:.0f} in all; "
            f"expected at most {MOST_SPOTS}: lower their number"
        )
    shape = tuple(max(2, int(np.ceil(extent / width))) for extent in (size[1], size[0]))
    spacing = (size[1] / shape[0], size[0] / shape[1])
    rates = rate * np.exp(parameters.patchiness * _patches(shape, parameters.patch_size / spacing[0], rng))
    count = int(rng.poisson(expected))
    births = np.sort(rng.exponential(parameters.decay, count))
    if sources is None:
        places = rng.uniform(0.0, (size[1], size[0]), (count, 2))  # rows first
    else:
        sources = np.asarray(sources, dtype=np.float64)
        places = sources[rng.integers(len(sources), size=count), ::-1]

    cover, dose = np.zeros(shape), np.zeros(shape)
    for number in range(steps):
        share = min(1.0, time / step - number)  # of this step, in the end, so that every time is on the same path
        after = np.maximum(spread(cover, rates, diffusivity, spacing, step), cover) if cover.any() else cover
        broken_out = slice(*np.searchsorted(births, (number * step, (number + 1) * step)))
        after = _with_spots(after, places[broken_out], spacing, width)
        after = np.minimum(cover + share * (after - cover), 1.0)  # a rounding may lift a full cell over 1
        dose += 0.5 * share * step * (cover + after)
        cover = after
    return RustField(size, cover, dose, _patch_ids(cover, places[births < steps * step], spacing))


def _patches(shape: tuple[int, ...], cells: float, rng: np.random.Generator) -> Floats:
    """Gaussian noise of variance 1 over a grid, smooth over so many cells."""
    from scipy.ndimage import gaussian_filter

    field = gaussian_filter(rng.standard_normal(shape), 0.5 * cells, mode="wrap")
    deviation = float(field.std())
    return field / deviation if deviation > 1e-9 else np.zeros(shape)


def _with_spots(cover: Floats, places: Floats, spacing: tuple[float, float], width: float) -> Floats:
    """Rust that has just broken out at (S, 2) places, each a Gaussian as wide as a front."""
    cover = cover.copy()
    rows, columns = cover.shape
    for v, u in places:
        window, square = [], []
        for place, pitch, cells in ((v, spacing[0], rows), (u, spacing[1], columns)):
            first = max(0, int((place - 4.0 * width) / pitch))
            last = min(cells, int((place + 4.0 * width) / pitch) + 1)
            window.append(slice(first, last))
            square.append((((np.arange(first, last) + 0.5) * pitch - place) / width) ** 2)
        spot = SPOT_START * np.exp(-0.5 * np.add.outer(*square))
        part = cover[window[0], window[1]]
        np.maximum(part, np.where(spot >= CUT_OFF, spot, 0.0), out=part)
    return cover


def _patch_ids(cover: Floats, places: Floats, spacing: tuple[float, float]) -> Indices:
    """For every cell the id of the patch that it is in or nearest to: 1 + the number of the oldest spot in it."""
    from scipy.ndimage import distance_transform_edt, label

    patches, count = label(cover > ON_THE_SURFACE)
    if count == 0:
        return np.ones(cover.shape, dtype=np.int64)
    nearest = distance_transform_edt(patches == 0, sampling=spacing, return_distances=False, return_indices=True)
    patches = patches[tuple(nearest)]
    ids = len(places) + np.arange(count + 1)  # of a patch without a spot, which fronts broken up by the cut-off leave
    cells = np.minimum((places / spacing).astype(np.int64), np.array(cover.shape) - 1)
    for number in range(len(places))[::-1]:
        ids[patches[cells[number, 0], cells[number, 1]]] = number + 1
    result: Indices = ids[patches]
    return result


def kubelka_munk(thickness: Floats, scattering: float, absorption: Floats, background: Floats) -> tuple[Floats, Floats]:
    """Reflectance and transmittance of a layer over a background, all of shapes that broadcast together.

    thickness: m. scattering, absorption: 1/m, S > 0 and K ≥ 0. background: reflectance 0 to 1. After
    [Kubelka 1931] and [Kubelka 1948].
    """
    a = 1.0 + absorption / scattering
    b = np.sqrt(a * a - 1.0)
    optical = np.minimum(b * scattering * thickness, 300.0)
    bent = np.tanh(optical)
    reflectance = ((1.0 - background * a) * bent + background * b) / ((a - background) * bent + b)
    transmittance = b / ((a * bent + b) * np.cosh(optical))
    return reflectance, transmittance


@dataclass(frozen=True)
class Rust:
    """A rust field on a part as a layer; it covers the surface, so lay what is deeper than rust is thick on top of it.

    locate: (N, 3) positions on the part to (N, 2) chart points, NaN for those that are not on the chart. thickness: m,
    after a day under rust. flaking: m, the thickness at which rust comes off in flakes of flake_size (m). ragged:
    standard deviation of the logarithm of u on the outline, over lengths of ragged_size (m) and finer. mottle: contrast
    of lighter and darker oxide, 0 to 1. metal: linear colour of the bare metal, which shows through films.
    Raises BlemishError for values out of range.
    """

    field: RustField
    locate: Callable[[Floats], Floats]
    thickness: float = 1.5e-5
    flaking: float = 4e-5
    flake_size: float = 4e-4
    ragged: float = 0.6
    ragged_size: float = 5e-4
    mottle: float = 0.5
    metal: Colour = (0.52, 0.52, 0.51)
    seed: int = 0

    family: ClassVar[Family] = "defect"
    class_name: ClassVar[str] = "rust"

    def __post_init__(self) -> None:
        require(
            "rust",
            **{name: (getattr(self, name), "positive") for name in ("thickness", "flaking", "flake_size")},
            **{name: (getattr(self, name), "not negative") for name in ("ragged", "mottle", "seed")},
            **{f"metal[{channel}]": (value, "0 to 1") for channel, value in enumerate(self.metal)},
            ragged_size=(self.ragged_size, "positive"),
        )

    def evaluate(self, points: SurfacePoints | ArrayLike) -> LayerSample:
        """Inside is where the cover, spread or held back a little by the noise on the outline, is ON_THE_SURFACE."""
        positions = SurfacePoints.of(points).positions
        sample = LayerSample.blank(len(positions), coloured=True)
        uv = self.locate(positions)
        near = np.flatnonzero(np.isfinite(uv).all(axis=1))
        cover = self.field.cover_at(uv[near])
        close = cover * np.exp(FURTHEST_NOISE * self.ragged) > ON_THE_SURFACE
        near, cover = near[close], cover[close]
        noise = fractal(positions[near] / self.ragged_size, OUTLINE_OCTAVES, self.seed)
        noise = np.clip(noise, -FURTHEST_NOISE, FURTHEST_NOISE)
        grown = cover * np.exp(self.ragged * noise)
        inside = grown > ON_THE_SURFACE
        near, noise, grown = near[inside], noise[inside], grown[inside]
        place, uv = positions[near], uv[near]

        dose = self.field.dose_at(uv)
        thickness = self.thickness * (dose / DAY) ** THICKENING * (1.0 - ON_THE_SURFACE / grown)
        thickness *= np.exp(self.mottle * noise)
        thickness, lifted = self._flaked(place, thickness)
        worn = np.minimum(thickness / self.flaking, 1.0)
        oxide = np.exp(self.mottle * DARKENING * fractal(place / PATCH_OF_OXIDE / self.ragged_size, 3, self.seed + 8))
        absorption = np.multiply.outer((YOUNG + (1.0 - YOUNG) * worn) * oxide, ABSORPTION)
        metal = np.array(self.metal)
        reflectance, transmittance = kubelka_munk(thickness[:, np.newaxis], SCATTERING, absorption, metal)
        opacity = 1.0 - (transmittance**2).mean(axis=1)

        sample.inside[near] = True
        sample.instance[near] = self.field.spots_at(uv)
        sample.height[near] = SWELLING * thickness + lifted
        sample.opacity[near] = opacity
        sample.reflectance[near] = reflectance - (1.0 - opacity)[:, np.newaxis] * metal
        sample.roughness[near] = opacity * (FILM_ROUGHNESS + (FLAKING_ROUGHNESS - FILM_ROUGHNESS) * worn)
        return sample

    def _flaked(self, positions: Floats, thickness: Floats) -> tuple[Floats, Floats]:
        """Thickness (n,) m once flakes have formed, and how far (n,) m they have lifted towards their edges."""
        looseness = np.clip(thickness / self.flaking - 0.5, 0.0, 1.0)
        thickness, lifted = thickness.copy(), np.zeros(len(thickness))
        loose = np.flatnonzero(looseness)
        distance, flake = nearest_centre(positions[loose], self.flake_size, self.seed)
        cell = unpacked(flake)
        own = (jittered_centres(cell, 1.0, self.seed + 1) - cell)[:, 0]  # 0 to 1, a draw for each flake
        out = np.minimum(distance / self.flake_size, 1.0)
        thickness[loose] *= np.exp(FLAKE_SHADE * looseness[loose] * (2.0 * own - 1.0))
        lifted[loose] = looseness[loose] * self.flaking * own * out**2
        return thickness, lifted
