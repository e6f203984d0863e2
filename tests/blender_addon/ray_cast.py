"""An independent camera, pinhole or telecentric: rays through pixel centres, met with a plane or a cylinder.

What is met there is looked up by texel. Written from the definitions in `scenes.scene.Camera` and the atlas, and
sharing no code with them.
"""

import numpy as np
from numpy.typing import NDArray

from scenes import Scene

Floats = NDArray[np.float64]


def rays(scene: Scene) -> tuple[Floats, Floats]:
    """Where the rays through the pixels' centres begin, (3,) or (H, W, 3), and their directions (H, W, 3)."""
    camera = scene.camera
    columns, rows = np.arange(camera.width) + 0.5, np.arange(camera.height) + 0.5
    pixel_pitch = camera.sensor_width / camera.width
    x = (columns - camera.width / 2) * pixel_pitch
    y = (camera.height / 2 - rows) * pixel_pitch
    forward, up = np.array(camera.forward), np.array(camera.up)
    right = np.cross(forward, up)
    aside = x[None, :, None] * right + y[:, None, None] * up
    if camera.field_width is None:
        return np.array(camera.position), aside + camera.focal_length * forward
    magnification = camera.sensor_width / camera.field_width
    return np.array(camera.position) + aside / magnification, np.broadcast_to(forward, aside.shape)


def texels_on_plate(scene: Scene, shape: tuple[int, int]) -> tuple[Floats, Floats]:
    """Continuous (row, column) texel coordinates, each (H, W), of where the rays meet z = 0; outside the plate too."""
    origin, directions = rays(scene)
    distance = -origin[..., 2] / directions[..., 2]
    x = origin[..., 0] + distance * directions[..., 0]
    y = origin[..., 1] + distance * directions[..., 1]
    return (y / scene.part.height + 0.5) * shape[0], (x / scene.part.width + 0.5) * shape[1]


def texels_on_arc_segment(scene: Scene, shape: tuple[int, int]) -> tuple[Floats, Floats]:
    """Likewise on a cylinder about the line x = 0, z = -radius, or from inside above it; NaN where a ray misses it."""
    part, radius = scene.part, scene.part.radius
    origin, directions = rays(scene)
    half_chord = part.width / 2 - part.land
    widest = np.arcsin(half_chord / radius)
    axis = radius * np.cos(widest) if part.concave else -radius  # z; a concave side's uppermost points lie at 0
    x, z = origin[..., 0], origin[..., 2] - axis
    a = directions[..., 0] ** 2 + directions[..., 2] ** 2
    half_b = x * directions[..., 0] + z * directions[..., 2]
    farther = 1 if part.concave else -1  # of the two places where a ray meets the cylinder
    with np.errstate(invalid="ignore"):
        distance = (-half_b + farther * np.sqrt(half_b**2 - a * (x**2 + z**2 - radius**2))) / a
    across = x + distance * directions[..., 0]
    up = z + distance * directions[..., 2]
    u = radius * np.arctan2(across, -up if part.concave else up)
    if part.land:
        level = -origin[..., 2] / directions[..., 2]
        at_level = x + level * directions[..., 0]
        on_land = np.abs(at_level) > half_chord
        u = np.where(on_land, np.sign(at_level) * (radius * widest + np.abs(at_level) - half_chord), u)
        distance = np.where(on_land, level, distance)
    y = origin[..., 1] + distance * directions[..., 1]
    return (y / part.length + 0.5) * shape[0], (u / (2 * radius * widest + 2 * part.land) + 0.5) * shape[1]


def look_up(values: NDArray[np.uint16], rows: Floats, columns: Floats) -> NDArray[np.uint16]:
    """The texels that hold the given continuous coordinates; 0 outside the map."""
    height, width = values.shape
    seen = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
    found = np.zeros(rows.shape, dtype=values.dtype)
    found[seen] = values[np.floor(rows[seen]).astype(int), np.floor(columns[seen]).astype(int)]
    return found


def near_border(values: NDArray[np.uint16], rows: Floats, columns: Floats, reach: float) -> NDArray[np.bool_]:
    """Where a step of `reach` texels in any direction finds another value."""
    here = look_up(values, rows, columns)
    steps = [(i, j) for i in (-reach, 0, reach) for j in (-reach, 0, reach)]
    return np.any([look_up(values, rows + i, columns + j) != here for i, j in steps], axis=0)
