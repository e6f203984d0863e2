"""The layers of a scene on the pixels of its photograph; see `procgen.surface.photo`."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from procgen.surface.layer import Instance, SurfacePoints
from procgen.surface.photo import BareSurface, PhotoLight, PhotoResult, photo_points, synthesize
from scenes.camera.light import Light
from scenes.camera.transfer import linearised, quantised, transferred
from scenes.parts import build_part
from scenes.pictures.errors import PictureError
from scenes.pictures.reading import Pixels
from scenes.scene import Scene

FINISH_SAMPLES = 24  # along either side, from which the base colour and roughness of the recipe's finish are taken


@dataclass(frozen=True, eq=False)
class Painted:
    """A photograph with a scene's layers: pixels like its own, and the masks (H, W) and instances of what is on it."""

    pixels: Pixels
    classes: NDArray[np.uint16]
    defects: NDArray[np.uint16]
    impurities: NDArray[np.uint16]
    instances: tuple[Instance, ...]


def painted(photograph: Pixels, scene: Scene, gloss: float | None, points: int = 1) -> Painted:
    """Lay a scene's layers on the pixels (H, W[, 3]) of its photograph.

    gloss: share of the picture that is mirrored; None: what the finish mirrors. points: along a side of every pixel.
    """
    most = np.iinfo(photograph.dtype).max
    linear = linearised(photograph / most, scene.sensor.transfer)
    result = laid(linear, scene, scene.texel_size, scene.part.framed_width / FINISH_SAMPLES, gloss, points)
    pixels = photograph.copy()
    stored = transferred(np.clip(result.linear[result.changed], 0.0, 1.0).astype(np.float32), scene.sensor.transfer)
    pixels[result.changed] = quantised(stored, scene.sensor.bits)
    classes, defects, impurities = result.masks()
    return Painted(pixels, classes, defects, impurities, result.maps.instances)


def laid(
    linear: NDArray[np.float64], scene: Scene, scale: float, apart: float, gloss: float | None, points: int
) -> PhotoResult:
    """Lay a scene's layers on a picture of its bare surface; see `synthesize`. apart: metres between the points that
    tell its finish.
    """
    part = build_part(scene.part)
    layers = [layer.to_layer(part.charts[chart]) for layer, chart in scene.placed_layers()]
    bare = bare_surface(scene, photo_points((FINISH_SAMPLES, FINISH_SAMPLES), apart))
    light = photo_light(scene.light, gloss)
    return synthesize(linear, scale, layers, scene.classes, bare, light, scene.sensor.blur, points)


def bare_surface(scene: Scene, points: SurfacePoints) -> BareSurface:
    """The median colour, roughness and metallic of a scene's finish over some points."""
    sample = scene.finish.evaluate(points)
    red, green, blue = (float(channel) for channel in np.median(sample.base_colour, axis=0))
    return BareSurface((red, green, blue), float(np.median(sample.roughness)), float(np.median(sample.metallic)))


def photo_light(light: Light, gloss: float | None) -> PhotoLight:
    """What a scene's light gives the middle of the picture; a dome is as much from everywhere as it gives there.

    Raises PictureError where nothing shines on it, as where the light is behind the part.
    """
    directions, weights, angles = [], [], []
    for panel in light.panels:
        position = np.array(panel.position)
        distance = float(np.linalg.norm(position))
        towards = position / distance
        emitted = -float(towards @ np.array(panel.direction))
        if emitted > 0.0 and towards[2] > 0.0 and panel.power > 0.0:
            directions.append((float(towards[0]), float(towards[1]), float(towards[2])))
            weights.append(panel.power * emitted * float(towards[2]) / (math.pi * distance**2))  # Lambert's panel
            angles.append(panel.width * panel.length * emitted / distance**2)
    # All that a dome sends down, but for what its opening would; a cap of one as much as it covers of the sky.
    from_domes = sum(dome.radiance * (math.cos(dome.hole) ** 2 - math.cos(dome.rim) ** 2) for dome in light.domes)
    ambient = math.pi * (light.ambient + from_domes)
    if not weights and not (light.domes and ambient > 0.0):
        raise PictureError("the recipe's light does not reach the middle of the picture; give a light direction")
    return PhotoLight(
        tuple(directions), tuple(weights), ambient / (ambient + sum(weights)), gloss, solid_angles=tuple(angles)
    )
