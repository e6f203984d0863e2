"""What lights a part: panels and domes where they stand, and rings and bars of them from a few lengths and angles."""

import math
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from scenes.quantities.scene_model import NotNegative, Positive, SceneModel, Vector


class AreaPanel(SceneModel):
    """A rectangular light.

    position: its centre, metres. direction: unit vector, the way it shines. along: unit vector of its width, across
    which lies its length, both in metres. power: watts. seen: whether it is in the picture where the camera looks at
    it; else it is seen as a reflection alone.
    """

    position: Vector
    direction: Vector
    along: Vector
    width: Positive
    length: Positive
    power: NotNegative
    seen: bool = Field(False, exclude_if=lambda seen: not seen)


class Dome(SceneModel):
    """A hemisphere that is luminous inside, open downwards, seen as a reflection alone; lengths in metres.

    centre: of the circle at its rim. radiance: W/m²/sr, the same everywhere and in every direction. hole: angle in
    radians, from the vertical, that the opening for the camera takes at its top. rim: likewise, where it ends; less
    than a right angle is a cap of a hemisphere.
    """

    centre: Vector
    radius: Positive
    radiance: NotNegative
    hole: Annotated[float, Field(ge=0, lt=math.pi / 2)] = 0.0
    rim: Annotated[float, Field(gt=0, le=math.pi / 2)] = Field(math.pi / 2, exclude_if=lambda rim: rim == math.pi / 2)


class Light(SceneModel):
    """Panels and domes, and the radiance in W/m²/sr that comes evenly from everywhere else.

    backdrop: what the camera sees of the latter beside the part, W/m²/sr; None where that is the ambient light itself.
    """

    panels: tuple[AreaPanel, ...]
    domes: tuple[Dome, ...] = Field((), exclude_if=lambda domes: not domes)
    ambient: NotNegative
    backdrop: NotNegative | None = Field(None, exclude_if=lambda backdrop: backdrop is None)


@dataclass(frozen=True)
class Head:
    """What carries the light: it hangs above `centre` (metres) of the plane z = 0, at which the camera looks.

    towards: unit vector from there to the camera. up: unit vector, upwards in the picture.
    """

    centre: tuple[float, float] = (0.0, 0.0)
    towards: Vector = (0.0, 0.0, 1.0)
    up: Vector = (0.0, 1.0, 0.0)


def lambert_power(radiance: float, width: float, length: float) -> float:
    """Watts of a panel of `width` by `length` metres of that radiance, the same in every direction."""
    return math.pi * radiance * width * length


def ring_light(
    *,
    diameter: float,
    height: float,
    panel_length: float,
    panel_width: float,
    tilt: float,
    rotation: float,
    scale: float,
    powers: tuple[float, ...],
    centre: tuple[float, float] = (0.0, 0.0),
) -> tuple[AreaPanel, ...]:
    """One panel for each of `powers`, evenly on a circle about the vertical through `centre`.

    diameter: of the circle through the panels' centres. height: above z = 0. panel_length: of a panel along the circle;
    panel_width: across it. All in metres, angles in radians. tilt: by how much the panels turn from shining straight
    down towards the axis. rotation: azimuth of the first panel, from +x. scale: enlarges circle and panels, not the
    height; the radiance stays, so each of `powers` (watts) grows with the area of its panel.
    """
    panels = []
    for side, power in enumerate(powers):
        azimuth = rotation + 2 * math.pi * side / len(powers)
        outward = (math.cos(azimuth), math.sin(azimuth))
        radius = scale * diameter / 2
        panels.append(
            AreaPanel(
                position=(centre[0] + radius * outward[0], centre[1] + radius * outward[1], height),
                direction=(-math.sin(tilt) * outward[0], -math.sin(tilt) * outward[1], -math.cos(tilt)),
                along=(-outward[1], outward[0], 0.0),
                width=scale * panel_length,
                length=scale * panel_width,
                power=scale**2 * power,
            )
        )
    return tuple(panels)


def closed_ring_panel_length(sides: int, diameter: float) -> float:
    """Length of the panels that close a regular polygon of `sides` whose sides' centres lie on a circle of `diameter`.

    Raises ValueError for fewer than 3 sides, which close nothing.
    """
    if sides < 3:
        raise ValueError(f"a ring of {sides} panels does not close; give the panels a length")
    return diameter * math.tan(math.pi / sides)
