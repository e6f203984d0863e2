"""Operators of the panel Imaging."""

from __future__ import annotations

from typing import Any, ClassVar

import bpy

from blender_addon.ui.preview import viewport as preview
from blender_addon.ui.preview.operators import NeedsPart
from blender_addon.ui.recipe import properties, quantities

ROOM = 0.02  # share of the part's width left free at either side


class BLEMISH_OT_look_through(NeedsPart, bpy.types.Operator):
    """Put the recipe's camera and ring light into the scene and look through the camera, as the frame is taken"""

    bl_idname = "blemish.look_through"
    bl_label = "Look Through Camera"
    bl_options: ClassVar = {"REGISTER", "UNDO"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        with properties.quiet():
            context.scene.blemish.preview.stage = True
        report = preview.update(context.scene)
        if report.problem:
            self.report({"ERROR"}, report.problem)
            return {"CANCELLED"}
        space: Any = context.space_data
        if isinstance(space, bpy.types.SpaceView3D) and space.region_3d is not None:
            space.region_3d.view_perspective = "CAMERA"
        return {"FINISHED"}


class BLEMISH_OT_frame_part(NeedsPart, bpy.types.Operator):
    """Choose the margin so that all of the part is in the picture"""

    bl_idname = "blemish.frame_part"
    bl_label = "Frame Part"
    bl_options: ClassVar = {"REGISTER", "UNDO"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        from procgen.errors import BlemishError
        from scenes import build_part

        settings = context.scene.blemish
        try:
            shape = preview.drawn(settings).part
            vertices = build_part(shape).mesh.vertices
        except (BlemishError, ValueError) as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        camera = settings.camera
        aspect = camera.resolution_x / camera.resolution_y
        width, height, _ = (vertices.max(axis=0) - vertices.min(axis=0)).tolist()
        framed = max(shape.framed_width, shape.framed_height * aspect)
        margin = (max(width, height * aspect) * (1 + 2 * ROOM) / framed - 1) / 2
        with properties.quiet():
            camera.use_working_distance_mm = False
            camera.margin_form, camera.margin = quantities.FIXED, round(margin, 3)
        properties.changed()
        return {"FINISHED"}


CLASSES = (BLEMISH_OT_look_through, BLEMISH_OT_frame_part)

register, unregister = bpy.utils.register_classes_factory(CLASSES)
