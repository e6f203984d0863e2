"""What the sub-panels Dataset and Learn keep in the .blend: how much to render, where to, and what to learn from."""

from __future__ import annotations

import bpy


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
        "folder": bpy.props.StringProperty(
            name="Folder",
            subtype="DIR_PATH",
            description="Folder for this dataset. Empty: one named after the recipe, in the preferences' output folder",
        ),
        "open_when_done": bpy.props.BoolProperty(
            name="Open When Done", description="Open the folder and the overview when the last frame is written"
        ),
        "test_seconds": bpy.props.FloatProperty(options={"HIDDEN"}),
        "test_start": bpy.props.FloatProperty(options={"HIDDEN"}),
        "test_made_with": bpy.props.StringProperty(options={"HIDDEN"}),
    }


class LearnSettings(bpy.types.PropertyGroup):
    __annotations__ = {
        "train_on": bpy.props.StringProperty(
            name="Pictures",
            subtype="DIR_PATH",
            description="Dataset to train on, of which the good pictures are taken. Empty: the one of the panel above",
        ),
        "inspector": bpy.props.StringProperty(
            name="Inspector",
            subtype="DIR_PATH",
            description="Folder for the trained inspector. Empty: beside the pictures it is trained on",
        ),
        "judge_on": bpy.props.StringProperty(
            name="Judge On",
            subtype="DIR_PATH",
            description="Dataset, or folder of photographs, with known defects to judge the inspector on",
        ),
        "report": bpy.props.StringProperty(
            name="Report",
            subtype="DIR_PATH",
            description="Folder for the figures and the report. Empty: beside the inspector",
        ),
        "refine": bpy.props.StringProperty(
            name="Refine",
            subtype="DIR_PATH",
            description="Dataset whose pictures to make more real by diffusion. Empty: the one of the panel above",
        ),
        "refined": bpy.props.StringProperty(
            name="Refined",
            subtype="DIR_PATH",
            description="Folder for the refined dataset. Empty: beside the one that is refined",
        ),
        "size": bpy.props.IntProperty(
            name="Bank Size",
            default=2048,
            min=1,
            max=1_000_000,
            soft_max=20_000,
            description="How many patches of good surface the inspector remembers",
        ),
        "epochs": bpy.props.IntProperty(
            name="Epochs",
            default=5,
            min=1,
            max=1000,
            soft_max=20,
            description="Passes over the pictures; fewer when one changes nothing",
        ),
        "weights": bpy.props.StringProperty(
            name="Weights",
            subtype="FILE_PATH",
            description="The backbone's trained weights, a safetensors file. Empty: the embedded backbone",
        ),
        "open_when_done": bpy.props.BoolProperty(
            name="Open When Done", default=True, description="Open the report when the inspector is judged"
        ),
    }


CLASSES = (DatasetSettings, LearnSettings)


def register() -> None:
    for cls in CLASSES:
        bpy.utils.register_class(cls)
    bpy.types.Scene.blemish_dataset = bpy.props.PointerProperty(type=DatasetSettings)
    bpy.types.Scene.blemish_learn = bpy.props.PointerProperty(type=LearnSettings)


def unregister() -> None:
    del bpy.types.Scene.blemish_learn
    del bpy.types.Scene.blemish_dataset
    for cls in reversed(CLASSES):
        bpy.utils.unregister_class(cls)
