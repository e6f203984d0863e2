"""From a drawn scene to the surface maps that Blender shows."""

import numpy as np
from numpy.typing import NDArray

from procgen.layer import SurfaceMaps, compose
from scenes.atlas import texture
from scenes.parts import build_part
from scenes.scene import Scene
from scenes.sensor import quantised, transferred

DEFECT_TINT = np.array([1.0, 0.15, 0.1], dtype=np.float32)
IMPURITY_TINT = np.array([0.15, 0.4, 1.0], dtype=np.float32)


def surface_maps(scene: Scene) -> SurfaceMaps:
    """The maps of the inspected surface on the texels of its atlas, row 0 at v = 0; a pure function of the scene."""
    part = build_part(scene.part)
    layers = [layer.grown(part.charts[chart]) for layer, chart in scene.placed_layers()]
    packed = texture(part, scene.texel_size)
    return packed.pasted(compose(packed.points, part.coated(scene.finish), layers, scene.classes))


def preview_picture(maps: SurfaceMaps) -> NDArray[np.uint8]:
    """(rows, 2 columns, 3) uint8: the base colour as a screen shows it, beside it tinted where the masks are.

    Defects red, impurities blue, v upwards.
    """
    bare = transferred(maps.base_colour, "srgb")
    tinted = bare.copy()
    for mask, tint in ((maps.impurities, IMPURITY_TINT), (maps.defects, DEFECT_TINT)):
        tinted[mask > 0] = 0.5 * tinted[mask > 0] + 0.5 * tint
    return quantised(np.concatenate([bare, tinted], axis=1)[::-1], bits=8).astype(np.uint8, copy=False)
