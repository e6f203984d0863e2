"""What the panel Dataset keeps in the .blend: how much to render, and where to."""

from __future__ import annotations

import bpy

PASSES = [
    ("depth", "Depth", "Metres along the camera's axis"),
    ("normal", "Normals", "Unit vectors with all relief, as the camera sees them"),
    ("albedo", "Albedo", "The base colour without light"),
    ("objects", "Objects", "The number of the object"),
]


class DatasetSettings(bpy.types.PropertyGroup):
    """test_*: what the last test frame took, in seconds, and what it was rendered with."""

    __annotations__ = {
        "frames": bpy.props.IntProperty(
            name="Frames", default=40, min=1, max=1_000_000, soft_max=1000, description="How many frames to render"
        ),
        "samples": bpy.props.IntProperty(
            name="Samples",
            default=32,
            min=1,
            max=65536,
            soft_max=512,
            description="Cycles samples a pixel: more take longer and show less noise; the masks are exact with any",
        ),
        "workers": bpy.props.IntProperty(
            name="Processes",
            default=1,
            min=1,
            max=256,
            soft_max=16,
            description="Blender processes side by side, sharing this machine's cores; the files are the same bytes",
        ),
        "without_defects": bpy.props.BoolProperty(
            name="Defects",
            description="Leave every defect off, as for good parts to train on; all else stays the same to the bit",
        ),
        "without_impurities": bpy.props.BoolProperty(
            name="Impurities", description="Leave stains, dust and the like off; all else stays the same to the bit"
        ),
        "passes": bpy.props.EnumProperty(
            name="Passes",
            description="What frames hold beside picture and masks, as rays through the pixels' centres meet it",
            items=PASSES,
            options={"ENUM_FLAG"},
        ),
        "pass_format": bpy.props.EnumProperty(
            name="Format",
            description="Files of the passes",
            items=[
                ("png", "16-bit PNG", "Read by every program; depth in equal steps from the nearest to the farthest"),
                ("exr", "OpenEXR", "The very numbers, with 32 bits each"),
            ],
        ),
        "folder": bpy.props.StringProperty(
            name="Folder",
            subtype="DIR_PATH",
            description="Folder for this dataset. Empty: one named after the recipe, in the preferences' output folder",
        ),
        "open_when_done": bpy.props.BoolProperty(
            name="Open When Done",
            description="Open the folder, and a page to look through it, when the last frame is written",
        ),
        "test_seconds": bpy.props.FloatProperty(options={"HIDDEN"}),
        "test_start": bpy.props.FloatProperty(options={"HIDDEN"}),
        "test_made_with": bpy.props.StringProperty(options={"HIDDEN"}),
    }


def register() -> None:
    bpy.utils.register_class(DatasetSettings)
    bpy.types.Scene.blemish_dataset = bpy.props.PointerProperty(type=DatasetSettings)


def unregister() -> None:
    del bpy.types.Scene.blemish_dataset
    bpy.utils.unregister_class(DatasetSettings)
