"""The sub-panel Learn: the environment outside, training, judging, and the figures that came of it."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import bpy

from blender_addon.ui import lines, progress
from blender_addon.ui.learn import data
from blender_addon.ui.learn.operators import (
    BLEMISH_OT_calibrate,
    BLEMISH_OT_evaluate,
    BLEMISH_OT_inspect,
    BLEMISH_OT_refine,
    BLEMISH_OT_train,
    CommandOperator,
)
from blender_addon.ui.preferences import draw_environment, environment
from blender_addon.ui.progress import LEARN
from blender_addon.ui.runs import Phase, Run, duration_text
from blender_addon.ui.sidebar import SidebarPanel, labelled_prop, split_labels
from blender_addon.ui.words import say

# Of an evaluation's figures, the ones to look at first, by what the panel calls them.
FIGURES = {
    "image_auroc": "Image AUROC",
    "pixel_auroc": "Pixel AUROC",
    "aupro": "AUPRO",
    "pixel_f1": "Pixel F1",
    "mean_defect_wise_recall": "Defect-Wise Recall",
}


class LearnPanel(SidebarPanel):
    """Sub-panels of work that the environment outside offers."""

    bl_parent_id = "BLEMISH_PT_learn"
    command: str

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        found = environment(context)
        return found is not None and found.ready and cls.command in found.commands


class BLEMISH_PT_learn(SidebarPanel, bpy.types.Panel):
    bl_label = "Learn"
    bl_order = 5
    bl_options: ClassVar[set[str]] = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        found = environment(context)
        draw_environment(layout, context, found, context.region.width)
        run = progress.current(LEARN)
        if run is not None:
            draw_run(layout, context, run)


class BLEMISH_PT_train(LearnPanel, bpy.types.Panel):
    bl_label = "Train"
    command = "train"

    def draw(self, context: bpy.types.Context) -> None:
        layout = split_labels(self.layout)
        settings = context.scene.blemish_learn
        draw_place(layout, context, "train_on", data.train_on(context))
        draw_place(layout, context, "inspector", data.inspector(context))
        column = layout.column()
        for name in ("size", "epochs", "weights", "threshold", "look"):
            labelled_prop(column, settings, name)
        if settings.look:
            labelled_prop(column, settings, "regions")
        draw_start(layout, context, BLEMISH_OT_train, "PLAY")


class BLEMISH_PT_evaluate(LearnPanel, bpy.types.Panel):
    bl_label = "Evaluate"
    command = "evaluate"

    def draw(self, context: bpy.types.Context) -> None:
        layout = split_labels(self.layout)
        settings = context.scene.blemish_learn
        labelled_prop(layout, settings, "judge_on")
        draw_place(layout, context, "report", data.report(context))
        row = layout.row()
        row.use_property_split = False
        row.prop(settings, "open_when_done")
        draw_start(layout, context, BLEMISH_OT_evaluate, "VIEWZOOM")
        draw_figures(layout, data.report(context))


class BLEMISH_PT_inspect(LearnPanel, bpy.types.Panel):
    bl_label = "Inspect"
    command = "inspect"

    def draw(self, context: bpy.types.Context) -> None:
        layout = split_labels(self.layout)
        labelled_prop(layout, context.scene.blemish_learn, "inspect_on")
        draw_place(layout, context, "inspection", data.inspection(context))
        draw_start(layout, context, BLEMISH_OT_inspect, "HIDE_OFF")


class BLEMISH_PT_refine(LearnPanel, bpy.types.Panel):
    bl_label = "Refine"
    command = "refine"

    def draw(self, context: bpy.types.Context) -> None:
        layout = split_labels(self.layout)
        draw_place(layout, context, "refine", data.to_refine(context))
        draw_place(layout, context, "refined", data.refined(context))
        draw_start(layout, context, BLEMISH_OT_refine, "SHADERFX")


class BLEMISH_PT_calibrate(LearnPanel, bpy.types.Panel):
    bl_label = "Calibrate"
    command = "calibrate"

    def draw(self, context: bpy.types.Context) -> None:
        layout = split_labels(self.layout)
        settings = context.scene.blemish_learn
        for name in ("photographs", "masks"):
            labelled_prop(layout, settings, name)
        draw_place(layout, context, "calibrated", data.calibrated(context))
        draw_start(layout, context, BLEMISH_OT_calibrate, "EYEDROPPER")
        sheet, out = data.sheet(context), data.calibrated(context)
        if sheet.is_file():
            box = layout.box()
            box.operator("blemish.open", text="Open Sheet", icon="IMAGE_DATA").path = str(sheet)
            box.operator("blemish.open", text="Open Report", icon="URL").path = str(sheet.with_name(data.REPORT))
            if out.is_file():
                box.operator_context = "EXEC_DEFAULT"  # else it asks for a file
                box.operator("blemish.recipe_load", text="Load Fitted Recipe", icon="IMPORT").filepath = str(out)


def draw_place(layout: bpy.types.UILayout, context: bpy.types.Context, name: str, folder: Path) -> None:
    """A folder's field, and below it the folder that is meant where the field is empty."""
    settings = context.scene.blemish_learn
    labelled_prop(layout, settings, name)
    if not getattr(settings, name):
        lines.draw(layout, context, lines.path_text(folder), icon="BLANK1")


def draw_start(
    layout: bpy.types.UILayout, context: bpy.types.Context, operator: type[CommandOperator], icon: str
) -> None:
    """The button that starts a command, and below it what is missing for that."""
    layout.operator(operator.bl_idname, icon=icon)  # type: ignore[attr-defined]
    missing = operator.missing_input(context)
    if missing:
        lines.draw(layout, context, f"{missing}.", icon="INFO")


def draw_run(layout: bpy.types.UILayout, context: bpy.types.Context, run: Run) -> None:
    """How the command stands, or what it has come to."""
    state = run.state
    column = layout.column(align=True)
    if not state.ended:
        what = state.message or say("starting")
        count = say(" {done} of {total}", done=state.done, total=state.total) if state.total else ""
        progress.draw_bar(column, run, LEARN, f"{say(run.title)}: {what}{count}")
        row = column.row(align=True)
        row.operator("blemish.cancel", icon="CANCEL").slot = LEARN
        if state.seconds_left is not None:
            layout.label(text=say("{left} left", left=duration_text(state.seconds_left)), icon="TIME")
        return
    icon = {Phase.DONE: "CHECKMARK", Phase.CANCELLED: "INFO"}.get(state.phase, "ERROR")
    row = layout.row()
    text = row.column()
    text.alert = state.phase is Phase.FAILED
    lines.draw(text, context, progress.ending_text(run, state), icon=icon)
    row.operator("blemish.dismiss", text="", icon="X", emboss=False).slot = LEARN


def draw_figures(layout: bpy.types.UILayout, report: Path) -> None:
    """The figures of the last evaluation in this folder, and its report."""
    figures = data.figures_in(report)
    if not figures:
        return
    box = layout.box()
    column = box.column(align=True)
    for name, label in FIGURES.items():
        value = figures.get(name)
        row = column.row()
        row.label(text=label)
        value_side = row.row()
        value_side.alignment = "RIGHT"
        value_side.label(text=f"{value:.3f}" if isinstance(value, int | float) else "not defined")
    box.operator("blemish.open", text="Open Report", icon="URL").path = str(report / data.REPORT)


CLASSES = (
    BLEMISH_PT_learn,
    BLEMISH_PT_calibrate,
    BLEMISH_PT_train,
    BLEMISH_PT_evaluate,
    BLEMISH_PT_inspect,
    BLEMISH_PT_refine,
)


def register() -> None:
    for cls in CLASSES:
        bpy.utils.register_class(cls)


def unregister() -> None:
    data.forget()
    for cls in reversed(CLASSES):
        bpy.utils.unregister_class(cls)
