"""What the panel Learn keeps in the .blend: what to learn from, and where to."""

from __future__ import annotations

import bpy


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
            description="Weights of the embedded backbone's network, a safetensors file. Empty: the best backbone that "
            "is installed",
        ),
        "threshold": bpy.props.StringProperty(
            name="Threshold",
            description="From where on a pixel is a defect: good:1% flags at most 1 % of good surfaces, and keeps a "
            "fifth of them for that; or a number. Inspecting needs one. Empty: none",
        ),
        "look": bpy.props.StringProperty(
            name="Where to Look",
            subtype="FILE_PATH",
            description="Picture of the size of those trained on: white where to look, or several grey levels, each a "
            "region; black is left out. `blemish regions` makes a page to draw one. Empty: everywhere",
        ),
        "regions": bpy.props.StringProperty(
            name="Regions",
            description="Thresholds of regions that have one of their own, by grey level: 128=good:5% 64=3.5. The "
            "others take the one above",
        ),
        "inspect_on": bpy.props.StringProperty(
            name="Inspect",
            subtype="DIR_PATH",
            description="Folder of pictures that nobody has looked at. The inspector needs a threshold",
        ),
        "inspection": bpy.props.StringProperty(
            name="Verdicts",
            subtype="DIR_PATH",
            description="Folder for the verdicts and their page. Empty: beside the inspector",
        ),
        "photographs": bpy.props.StringProperty(
            name="Photographs",
            subtype="DIR_PATH",
            description="Folder of 5 to 60 photographs of good parts, to which finish, light and sensor are fitted",
        ),
        "masks": bpy.props.StringProperty(
            name="Masks",
            subtype="DIR_PATH",
            description="Photographs of flawed parts with masks, to which the defects are fitted. Empty: they stay",
        ),
        "calibrated": bpy.props.StringProperty(
            name="Fitted Recipe",
            subtype="FILE_PATH",
            description="File for the fitted recipe, NAME.yaml. Empty: beside the dataset of the panel above",
        ),
        "open_when_done": bpy.props.BoolProperty(
            name="Open When Done", default=True, description="Open the report, or the page of verdicts, when it is done"
        ),
    }


def register() -> None:
    bpy.utils.register_class(LearnSettings)
    bpy.types.Scene.blemish_learn = bpy.props.PointerProperty(type=LearnSettings)


def unregister() -> None:
    del bpy.types.Scene.blemish_learn
    bpy.utils.unregister_class(LearnSettings)
