"""Shipped recipes, changed into what the renderer's tests need."""

from scenes import Recipe, load_recipe


def changed(recipe: Recipe, **sections: dict[str, object]) -> Recipe:
    """A recipe with some fields of its sections, where they have them, set to other values."""
    fields = recipe.model_dump(mode="json")
    for section, values in sections.items():
        entries = fields[section] if isinstance(fields[section], list) else [fields[section]]
        for entry in entries:
            entry.update({name: value for name, value in values.items() if name in entry})
    return Recipe.model_validate(fields)


def crowded(name: str) -> Recipe:
    """A shipped recipe with so many defects and impurities that they overlap in every frame."""
    recipe = changed(load_recipe(name), defects={"count": 4})
    if recipe.impurities:
        recipe = changed(recipe, impurities={"probability": 1, "occupancy": 1})
    return recipe


def small(recipe: Recipe) -> Recipe:
    """The recipe at a size that renders in well under a second."""
    width, height = recipe.camera.resolution
    return changed(recipe, camera={"resolution": [width // 4, height // 4]})
