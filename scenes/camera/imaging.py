"""Where the light and the camera stand: the ring of panels and the framing, from a handful of lengths and angles."""

import math

from scenes.scene import AreaPanel, Camera


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


def camera_above(
    *,
    field_width: float,
    focal_length: float,
    sensor_width: float,
    resolution: tuple[int, int],
    aperture_radius: float = 0.0,
    roll: float = 0.0,
    centre: tuple[float, float] = (0.0, 0.0),
) -> Camera:
    """A pinhole camera looking straight down at `centre` from where its picture is `field_width` wide at z = 0.

    Lengths in metres, `roll` in radians, counter-clockwise seen from above. Focused on z = 0.
    """
    distance = focal_length * field_width / sensor_width
    return Camera(
        position=(*centre, distance),
        forward=(0.0, 0.0, -1.0),
        up=(-math.sin(roll), math.cos(roll), 0.0),
        focal_length=focal_length,
        sensor_width=sensor_width,
        width=resolution[0],
        height=resolution[1],
        aperture_radius=aperture_radius,
        focus_distance=distance,
    )


def pixel_footprint(camera: Camera, distance: float) -> float:
    """Width in metres of what one pixel sees at `distance` metres along the optical axis."""
    return distance * camera.sensor_width / (camera.width * camera.focal_length)
