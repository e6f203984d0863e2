"""Operators of the panel Recipe: loading and saving YAML."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import bpy

from blender_addon.ui import changes
from blender_addon.ui.preview import snapshots, viewport

FILTER = "*.yaml;*.yml"


class BLEMISH_OT_recipe_load(bpy.types.Operator):
    """Set everything in this tab to what a recipe's file says"""

    bl_idname = "blemish.recipe_load"
    bl_label = "Load Recipe"
    bl_options: ClassVar = {"REGISTER", "UNDO"}

    __annotations__ = {
        "filepath": bpy.props.StringProperty(
            name="File", description="The recipe as a file", subtype="FILE_PATH", options={"SKIP_SAVE"}
        ),
        "filter_glob": bpy.props.StringProperty(default=FILTER, options={"HIDDEN"}),
    }

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        return load(self, context, self.filepath)


class BLEMISH_OT_recipe_shipped(bpy.types.Operator):
    """Set everything in this tab to what a recipe that comes with Blemish says"""

    bl_idname = "blemish.recipe_shipped"
    bl_label = "Load Shipped Recipe"
    bl_options: ClassVar = {"REGISTER", "UNDO"}

    __annotations__ = {
        "name": bpy.props.StringProperty(name="Recipe", description="Which of the shipped recipes", default="plate")
    }

    def execute(self, context: bpy.types.Context) -> set[str]:
        return load(self, context, self.name)


class BLEMISH_OT_recipe_save(bpy.types.Operator):
    """Save everything in this tab as a recipe: a YAML file, and beside it the mesh where that is yours. The command 'blemish render' makes the same pictures of it"""  # noqa: E501 - Blender's tooltip

    bl_idname = "blemish.recipe_save"
    bl_label = "Save Recipe"
    bl_options: ClassVar = {"REGISTER"}

    __annotations__ = {
        "filepath": bpy.props.StringProperty(
            name="File", description="The recipe as a file", subtype="FILE_PATH", options={"SKIP_SAVE"}
        ),
        "filter_glob": bpy.props.StringProperty(default=FILTER, options={"HIDDEN"}),
        "check_existing": bpy.props.BoolProperty(default=True, options={"HIDDEN"}),
    }

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        self.filepath = f"{context.scene.blemish.name or 'recipe'}.yaml"
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        from blender_addon.ui.recipe import exchange, files
        from procgen.errors import BlemishError

        path = Path(bpy.path.abspath(self.filepath))
        if path.suffix not in (".yaml", ".yml"):
            path = path.with_name(path.name + ".yaml")
        try:
            snapshots.bring_back(context.scene.blemish)
            written = files.save_recipe(exchange.to_recipe(context.scene.blemish), path)
        except (BlemishError, OSError) as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        self.report({"INFO"}, f"Saved {' and '.join(file.name for file in written)} in {path.parent}")
        return {"FINISHED"}


def load(operator: bpy.types.Operator, context: bpy.types.Context, name_or_path: str) -> set[str]:
    """Set the settings to a recipe; a mesh that it names is found beside it."""
    from blender_addon.ui.recipe import exchange
    from procgen.errors import BlemishError
    from scenes.recipes.reading import shipped_recipes
    from scenes.recipes.recipe import load_recipe

    source = name_or_path if name_or_path in shipped_recipes() else bpy.path.abspath(name_or_path)
    try:
        recipe = load_recipe(source)
    except BlemishError as error:
        operator.report({"ERROR"}, str(error))
        return {"CANCELLED"}
    exchange.from_recipe(recipe, context.scene.blemish)
    changes.changed()
    operator.report({"INFO"}, f"Loaded {recipe.name}: {len(recipe.defects) + len(recipe.impurities)} layers")
    if viewport.shown_object(context.scene) is not None and bpy.app.background:
        viewport.update(context.scene)
    return {"FINISHED"}


class BLEMISH_MT_shipped_recipes(bpy.types.Menu):
    bl_idname = "BLEMISH_MT_shipped_recipes"
    bl_label = "Shipped Recipes"

    def draw(self, context: bpy.types.Context) -> None:
        from scenes.recipes.reading import shipped_recipes

        for name in shipped_recipes():
            operator: Any = self.layout.operator("blemish.recipe_shipped", text=name.replace("_", " ").title())
            operator.name = name


CLASSES = (BLEMISH_OT_recipe_load, BLEMISH_OT_recipe_shipped, BLEMISH_OT_recipe_save, BLEMISH_MT_shipped_recipes)

register, unregister = bpy.utils.register_classes_factory(CLASSES)
