"""Blender's start-up script in the window tests: enables the add-on as the preferences do, then lets the agent in."""

import runpy
from pathlib import Path

import addon_utils
import bpy

bpy.context.preferences.view.show_splash = False
bpy.context.preferences.inputs.use_mouse_continuous = False  # it would move the mouse that is being moved
bpy.context.preferences.system.use_region_overlap = False  # else every move in the sidebar draws the view behind it
assert addon_utils.enable("blemish_addon", default_set=True) is not None, "the add-on could not be enabled"
runpy.run_path(str(Path(__file__).with_name("agent.py")))
