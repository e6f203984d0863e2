"""The list of layers, and the menu that adds one."""

from __future__ import annotations

from typing import Any

import bpy

from blender_addon.ui import icons, schema
from blender_addon.ui.words import say


def class_bits(settings: Any) -> dict[str, int]:
    """Class name -> bit in the class mask, as the recipe of these settings gives them."""
    names: list[str] = []
    for layer in settings.layers:
        name = schema.section_of_kind()[layer.kind].class_name
        if name is not None and name not in names:
            names.append(name)
    return {name: bit for bit, name in enumerate(names)}


class BLEMISH_UL_layers(bpy.types.UIList):
    """Layers, bottom first: the colour of the class, its name, and whether it is solo or muted"""

    bl_idname = "BLEMISH_UL_layers"

    def draw_item(
        self,
        context: bpy.types.Context,
        layout: Any,
        data: Any,
        item: Any,
        icon: int,
        active_data: Any,
        active_property: str,
        index: int = 0,
        flags: int = 0,
    ) -> None:
        section = schema.section_of_kind().get(item.kind)
        if section is None:
            layout.label(text=item.kind, icon="ERROR")
            return
        any_solo = any(layer.solo for layer in data.layers)
        row = layout.row(align=True)
        name = row.row()
        name.active = not item.muted and (item.solo or not any_solo) and getattr(data, section.group)
        name.label(text=schema.title_of(item.kind), icon_value=icons.swatch(class_bits(data)[str(section.class_name)]))
        row.prop(item, "solo", text="", icon="SOLO_ON" if item.solo else "SOLO_OFF", emboss=False)
        row.prop(item, "muted", text="", icon="HIDE_ON" if item.muted else "HIDE_OFF", emboss=False)

    def filter_items(self, context: bpy.types.Context, data: Any, name: str) -> tuple[list[int], list[int]]:
        layers = getattr(data, name)
        wanted = self.filter_name.lower()
        flags = [self.bitflag_filter_item if wanted in schema.title_of(layer.kind).lower() else 0 for layer in layers]
        return flags, []


class BLEMISH_MT_layer_add(bpy.types.Menu):
    bl_idname = "BLEMISH_MT_layer_add"
    bl_label = "Add Layer"

    def draw(self, context: bpy.types.Context) -> None:
        part = context.scene.blemish.part.kind
        row = self.layout.row()
        for family, title in (("defects", "Defects"), ("impurities", "Impurities")):
            column = row.column()
            column.label(text=title)
            column.separator()
            _draw_kinds(column, [kind for kind in schema.kinds_in(family) if not schema.is_special(kind)])
        special = [kind for kind in schema.kinds_in("defects") if schema.is_special(kind)]
        if own := [kind for kind in special if not schema.missing_on(part, kind)]:
            column = row.column()
            column.label(text=say("{part} Defects", part=say(schema.title_of(part))))
            column.separator()
            _draw_kinds(column, own)


def _draw_kinds(column: bpy.types.UILayout, kinds: list[str]) -> None:
    for kind in sorted(kinds, key=schema.title_of):
        column.operator("blemish.layer_add", text=schema.title_of(kind)).kind = kind


class BLEMISH_MT_layer_specials(bpy.types.Menu):
    bl_idname = "BLEMISH_MT_layer_specials"
    bl_label = "Layer Specials"

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        layout.operator("blemish.layer_duplicate", icon="DUPLICATE")
        layout.separator()
        settings = context.scene.blemish
        layout.prop(settings, "defects")
        layout.prop(settings, "impurities")


CLASSES = (BLEMISH_UL_layers, BLEMISH_MT_layer_add, BLEMISH_MT_layer_specials)

register, unregister = bpy.utils.register_classes_factory(CLASSES)
