"""The tab "Blemish" in the sidebar of the 3D view, and everything it needs to be registered with Blender.

A module of MODULES has `register()` and `unregister()`; it imports neither the recipe's models nor the simulations
before somebody uses it.
"""

from importlib import import_module

# In the order of registration: properties before the panels that show them, parents before their sub-panels.
MODULES = (
    "words",
    "icons",
    "preview.properties",
    "recipe.properties",
    "dataset.properties",
    "learn.properties",
    "preferences",
    "progress",
    "run_operators",
    "recipe.operators.part",
    "recipe.operators.layers",
    "recipe.operators.placement",
    "preview.operators",
    "recipe.operators.files",
    "own_scene.operators",
    "dataset.operators",
    "learn.operators",
    "learn.installing",
    "recipe.operators.presets",
    "recipe.lists",
    "recipe.panels",
    "preview.panels",
    "dataset.panels",
    "own_scene.panels",
    "learn.panels",
    "keys",
    "preview.viewport",
)


def register() -> None:
    """Register every module; where one fails, those before it are taken back."""
    done: list[str] = []
    try:
        for name in MODULES:
            import_module(f"{__name__}.{name}").register()
            done.append(name)
    except BaseException:
        _unregister(done)
        raise


def unregister() -> None:
    """Take back what `register` did."""
    _unregister(list(MODULES))


def _unregister(names: list[str]) -> None:
    for name in reversed(names):
        import_module(f"{__name__}.{name}").unregister()
