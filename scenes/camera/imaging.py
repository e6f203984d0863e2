"""Where the camera stands, from a handful of lengths and angles, and where its rays go."""

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from scenes.quantities.scene_model import Vector
from scenes.scene import Camera

Floats = NDArray[np.float64]


def camera_above(
    *,
    field_width: float,
    focal_length: float,
    sensor_width: float,
    resolution: tuple[int, int],
    aperture_radius: float = 0.0,
    roll: float = 0.0,
    centre: tuple[float, float] = (0.0, 0.0),
    tilt: float = 0.0,
    tilt_azimuth: float = 0.0,
    telecentric: bool = False,
) -> Camera:
    """A camera that looks at `centre` on z = 0 from where its picture is `field_width` wide there, focused on that.

    Lengths in metres, angles in radians. roll: counter-clockwise seen from above. tilt: of the optical axis from the
    vertical; the camera then stands aside towards `tilt_azimuth`, counter-clockwise from +x, as far from `centre` as
    before, and so does its upright. The sensor is perpendicular to the axis, and so is the plane in focus.
    """
    distance = focal_length * field_width / sensor_width
    position: Vector = (*centre, distance)
    forward: Vector = (0.0, 0.0, -1.0)
    up: Vector = (-math.sin(roll), math.cos(roll), 0.0)
    if tilt:
        turn = turned_towards(tilt_azimuth, tilt)
        up, forward = turn(up), turn(forward)
        aside = turn((0.0, 0.0, distance))
        position = (centre[0] + aside[0], centre[1] + aside[1], aside[2])
    return Camera(
        position=position,
        forward=forward,
        up=up,
        focal_length=focal_length,
        sensor_width=sensor_width,
        width=resolution[0],
        height=resolution[1],
        aperture_radius=aperture_radius,
        focus_distance=distance,
        field_width=field_width if telecentric else None,
    )


def turned_towards(azimuth: float, angle: float) -> Callable[[Vector], Vector]:
    """The rotation of vectors that takes the vertical towards an azimuth by an angle, by Rodrigues' formula."""
    axis = np.array([-math.sin(azimuth), math.cos(azimuth), 0.0])

    def turn(vector: Vector) -> Vector:
        given = np.array(vector)
        aside = math.sin(angle) * np.cross(axis, given) + (1 - math.cos(angle)) * (axis @ given) * axis
        x, y, z = (float(value) for value in math.cos(angle) * given + aside)
        return x, y, z

    return turn


def pixel_footprint(camera: Camera, distance: float) -> float:
    """Width in metres of what one pixel sees at `distance` metres along the optical axis."""
    if camera.field_width is not None:
        return camera.field_width / camera.width
    return distance * camera.sensor_width / (camera.width * camera.focal_length)


def rays(camera: Camera, pixels: Floats) -> tuple[Floats, Floats]:
    """Where the rays through points (N, 2), column and row, of a picture begin, and directions of any length, (N, 3).

    Of a camera that is not telecentric they begin at one place, (1, 3); of one that is they run one way, (1, 3).
    """
    forward, up = np.array(camera.forward), np.array(camera.up)
    x = (pixels[:, 0] / camera.width - 0.5) * camera.sensor_width
    y = (0.5 * camera.height - pixels[:, 1]) / camera.width * camera.sensor_width
    aside: Floats = x[:, None] * np.cross(forward, up) + y[:, None] * up
    if camera.field_width is None:
        return np.array([camera.position]), aside + camera.focal_length * forward
    return camera.position + camera.field_width / camera.sensor_width * aside, forward[None]
