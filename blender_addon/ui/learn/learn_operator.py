"""What the operators that learn, and the one that installs what they need, have in common: one runs at a time."""

from __future__ import annotations

import bpy

from blender_addon.ui import progress
from blender_addon.ui.progress import LEARN
from blender_addon.ui.words import say


class LearnOperator:
    """Operators that start a run of the panel Learn. Subclasses say what they need, and start it."""

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        obstacle = cls.obstacle(context)
        if obstacle:
            cls.poll_message_set(obstacle)  # type: ignore[attr-defined]
        return not obstacle

    @classmethod
    def obstacle(cls, context: bpy.types.Context) -> str:
        """What keeps it from being run, as a sentence; empty where nothing does."""
        run = progress.at_work(LEARN)
        if run is not None:
            return say("{run} is going on: wait for it, or cancel it", run=say(run.title))
        return cls.missing(context)

    @classmethod
    def missing(cls, context: bpy.types.Context) -> str:
        """What it needs and is not there, as a sentence; empty where nothing is missing."""
        raise NotImplementedError

    def start(self, context: bpy.types.Context, *, waits: bool) -> set[str]:
        """Begin the run; waits: until it has ended."""
        raise NotImplementedError

    def execute(self, context: bpy.types.Context) -> set[str]:
        return self.start(context, waits=True)

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        return self.start(context, waits=False)
