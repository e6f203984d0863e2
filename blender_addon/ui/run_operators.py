"""Operators on what goes on beside Blender's window: pausing, going on, cancelling, dismissing."""

from __future__ import annotations

from typing import ClassVar

import bpy

from blender_addon.ui.progress import RENDER, at_work, finish, forget, redraw


class RunOperator:
    """Operators on the run of a slot."""

    bl_options: ClassVar[set[str]] = {"INTERNAL"}

    __annotations__ = {
        "slot": bpy.props.StringProperty(
            name="Run", description="Which of what goes on: render or learn", default=RENDER, options={"SKIP_SAVE"}
        )
    }

    def set_paused(self, paused: bool, otherwise: str) -> set[str]:
        """Pause or resume the run; warns with the sentence `otherwise` where there is none that can pause."""
        run = at_work(self.slot)  # type: ignore[attr-defined]
        if run is None or not run.can_pause:
            self.report({"WARNING"}, otherwise)  # type: ignore[attr-defined]
            return {"CANCELLED"}
        run.pause() if paused else run.resume()
        redraw()
        return {"FINISHED"}


class BLEMISH_OT_pause(RunOperator, bpy.types.Operator):
    bl_idname = "blemish.pause"
    bl_label = "Pause"
    bl_description = "Begin no further frame until you go on; the one at work is finished and kept"

    def execute(self, context: bpy.types.Context) -> set[str]:
        return self.set_paused(True, "Nothing is running that could be paused")


class BLEMISH_OT_go_on(RunOperator, bpy.types.Operator):
    bl_idname = "blemish.go_on"
    bl_label = "Go On"
    bl_description = "Go on with the next frame"

    def execute(self, context: bpy.types.Context) -> set[str]:
        return self.set_paused(False, "Nothing is paused")


class BLEMISH_OT_cancel(RunOperator, bpy.types.Operator):
    bl_idname = "blemish.cancel"
    bl_label = "Cancel"
    bl_description = "End it now. What is finished is kept, and it can be taken up again later"

    def execute(self, context: bpy.types.Context) -> set[str]:
        run = at_work(self.slot)
        if run is None:
            self.report({"WARNING"}, "Nothing is running that could be cancelled")
            return {"CANCELLED"}
        run.cancel()
        if bpy.app.background:
            finish(self.slot)
        return {"FINISHED"}


class BLEMISH_OT_dismiss(RunOperator, bpy.types.Operator):
    bl_idname = "blemish.dismiss"
    bl_label = "Dismiss"
    bl_description = "Show nothing more of what has ended"

    def execute(self, context: bpy.types.Context) -> set[str]:
        forget(self.slot)
        redraw()
        return {"FINISHED"}


CLASSES = (BLEMISH_OT_pause, BLEMISH_OT_go_on, BLEMISH_OT_cancel, BLEMISH_OT_dismiss)

register, unregister = bpy.utils.register_classes_factory(CLASSES)
