"""Ground and brushed surfaces: what machining left behind before anything else happened."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from procgen.errors import BlemishError
from procgen.finish.frames import component, frame_about
from procgen.finish.solid import drawn_out, rod_density, rods, speck_cell, specks, stream_seed
from procgen.surface.checks import require
from procgen.surface.layer import FinishSample, SurfacePoints

Floats = NDArray[np.float64]

MARK_OCTAVES = 3
GROOVE_WIDTH, GROOVE_LENGTH = 0.8, 12.0  # of the sparse grooves, over the correlation lengths of the marks
GROOVE_ONSET = 1.5  # standard deviations of their noise at which grooves begin: about 7 % of the surface
GROOVE_CLUSTERING = 0.3  # how far bright clouds lower that onset, in standard deviations
ENDLESS = 10.0  # m along which a line stays the same
LINE_ONSET = 1.6  # standard deviations of their noise at which lines begin: about 5 % of the surface
LINE_FADING, LINE_GROUP = 0.5, 4.0  # relative deviation of a line's brightness along it; and widths that fade together
FILM_LENGTH, FILM_MEAN = 20.0, 0.3  # length of a film's streaks over their width; its mean over its deviation
FILM_ABSORPTION = np.array([0.25, 0.6, 1.4])  # of red, green and blue: brown, as oil and thin oxide are
SMUDGE_ONSET = 1.0  # standard deviations of their noise at which smudges begin: about 16 % of the surface
SMUDGE_LENGTH = 1.5  # over their width
SMUDGE_STREAM, THROUGH_STREAMS = 8, (9, 10)  # of the finish's textures
CLOUD_OCTAVES = 2
CLOUD_LENGTH = 2.5  # clouds are drawn out along the lay, too


@dataclass(frozen=True)
class GroundFinish:
    """A finish with a lay, as a solid texture: a function of the position alone, so that curved parts show no seam.

    lay_direction: (3,), along the marks, any length. correlation_along, correlation_across: m, the lags at which
    marks decorrelate to 1/e.
    height_rms: m, of the marks. base_colour: (3,) linear, its median. roughness, metallic, anisotropy: 0 to 1.
    Variations of the logarithm of the base colour, as standard deviations: streaks from mark to mark, grain from grain
    to grain of grain_size (m), mottle over soft clouds of mottle_size (m); grooves: how much brighter, in units of that
    logarithm, the sparse long grooves are, groove_depth (m) deep. roughness_streaks: standard deviation of roughness.
    lines: likewise of sharp lines, line_width (m) wide, that run on from end to end. through_groove_density: 1/m across
    the lay, of single grooves from end to end, half of them brighter and half darker in their middle by the logarithm
    through_grooves or less, through_groove_depth (m) deep and through_groove_width (m) wide at the most, two thirds of
    that on average. smudges: how much darker soft patches of smudge_size (m) are, in that logarithm, and
    smudge_roughness how much less rough, both at one deviation of their noise beyond where they begin.
    film: optical thickness of what oil, heat and time left, in streaks of film_size (m) across: it takes blue most, and
    red least.
    pit_density: 1/m², of fine pits with pit_radius and pit_depth (m) that take the share pit_darkening of the colour.
    axis_depth: m below z = 0, of an axis along axis_direction (3,), in whose direction z is 0, about which the part
    turned while it was ground: marks lie as they would on the surface of the cylinder about it, unrolled. 0: flat.
    Raises BlemishError for values out of range.
    """

    lay_direction: tuple[float, float, float]
    correlation_along: float
    correlation_across: float
    height_rms: float
    base_colour: tuple[float, float, float]
    roughness: float
    metallic: float = 1.0
    anisotropy: float = 0.0
    streaks: float = 0.0
    grooves: float = 0.0
    groove_depth: float = 0.0
    lines: float = 0.0
    line_width: float = 5e-5
    through_grooves: float = 0.0
    through_groove_density: float = 0.0
    through_groove_width: float = 1e-4
    through_groove_depth: float = 0.0
    smudges: float = 0.0
    smudge_roughness: float = 0.0
    smudge_size: float = 2e-3
    film: float = 0.0
    film_size: float = 2e-3
    grain: float = 0.0
    grain_size: float = 1e-4
    mottle: float = 0.0
    mottle_size: float = 1e-2
    roughness_streaks: float = 0.0
    pit_density: float = 0.0
    pit_radius: float = 1e-4
    pit_depth: float = 0.0
    pit_darkening: float = 0.5
    axis_direction: tuple[float, float, float] = (1.0, 0.0, 0.0)
    axis_depth: float = 0.0
    seed: int = 0
    kind: Literal["ground", "brushed"] = "ground"

    coat: ClassVar[float] = 0.0

    def __post_init__(self) -> None:
        positive = (
            "correlation_along",
            "correlation_across",
            "grain_size",
            "mottle_size",
            "pit_radius",
            "line_width",
            "through_groove_width",
            "smudge_size",
            "film_size",
        )
        shares = ("roughness", "metallic", "anisotropy", "pit_darkening", "smudge_roughness")
        free = (
            "height_rms",
            "streaks",
            "grooves",
            "groove_depth",
            "lines",
            "through_grooves",
            "through_groove_density",
            "through_groove_depth",
            "smudges",
            "film",
            "grain",
            "mottle",
            "roughness_streaks",
            "axis_depth",
        )
        require(
            "ground finish",
            **{name: (getattr(self, name), "positive") for name in positive},
            **{name: (getattr(self, name), "0 to 1") for name in shares},
            **{name: (getattr(self, name), "not negative") for name in (*free, "pit_density", "pit_depth", "seed")},
            **{f"base_colour[{i}]": (value, "0 to 1") for i, value in enumerate(self.base_colour)},
            **{f"lay_direction[{i}]": (value, "finite") for i, value in enumerate(self.lay_direction)},
            **{f"axis_direction[{i}]": (value, "finite") for i, value in enumerate(self.axis_direction)},
        )
        if not any(self.lay_direction):
            raise BlemishError("ground finish: found a lay_direction of length 0; expected a direction")
        if not any(self.axis_direction[:2]) or self.axis_direction[2]:
            raise BlemishError(
                f"ground finish: found the axis_direction {self.axis_direction}; expected one that lies, z being 0"
            )
        if self.pit_density > 0.0 and self.pit_radius > speck_cell(self.pit_density, self.pit_radius):
            raise BlemishError(
                f"ground finish: found {self.pit_density:g} pits per m² of radius {self.pit_radius:g} m; "
                f"expected at most {2.0 / self.pit_radius / self.pit_radius:g} per m², or they would merge"
            )
        if self.through_groove_density > 0.0:
            densest = 2.0 * rod_density(self.through_groove_width / 2.0)
            if self.through_groove_density > densest:
                raise BlemishError(
                    f"ground finish: found {self.through_groove_density:g} grooves from end to end per m of width "
                    f"{self.through_groove_width:g} m; expected at most {densest:g} per m, or they would merge"
                )

    def evaluate(self, points: SurfacePoints | ArrayLike) -> FinishSample:
        """Height, colour and roughness of the bare surface at N points."""
        positions = self._unrolled(SurfacePoints.of(points).positions)
        marks = self._noise(positions, self.correlation_along, self.correlation_across, MARK_OCTAVES, stream=0)
        tone = self.streaks * marks
        height = self.height_rms * marks
        clouds = np.zeros(len(positions))
        if self.mottle > 0.0:
            clouds = self._noise(positions, CLOUD_LENGTH * self.mottle_size, self.mottle_size, CLOUD_OCTAVES, stream=1)
            tone += self.mottle * clouds
        if self.grain > 0.0:
            tone += self.grain * self._noise(positions, self.grain_size, self.grain_size, 1, stream=2)
        if self.grooves > 0.0 or self.groove_depth > 0.0:
            length, width = GROOVE_LENGTH * self.correlation_along, GROOVE_WIDTH * self.correlation_across
            noise = self._noise(positions, length, width, 1, stream=3)
            groove = np.maximum(noise - GROOVE_ONSET + GROOVE_CLUSTERING * clouds, 0.0)
            tone += self.grooves * groove
            height -= self.groove_depth * groove
        if self.lines > 0.0:
            tone += self.lines * self._lines(positions)
        if self.through_groove_density > 0.0:
            bright, dark = self._through_grooves(positions)
            tone += self.through_grooves * (bright - dark)
            height -= self.through_groove_depth * np.maximum(bright, dark)
        roughness = self.roughness + self.roughness_streaks * marks
        if self.smudges > 0.0 or self.smudge_roughness > 0.0:
            length = SMUDGE_LENGTH * self.smudge_size
            noise = self._noise(positions, length, self.smudge_size, CLOUD_OCTAVES, stream=SMUDGE_STREAM)
            smudge = np.maximum(noise - SMUDGE_ONSET, 0.0)
            tone -= self.smudges * smudge
            roughness = roughness - self.smudge_roughness * smudge
        brightness = np.exp(tone)
        if self.pit_density > 0.0:
            pit = specks(positions, self.pit_density, self.pit_radius, stream_seed(self.seed, 4))
            height -= self.pit_depth * pit
            brightness *= 1.0 - self.pit_darkening * np.sqrt(pit)
        colour = brightness[:, np.newaxis] * np.array(self.base_colour)
        if self.film > 0.0:
            thickness = self._noise(positions, FILM_LENGTH * self.film_size, self.film_size, CLOUD_OCTAVES, stream=6)
            colour *= np.exp(-self.film * np.maximum(FILM_MEAN + thickness, 0.0)[:, np.newaxis] * FILM_ABSORPTION)
        return FinishSample(
            height=height.astype(np.float32),
            base_colour=np.clip(colour, 0.0, 1.0).astype(np.float32),
            roughness=np.clip(roughness, 0.0, 1.0).astype(np.float32),
            metallic=np.full(len(positions), self.metallic, dtype=np.float32),
        )

    def _unrolled(self, positions: Floats) -> Floats:
        """Where positions (N, 3) lie once the cylinder about the axis that touches z = 0 is flat; m all of them."""
        if self.axis_depth == 0.0:
            return positions
        axes = frame_about(self.axis_direction, (0.0, 0.0, 1.0))
        along, height, aside = (component(positions, axis) for axis in axes)
        height = height + self.axis_depth
        arc = self.axis_depth * np.arctan2(aside, height)
        above = np.hypot(aside, height) - self.axis_depth
        flat = (c[:, np.newaxis] * axis for c, axis in zip((along, above, arc), axes, strict=True))
        return np.asarray(sum(flat))

    def _lines(self, positions: Floats) -> Floats:
        """How far (N,) sharp lines stand above their onset, in deviations, each brighter here and fainter there."""
        across = self._noise(positions, ENDLESS, self.line_width, 1, stream=5)
        along = self._noise(positions, self.correlation_along, LINE_GROUP * self.line_width, 1, stream=7)
        return np.asarray(np.maximum(across - LINE_ONSET, 0.0) * np.maximum(1.0 + LINE_FADING * along, 0.0))

    def _through_grooves(self, positions: Floats) -> tuple[Floats, Floats]:
        """How far (N,) points lie within bright and within dark grooves from end to end, 1 in the middle of one."""
        bright, dark = (
            rods(
                positions,
                self.lay_direction,
                self.through_groove_density / 2.0,
                self.through_groove_width / 2.0,
                stream_seed(self.seed, stream),
            )
            for stream in THROUGH_STREAMS
        )
        return bright, dark

    def _noise(self, positions: Floats, along: float, across: float, octaves: int, stream: int) -> Floats:
        return drawn_out(positions, self.lay_direction, along, across, octaves, stream_seed(self.seed, stream))
