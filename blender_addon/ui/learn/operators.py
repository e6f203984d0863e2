"""Training, refining and judging from the panel, as commands of the environment that holds torch."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import bpy

from blender_addon.ui import progress
from blender_addon.ui.dataset.operators import folder_of, open_outside
from blender_addon.ui.preferences import environment
from blender_addon.ui.progress import LEARN

if TYPE_CHECKING:
    from blender_addon.ui.runs import State

REPORT = "report.html"


def place(given: str, otherwise: Path) -> Path:
    """An absolute folder: the one that was given, or else this."""
    return Path(bpy.path.abspath(given)) if given else otherwise


def train_on(context: bpy.types.Context) -> Path:
    return place(context.scene.blemish_learn.train_on, folder_of(context))


def inspector(context: bpy.types.Context) -> Path:
    pictures = train_on(context)
    return place(context.scene.blemish_learn.inspector, pictures.with_name(pictures.name + "-inspector"))


def judge_on(context: bpy.types.Context) -> Path | None:
    given = context.scene.blemish_learn.judge_on
    return place(given, Path()) if given else None


def report(context: bpy.types.Context) -> Path:
    trained = inspector(context)
    return place(context.scene.blemish_learn.report, trained.with_name(trained.name + "-report"))


def to_refine(context: bpy.types.Context) -> Path:
    return place(context.scene.blemish_learn.refine, folder_of(context))


def refined(context: bpy.types.Context) -> Path:
    pictures = to_refine(context)
    return place(context.scene.blemish_learn.refined, pictures.with_name(pictures.name + "-refined"))


def last(lines: Sequence[str]) -> str:
    return lines[-1] if lines else "finished"


class Learns:
    """Operators that run a command in the environment outside. Subclasses say which, and what it needs."""

    command: str

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        lacks = cls.lacks(context)
        if lacks:
            cls.poll_message_set(lacks)  # type: ignore[attr-defined]
        return not lacks

    @classmethod
    def lacks(cls, context: bpy.types.Context) -> str:
        """What keeps it from being run, as a sentence; empty where nothing does."""
        run = progress.at_work(LEARN)
        if run is not None:
            return f"{run.title} is going on: wait for it, or cancel it"
        found = environment(context)
        if found is None:
            return "Still looking for the Python environment"
        if not found.ready:
            return f"{found.problem}. {found.fix}"
        if cls.command not in found.commands:
            return f"The Blemish in {found.python} has no command {cls.command}: update it"
        return cls.needs(context)

    @classmethod
    def needs(cls, context: bpy.types.Context) -> str:
        """What else it lacks."""
        raise NotImplementedError

    def arguments(self, context: bpy.types.Context) -> list[str]:
        """The command's arguments."""
        raise NotImplementedError

    def folder(self, context: bpy.types.Context) -> Path:
        """Where the command writes to."""
        raise NotImplementedError

    def execute(self, context: bpy.types.Context) -> set[str]:
        return self.start(context, waits=True)

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        return self.start(context, waits=False)

    def start(self, context: bpy.types.Context, *, waits: bool) -> set[str]:
        from blender_addon.ui.runs import CommandRun, Phase, leashed

        found = environment(context)
        assert found is not None
        assert found.python is not None
        arguments = leashed(found.python, self.command, *self.arguments(context))
        run = CommandRun(self.bl_label, self.folder(context), arguments, last)  # type: ignore[attr-defined]
        progress.begin(LEARN, run, partial(after, context.scene.name, self.command, run.folder))
        if not waits:
            progress.redraw()
            return {"FINISHED"}
        state = progress.finish(LEARN)
        failed = state.phase is Phase.FAILED
        self.report({"ERROR" if failed else "INFO"}, progress.sentence(run, state))  # type: ignore[attr-defined]
        return {"CANCELLED" if failed else "FINISHED"}


def after(scene: str, command: str, folder: Path, state: State) -> None:
    """Open the report where that is wished."""
    from blender_addon.ui.runs import Phase

    settings = getattr(bpy.data.scenes.get(scene), "blemish_learn", None)
    wished = settings is not None and settings.open_when_done and not bpy.app.background
    if command == "evaluate" and state.phase is Phase.DONE and wished:
        open_outside(folder / REPORT)


class BLEMISH_OT_train(Learns, bpy.types.Operator):
    bl_idname = "blemish.train"
    bl_label = "Train"
    bl_description = "Train an inspector on the good pictures; taken up again where it was stopped"

    command = "train"

    @classmethod
    def needs(cls, context: bpy.types.Context) -> str:
        pictures = train_on(context)
        return "" if pictures.is_dir() else f"No pictures to train on: {pictures} is not there; render a dataset first"

    def folder(self, context: bpy.types.Context) -> Path:
        return inspector(context)

    def arguments(self, context: bpy.types.Context) -> list[str]:
        settings = context.scene.blemish_learn
        chosen = ["--size", str(settings.size), "--epochs", str(settings.epochs)]
        if settings.weights:
            chosen += ["--weights", bpy.path.abspath(settings.weights)]
        return [str(train_on(context)), "--out", str(inspector(context)), *chosen]


class BLEMISH_OT_evaluate(Learns, bpy.types.Operator):
    bl_idname = "blemish.evaluate"
    bl_label = "Evaluate"
    bl_description = "Judge the inspector on pictures with known defects, and write the report"

    command = "evaluate"

    @classmethod
    def needs(cls, context: bpy.types.Context) -> str:
        pictures = judge_on(context)
        if not inspector(context).is_dir():
            return f"No inspector to judge: {inspector(context)} is not there; train one first"
        if pictures is None:
            return "Choose what to judge on: a dataset with defects, or a folder of photographs"
        return "" if pictures.is_dir() else f"No pictures to judge on: {pictures} is not there"

    def folder(self, context: bpy.types.Context) -> Path:
        return report(context)

    def arguments(self, context: bpy.types.Context) -> list[str]:
        return [str(inspector(context)), str(judge_on(context)), "--out", str(report(context))]


class BLEMISH_OT_refine(Learns, bpy.types.Operator):
    bl_idname = "blemish.refine"
    bl_label = "Refine"
    bl_description = "Make a dataset's pictures more real by diffusion; its masks stay as they are"

    command = "refine"

    @classmethod
    def needs(cls, context: bpy.types.Context) -> str:
        pictures = to_refine(context)
        return "" if pictures.is_dir() else f"No dataset to refine: {pictures} is not there; render one first"

    def folder(self, context: bpy.types.Context) -> Path:
        return refined(context)

    def arguments(self, context: bpy.types.Context) -> list[str]:
        return [str(to_refine(context)), "--out", str(refined(context))]


CLASSES = (BLEMISH_OT_train, BLEMISH_OT_evaluate, BLEMISH_OT_refine)

register, unregister = bpy.utils.register_classes_factory(CLASSES)
