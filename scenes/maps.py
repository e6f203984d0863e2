"""From a drawn scene to the surface maps that Blender shows."""

from typing import assert_never

from procgen.layer import Layer, SurfaceMaps, compose
from scenes.atlas import Chart
from scenes.parts import build_part
from scenes.scene import Scene, SceneLayer, WaterStainLayer


def surface_maps(scene: Scene) -> SurfaceMaps:
    """The maps of the inspected surface on its texel grid, row 0 at v = 0; a pure function of the scene."""
    surface = build_part(scene.part).surface
    layers = [simulated(layer, surface) for layer in scene.layers]
    return compose(surface.points(scene.texel_size), scene.finish, layers, scene.classes)


def simulated(layer: SceneLayer, surface: Chart) -> Layer:
    """The field over the surface that a drawn layer grows into."""
    match layer:
        case WaterStainLayer():
            return layer.stains
        case _:
            assert_never(layer)
