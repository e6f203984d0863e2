"""The settings that `Scene.blemish` holds: a recipe's fields as Blender's properties.

`Scene.blemish.part`, `.finish` and each of `.layers` have a `kind` and one group for every section that it can be;
`.camera` and `.sensor` are such groups themselves. Of the light there is one for every kind, `.light` and `.light_KIND`
(see `schema.light_key`), and `.light_kind`, which says whose it is. `.scene` is the group of what a recipe says of a
scene of the user, and `.where` whether it says anything of one.
"""

from typing import Any

import bpy

from blender_addon.ui import schema
from blender_addon.ui.changes import changed
from blender_addon.ui.preview.properties import BlemishPreview
from blender_addon.ui.recipe.section_properties import ClearanceSettings, properties_of
from blender_addon.ui.words import compose


def _section_groups() -> dict[str, type]:
    """The class of each section's group, by the section's key; the one that others hold comes first."""
    every = schema.sections()
    found: dict[str, type] = {}
    for section in (every["placement"], *(section for key, section in every.items() if key != "placement")):
        name = "Blemish" + "".join(word.capitalize() for word in section.key.split("_")) + section.group.capitalize()
        body = {"__annotations__": properties_of(section, found), "__doc__": f"Fields of the section {section.key}."}
        found[section.key] = type(name, (bpy.types.PropertyGroup,), body)
    return found


GROUPS = _section_groups()
STAGE, SCENE = "STAGE", "SCENE"
TEXEL = schema.recipe_field("texel_um")


def _pointers(group: str) -> dict[str, Any]:
    return {
        key: bpy.props.PointerProperty(
            type=GROUPS[key], name=schema.title_of(section.kinds[0]), description=schema.tooltip_of(section.kinds[0])
        )
        for key, section in schema.sections().items()
        if section.group == group
    }


def _kind_items(*groups: str) -> list[tuple[str, str, str]]:
    kinds = sorted((kind for group in groups for kind in schema.kinds_in(group)), key=schema.title_of)
    return [(kind, schema.title_of(kind), schema.tooltip_of(kind)) for kind in kinds]


class BlemishPart(bpy.types.PropertyGroup):
    """The part and its kind."""

    __annotations__ = {
        "kind": bpy.props.EnumProperty(
            name="Kind", description="What is inspected", items=_kind_items("part"), default="plate", update=changed
        ),
        **_pointers("part"),
    }


class BlemishFinish(bpy.types.PropertyGroup):
    """The finish and its kind."""

    __annotations__ = {
        "kind": bpy.props.EnumProperty(
            name="Finish",
            description="How the surface was made, before anything happened to it",
            items=_kind_items("finish"),
            default="ground",
            update=changed,
        ),
        **_pointers("finish"),
    }


class BlemishLayer(bpy.types.PropertyGroup):
    """One defect or impurity."""

    __annotations__ = {
        "kind": bpy.props.StringProperty(name="Kind", options={"HIDDEN"}),
        "muted": bpy.props.BoolProperty(
            name="Mute", description="Leave this layer out; all others stay as they are", update=changed
        ),
        # Where the recipe had it, as in "defects.2", for what its lots say of it.
        "place": bpy.props.StringProperty(options={"HIDDEN"}),
        "solo": bpy.props.BoolProperty(
            name="Solo",
            description="Leave out all layers that are not solo, in the preview and in renders",
            update=changed,
        ),
        **_pointers("defects"),
        **_pointers("impurities"),
    }


class BlemishSettings(bpy.types.PropertyGroup):
    """A recipe, the seed and frame that its preview draws, and what the panel itself remembers."""

    __annotations__ = {
        "version": bpy.props.IntProperty(options={"HIDDEN"}),
        "name": bpy.props.StringProperty(name="Name", description=schema.recipe_field("name").tooltip, default="part"),
        "seed": bpy.props.IntProperty(
            name="Seed", description="Everything random follows from it: same seed, same frames", min=0, update=changed
        ),
        "frame": bpy.props.IntProperty(
            name="Frame", description="Which frame of the dataset the preview draws", min=0, update=changed
        ),
        "where": bpy.props.EnumProperty(
            name="Where",
            description="What the frames show",
            items=(
                (STAGE, "Blemish's Stage", "The recipe's part under the recipe's light, seen by the recipe's camera"),
                (SCENE, "This Scene", "This scene as it was saved: its objects, materials, lights and cameras"),
            ),
        ),
        "scene": bpy.props.PointerProperty(
            type=GROUPS["scene"],
            name="This Scene",
            description="What is inspected in this scene, and what of it differs from frame to frame",
        ),
        "part": bpy.props.PointerProperty(type=BlemishPart, name="Part", description="What is inspected"),
        "finish": bpy.props.PointerProperty(type=BlemishFinish, name="Finish", description="How the surface was made"),
        "layers": bpy.props.CollectionProperty(
            type=BlemishLayer, name="Layers", description="Defects and impurities, bottom first"
        ),
        "active_layer": bpy.props.IntProperty(name="Active Layer", options={"HIDDEN"}),
        "light_kind": bpy.props.EnumProperty(
            name="Light",
            description="What lights the part",
            items=[(kind, light.title, light.tooltip) for kind, light in schema.schema().lights.items()],
            default=schema.RING,
            update=changed,
        ),
        **{
            schema.light_key(kind): bpy.props.PointerProperty(
                type=GROUPS[schema.light_key(kind)], name=light.title, description=light.tooltip
            )
            for kind, light in schema.schema().lights.items()
        },
        "camera": bpy.props.PointerProperty(
            type=GROUPS["camera"], name="Camera", description="The camera over the part"
        ),
        "sensor": bpy.props.PointerProperty(
            type=GROUPS["sensor"], name="Sensor", description="What the camera makes of the light"
        ),
        "use_texel_um": bpy.props.BoolProperty(name=TEXEL.title, description=TEXEL.tooltip, update=changed),
        "texel_um": bpy.props.FloatProperty(
            name=compose("{} ({})", TEXEL.title, TEXEL.panel_unit),
            description=TEXEL.tooltip,
            min=0.01,
            max=1e5,
            soft_max=1000,
            default=50,
            precision=2,
            update=changed,
        ),
        "defects": bpy.props.BoolProperty(
            name="Defects", description="Show defects; off renders the twin without them", default=True, update=changed
        ),
        "impurities": bpy.props.BoolProperty(
            name="Impurities",
            description="Show impurities; off renders the twin without them",
            default=True,
            update=changed,
        ),
        "use_lots": bpy.props.BoolProperty(
            name="Lots",
            description="Some frames are of lots that the recipe's file describes; off draws all as it is said here",
            default=True,
            update=changed,
        ),
        "written": bpy.props.StringProperty(options={"HIDDEN"}),
        "preview": bpy.props.PointerProperty(
            type=BlemishPreview, name="Preview", description="The part in the viewport"
        ),
    }


CLASSES = (ClearanceSettings, *GROUPS.values(), BlemishPart, BlemishFinish, BlemishLayer, BlemishSettings)


def register() -> None:
    for cls in CLASSES:
        bpy.utils.register_class(cls)
    bpy.types.Scene.blemish = bpy.props.PointerProperty(type=BlemishSettings)


def unregister() -> None:
    del bpy.types.Scene.blemish
    for cls in reversed(CLASSES):
        bpy.utils.unregister_class(cls)
