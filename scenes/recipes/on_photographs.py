"""A recipe's scene for a photograph: its layers on the picture's rectangle, under its light, seen from above."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from scenes.camera.imaging import camera_above, pixel_footprint
from scenes.camera.light import AreaPanel, Light
from scenes.parts import build_part
from scenes.parts.photo import Photo
from scenes.pictures.errors import PictureError
from scenes.pictures.reading import Photograph
from scenes.quantities.random_stream import RandomStream
from scenes.recipes.recipe import Recipe
from scenes.recipes.sampling import draw, drawn_layers
from scenes.scene import Scene

LAMP_DISTANCE = 1000.0  # over the photograph's longer side, so that a lamp's light is parallel


@dataclass(frozen=True)
class Lamp:
    """One light from `azimuth`, counter-clockwise from the right of the picture, `elevation` above it; radians.

    ambient: share of all light that comes from everywhere else.
    """

    azimuth: float
    elevation: float
    ambient: float = 0.3


def draw_on(photo: Photograph, recipe: Recipe, seed: int, index: int, scale: float | None, lamp: Lamp | None) -> Scene:
    """The scene of a photograph under the layers of a recipe; the same arguments give the same scene, bit for bit.

    scale: metres per pixel; None where the photograph shows what the recipe's camera would see, from side to side.
    lamp: the photograph's light; None for that of the recipe. Finish and sensor are the recipe's.
    """
    scene = draw(recipe, seed, index)
    recipe = recipe.of_frame(seed, index)
    height, width = photo.pixels.shape[:2]
    if scale is None:
        scale = pixel_footprint(scene.camera, scene.camera.focus_distance) * scene.camera.width / width
    sheet = Photo(width=scale * width, height=scale * height, name=photo.name, sha256=photo.sha256)
    layers, _ = drawn_layers(recipe, build_part(sheet), RandomStream(seed, index))
    camera = camera_above(
        field_width=sheet.width,
        focal_length=scene.camera.focal_length,
        sensor_width=scene.camera.sensor_width,
        resolution=(width, height),
    )
    bits = 8 if photo.pixels.dtype == np.uint8 else 16
    sensor = scene.sensor.model_copy(update={"bits": bits, "monochrome": photo.pixels.ndim == 2})
    changes = {
        "surface": None,
        "view": 0,
        "side": "front",
        "part": sheet,
        "layers": layers,
        "charts": (),
        "texel_size": scale,
        "camera": camera,
        "sensor": sensor,
        "light": scene.light if lamp is None else _light_of(lamp, sheet),
    }
    return scene.model_copy(update=changes)


def _light_of(lamp: Lamp, sheet: Photo) -> Light:
    """A lamp as a panel so far away that its light is parallel; it and the ambient give the sheet 1 W/m²."""
    if not 0.0 < lamp.elevation <= math.pi / 2:
        raise PictureError(
            f"light: found an elevation of {math.degrees(lamp.elevation):g} degrees; expected above 0 and at most 90"
        )
    distance = LAMP_DISTANCE * max(sheet.width, sheet.height)
    flat, rise = math.cos(lamp.elevation), math.sin(lamp.elevation)
    towards = (flat * math.cos(lamp.azimuth), flat * math.sin(lamp.azimuth), rise)
    panel = AreaPanel(
        position=(distance * towards[0], distance * towards[1], distance * towards[2]),
        direction=(-towards[0], -towards[1], -towards[2]),
        along=(-math.sin(lamp.azimuth), math.cos(lamp.azimuth), 0.0),
        width=sheet.width,
        length=sheet.width,
        power=(1.0 - lamp.ambient) * math.pi * distance**2 / rise,
    )
    return Light(panels=(panel,), ambient=lamp.ambient / math.pi)
