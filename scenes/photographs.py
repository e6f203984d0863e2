"""Defects and impurities on photographs of good surfaces: `blemish synthesize`.

The layers of a recipe are drawn on the photograph's rectangle and change its pixels; see `procgen.surface.photo`. The
result is a dataset like any other, whose frames have the part `photo`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from procgen.surface.layer import Instance, SurfacePoints
from procgen.surface.photo import BareSurface, PhotoLight, photo_points, synthesize
from scenes.camera.imaging import camera_above, pixel_footprint
from scenes.camera.sensor import linearised, quantised, transferred
from scenes.datasets.reader import Dataset
from scenes.datasets.writer import DatasetWriter
from scenes.parts import build_part
from scenes.parts.photo import Photo
from scenes.pictures.errors import PictureError
from scenes.pictures.reading import Photograph, Pixels, ReadingOptions, read_photograph, with_white_level
from scenes.quantities.random_stream import RandomStream
from scenes.recipes.recipe import Recipe
from scenes.recipes.sampling import draw, drawn_layers
from scenes.scene import AreaPanel, Light, Scene

FINISH_SAMPLES = 24  # along either side, from which the base colour and roughness of the recipe's finish are taken
LAMP_DISTANCE = 1000.0  # over the photograph's longer side, so that a lamp's light is parallel
FULL_SCALE = 65535  # white of 16 bits
GLOSS = 0.2  # share of the picture that is mirrored in the surface, where nobody says otherwise


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
        "part": sheet,
        "layers": layers,
        "charts": (),
        "texel_size": scale,
        "camera": camera,
        "sensor": sensor,
        "light": scene.light if lamp is None else _light_of(lamp, sheet),
    }
    return scene.model_copy(update=changes)


def frame_of(
    photo: Photograph, scene: Scene, gloss: float = GLOSS
) -> tuple[Pixels, NDArray[np.uint16], tuple[Instance, ...]]:
    """Lay a scene's layers on its photograph.

    Returns the picture like the photograph's pixels, (3, H, W) class bits, defect and impurity ids, and the instances.
    """
    part = build_part(scene.part)
    layers = [layer.to_layer(part.charts[chart]) for layer, chart in scene.placed_layers()]
    most = np.iinfo(photo.pixels.dtype).max
    linear = linearised(photo.pixels / most, scene.sensor.transfer)
    result = synthesize(
        linear,
        scene.texel_size,
        layers,
        scene.classes,
        bare_surface(scene, photo_points((FINISH_SAMPLES, FINISH_SAMPLES), scene.part.framed_width / FINISH_SAMPLES)),
        photo_light(scene.light, gloss),
        scene.sensor.blur,
    )
    pixels = photo.pixels.copy()
    stored = transferred(np.clip(result.linear[result.changed], 0.0, 1.0).astype(np.float32), scene.sensor.transfer)
    pixels[result.changed] = quantised(stored, scene.sensor.bits)
    maps = result.maps
    return pixels, np.stack([maps.classes, maps.defects, maps.impurities])[:, ::-1], maps.instances


def bare_surface(scene: Scene, points: SurfacePoints) -> BareSurface:
    """The median colour and roughness of a scene's finish over some points."""
    sample = scene.finish.evaluate(points)
    red, green, blue = (float(channel) for channel in np.median(sample.base_colour, axis=0))
    return BareSurface((red, green, blue), float(np.median(sample.roughness)))


def photo_light(light: Light, gloss: float) -> PhotoLight:
    """What a scene's light gives the middle of the picture. Raises PictureError where no panel shines on it."""
    directions, weights = [], []
    for panel in light.panels:
        position = np.array(panel.position)
        distance = float(np.linalg.norm(position))
        towards = position / distance
        emitted = -float(towards @ np.array(panel.direction))
        if emitted > 0.0 and towards[2] > 0.0 and panel.power > 0.0:
            directions.append((float(towards[0]), float(towards[1]), float(towards[2])))
            weights.append(panel.power * emitted * float(towards[2]) / (math.pi * distance**2))  # Lambert's panel
    if not weights:
        raise PictureError("the recipe's light does not reach the middle of the picture; give a light direction")
    ambient = math.pi * light.ambient
    return PhotoLight(tuple(directions), tuple(weights), ambient / (ambient + sum(weights)), gloss)


def synthesize_dataset(
    photographs: Sequence[Path],
    recipe: Recipe,
    out: Path,
    count: int = 1,
    seed: int = 0,
    *,
    scale: float | None = None,
    lamp: Lamp | None = None,
    gloss: float = GLOSS,
    options: ReadingOptions = ReadingOptions(),
    on_frame: Callable[[int], None] = lambda index: None,
) -> Dataset:
    """Write a dataset of `count` frames of every photograph, those of one photograph after each other.

    Frames that the folder already holds are kept. scale: metres per pixel. See `draw_on` for scale and lamp.
    options: of reading the photographs.
    Raises PictureError and DatasetError.
    """
    options = with_white_level(photographs, options, "the photographs")
    read = [read_photograph(path, options) for path in photographs]  # before anything is written
    sources = [(photo.name, photo.sha256) for photo in read]
    settings: dict[str, Any] = {
        "photos": [{"name": name, "sha256": sha256} for name, sha256 in sources],
        "frames_per_photo": count,
        "metres_per_pixel": scale,
        "lamp": None if lamp is None else [lamp.azimuth, lamp.elevation, lamp.ambient],
        "gloss": gloss,
    }
    if options.white_level not in (None, FULL_SCALE):
        settings["white_level"] = options.white_level
    writer = DatasetWriter(out, recipe, seed, count * len(sources), **settings)
    kept: Photograph | None = None
    for index in writer.missing():
        path, (name, sha256) = photographs[index // count], sources[index // count]
        if kept is None or (kept.name, kept.sha256) != (name, sha256):
            kept = read_photograph(path, options)
        scene = draw_on(kept, recipe, seed, index, scale, lamp)
        image, (classes, defects, impurities), instances = frame_of(kept, scene, gloss)
        writer.write(index, image, classes, defects, impurities, scene, instances)
        on_frame(index)
    writer.finish()
    return Dataset(out)


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
