"""Operators of the panel Preview."""

from __future__ import annotations

from typing import ClassVar

import bpy

from blender_addon.ui.preview import viewport as preview


class NeedsPart:
    """Operators on the part that is in the scene."""

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if preview.shown_object(context.scene) is None:
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
        report = preview.update(context.scene)
        if report.problem:
            self.report({"ERROR"}, report.problem)
            return {"CANCELLED"}
        return {"FINISHED"}


class BLEMISH_OT_frame_step(bpy.types.Operator):
    """Show the next or the last frame of the dataset"""

    bl_idname = "blemish.frame_step"
    bl_label = "Step Frame"
    bl_options: ClassVar = {"REGISTER", "UNDO"}

    __annotations__ = {"step": bpy.props.IntProperty(name="Step", default=1)}

    def execute(self, context: bpy.types.Context) -> set[str]:
        settings = context.scene.blemish
        settings.frame = max(0, settings.frame + self.step)
        return {"FINISHED"}


CLASSES = (BLEMISH_OT_preview_update, BLEMISH_OT_frame_step)

register, unregister = bpy.utils.register_classes_factory(CLASSES)
