"""The panels of the tab: Part, Surface, Preview, Imaging, Recipe; Dataset and Learn have modules of their own."""

import bpy

TAB = "Blemish"


class SidebarPanel:
    """What all panels of the tab have in common; `bl_order` is that of the work: 0 Part, 1 Surface, 2 Preview,
    3 Imaging, 4 Dataset, 5 Learn, 6 Recipe."""

    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = TAB


class BLEMISH_PT_part(SidebarPanel, bpy.types.Panel):
    bl_label = "Part"
    bl_order = 0

    def draw(self, context: bpy.types.Context) -> None:
        self.layout.use_property_split = True
        self.layout.prop(context.scene.blemish, "seed")


CLASSES = (BLEMISH_PT_part,)


def register() -> None:
    for cls in CLASSES:
        bpy.utils.register_class(cls)


def unregister() -> None:
    for cls in reversed(CLASSES):
        bpy.utils.unregister_class(cls)
