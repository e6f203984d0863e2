"""A world without Blender in which what a recipe says of grain, streaks, exposure and blur is seen as in a render.

The surface is noise of the sizes and contrasts of the finish, evenly lit; the sensor is the product's own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import gaussian_filter

from scenes import Recipe, draw, load_recipe
from scenes.calibration.measuring import Shot, Take, developed
from scenes.quantities.distribution import Constant, LogUniform, Uniform
from scenes.recipes.paths import replaced

SIDE = 96
RADIANCE = 8.0
MARKS = {
    "finish.streaks": (0.03, 0.6),
    "finish.mottle": (0.03, 0.6),
    "finish.pit_depth_um": (1.0, 100.0),  # of which this world shows nothing
    "sensor.exposure": (0.01, 0.2),
    "sensor.blur_px": (0.2, 2.0),
}


OWN = {
    "finish.grain": Uniform(0.19, 0.3),
    "finish.mottle": Uniform(0.2, 0.45),
    "sensor.exposure": LogUniform(0.052, 0.105),
    "sensor.vignetting": Uniform(0.2, 0.55),
}


def recipe(**update: object) -> Recipe:
    """A small tile with few free quantities, whose own do not change with the shipped one's."""
    tile = replaced(load_recipe("magnetic_tile"), OWN)
    camera = tile.camera.model_copy(update={"resolution": (SIDE, SIDE)})
    sensor = tile.sensor.model_copy(update={"full_well_electrons": 25000.0, "read_noise_electrons": Constant(6.0)})
    own = {"camera": camera, "sensor": sensor, "impurities": (), "lots": (), "calibrate": MARKS}
    return tile.model_copy(update=own | update)


def radiance(shot: Shot) -> NDArray[np.float32]:
    scene = draw(shot.recipe, shot.seed, shot.index)
    finish, camera = scene.finish, scene.camera
    pixel = camera.focus_distance * camera.sensor_width / camera.focal_length / camera.width
    rng = np.random.default_rng([shot.seed, shot.index])

    def structure(down: float, right: float) -> NDArray[np.float64]:
        found = gaussian_filter(rng.standard_normal((SIDE, SIDE)), (down / pixel, right / pixel), mode="wrap")
        return found / found.std()

    relief = finish.streaks * structure(finish.correlation_along / 2, finish.correlation_across / 2)
    relief += finish.mottle * structure(finish.mottle_size / 3, finish.mottle_size / 3)
    relief += finish.grain * structure(finish.grain_size / 3, finish.grain_size / 3)
    return np.repeat((RADIANCE * np.exp(relief))[..., None], 3, axis=2).astype(np.float32)


@dataclass
class World:
    """Renders shots; asked: how many it was asked for. stops_after: raises KeyboardInterrupt then."""

    asked: int = 0
    stops_after: int | None = None
    names: list[str] = field(default_factory=list)

    def __call__(self, shots: Sequence[Shot], take: Take) -> None:
        for position, shot in enumerate(shots):
            if self.asked == self.stops_after:
                raise KeyboardInterrupt
            self.asked += 1
            take(position, radiance(shot))


def photograph(recipe: Recipe, folder: Path, count: int, seed: int = 99) -> Path:
    """Write pictures of a recipe as photographs of as many surfaces."""
    folder.mkdir(exist_ok=True)
    for index in range(count):
        shot = Shot(recipe, seed, index)
        picture = developed(radiance(shot), shot.sensor()[0], recipe.camera.resolution)
        Image.fromarray(picture).save(folder / f"{index:03d}.png")
    return folder
