"""Runs inside a Blender: installs the packed add-on, switches it off and on, uninstalls it, and tells what it left.

    PYTHON installing.py ZIP RESULT            a Python with bpy
    blender --background --python installing.py -- ZIP RESULT

RESULT becomes a JSON file: for every step the differences to Blender as it was before.
"""

import importlib
import json
import pkgutil
import sys
import threading
from pathlib import Path

import bpy

OWN = ("blemish", "blender_addon", "procgen", "scenes")
EXTENSION, LEGACY = "bl_ext.user_default.blemish", "blemish_addon"
timers = []
start_timer = bpy.app.timers.register


def noting(function, *arguments, **options):
    timers.append(function)
    return start_timer(function, *arguments, **options)


def own_modules():
    return {name for name in sys.modules if name.partition(".")[0] in OWN}


def state():
    """All that an add-on may change in a running Blender, by what it is."""
    classes = [getattr(bpy.types, name) for name in dir(bpy.types)]
    return {
        "types": {name for name in dir(bpy.types) if not name.startswith("_")},
        "subclasses": {
            f"{base.__name__}.{cls.__module__}.{cls.__name__}"
            for base in (bpy.types.Operator, bpy.types.Panel, bpy.types.UIList, bpy.types.Menu, bpy.types.PropertyGroup)
            for cls in base.__subclasses__()
            if getattr(cls, "is_registered", False)
        },
        "operators": {f"{group}.{name}" for group in dir(bpy.ops) for name in dir(getattr(bpy.ops, group))},
        "properties": {
            f"{cls.__name__}.{name}"
            for cls in classes
            if hasattr(cls, "bl_rna")
            for name in cls.bl_rna.properties.keys()  # noqa: SIM118 - Blender's collection iterates over values
        },
        "handlers": {
            f"{name}.{function.__module__}.{function.__name__}"
            for name in dir(bpy.app.handlers)
            if isinstance(getattr(bpy.app.handlers, name), list)
            for function in getattr(bpy.app.handlers, name)
        },
        "drawing": {
            f"{cls.__name__}.{function.__module__}.{function.__name__}"
            for cls in classes
            for function in getattr(getattr(cls, "draw", None), "_draw_funcs", ())
            if not function.__module__.startswith("bl_ui.")  # Blender's own joins the list when another is added
        },
        "timers": {function.__name__ for function in timers if bpy.app.timers.is_registered(function)},
        "threads": {thread.name for thread in threading.enumerate() if thread.is_alive()},
        "path": set(sys.path),
        "modules": own_modules(),
        "entry": {EXTENSION, LEGACY} & set(sys.modules),
        "add-ons": set(bpy.context.preferences.addons.keys()),
    }


def enabled(module, on):
    import addon_utils

    errors = []
    if on:
        addon_utils.enable(module, default_set=True, handle_error=errors.append)
    else:
        addon_utils.disable(module, default_set=True, handle_error=errors.append)
    return [repr(error) for error in errors]


def main(package, result):
    legacy = bpy.app.version < (4, 2, 0)
    module = LEGACY if legacy else EXTENSION
    bpy.app.timers.register = noting
    before, loaded = state(), set(sys.modules)
    steps = []

    def tell(step, errors=()):
        now = state()
        gained = {key: sorted(now[key] - before[key]) for key in now if now[key] - before[key]}
        lost = {key: sorted(before[key] - now[key]) for key in now if before[key] - now[key]}
        steps.append({"step": step, "gained": gained, "lost": lost, "errors": list(errors)})

    if legacy:
        bpy.ops.preferences.addon_install(filepath=package)
        tell("installed")
    else:
        bpy.ops.extensions.package_install_files(filepath=package, repo="user_default", enable_on_install=False)
        tell("installed")
    tell("enabled", enabled(module, True))
    heavy = sorted({name.partition(".")[0] for name in set(sys.modules) - loaded})
    tell("disabled", enabled(module, False))
    tell("enabled again", enabled(module, True))
    use(Path(result).parent)
    tell("used")
    tell("disabled again", enabled(module, False))
    enabled(module, True)
    if legacy:
        window = bpy.context.window_manager.windows[0]  # 3.4 redraws the preferences that it supposes to be open
        with bpy.context.temp_override(window=window, area=window.screen.areas[0]):
            bpy.ops.preferences.addon_remove(module=module)
    else:
        bpy.ops.extensions.package_uninstall(repo_index=user_repository(), pkg_id="blemish")
    tell("uninstalled")
    Path(result).write_text(json.dumps({"version": bpy.app.version, "imported": heavy, "steps": steps}))


def user_repository():
    repositories = bpy.context.preferences.extensions.repos
    return next(index for index, repository in enumerate(repositories) if repository.module == "user_default")


def use(folder):
    """What a person comes to use: every module, the compiled libraries, the panel, and a frame that is rendered."""
    import blender_addon
    import procgen
    import scenes

    for package in (procgen, scenes, blender_addon):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            importlib.import_module(module.name)
    scenes.surface_maps(scenes.draw(scenes.load_recipe("magnetic_tile"), seed=1, index=0))

    bpy.ops.blemish.recipe_shipped(name="plate")
    bpy.ops.mesh.blemish_part_add(kind="plate")
    settings = bpy.context.scene.blemish_dataset
    settings.folder, settings.frames, settings.samples = str(folder / "dataset"), 1, 1
    bpy.ops.blemish.render_dataset()


if __name__ == "__main__":
    arguments = sys.argv[sys.argv.index("--") + 1 if "--" in sys.argv else 1 :]
    main(*arguments)
