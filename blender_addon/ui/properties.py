"""The settings that `Scene.blemish` holds: a recipe's fields as Blender's properties."""

import bpy


class BlemishSettings(bpy.types.PropertyGroup):
    """A recipe, the seed and frame that its preview draws, and what the panel itself remembers."""

    __annotations__ = {
        "seed": bpy.props.IntProperty(
            name="Seed", min=0, description="Everything random follows from it: same seed, same frames"
        ),
        "frame": bpy.props.IntProperty(name="Frame", min=0, description="Which frame the preview draws"),
    }


CLASSES = (BlemishSettings,)


def register() -> None:
    for cls in CLASSES:
        bpy.utils.register_class(cls)
    bpy.types.Scene.blemish = bpy.props.PointerProperty(type=BlemishSettings)


def unregister() -> None:
    del bpy.types.Scene.blemish
    for cls in reversed(CLASSES):
        bpy.utils.unregister_class(cls)
