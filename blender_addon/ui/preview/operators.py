"""Operators of the panels Preview and Imaging."""

from __future__ import annotations

from typing import Any, ClassVar

import bpy

from blender_addon.ui import changes
from blender_addon.ui.preview import viewport
from blender_addon.ui.preview.stage import take_over
from blender_addon.ui.recipe import quantities

ROOM = 0.02  # share of the part's width left free at either side


class NeedsPart:
    """Operators on the part that is in the scene."""

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if viewport.shown_object(context.scene) is None:
            advice = "add one with Add ▸ Mesh ▸ Inspected Part"
            cls.poll_message_set(f"There is no inspected part in this scene; {advice}")  # type: ignore[attr-defined]
            return False
        return True


class BLEMISH_OT_preview_update(NeedsPart, bpy.types.Operator):
    """Draw the preview anew"""

    bl_idname = "blemish.preview_update"
    bl_label = "Update Preview"
    bl_options: ClassVar = {"REGISTER"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        report = viewport.update(context.scene)
        if report.problem:
            self.report({"ERROR"}, report.problem)
            return {"CANCELLED"}
        return {"FINISHED"}


class BLEMISH_OT_frame_step(bpy.types.Operator):
    """Show the next or the last frame of the dataset"""

    bl_idname = "blemish.frame_step"
    bl_label = "Step Frame"
    bl_options: ClassVar = {"REGISTER", "UNDO"}

    __annotations__ = {"step": bpy.props.IntProperty(name="Step", description="How many frames further", default=1)}

    def execute(self, context: bpy.types.Context) -> set[str]:
        settings = context.scene.blemish
        settings.frame = max(0, settings.frame + self.step)
        return {"FINISHED"}


class BLEMISH_OT_look_through(NeedsPart, bpy.types.Operator):
    """Put the recipe's camera and light into the scene and look through the camera, as the frame is taken"""

    bl_idname = "blemish.look_through"
    bl_label = "Look Through Camera"
    bl_options: ClassVar = {"REGISTER", "UNDO"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        preview = context.scene.blemish.preview
        with changes.quiet():
            if any(preview.resolution_set):
                take_over(context.scene)
            preview.stage = True
        report = viewport.update(context.scene)
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
            shape = viewport.sample_scene(settings).part
            vertices = build_part(shape).mesh.vertices
        except (BlemishError, ValueError) as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        camera = settings.camera
        aspect = camera.resolution_x / camera.resolution_y
        width, height, _ = (vertices.max(axis=0) - vertices.min(axis=0)).tolist()
        framed = max(shape.framed_width, shape.framed_height * aspect)
        margin = (max(width, height * aspect) * (1 + 2 * ROOM) / framed - 1) / 2
        with changes.quiet():
            camera.use_working_distance_mm = False
            camera.margin_form, camera.margin = quantities.FIXED, round(margin, 3)
        changes.changed()
        return {"FINISHED"}


CLASSES = (BLEMISH_OT_preview_update, BLEMISH_OT_frame_step, BLEMISH_OT_look_through, BLEMISH_OT_frame_part)

register, unregister = bpy.utils.register_classes_factory(CLASSES)
