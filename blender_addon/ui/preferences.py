"""The add-on's preferences: where learning happens, where datasets go, and what renders."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import bpy

from blender_addon.ui import keys, lines, progress
from blender_addon.ui.learn.environment import PROBE
from blender_addon.ui.sidebar import split_labels
from blender_addon.workers.devices import AUTO, BACKENDS, CPU

if TYPE_CHECKING:
    from blender_addon.ui.learn.environment import Environment

DEVICES = (
    (CPU, "Processor", "Render on the processor, which every machine has; other machines give the same bytes"),
    (AUTO, "Fastest Found", "Render on the graphics cards if Cycles can use them, else on the processor"),
    *(
        (
            name,
            label,
            f"Render on graphics cards through {label}, one process a card; on the processor if there is none",
        )
        for name, label in zip(BACKENDS, ("OptiX", "CUDA", "HIP", "Metal", "oneAPI"), strict=True)
    ),
)


def _probe_anew(preferences: BlemishPreferences, context: bpy.types.Context) -> None:
    PROBE.forget()


class BlemishPreferences(bpy.types.AddonPreferences):
    """bl_idname: what Blender calls the add-on, which is known when it is registered."""

    bl_idname = "blender_addon"

    __annotations__ = {
        "python": bpy.props.StringProperty(
            name="Python Environment",
            subtype="DIR_PATH",
            description="Folder of the Python environment that holds Blemish with torch, for training and judging. "
            "Empty: that of the command blemish, where it is on PATH",
            update=_probe_anew,
        ),
        "source": bpy.props.StringProperty(
            name="Source",
            subtype="FILE_PATH",
            description="Blemish's repository, or a wheel built of it, from which the part that learns is installed. "
            "Empty: the repository that the add-on runs from",
        ),
        "folder": bpy.props.StringProperty(
            name="Output Folder",
            subtype="DIR_PATH",
            default=str(Path.home() / "blemish"),
            description="Folder in which datasets, inspectors and reports get folders of their own",
        ),
        "device": bpy.props.EnumProperty(
            name="Render Device", items=DEVICES, default=CPU, description="What Cycles renders datasets on"
        ),
    }

    def draw(self, context: bpy.types.Context) -> None:
        layout = split_labels(self.layout)
        layout.prop(self, "python")
        draw_environment(layout, context, PROBE.find(self.python), width=context.region.width)
        layout.prop(self, "source")
        layout.prop(self, "folder")
        layout.prop(self, "device")
        keys.draw(layout, context)


@dataclass(frozen=True)
class Preferences:
    """What the preferences say, or their defaults where Blender runs the panel without having it as an add-on."""

    python: str = ""
    folder: str = str(Path.home() / "blemish")
    device: str = CPU
    source: str = ""


def preferences_of(context: bpy.types.Context) -> Preferences:
    """The preferences as plain values, paths absolute."""
    addon = context.preferences.addons.get(BlemishPreferences.bl_idname)
    if addon is None or addon.preferences is None:
        return Preferences()
    found = addon.preferences
    given = (found.python, found.folder, found.source)
    python, folder, source = (bpy.path.abspath(path) if path else "" for path in given)
    return Preferences(python, folder or Preferences.folder, found.device, source)


def environment(context: bpy.types.Context) -> Environment | None:
    """The environment that learns, as far as it is known; None while that is being found out."""
    return PROBE.find(preferences_of(context).python)


def draw_environment(
    layout: bpy.types.UILayout, context: bpy.types.Context, found: Environment | None, width: int
) -> None:
    """A line on the environment's state, and below it the fix where something is amiss."""
    column = layout.column(align=True)
    if found is None:
        progress.watch(PROBE.is_running)
        column.label(text="Looking for the Python environment…", icon="TIME")
        return
    if found.ready:
        lines.draw(column, context, found.line, icon="CHECKMARK", width=width)
        return
    column.alert = True
    lines.draw(column, context, found.problem + ".", icon="ERROR", width=width)
    column = layout.column(align=True)
    lines.draw(column, context, found.fix + ".", icon="BLANK1", width=width)
    layout.operator("blemish.install_learning", icon="IMPORT")
    row = layout.row(align=True)
    row.operator("blemish.look_again", icon="FILE_REFRESH")
    if context.area.type != "PREFERENCES":
        row.operator("blemish.preferences", icon="PREFERENCES")


class BLEMISH_OT_look_again(bpy.types.Operator):
    bl_idname = "blemish.look_again"
    bl_label = "Look Again"
    bl_description = "Look for the Python environment again, after something was installed there"
    bl_options: ClassVar[set[str]] = {"INTERNAL"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        PROBE.forget()
        environment(context)
        progress.watch(PROBE.is_running)
        return {"FINISHED"}


class BLEMISH_OT_preferences(bpy.types.Operator):
    bl_idname = "blemish.preferences"
    bl_label = "Preferences"
    bl_description = "Open the add-on's preferences: the Python environment, the output folder and the render device"
    bl_options: ClassVar[set[str]] = {"INTERNAL"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        if BlemishPreferences.bl_idname not in context.preferences.addons:
            self.report({"WARNING"}, "Blemish was not enabled as an add-on, so it has no preferences")
            return {"CANCELLED"}
        bpy.ops.preferences.addon_show(module=BlemishPreferences.bl_idname)
        return {"FINISHED"}


CLASSES = (BLEMISH_OT_preferences, BLEMISH_OT_look_again, BlemishPreferences)


def register() -> None:
    for cls in CLASSES:
        bpy.utils.register_class(cls)


def unregister() -> None:
    PROBE.forget()
    for cls in reversed(CLASSES):
        bpy.utils.unregister_class(cls)
