"""From a drawn scene to the surface maps that Blender shows."""

from typing import assert_never

import numpy as np
from numpy.typing import NDArray

from procgen.cracks import Crack, simulate_minimum_energy_path
from procgen.layer import Layer, SurfaceMaps, compose
from scenes.atlas import Chart
from scenes.parts import build_part
from scenes.scene import CrackLayer, Scene, SceneLayer, WaterStainLayer
from scenes.sensor import quantised, transferred

DEFECT_TINT = np.array([1.0, 0.15, 0.1], dtype=np.float32)
IMPURITY_TINT = np.array([0.15, 0.4, 1.0], dtype=np.float32)


def surface_maps(scene: Scene) -> SurfaceMaps:
    """The maps of the inspected surface on its texel grid, row 0 at v = 0; a pure function of the scene."""
    surface = build_part(scene.part).surface
    layers = [simulated(layer, surface) for layer in scene.layers]
    return compose(surface.points(scene.texel_size), scene.finish, layers, scene.classes)


def simulated(layer: SceneLayer, surface: Chart) -> Layer:
    """The field over the surface that a drawn layer grows into."""
    match layer:
        case CrackLayer():
            rng = np.random.default_rng(layer.seed)
            path = simulate_minimum_energy_path(layer.parameters, layer.start, layer.end, rng)
            return Crack(path.embedded(surface.embed), layer.reflectance_change, layer.roughness_change)
        case WaterStainLayer():
            return layer.stains
        case _:
            assert_never(layer)


def preview_picture(maps: SurfaceMaps) -> NDArray[np.uint8]:
    """(rows, 2 columns, 3) uint8: the base colour as a screen shows it, beside it tinted where the masks are.

    Defects red, impurities blue, v upwards.
    """
    bare = transferred(maps.base_colour, "srgb")
    tinted = bare.copy()
    for mask, tint in ((maps.impurities, IMPURITY_TINT), (maps.defects, DEFECT_TINT)):
        tinted[mask > 0] = 0.5 * tinted[mask > 0] + 0.5 * tint
    return quantised(np.concatenate([bare, tinted], axis=1)[::-1], bits=8).astype(np.uint8, copy=False)
