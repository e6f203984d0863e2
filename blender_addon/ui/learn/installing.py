"""Installing the part of Blemish that learns, with torch, into a Python environment of its own outside Blender.

It comes from Blemish's repository or from a wheel built of it (`pip wheel --no-deps .`); no registry has it. Its
dependencies pip brings, from wherever the user has set pip to.
"""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import ClassVar

import bpy

from blender_addon.ui import progress
from blender_addon.ui.learn.command_run import CommandRun
from blender_addon.ui.learn.environment import PROBE, checkout
from blender_addon.ui.learn.learn_operator import LearnOperator
from blender_addon.ui.preferences import BlemishPreferences, preferences_of
from blender_addon.ui.progress import LEARN
from blender_addon.ui.runs import Phase, State
from blender_addon.ui.words import say

EXTRA = "anomaly"
FOLDER = "environment"  # in the output folder


def source_of(given: str) -> Path | None:
    """The repository or wheel to install from: the one that was given, else the checkout that the add-on runs from."""
    path = Path(given).expanduser() if given else checkout()
    if path is None:
        return None
    is_wheel = path.is_file() and path.suffix == ".whl" and path.name.startswith("blemish-")
    is_repository = (path / "pyproject.toml").is_file() and (path / "anomaly").is_dir()
    return path if is_wheel or is_repository else None


def commands(source: Path, folder: Path) -> tuple[dict[str, list[str]], list[str]]:
    """The command line that makes an environment, by what it does, and the one that installs into it."""
    python = folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    make = [sys.executable, "-m", "venv", str(folder)]  # which in a Blender is its own Python, not Blender
    install = [str(python), "-m", "pip", "install", "--disable-pip-version-check", "--progress-bar", "off"]
    return {"making the environment": make}, [*install, f"{source.resolve()}[{EXTRA}]"]


def after(folder: Path, state: State) -> None:
    """Use the environment from now on."""
    if state.phase is not Phase.DONE:
        return
    addon = bpy.context.preferences.addons.get(BlemishPreferences.bl_idname)
    if addon is not None:
        addon.preferences.python = str(folder)
    PROBE.forget()
    progress.watch(PROBE.is_running)


class BLEMISH_OT_install_learning(LearnOperator, bpy.types.Operator):
    """Make a Python environment in the output folder and install the part of Blemish that learns into it, with torch: several GB, by pip and over the network"""  # noqa: E501 - Blender's tooltip

    bl_idname = "blemish.install_learning"
    bl_label = "Install Learning Part"
    bl_options: ClassVar[set[str]] = {"INTERNAL"}

    @classmethod
    def missing(cls, context: bpy.types.Context) -> str:
        if source_of(preferences_of(context).source) is None:
            return say("Choose Blemish's repository, or a wheel built of it, as Source in the preferences")
        if not getattr(bpy.app, "online_access", True):
            return say("Blender is to stay offline: allow Online Access in its preferences, under System")
        return ""

    def start(self, context: bpy.types.Context, *, waits: bool) -> set[str]:
        found = preferences_of(context)
        source = source_of(found.source)
        assert source is not None
        folder = Path(found.folder) / FOLDER
        before, install = commands(source, folder)
        run = CommandRun(self.bl_label, folder, install, lambda lines: str(folder), before=before)
        return progress.carry_out(self, LEARN, run, partial(after, folder), waits=waits)


register, unregister = bpy.utils.register_classes_factory((BLEMISH_OT_install_learning,))
