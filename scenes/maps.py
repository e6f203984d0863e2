"""From a drawn scene to the surface maps that Blender shows."""

import math
from collections.abc import Hashable
from copy import copy
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from procgen.surface.layer import Family, Layer, LayerSample, SurfaceMaps, SurfacePoints, compose, evaluated, stack
from scenes.cache import SceneCache
from scenes.camera.transfer import quantised, transferred
from scenes.geometry.atlas import Part, texture
from scenes.parts import build_part
from scenes.scene import Scene

DEFECT_TINT = np.array([1.0, 0.15, 0.1], dtype=np.float32)
MOST_PREVIEWED = 4_000_000  # texels; they take about a gigabyte
OF_THE_SURFACE = ("part", "finish", "layers", "charts", "classes", "texel_size")  # what maps follow from
IMPURITY_TINT = np.array([0.15, 0.4, 1.0], dtype=np.float32)


def surface_maps(scene: Scene, cache: SceneCache | None = None) -> SurfaceMaps:
    """The maps of the inspected surface on the texels of its atlas, row 0 at v = 0; a pure function of the scene.

    cache: of scenes that differ little, for the time's sake alone: finish and layers that it knows are not evaluated.
    """
    part = build_part(scene.part)
    packed = texture(part, scene.texel_size)
    if cache is None:
        layers = [layer.to_layer(part.charts[chart]) for layer, chart in scene.placed_layers()]
        return packed.pasted(compose(packed.points, part.coated(scene.finish), layers, scene.classes))
    cache.invalidate_if_changed((scene.part, scene.texel_size))
    bare = cache.get_or_compute(scene.finish, lambda: evaluated(part.coated(scene.finish), packed.points))
    own = replace(
        bare, base_colour=copy(bare.base_colour), roughness=copy(bare.roughness), metallic=copy(bare.metallic)
    )
    known = [_known(cache, part, packed.points, layer, chart) for layer, chart in scene.placed_layers()]
    return packed.pasted(stack(packed.points, own, known, scene.classes))


class LatestSurface:
    """The maps of the surface that was asked for last, which its other views have in common."""

    def __init__(self) -> None:
        self._scene: Scene | None = None
        self._maps: SurfaceMaps | None = None

    def maps(self, scene: Scene) -> SurfaceMaps:
        """Those of `surface_maps`, made anew only where the scene shows another surface."""
        if self._maps is None or any(getattr(self._scene, name) != getattr(scene, name) for name in OF_THE_SURFACE):
            self._maps = None  # there may not be room for two
            self._maps, self._scene = surface_maps(scene), scene
        return self._maps


@dataclass(frozen=True, eq=False)
class KnownLayer:
    """A layer that has been evaluated at all the points that it will be asked for."""

    family: Family
    class_name: str
    sample: LayerSample

    def evaluate(self, points: SurfacePoints | ArrayLike) -> LayerSample:
        return self.sample


def _known(cache: SceneCache, part: Part, points: SurfacePoints, layer: Any, chart: int) -> KnownLayer:
    def evaluate() -> KnownLayer:
        grown: Layer = layer.to_layer(part.charts[chart])
        return KnownLayer(grown.family, grown.class_name, grown.evaluate(points))

    key: Hashable = (layer, chart)
    return cache.get_or_compute(key, evaluate)


def for_preview(scene: Scene) -> Scene:
    """The scene, its texels made coarser where the surface would have more than MOST_PREVIEWED of them."""
    area = sum(width * height for width, height in (chart.size for chart in build_part(scene.part).charts))
    coarsest = math.sqrt(area / MOST_PREVIEWED)
    return scene if scene.texel_size >= coarsest else scene.model_copy(update={"texel_size": coarsest})


def preview_picture(maps: SurfaceMaps) -> NDArray[np.uint8]:
    """(rows, 2 columns, 3) uint8: the base colour as a screen shows it, beside it tinted where the masks are.

    Defects red, impurities blue, v upwards.
    """
    bare = transferred(maps.base_colour, "srgb")
    tinted = bare.copy()
    for mask, tint in ((maps.impurities, IMPURITY_TINT), (maps.defects, DEFECT_TINT)):
        tinted[mask > 0] = 0.5 * tinted[mask > 0] + 0.5 * tint
    return quantised(np.concatenate([bare, tinted], axis=1)[::-1], bits=8).astype(np.uint8, copy=False)
