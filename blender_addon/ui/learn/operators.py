"""Training, refining and judging from the panel, as commands of the environment that holds torch."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import bpy

from blender_addon.ui import progress
from blender_addon.ui.dataset.operators import open_outside
from blender_addon.ui.learn import data
from blender_addon.ui.learn.command_run import CommandRun, as_child_process
from blender_addon.ui.learn.learn_operator import LearnOperator
from blender_addon.ui.preferences import environment
from blender_addon.ui.progress import LEARN
from blender_addon.ui.runs import Phase, State
from blender_addon.ui.words import say


def said(lines: Sequence[str]) -> str:
    """The line of a command that says what came of it."""
    counted = [line.removeprefix("inspected").strip() for line in lines if line.startswith("inspected ")]
    return (counted or list(lines) or ["finished"])[-1]


class CommandOperator(LearnOperator):
    """Operators that run a command in the environment outside. Subclasses say which, and what it needs."""

    command: str
    well: tuple[int, ...] = (0,)  # exit codes that tell of no failure

    @classmethod
    def missing(cls, context: bpy.types.Context) -> str:
        found = environment(context)
        if found is None:
            return say("Still looking for the Python environment")
        if not found.ready:
            return f"{found.problem}. {found.fix}"
        if cls.command not in found.commands:
            told = {"python": found.python, "command": cls.command}
            return say("The Blemish in {python} has no command {command}: update it", **told)
        return cls.missing_input(context)

    @classmethod
    def missing_input(cls, context: bpy.types.Context) -> str:
        """What the command needs and is not there, as a sentence."""
        raise NotImplementedError

    def arguments(self, context: bpy.types.Context) -> list[str]:
        """The command's arguments."""
        raise NotImplementedError

    def folder(self, context: bpy.types.Context) -> Path:
        """Where the command writes to."""
        raise NotImplementedError

    def start(self, context: bpy.types.Context, *, waits: bool) -> set[str]:
        found = environment(context)
        assert found is not None
        assert found.python is not None
        arguments = as_child_process(found.python, self.command, *self.arguments(context))
        run = CommandRun(self.bl_label, self.folder(context), arguments, said, self.well)  # type: ignore[attr-defined]
        ending = partial(after, context.scene.name, self.command, run.folder)
        return progress.carry_out(self, LEARN, run, ending, waits=waits)


def after(scene: str, command: str, folder: Path, state: State) -> None:
    """Open the report, or the page of verdicts, where that is wished."""
    settings = getattr(bpy.data.scenes.get(scene), "blemish_learn", None)
    wished = settings is not None and settings.open_when_done and not bpy.app.background
    pages = {"evaluate": data.REPORT, "inspect": data.INSPECTION, "calibrate": data.REPORT}
    if command in pages and state.phase is Phase.DONE and wished:
        open_outside(folder / pages[command])


class BLEMISH_OT_train(CommandOperator, bpy.types.Operator):
    bl_idname = "blemish.train"
    bl_label = "Train"
    bl_description = "Train an inspector on the good pictures; taken up again where it was stopped"

    command = "train"

    @classmethod
    def missing_input(cls, context: bpy.types.Context) -> str:
        pictures = data.train_on(context)
        if not pictures.is_dir():
            return say("No pictures to train on: {folder} is not there; render a dataset first", folder=pictures)
        return data.none_is_good(pictures)

    def folder(self, context: bpy.types.Context) -> Path:
        return data.inspector(context)

    def arguments(self, context: bpy.types.Context) -> list[str]:
        settings = context.scene.blemish_learn
        chosen = ["--size", str(settings.size), "--epochs", str(settings.epochs)]
        if settings.weights:
            chosen += ["--weights", bpy.path.abspath(settings.weights)]
        if settings.threshold:
            chosen += ["--threshold", settings.threshold]
        if settings.look:
            chosen += ["--look", bpy.path.abspath(settings.look)]
            for region in settings.regions.split():
                chosen += ["--region", region]
        return [str(data.train_on(context)), "--out", str(data.inspector(context)), *chosen]


class BLEMISH_OT_evaluate(CommandOperator, bpy.types.Operator):
    bl_idname = "blemish.evaluate"
    bl_label = "Evaluate"
    bl_description = "Judge the inspector on pictures with known defects, and write the report"

    command = "evaluate"

    @classmethod
    def missing_input(cls, context: bpy.types.Context) -> str:
        pictures = data.judge_on(context)
        if not data.inspector(context).is_dir():
            found = data.inspector(context)
            return say("No inspector to judge: {folder} is not there; train one first", folder=found)
        if pictures is None:
            return say("Choose what to judge on: a dataset with defects, or a folder of photographs")
        return "" if pictures.is_dir() else say("No pictures to judge on: {folder} is not there", folder=pictures)

    def folder(self, context: bpy.types.Context) -> Path:
        return data.report(context)

    def arguments(self, context: bpy.types.Context) -> list[str]:
        return [str(data.inspector(context)), str(data.judge_on(context)), "--out", str(data.report(context))]


class BLEMISH_OT_inspect(CommandOperator, bpy.types.Operator):
    bl_idname = "blemish.inspect"
    bl_label = "Inspect"
    bl_description = "Look through pictures that nobody has looked at: which are flawed, and where"

    command = "inspect"
    well = (0, 1)  # 1: some are flawed

    @classmethod
    def missing_input(cls, context: bpy.types.Context) -> str:
        pictures = data.inspect_on(context)
        if not data.inspector(context).is_dir():
            found = data.inspector(context)
            return say("No inspector: {folder} is not there; train one with a threshold first", folder=found)
        if pictures is None:
            return say("Choose what to inspect: a folder of pictures")
        return "" if pictures.is_dir() else say("No pictures to inspect: {folder} is not there", folder=pictures)

    def folder(self, context: bpy.types.Context) -> Path:
        return data.inspection(context)

    def arguments(self, context: bpy.types.Context) -> list[str]:
        return [str(data.inspector(context)), str(data.inspect_on(context)), "--out", str(data.inspection(context))]


class BLEMISH_OT_refine(CommandOperator, bpy.types.Operator):
    bl_idname = "blemish.refine"
    bl_label = "Refine"
    bl_description = "Make a dataset's pictures more real by diffusion; its masks stay as they are"

    command = "refine"

    @classmethod
    def missing_input(cls, context: bpy.types.Context) -> str:
        pictures = data.to_refine(context)
        there = pictures.is_dir()
        return "" if there else say("No dataset to refine: {folder} is not there; render one first", folder=pictures)

    def folder(self, context: bpy.types.Context) -> Path:
        return data.refined(context)

    def arguments(self, context: bpy.types.Context) -> list[str]:
        return [str(data.to_refine(context)), "--out", str(data.refined(context))]


class BLEMISH_OT_calibrate(CommandOperator, bpy.types.Operator):
    bl_idname = "blemish.calibrate"
    bl_label = "Calibrate"
    bl_description = "Fit this tab's recipe to photographs of good parts; taken up again where it was stopped"

    command = "calibrate"

    @classmethod
    def missing_input(cls, context: bpy.types.Context) -> str:
        found, masks = data.photographs(context), data.masks(context)
        if found is None:
            return say("Choose what to fit to: a folder of photographs of good parts")
        for folder in (found, masks):
            if folder is not None and not folder.is_dir():
                return say("No photographs: {folder} is not there", folder=folder)
        return ""

    def folder(self, context: bpy.types.Context) -> Path:
        return data.sheet(context).parent

    def arguments(self, context: bpy.types.Context) -> list[str]:
        masks = data.masks(context)
        chosen = ["--real", str(data.photographs(context)), "--out", str(data.calibrated(context))]
        return [str(data.calibrated_from(context)), *chosen, *(["--masks", str(masks)] if masks else [])]

    def start(self, context: bpy.types.Context, *, waits: bool) -> set[str]:
        from blender_addon.ui.preview import snapshots
        from blender_addon.ui.recipe import exchange, files
        from procgen.errors import BlemishError

        before = data.calibrated_from(context)
        try:
            snapshots.bring_back(context.scene.blemish)
            before.parent.mkdir(parents=True, exist_ok=True)
            files.save_recipe(exchange.to_recipe(context.scene.blemish), before)
        except (BlemishError, OSError) as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        return super().start(context, waits=waits)


CLASSES = (BLEMISH_OT_train, BLEMISH_OT_evaluate, BLEMISH_OT_inspect, BLEMISH_OT_refine, BLEMISH_OT_calibrate)

register, unregister = bpy.utils.register_classes_factory(CLASSES)
