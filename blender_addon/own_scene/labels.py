"""The exact pass of a user's scene: a linked copy of it in which all that is not inspected merely stands in the way."""

from collections.abc import Sequence
from dataclasses import dataclass

import bpy
import numpy as np
from numpy.typing import NDArray

from blender_addon.own_scene.cameras import View
from blender_addon.rendering.label_refinement import DOUBT, refine_labels
from blender_addon.rendering.material import PLACE
from blender_addon.rendering.passes import Channels, labels_in, pass_in
from blender_addon.rendering.stage import settle_exact
from scenes.geometry.atlas import Floats, Mesh

Labels = NDArray[np.uint16]
ROUNDING = 16 * float(np.finfo(np.float32).eps)  # of the coordinates by which Cycles meets a surface


@dataclass(frozen=True, eq=False)
class Marked:
    """An inspected object for the exact pass.

    maps: (rows, columns, 3) class bits, defect and impurity ids of its texture. mesh: where it stands, in units of the
    scene. uvs: (F, 4, 2). texel: size of a texel in these units.
    """

    maps: Labels
    mesh: Mesh
    uvs: Floats
    texel: float


def exact_copy(scene: bpy.types.Scene, layer: bpy.types.ViewLayer) -> bpy.types.Scene:
    """A linked copy of a scene for its labels: the same objects, a camera of its own, and no light."""
    exact = scene.copy()
    exact.name = "exact"
    for other in [other for other in exact.view_layers if other.name != layer.name]:
        exact.view_layers.remove(other)
    only = exact.view_layers[0]
    only.use, only.name, only.material_override = True, "exact", None
    for setting in dir(only):
        if setting.startswith("use_pass_") and getattr(only, setting) is True:
            setattr(only, setting, False)
    while only.aovs:
        only.aovs.remove(only.aovs[0])
    exact.world = None
    exact.render.film_transparent = exact.render.use_motion_blur = exact.render.use_compositing = False
    exact.cycles.device = "CPU"
    settle_exact(exact)
    exact.camera = bpy.data.objects.new("exact camera", bpy.data.cameras.new("exact camera"))
    exact.collection.objects.link(exact.camera)
    return exact


def look_through(exact: bpy.types.Scene, camera: bpy.types.Object) -> None:
    """Have the exact scene see what a camera sees, sharply."""
    own, before = exact.camera, exact.camera.data
    evaluated = camera.evaluated_get(bpy.context.evaluated_depsgraph_get())
    own.data = evaluated.data.original.copy()
    own.data.animation_data_clear()
    own.data.lens, own.data.ortho_scale = evaluated.data.lens, evaluated.data.ortho_scale
    own.data.shift_x, own.data.shift_y = evaluated.data.shift_x, evaluated.data.shift_y
    own.data.dof.use_dof = False
    own.matrix_world = evaluated.matrix_world
    bpy.data.cameras.remove(before)


def labels_of(channels: Channels, view: View, marked: Sequence[Marked | None]) -> Labels:
    """(H, W, 3) class bits, defect and impurity ids at pixel centres, of what the exact scene has rendered.

    marked: the inspected objects in order of their numbers, from 1; None for what is hidden. Row 0 is at the top.
    Raises BlemishError where the pass holds anything but whole numbers.
    """
    labels, seen_uv = labels_in(channels)
    objects = numbers_in(channels)
    for number, thing in enumerate(marked, start=1):
        here = objects == number
        if thing is None or not here.any():
            continue
        scale = max(np.abs(thing.mesh.vertices).max(), np.abs(view.position).max())
        doubt = max(DOUBT, ROUNDING * scale / thing.texel)
        of_thing = np.where(here[..., np.newaxis], seen_uv, -1.0)
        labels = refine_labels(labels, of_thing, thing.maps, thing.mesh, thing.uvs, view.ray, doubt)
    return labels


def numbers_in(channels: Channels) -> NDArray[np.uint16]:
    """(H, W) numbers of the inspected objects at pixel centres, 0 where there is none."""
    return pass_in(channels, PLACE, "RGB")[..., 2].astype(np.uint16)
