"""The panel Preview."""

from __future__ import annotations

import bpy

from blender_addon.ui import icons, lines
from blender_addon.ui.preview import viewport
from blender_addon.ui.recipe.lists import class_bits
from blender_addon.ui.sidebar import SidebarPanel, labelled_prop, labelled_row, split_labels
from blender_addon.ui.words import say


class BLEMISH_PT_preview(SidebarPanel, bpy.types.Panel):
    bl_label = "Preview"
    bl_order = 2

    def draw_header(self, context: bpy.types.Context) -> None:
        self.layout.prop(context.scene.blemish.preview, "live", text="")

    def draw(self, context: bpy.types.Context) -> None:
        layout, settings = split_labels(self.layout), context.scene.blemish
        report = viewport.report_of(context.scene)
        if report.problem:
            box = layout.box()
            lines.draw(box, context, report.problem, icon="ERROR")
        elif report.note:
            lines.draw(layout.box(), context, report.note, icon="INFO")
        row = labelled_row(layout, "Frame")
        row.prop(settings, "frame", text="")
        row.operator("blemish.frame_step", text="", icon="TRIA_LEFT").step = -1
        row.operator("blemish.frame_step", text="", icon="TRIA_RIGHT").step = 1
        labelled_prop(layout, settings.preview, "size")
        if not settings.preview.live:
            layout.operator("blemish.preview_update", icon="FILE_REFRESH")
        if report.seconds and not report.problem and viewport.shown_object(context.scene) is not None:
            layout.label(text=say("Drawn in {seconds} s", seconds=f"{report.seconds:.2f}"), icon="TIME")


class BLEMISH_PT_overlay(SidebarPanel, bpy.types.Panel):
    bl_label = "Mask Overlay"
    bl_parent_id = "BLEMISH_PT_preview"

    def draw_header(self, context: bpy.types.Context) -> None:
        self.layout.prop(context.scene.blemish.preview, "overlay", text="")

    def draw(self, context: bpy.types.Context) -> None:
        layout, settings = split_labels(self.layout), context.scene.blemish
        layout.active = settings.preview.overlay
        labelled_prop(layout, settings.preview, "overlay_opacity", slider=True)
        counts = dict(viewport.report_of(context.scene).counts)
        column = layout.column(align=True)
        for name, bit in class_bits(settings).items():
            row = column.row()
            row.label(text=name.replace("_", " ").title(), icon_value=icons.swatch(bit))
            number = row.row()
            number.alignment = "RIGHT"
            number.label(text=str(counts.get(name, 0)))


CLASSES = (BLEMISH_PT_preview, BLEMISH_PT_overlay)

register, unregister = bpy.utils.register_classes_factory(CLASSES)
