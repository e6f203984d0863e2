"""Everything that touches Blender: the stage a drawn scene is put on, its passes, the loop over frames, and the panel.

The names below are loaded when first used. `register` and `unregister` are what Blender calls of an add-on.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from blender_addon.errors import RenderError
    from blender_addon.workers.render import render_dataset

bl_info = {
    "name": "Blemish",
    "author": "The Blemish developers",
    "description": "Training data for surface inspection, rendered with exact masks",
    "version": (0, 1, 0),
    "blender": (3, 4, 0),
    "location": "3D View > Sidebar > Blemish",
    "category": "Render",
    "support": "COMMUNITY",
}

_HOME = {"RenderError": "errors", "render_dataset": "workers.render"}

__all__ = ["RenderError", "bl_info", "register", "render_dataset", "unregister"]


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    return value


def register(package: str | None = None) -> None:
    """Register the add-on with the Blender that this runs in.

    package: the module's name by which Blender knows the add-on and finds its preferences; this package by default.
    """
    from blender_addon import headless, ui
    from blender_addon.ui.preferences import BlemishPreferences

    BlemishPreferences.bl_idname = package or __name__
    ui.register()
    headless.register()


def unregister() -> None:
    """Take back what `register` did, and end what is running."""
    from blender_addon import headless, ui

    headless.unregister()
    ui.unregister()
