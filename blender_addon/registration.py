"""What Blender calls of an add-on."""


def register(package: str | None = None) -> None:
    """Register the add-on with the Blender that this runs in.

    package: the module's name by which Blender knows the add-on and finds its preferences; this package by default.
    """
    from blender_addon import headless, ui
    from blender_addon.ui.preferences import BlemishPreferences

    BlemishPreferences.bl_idname = package or "blender_addon"
    ui.register()
    headless.register()


def unregister() -> None:
    """Take back what `register` did, and end what is running."""
    from blender_addon import headless, ui

    headless.unregister()
    ui.unregister()
