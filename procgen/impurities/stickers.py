"""Labels of paper or vinyl: rounded sheets with a printed number, a lifted edge and bubbles beneath."""

from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from procgen.errors import BlemishError
from procgen.surface.anchor import Anchor
from procgen.surface.checks import require
from procgen.surface.layer import Family, LayerSample, SurfacePoints
from procgen.surface.noise import fractal

Floats = NDArray[np.float64]
Colour = tuple[float, float, float]

FONT_SIZE = 96  # pixels; letters are drawn once so large and then read as a field
PRINTED_SHARE = 0.84  # of the sheet's width and height, the most that the print takes
BAR_SHARE, TEXT_UNDER_BARS = 0.62, 0.24  # of the printed height, where there are bars above the text
BAR_MODULES = 67  # of the narrowest bar, as in a Code 128 of three symbols: 11 each, start, checksum and stop beside
FIBRE_SIZE = 6e-5  # m, of the clouds that paper shows
SOILED_RIM = 3e-4  # m, over which the adhesive at the edge has caught dirt
SOILING = 0.12  # share of the light that it takes
SHADOW_DEPTH = 0.5  # change of reflectance at the foot of a standing edge
SHADOW_REACH = 3.0  # edge heights, after which the shadow is too faint to see
BUBBLE_SPREAD = 0.4  # standard deviation of the logarithm of bubble radii


@dataclass(frozen=True)
class Sticker:
    """One label, centred at its anchor, printed along the anchor's x axis.

    width, height, corner_radius, thickness: m. text: printed in its middle, letters text_height (m) high or as high as
    fits. bars: a bar code above the text. colour, ink: linear red, green, blue. roughness: of the sheet. fibres:
    contrast of the paper's clouds, 0 for vinyl. lift: m, how far one side stands off, bent over lift_length (m), on the
    side that lift_angle (rad, from the x axis) points to. bubbles: number of bubbles of about bubble_radius (m) and a
    height of bubble_rise times their radius.
    Its mask is the sheet; the shadow at the foot of its edge lies outside. What lies beneath does not show through.
    Raises BlemishError for values out of range.
    """

    anchor: Anchor
    width: float
    height: float
    corner_radius: float
    thickness: float = 1e-4
    text: str = ""
    text_height: float = 4e-3
    bars: bool = False
    colour: Colour = (0.85, 0.85, 0.82)
    ink: Colour = (0.02, 0.02, 0.02)
    roughness: float = 0.6
    fibres: float = 0.03
    lift: float = 0.0
    lift_angle: float = 0.0
    lift_length: float = 4e-3
    bubbles: int = 0
    bubble_radius: float = 8e-4
    bubble_rise: float = 0.1
    seed: int = 0
    instance: int = 1

    family: ClassVar[Family] = "impurity"
    class_name: ClassVar[str] = "sticker"

    def __post_init__(self) -> None:
        positive = ("width", "height", "text_height", "lift_length", "bubble_radius", "instance")
        free = ("corner_radius", "thickness", "fibres", "lift", "bubbles", "bubble_rise", "seed")
        require(
            "sticker",
            **{name: (getattr(self, name), "positive") for name in positive},
            **{name: (getattr(self, name), "not negative") for name in free},
            **{f"colour[{i}]": (value, "0 to 1") for i, value in enumerate(self.colour)},
            **{f"ink[{i}]": (value, "0 to 1") for i, value in enumerate(self.ink)},
            roughness=(self.roughness, "0 to 1"),
            lift_angle=(self.lift_angle, "finite"),
        )
        if self.corner_radius > 0.5 * min(self.width, self.height):
            raise BlemishError(
                f"sticker: found corner_radius = {self.corner_radius:g} m on {self.width:g} x {self.height:g} m; "
                "expected at most half of the shorter side"
            )

    def evaluate(self, points: SurfacePoints | ArrayLike) -> LayerSample:
        """Inside is the sheet; outside, only the shadow of its edge."""
        points = SurfacePoints.of(points)
        sample = LayerSample.blank(len(points), coloured=True)
        tallest = self.thickness + self.lift
        near, place = self.anchor.unrolled(points, 0.5 * np.hypot(self.width, self.height) + SHADOW_REACH * tallest)
        beyond = self._beyond_edge(place)
        rise = self._lifted(place) + self.thickness

        shaded = (beyond > 0.0) & (beyond <= SHADOW_REACH * rise) & (rise > 0.0)
        away = beyond[shaded] / rise[shaded]
        # The share of an even sky that a wall hides at its foot, faded out towards the reach.
        hidden = (1.0 - away / np.hypot(away, 1.0)) * (1.0 - away / SHADOW_REACH)
        sample.reflectance[near[shaded]] = -SHADOW_DEPTH * hidden[:, np.newaxis]

        on_sheet = beyond <= 0.0
        sheet, place = near[on_sheet], place[on_sheet]
        if len(sheet) == 0:
            return sample
        colour = np.array(self.colour) * (1.0 - SOILING * np.exp(beyond[on_sheet] / SOILED_RIM))[:, np.newaxis]
        if self.fibres > 0.0:
            clouds = fractal(np.column_stack([place / FIBRE_SIZE, np.zeros(len(place))]), 2, self.seed + 1)
            colour *= np.clip(1.0 + self.fibres * clouds, 0.0, None)[:, np.newaxis]
        printed = self._printed(place)[:, np.newaxis]
        sample.inside[sheet] = True
        sample.instance[sheet] = self.instance
        sample.opacity[sheet] = 1.0
        sample.reflectance[sheet] = np.clip(colour + printed * (np.array(self.ink) - colour), 0.0, 1.0)
        sample.roughness[sheet] = self.roughness
        sample.height[sheet] = rise[on_sheet] + self._blistered(place)
        return sample

    def _beyond_edge(self, place: Floats) -> Floats:
        """Distance (n,) m to the rounded rectangle, negative inside."""
        corner = np.abs(place) - (0.5 * np.array([self.width, self.height]) - self.corner_radius)
        outside = np.maximum(corner, 0.0)
        result: Floats = (
            np.hypot(outside[:, 0], outside[:, 1]) + np.minimum(corner.max(axis=1), 0.0) - self.corner_radius
        )
        return result

    def _lifted(self, place: Floats) -> Floats:
        """How far (n,) m the sheet stands off: nothing, then a bend of constant curvature up to the lifted side."""
        x, y = np.cos(self.lift_angle), np.sin(self.lift_angle)
        straight_x, straight_y = 0.5 * self.width - self.corner_radius, 0.5 * self.height - self.corner_radius
        furthest = straight_x * abs(x) + straight_y * abs(y) + self.corner_radius
        bent = np.clip((place[:, 0] * x + place[:, 1] * y - furthest) / self.lift_length + 1.0, 0.0, 1.0)
        result: Floats = self.lift * bent**2
        return result

    def _blistered(self, place: Floats) -> Floats:
        """Height (n,) m of the bubbles: clamped round plates under pressure, (1 - ρ²)²."""
        rng = np.random.default_rng(self.seed)
        height = np.zeros(len(place))
        for _ in range(self.bubbles):
            centre = rng.uniform(-0.5, 0.5, 2) * (self.width, self.height)
            radius = self.bubble_radius * np.exp(BUBBLE_SPREAD * rng.standard_normal())
            square = ((place[:, 0] - centre[0]) ** 2 + (place[:, 1] - centre[1]) ** 2) / radius**2
            height = np.maximum(height, self.bubble_rise * radius * np.maximum(1.0 - square, 0.0) ** 2)
        return height

    def _printed(self, place: Floats) -> Floats:
        """Share (n,) of the sheet that ink covers."""
        extent = PRINTED_SHARE * np.array([self.width, self.height])
        ink = np.zeros(len(place))
        room, middle = extent[1], 0.0
        if self.bars:
            module = np.floor((place[:, 0] / extent[0] + 0.5) * BAR_MODULES).astype(np.int64)
            across = (0.5 - place[:, 1] / extent[1]) / BAR_SHARE
            barred = (module >= 0) & (module < BAR_MODULES) & (across >= 0.0) & (across <= 1.0)
            ink[barred] = _bars(self.seed)[module[barred]]
            room, middle = TEXT_UNDER_BARS * extent[1], 0.5 * (TEXT_UNDER_BARS - 1.0) * extent[1]
        if self.text:
            from scipy.ndimage import map_coordinates

            letters = _letters(self.text)
            rows, columns = letters.shape
            scale = min(self.text_height, room, extent[0] * rows / columns) / rows  # m per pixel of the letters
            row = 0.5 * rows - 0.5 - (place[:, 1] - middle) / scale
            column = 0.5 * columns - 0.5 + place[:, 0] / scale
            ink = np.maximum(ink, map_coordinates(letters, [row, column], order=1))
        return ink


@lru_cache(maxsize=64)
def _letters(text: str) -> NDArray[np.float32]:
    """The text as a picture (rows, columns), 1 where ink is, cut to the outline of what is inked.

    Raises BlemishError where nothing of it can be printed.
    """
    from PIL import Image, ImageDraw, ImageFont

    font = ImageFont.load_default(FONT_SIZE)
    right, bottom = ImageDraw.Draw(Image.new("L", (1, 1))).textbbox((0, 0), text, font)[2:]
    picture = Image.new("L", (int(right) + FONT_SIZE, int(bottom) + FONT_SIZE))
    ImageDraw.Draw(picture).text((0, 0), text, fill=255, font=font)
    inked = picture.getbbox()
    if inked is None:
        raise BlemishError(f"sticker: found the text {text!r}, which leaves no ink; expected letters or digits")
    return np.asarray(picture.crop(inked), dtype=np.float32) / 255.0


def _bars(seed: int) -> NDArray[np.bool_]:
    """Which of BAR_MODULES are inked: bars and gaps of one to four modules, a bar at either end."""
    widths = np.random.default_rng([seed, BAR_MODULES]).integers(1, 5, BAR_MODULES)
    inked = np.repeat(np.arange(BAR_MODULES) % 2 == 0, widths)[:BAR_MODULES]
    inked[[0, 1, -2, -1]] = True
    return inked
