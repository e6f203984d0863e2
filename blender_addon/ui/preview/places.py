"""Where the part stands in the user's scene: a made one where nothing hides it, an own mesh where the user's object is.

Both places are kept while the other is shown.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import bpy
from mathutils import Matrix, Vector

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

OWN_MESH = "mesh"  # the kind of part that is a mesh of the user's
SORT, OTHER_PLACE = "blemish_sort", "blemish_other_place"  # custom properties of the part's object
SEEN_THROUGH = ("WIRE", "BOUNDS")  # ways to display what hides nothing
MOST_STORIES = 100

Box = tuple[Vector, Vector]  # its least and its greatest corner


def begin(blender_scene: bpy.types.Scene, part: bpy.types.Object, kind: str) -> None:
    """Put a new part at the 3D cursor in its own size, on top of what would enclose it there."""
    part[SORT] = _sort(kind)
    place(blender_scene, part)


def change(blender_scene: bpy.types.Scene, part: bpy.types.Object, kind: str) -> None:
    """Put a part that is now of this kind where the one of its sort was before."""
    before, now = part.get(SORT), _sort(kind)
    if before == now:
        return
    kept = list(part.get(OTHER_PLACE, ()))
    part[SORT] = now
    part[OTHER_PLACE] = [number for row in part.matrix_basis for number in row]
    if kept:
        part.matrix_basis = Matrix([kept[row : row + 4] for row in range(0, 16, 4)])
    elif now != OWN_MESH:
        place(blender_scene, part)


def place(blender_scene: bpy.types.Scene, part: bpy.types.Object) -> None:
    """Put the part at the 3D cursor in its own size, on top of what would enclose it there."""
    size = 1 / blender_scene.unit_settings.scale_length
    pose = Matrix.Translation(blender_scene.cursor.location) @ Matrix.Scale(size, 4)
    low, high = _box(pose @ Vector(corner) for corner in part.bound_box)
    others = list(_boxes(blender_scene, part))
    rise = Vector()
    for _ in range(MOST_STORIES):
        hiding = [box for box in others if _overlap((low + rise, high + rise), box)]
        if not hiding:
            break
        rise.z = max(top.z for _, top in hiding) - low.z
    part.matrix_basis = Matrix.Translation(rise) @ pose


def place_over(part: bpy.types.Object, vertices: NDArray[np.float64], metres: float) -> None:
    """Put a part, which has its origin over its middle, where its mesh is.

    vertices: (V, 3) in Blender's unit, as the mesh lies in the world; metres: of that unit.
    """
    low, high = vertices.min(axis=0), vertices.max(axis=0)
    middle = Vector(((low[0] + high[0]) / 2, (low[1] + high[1]) / 2, high[2]))
    part.matrix_world = Matrix.Translation(middle) @ Matrix.Scale(1 / metres, 4)


def _sort(kind: str) -> str:
    return OWN_MESH if kind == OWN_MESH else "made"


def _boxes(blender_scene: bpy.types.Scene, part: bpy.types.Object) -> Iterator[Box]:
    """Those of the objects that can be seen, in the world."""
    from blender_addon.rendering.mesh_export import SOLID

    layer = bpy.context.view_layer if bpy.context.scene == blender_scene else blender_scene.view_layers[0]
    layer.update()
    for thing in layer.objects:
        hides = thing.type in SOLID and thing.display_type not in SEEN_THROUGH and thing.visible_get(view_layer=layer)
        if hides and thing != part:
            yield _box(thing.matrix_world @ Vector(corner) for corner in thing.bound_box)


def _box(corners: Iterable[Vector]) -> Box:
    axes = list(zip(*corners, strict=True))
    return Vector(map(min, axes)), Vector(map(max, axes))


def _overlap(one: Box, other: Box) -> bool:
    return all(max(one[0][axis], other[0][axis]) < min(one[1][axis], other[1][axis]) for axis in range(3))
