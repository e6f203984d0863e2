"""Surfaces and layers that the user keeps, as pieces of recipes in the user's preset folder."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any, ClassVar

import bpy

from blender_addon.ui import changes, schema
from blender_addon.ui.recipe import files
from blender_addon.ui.recipe.operators.layers import active_layer

FOLDER = "presets/blemish"  # in the user's scripts, where Blender keeps its own presets
SURFACE = "surface"  # finish and layers; presets of single layers are in folders by kind


def folder_of(sort: str, *, create: bool = False) -> Path | None:
    """Where the presets of a sort (SURFACE, or a kind of layer) are; None where there is no such folder."""
    found = bpy.utils.user_resource("SCRIPTS", path=f"{FOLDER}/{sort}", create=create)
    return Path(found) if found and Path(found).is_dir() else None


def names_of(sort: str) -> list[str]:
    """The presets of a sort, alphabetical."""
    folder = folder_of(sort)
    return [] if folder is None else sorted(path.stem for path in folder.glob("*.yaml"))


def sort_of(context: bpy.types.Context, of: str) -> str:
    """The sort of presets that a menu is about: the surface's, or those of the selected layer's kind."""
    layer = active_layer(context)
    return SURFACE if of == "SURFACE" or layer is None else str(layer.kind)


def file_of(context: bpy.types.Context, of: str, name: str) -> Path:
    """The file of a preset that is kept. Raises FileNotFoundError where its sort has no folder."""
    folder = folder_of(sort_of(context, of))
    if folder is None:
        raise FileNotFoundError(2, "there is no such preset", name)
    return folder / f"{files.file_name(name)}.yaml"


OF = bpy.props.EnumProperty(
    name="Of",
    items=[("SURFACE", "Surface", "Finish and all layers"), ("LAYER", "Layer", "The selected layer")],
    options={"HIDDEN"},
)
FILE = bpy.props.StringProperty(
    name="File", description="The preset as a file", subtype="FILE_PATH", options={"SKIP_SAVE"}
)
FILTER = bpy.props.StringProperty(default="*.yaml;*.yml", options={"HIDDEN"})
ASKS = bpy.props.BoolProperty(default=True, options={"HIDDEN"})
NAME = bpy.props.StringProperty(name="Name", description="Name of the preset", default="", options={"SKIP_SAVE"})


class BLEMISH_OT_preset_add(bpy.types.Operator):
    """Keep this under a name in your preset folder"""

    bl_idname = "blemish.preset_add"
    bl_label = "Add Preset"
    bl_options: ClassVar = {"REGISTER"}
    __annotations__ = {"of": OF, "name": NAME}

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        answer: set[str] = context.window_manager.invoke_props_dialog(self)
        return answer

    def execute(self, context: bpy.types.Context) -> set[str]:
        from blender_addon.ui.recipe import exchange
        from procgen.errors import BlemishError

        name = files.file_name(self.name)
        if not name:
            self.report({"ERROR"}, "Give the preset a name of letters, digits, - and _")
            return {"CANCELLED"}
        settings, sort = context.scene.blemish, sort_of(context, self.of)
        try:
            exchange.to_recipe(settings, **exchange.any_scene(settings))  # what is no recipe is no preset
            whole = exchange.to_fields(settings)
            if sort == SURFACE:
                kept = {key: whole[key] for key in ("finish", "defects", "impurities")}
            else:
                kept = exchange.kind_to_fields(active_layer(context))
            folder = folder_of(sort, create=True)
            if folder is None:
                raise OSError(0, "there is no folder for presets", FOLDER)
            files.write_yaml(folder / f"{name}.yaml", kept)
        except BlemishError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        except OSError as error:
            self.report({"ERROR"}, f"The preset cannot be kept: {error.strerror} ({error.filename})")
            return {"CANCELLED"}
        self.report({"INFO"}, f"Kept as {name}")
        return {"FINISHED"}


class BLEMISH_OT_preset_remove(bpy.types.Operator):
    """Remove a preset from your preset folder"""

    bl_idname = "blemish.preset_remove"
    bl_label = "Remove Preset"
    bl_options: ClassVar = {"REGISTER"}
    __annotations__ = {"of": OF, "name": NAME}

    def execute(self, context: bpy.types.Context) -> set[str]:
        try:
            file_of(context, self.of, self.name).unlink()
        except OSError as error:
            self.report({"ERROR"}, f"The preset cannot be removed: {error.strerror} ({error.filename})")
            return {"CANCELLED"}
        return {"FINISHED"}


class BLEMISH_OT_preset_apply(bpy.types.Operator):
    """Set this to what the preset says"""

    bl_idname = "blemish.preset_apply"
    bl_label = "Apply Preset"
    bl_options: ClassVar = {"REGISTER", "UNDO"}
    __annotations__ = {"of": OF, "name": NAME}

    def execute(self, context: bpy.types.Context) -> set[str]:
        from procgen.errors import BlemishError
        from scenes.recipes.reading import recipe_fields

        settings, sort = context.scene.blemish, sort_of(context, self.of)
        folder = folder_of(sort)
        try:
            if folder is None:
                raise BlemishError(f"{self.name}: there is no such preset")
            apply(settings, context, sort, recipe_fields(folder / f"{files.file_name(self.name)}.yaml"))
        except BlemishError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        changes.changed()
        return {"FINISHED"}


class BLEMISH_OT_preset_export(bpy.types.Operator):
    """Save a preset as a file, to share it"""

    bl_idname = "blemish.preset_export"
    bl_label = "Save Preset as File"
    bl_options: ClassVar = {"REGISTER"}
    __annotations__ = {"of": OF, "name": NAME, "filepath": FILE, "filter_glob": FILTER, "check_existing": ASKS}

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        self.filepath = f"{files.file_name(self.name)}.yaml"
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        path = Path(bpy.path.abspath(self.filepath)).with_suffix(".yaml")
        try:
            shutil.copyfile(file_of(context, self.of, self.name), path)
        except OSError as error:
            self.report({"ERROR"}, f"The preset cannot be saved: {error.strerror} ({error.filename})")
            return {"CANCELLED"}
        self.report({"INFO"}, f"Saved {path}")
        return {"FINISHED"}


class BLEMISH_OT_preset_import(bpy.types.Operator):
    """Add a preset from a file that someone has shared, under the file's name"""

    bl_idname = "blemish.preset_import"
    bl_label = "Add Preset from File"
    bl_options: ClassVar = {"REGISTER"}
    __annotations__ = {"filepath": FILE, "filter_glob": FILTER}

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        from procgen.errors import BlemishError

        path = Path(bpy.path.abspath(self.filepath))
        name = files.file_name(path.stem)
        try:
            sort, kept = shared_preset(context.scene.blemish, path)
            folder = folder_of(sort, create=True)
            if folder is None:
                raise OSError(0, "there is no folder for presets", FOLDER)
            if name in names_of(sort):
                raise BlemishError(f"{path}: there is a preset {name} already; rename the file")
            files.write_yaml(folder / f"{name}.yaml", kept)
        except BlemishError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        except OSError as error:
            self.report({"ERROR"}, f"The preset cannot be added: {error.strerror} ({error.filename})")
            return {"CANCELLED"}
        self.report({"INFO"}, f"Added {name}: a preset of {schema.title_of(sort)}")
        return {"FINISHED"}


def shared_preset(settings: Any, path: Path) -> tuple[str, dict[str, Any]]:
    """The sort of a preset in a file, and what it says. Raises BlemishError where it is none."""
    from blender_addon.ui.recipe import exchange
    from procgen.errors import BlemishError
    from scenes.recipes.reading import recipe_fields
    from scenes.recipes.recipe import recipe_from

    kept: Any = recipe_fields(path)
    fields = exchange.to_fields(settings) | exchange.any_scene(settings)
    fields |= {"defects": [], "impurities": [], "switched_off": []}
    if isinstance(kept, dict) and "finish" in kept:
        surface = {key: kept.get(key, []) for key in ("finish", "defects", "impurities")}
        recipe_from(fields | surface, str(path))
        return SURFACE, surface
    section = schema.section_of_kind().get(str(kept.get("kind"))) if isinstance(kept, dict) else None
    if section is None or section.group not in ("defects", "impurities"):
        raise BlemishError(f"{path}: found neither a finish nor a kind of layer; expected a preset that was saved here")
    alone = {name: value for name, value in kept.items() if name != "placement"}  # which may be about other layers
    recipe_from(fields | {section.group: [alone]}, str(path))
    return str(kept["kind"]), kept


def apply(settings: Any, context: bpy.types.Context, sort: str, kept: object) -> None:
    """Set the surface or the selected layer to what a preset holds. Raises BlemishError where that is no recipe."""
    from blender_addon.ui.recipe import exchange
    from scenes.recipes.recipe import recipe_from

    fields = exchange.to_fields(settings) | exchange.any_scene(settings)
    if not isinstance(kept, dict):
        recipe_from(kept, sort)  # says what is wrong with it
        return
    if sort == SURFACE:
        fields |= {key: kept.get(key, []) for key in ("finish", "defects", "impurities")}
        fields["switched_off"] = []
        fields.pop("lots", None)
        surface = recipe_from(fields, sort).model_dump(mode="json")
        with changes.quiet():
            exchange.set_surface(settings, surface)
        return
    layer = active_layer(context)
    family = exchange.family_of(layer)
    place = settings.active_layer - (len(exchange.of_family(settings, "defects")) if family == "impurities" else 0)
    fields[family][place] = kept
    checked = recipe_from(fields, sort).model_dump(mode="json")[family][place]
    with changes.quiet():
        exchange.set_kind(layer, checked)


def draw_menu(layout: bpy.types.UILayout, context: bpy.types.Context, of: str) -> None:
    """Draw the presets of a menu: each with its remove button, and below them what adds one."""
    names = names_of(sort_of(context, of))
    for name in names:
        row = layout.row(align=True)
        apply_: Any = row.operator("blemish.preset_apply", text=name)
        apply_.of, apply_.name = of, name
    if names:
        layout.separator()
    add: Any = layout.operator("blemish.preset_add", text="Add Preset…", icon="ADD")
    add.of = of
    layout.operator("blemish.preset_import", text="Add Preset from File…", icon="IMPORT")
    if names:
        layout.menu(f"BLEMISH_MT_share_{of.lower()}_preset", icon="EXPORT")
        layout.menu(f"BLEMISH_MT_remove_{of.lower()}_preset", icon="REMOVE")


def _draw_each(layout: bpy.types.UILayout, context: bpy.types.Context, operator: str, of: str) -> None:
    for name in names_of(sort_of(context, of)):
        choice: Any = layout.operator(operator, text=name)
        choice.of, choice.name = of, name


class BLEMISH_MT_surface_presets(bpy.types.Menu):
    bl_idname = "BLEMISH_MT_surface_presets"
    bl_label = "Surface Presets"

    def draw(self, context: bpy.types.Context) -> None:
        draw_menu(self.layout, context, "SURFACE")


class BLEMISH_MT_layer_presets(bpy.types.Menu):
    bl_idname = "BLEMISH_MT_layer_presets"
    bl_label = "Layer Presets"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return active_layer(context) is not None

    def draw(self, context: bpy.types.Context) -> None:
        layer = active_layer(context)
        self.layout.label(text=schema.title_of(layer.kind))
        draw_menu(self.layout, context, "LAYER")


class BLEMISH_MT_remove_surface_preset(bpy.types.Menu):
    bl_idname = "BLEMISH_MT_remove_surface_preset"
    bl_label = "Remove Preset"

    def draw(self, context: bpy.types.Context) -> None:
        _draw_each(self.layout, context, "blemish.preset_remove", "SURFACE")


class BLEMISH_MT_remove_layer_preset(bpy.types.Menu):
    bl_idname = "BLEMISH_MT_remove_layer_preset"
    bl_label = "Remove Preset"

    def draw(self, context: bpy.types.Context) -> None:
        _draw_each(self.layout, context, "blemish.preset_remove", "LAYER")


class BLEMISH_MT_share_surface_preset(bpy.types.Menu):
    bl_idname = "BLEMISH_MT_share_surface_preset"
    bl_label = "Save Preset as File"

    def draw(self, context: bpy.types.Context) -> None:
        self.layout.operator_context = "INVOKE_DEFAULT"
        _draw_each(self.layout, context, "blemish.preset_export", "SURFACE")


class BLEMISH_MT_share_layer_preset(bpy.types.Menu):
    bl_idname = "BLEMISH_MT_share_layer_preset"
    bl_label = "Save Preset as File"

    def draw(self, context: bpy.types.Context) -> None:
        self.layout.operator_context = "INVOKE_DEFAULT"
        _draw_each(self.layout, context, "blemish.preset_export", "LAYER")


CLASSES = (
    BLEMISH_OT_preset_add,
    BLEMISH_OT_preset_remove,
    BLEMISH_OT_preset_apply,
    BLEMISH_OT_preset_export,
    BLEMISH_OT_preset_import,
    BLEMISH_MT_surface_presets,
    BLEMISH_MT_layer_presets,
    BLEMISH_MT_remove_surface_preset,
    BLEMISH_MT_remove_layer_preset,
    BLEMISH_MT_share_surface_preset,
    BLEMISH_MT_share_layer_preset,
)

register, unregister = bpy.utils.register_classes_factory(CLASSES)
