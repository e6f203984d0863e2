"""The panels Part, Surface, Imaging and Recipe, and the menu of what the tab does."""

from __future__ import annotations

from typing import Any, ClassVar

import bpy

from blender_addon.ui import lines, schema
from blender_addon.ui.preview import viewport
from blender_addon.ui.recipe import exchange, rows, sizes
from blender_addon.ui.recipe.operators.layers import active_layer
from blender_addon.ui.recipe.operators.part import BLEMISH_OT_part_from_active
from blender_addon.ui.recipe.operators.placement import has_placement, section_group
from blender_addon.ui.sidebar import SidebarPanel, labelled_prop, labelled_row, split_labels
from blender_addon.ui.words import say

LIST_ROWS = 5


class BLEMISH_PT_part(SidebarPanel, bpy.types.Panel):
    bl_label = "Part"
    bl_order = 0

    def draw(self, context: bpy.types.Context) -> None:
        layout, settings = split_labels(self.layout), context.scene.blemish
        part = settings.part
        if part.kind != "mesh" and viewport.shown_object(context.scene) is None:
            column = layout.column()
            column.scale_y = 1.4
            column.operator("mesh.blemish_part_add", text="Add Inspected Part", icon="ADD").kind = part.kind
            layout.separator()
        labelled_prop(layout, part, "kind")
        section = schema.section_of_kind()[part.kind]
        if part.kind == "mesh":
            draw_own_mesh(layout, context)
        else:
            rows.draw_section(layout, getattr(part, section.key), section)
        if viewport.shown_object(context.scene) is not None:
            layout.operator("blemish.take_away", icon="TRASH")


def draw_own_mesh(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """Draw what says which mesh of the user is the part."""
    settings = context.scene.blemish
    labelled_prop(layout, settings.preview, "source")
    buttons = layout.column(align=True)
    buttons.operator("blemish.part_from_active", icon="EYEDROPPER")
    if settings.preview.source is not None:
        buttons.operator("blemish.part_update", icon="FILE_REFRESH")
    draw_doubt(layout, context)
    column = layout.column()
    for name in ("path", "unit_mm", "up"):
        labelled_prop(column, settings.part.mesh, name)


def draw_doubt(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """Where the active object has no part's size, or a most unusual one: what it likely is, and the button for that."""
    thing = context.active_object
    if thing is None or not BLEMISH_OT_part_from_active.poll(context):
        return
    extent = max(thing.dimensions) * context.scene.unit_settings.scale_length
    scale = sizes.likely_scale(extent)
    if thing == context.scene.blemish.preview.source or scale is None:
        return
    box = layout.box()
    lines.draw(box, context, sizes.doubt_text(thing.name, extent), icon="QUESTION")
    box.operator("blemish.part_from_active", text=sizes.SCALES[scale], icon="EYEDROPPER").scale = scale


class BLEMISH_PT_surface(SidebarPanel, bpy.types.Panel):
    bl_label = "Surface"
    bl_order = 1

    def draw_header_preset(self, context: bpy.types.Context) -> None:
        self.layout.menu("BLEMISH_MT_surface_presets", text="", icon="PRESET")

    def draw(self, context: bpy.types.Context) -> None:
        layout, settings = split_labels(self.layout), context.scene.blemish
        row = labelled_row(layout, "Seed")
        row.prop(settings, "seed", text="")
        row.operator("blemish.seed_dice", text="", icon="FILE_REFRESH")
        draw_layers(layout, settings)


def draw_layers(layout: bpy.types.UILayout, settings: Any) -> None:
    """Draw the list of layers with its buttons."""
    row = layout.row()
    row.template_list(
        "BLEMISH_UL_layers", "", settings, "layers", settings, "active_layer", rows=LIST_ROWS if settings.layers else 3
    )
    side = row.column(align=True)
    side.menu("BLEMISH_MT_layer_add", text="", icon="ADD")
    side.operator("blemish.layer_remove", text="", icon="REMOVE")
    side.separator()
    side.menu("BLEMISH_MT_layer_specials", text="", icon="DOWNARROW_HLT")
    if settings.layers:
        side.separator()
        side.operator("blemish.layer_move", text="", icon="TRIA_UP").direction = "UP"
        side.operator("blemish.layer_move", text="", icon="TRIA_DOWN").direction = "DOWN"
    if any(layer.solo for layer in settings.layers):
        layout.label(text="Solo: renders leave the others out", icon="SOLO_ON")


class BLEMISH_PT_layer(SidebarPanel, bpy.types.Panel):
    bl_label = ""
    bl_parent_id = "BLEMISH_PT_surface"
    bl_order = 0

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return active_layer(context) is not None

    def draw_header(self, context: bpy.types.Context) -> None:
        self.layout.label(text=schema.title_of(active_layer(context).kind))

    def draw_header_preset(self, context: bpy.types.Context) -> None:
        self.layout.menu("BLEMISH_MT_layer_presets", text="", icon="PRESET")

    def draw(self, context: bpy.types.Context) -> None:
        layer = active_layer(context)
        section = schema.section_of_kind()[layer.kind]
        rows.draw_section(split_labels(self.layout), getattr(layer, section.key), section)


class BLEMISH_PT_placement(SidebarPanel, bpy.types.Panel):
    bl_label = "Placement"
    bl_parent_id = "BLEMISH_PT_layer"
    bl_options: ClassVar = {"DEFAULT_CLOSED"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        layer = active_layer(context)
        return layer is not None and has_placement(layer.kind)

    def draw_header(self, context: bpy.types.Context) -> None:
        self.layout.prop(section_group(active_layer(context)), "use_placement", text="")

    def draw(self, context: bpy.types.Context) -> None:
        layer = active_layer(context)
        rows.draw_placement(split_labels(self.layout), section_group(layer))


class BLEMISH_PT_finish(SidebarPanel, bpy.types.Panel):
    bl_label = "Finish"
    bl_parent_id = "BLEMISH_PT_surface"
    bl_order = 1
    bl_options: ClassVar = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        layout, finish = split_labels(self.layout), context.scene.blemish.finish
        labelled_prop(layout, finish, "kind")
        section = schema.section_of_kind()[finish.kind]
        rows.draw_section(layout, getattr(finish, section.key), section)


class BLEMISH_PT_imaging(SidebarPanel, bpy.types.Panel):
    bl_label = "Imaging"
    bl_order = 3
    bl_options: ClassVar = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        layout, settings = split_labels(self.layout), context.scene.blemish
        rows.draw_flag(layout, settings.preview, "stage")
        column = layout.column(align=True)
        column.operator("blemish.look_through", icon="CAMERA_DATA")
        column.operator("blemish.frame_part", icon="FULLSCREEN_ENTER")


class _ImagingPanel(SidebarPanel):
    """Camera or sensor."""

    bl_parent_id = "BLEMISH_PT_imaging"
    group: ClassVar[str]

    def draw(self, context: bpy.types.Context) -> None:
        rows.draw_section(
            split_labels(self.layout), getattr(context.scene.blemish, self.group), schema.sections()[self.group]
        )


class BLEMISH_PT_light(SidebarPanel, bpy.types.Panel):
    bl_label = "Light"
    bl_parent_id = "BLEMISH_PT_imaging"

    def draw(self, context: bpy.types.Context) -> None:
        layout, settings = split_labels(self.layout), context.scene.blemish
        labelled_prop(layout, settings, "light_kind")
        light = schema.light_section(settings.light_kind)
        rows.draw_section(layout, getattr(settings, light.key), light)


class BLEMISH_PT_camera(_ImagingPanel, bpy.types.Panel):
    bl_label = "Camera"
    group = "camera"


class BLEMISH_PT_sensor(_ImagingPanel, bpy.types.Panel):
    bl_label = "Sensor"
    group = "sensor"
    bl_options: ClassVar = {"DEFAULT_CLOSED"}


class BLEMISH_PT_recipe(SidebarPanel, bpy.types.Panel):
    bl_label = "Recipe"
    bl_order = 6

    def draw(self, context: bpy.types.Context) -> None:
        layout, settings = split_labels(self.layout), context.scene.blemish
        labelled_prop(layout, settings, "name")
        texel = schema.recipe_field("texel_um")
        row = labelled_row(layout, texel.label)
        row.prop(settings, "use_texel_um", text="")
        rest = row.row(align=True)
        rest.active = settings.use_texel_um
        rest.prop(settings, "texel_um", text="")
        if lots := exchange.lots_of(settings):
            labelled_prop(layout, settings, "use_lots")
            names = ", ".join(f"{lot['name']} ({100 * lot['share']:g} %)" for lot in lots)
            sentence = say("Of lots: {names}. What they change is kept, and has no rows here.", names=names)
            lines.draw(layout, context, sentence, icon="INFO")
        if exchange.keeps_bounds(settings):
            sentence = say("What of this recipe may be calibrated is kept, and has no rows here.")
            lines.draw(layout, context, sentence, icon="INFO")
        column = layout.column(align=True)
        row = column.row(align=True)
        row.operator("blemish.recipe_load", text="Load", icon="FILE_FOLDER")
        row.operator("blemish.recipe_save", text="Save", icon="FILE_TICK")
        column.menu("BLEMISH_MT_shipped_recipes", icon="PRESET")


class BLEMISH_MT_blemish(bpy.types.Menu):
    """What the tab does, for the search (F3), which looks through menus"""

    bl_idname = "BLEMISH_MT_blemish"
    bl_label = "Blemish"

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        layout.operator("blemish.part_from_active", text="Inspect Active Object", icon="EYEDROPPER")
        layout.operator("blemish.part_update", icon="FILE_REFRESH")
        layout.operator("blemish.take_away", icon="TRASH")
        layout.separator()
        layout.menu("BLEMISH_MT_layer_add", icon="ADD")
        layout.operator("blemish.layer_remove", icon="REMOVE")
        layout.operator("blemish.layer_duplicate", icon="DUPLICATE")
        layout.operator("blemish.seed_dice", text="Roll Another Seed")
        layout.separator()
        layout.operator("blemish.preview_update", icon="FILE_REFRESH")
        layout.operator("blemish.look_through", icon="CAMERA_DATA")
        layout.operator("blemish.frame_part", icon="FULLSCREEN_ENTER")
        layout.separator()
        layout.operator("blemish.test_frame", icon="RENDER_STILL")
        layout.operator("blemish.render_dataset", icon="RENDER_ANIMATION")
        layout.separator()
        layout.operator("blemish.recipe_load", text="Load Recipe…", icon="FILE_FOLDER")
        layout.operator("blemish.recipe_save", text="Save Recipe…", icon="FILE_TICK")
        layout.menu("BLEMISH_MT_shipped_recipes", icon="PRESET")


def _menu(menu: Any, context: bpy.types.Context) -> None:
    menu.layout.separator()
    menu.layout.menu("BLEMISH_MT_blemish")


CLASSES = (
    BLEMISH_MT_blemish,
    BLEMISH_PT_part,
    BLEMISH_PT_surface,
    BLEMISH_PT_layer,
    BLEMISH_PT_placement,
    BLEMISH_PT_finish,
    BLEMISH_PT_imaging,
    BLEMISH_PT_light,
    BLEMISH_PT_camera,
    BLEMISH_PT_sensor,
    BLEMISH_PT_recipe,
)


def register() -> None:
    for cls in CLASSES:
        bpy.utils.register_class(cls)
    bpy.types.VIEW3D_MT_object.append(_menu)


def unregister() -> None:
    bpy.types.VIEW3D_MT_object.remove(_menu)
    for cls in reversed(CLASSES):
        bpy.utils.unregister_class(cls)
