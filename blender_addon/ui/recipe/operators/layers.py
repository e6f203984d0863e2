"""Operators of the panel Surface: the list of layers, and the seed."""

from __future__ import annotations

from typing import Any, ClassVar

import bpy

from blender_addon.ui import changes, schema

MOST_SEED = 2**31 - 1
FAMILIES = ("defects", "impurities")


def _kinds() -> list[tuple[str, str, str]]:
    kinds = [kind for family in FAMILIES for kind in schema.kinds_in(family)]
    return [(kind, schema.title_of(kind), schema.tooltip_of(kind)) for kind in kinds]


def active_layer(context: bpy.types.Context) -> Any:
    """The layer that is selected in the list, None where there is none."""
    settings = context.scene.blemish
    within = 0 <= settings.active_layer < len(settings.layers)
    return settings.layers[settings.active_layer] if within else None


class NeedsLayer:
    """Operators on the layer that is selected."""

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if active_layer(context) is None:
            cls.poll_message_set("There is no layer yet; add one with +")  # type: ignore[attr-defined]
            return False
        return True


class BLEMISH_OT_layer_add(bpy.types.Operator):
    """Add a layer above the others of its sort"""

    bl_idname = "blemish.layer_add"
    bl_label = "Add Layer"
    bl_options: ClassVar = {"REGISTER", "UNDO"}

    __annotations__ = {
        "kind": bpy.props.EnumProperty(
            name="Kind", description="What lies on the surface or is wrong with it", items=_kinds(), default="crack"
        )
    }

    @classmethod
    def description(cls, context: bpy.types.Context, properties: Any) -> str:
        return schema.tooltip_of(properties.kind)

    def execute(self, context: bpy.types.Context) -> set[str]:
        from blender_addon.ui.recipe import exchange
        from procgen.errors import BlemishError

        for need in schema.missing_on(context.scene.blemish.part.kind, self.kind):
            able = " or ".join(schema.title_of(part) for part in schema.parts_with(need))
            self.report({"WARNING"}, f"{schema.title_of(self.kind)} needs {need}: choose {able} under Part")
            return {"CANCELLED"}
        try:
            entry = example_entry(self.kind)
        except BlemishError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        add(context.scene.blemish, entry, exchange)
        return {"FINISHED"}


class BLEMISH_OT_layer_remove(NeedsLayer, bpy.types.Operator):
    """Remove the selected layer"""

    bl_idname = "blemish.layer_remove"
    bl_label = "Remove Layer"
    bl_options: ClassVar = {"REGISTER", "UNDO"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        settings = context.scene.blemish
        settings.layers.remove(settings.active_layer)
        settings.active_layer = max(0, min(settings.active_layer, len(settings.layers) - 1))
        changes.changed()
        return {"FINISHED"}


class BLEMISH_OT_layer_duplicate(NeedsLayer, bpy.types.Operator):
    """Add a copy of the selected layer above it; it is drawn with chances of its own"""

    bl_idname = "blemish.layer_duplicate"
    bl_label = "Duplicate Layer"
    bl_options: ClassVar = {"REGISTER", "UNDO"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        from blender_addon.ui.recipe import exchange

        settings = context.scene.blemish
        layer = active_layer(context)
        entry, was = exchange.kind_to_fields(layer), layer.place
        place = settings.active_layer + 1
        with changes.quiet():
            added = settings.layers.add()
            exchange.set_kind(added, entry)
            added.place = was
            settings.layers.move(len(settings.layers) - 1, place)
            settings.active_layer = place
        changes.changed()
        return {"FINISHED"}


class BLEMISH_OT_layer_move(NeedsLayer, bpy.types.Operator):
    """Move the selected layer; defects stay below impurities, which lie on the surface"""

    bl_idname = "blemish.layer_move"
    bl_label = "Move Layer"
    bl_options: ClassVar = {"REGISTER", "UNDO"}

    __annotations__ = {
        "direction": bpy.props.EnumProperty(
            name="Direction",
            description="Where to in the list",
            items=[("UP", "Up", "Towards the surface's bottom"), ("DOWN", "Down", "Towards the top")],
        )
    }

    def execute(self, context: bpy.types.Context) -> set[str]:
        from blender_addon.ui.recipe.exchange import family_of

        settings = context.scene.blemish
        here = settings.active_layer
        there = here + (-1 if self.direction == "UP" else 1)
        if not 0 <= there < len(settings.layers):
            self.report({"INFO"}, "The layer is at the end of the list already")
            return {"CANCELLED"}
        if family_of(settings.layers[here]) != family_of(settings.layers[there]):
            self.report({"INFO"}, "Defects stay below impurities, which lie on the surface")
            return {"CANCELLED"}
        settings.layers.move(here, there)
        settings.active_layer = there
        changes.changed()
        return {"FINISHED"}


class BLEMISH_OT_seed_dice(bpy.types.Operator):
    """Take another seed: everything random comes out anew"""

    bl_idname = "blemish.seed_dice"
    bl_label = "Roll the Dice"
    bl_options: ClassVar = {"REGISTER", "UNDO"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        import numpy as np

        settings = context.scene.blemish
        settings.seed = int(np.random.default_rng(settings.seed).integers(MOST_SEED))
        return {"FINISHED"}


def add(settings: Any, entry: dict[str, Any], exchange: Any) -> None:
    """Add a layer as a recipe writes it, above the others of its family, and select it."""
    family = schema.section_of_kind()[entry["kind"]].group
    place = len(settings.layers) if family == "impurities" else len(exchange.of_family(settings, "defects"))
    with changes.quiet():
        exchange.set_kind(settings.layers.add(), entry)
        settings.layers.move(len(settings.layers) - 1, place)
        settings.active_layer = place
    changes.changed()


def example_entry(kind: str) -> dict[str, Any]:
    """The entry that the shipped example of a kind has, but for what it says of others. Raises BlemishError."""
    from scenes.recipes.examples import KINDS, catalogue
    from scenes.recipes.reading import RecipeError, recipe_fields

    family: Any = schema.section_of_kind()[kind].group
    fields = recipe_fields(KINDS / f"{kind}.yaml")
    entries = fields.get(family, []) if isinstance(fields, dict) else []
    for entry in entries:
        if entry.get("kind") == kind:
            placement = entry.get("placement") or {}
            refers = placement.get("of") is not None or placement.get("keep_off_mm")
            alone = {name: value for name, value in entry.items() if name != "placement" or not refers}
            return catalogue()[family][kind].model_validate(alone).model_dump(mode="json")
    raise RecipeError(kind, ["found no example that ships with this kind; expected one"])


CLASSES = (
    BLEMISH_OT_layer_add,
    BLEMISH_OT_layer_remove,
    BLEMISH_OT_layer_duplicate,
    BLEMISH_OT_layer_move,
    BLEMISH_OT_seed_dice,
)

register, unregister = bpy.utils.register_classes_factory(CLASSES)
