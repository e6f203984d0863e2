"""The commands that need no Blender: listing, printing, checking and previewing recipes."""

from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

RecipeArgument = Annotated[str, typer.Argument(metavar="RECIPE", help="A shipped recipe's name or a YAML file.")]


def recipes() -> None:
    """List the recipes that come with Blemish."""
    from scenes.recipes.reading import shipped_recipes
    from scenes.recipes.recipe import load_recipe

    for name in shipped_recipes():
        recipe = load_recipe(name)
        width, height = recipe.camera.resolution
        typer.echo(f"{name:16} {recipe.part.kind}, {width} x {height} px, {', '.join(recipe.class_families)}")


def recipe(recipe: RecipeArgument) -> None:
    """Print a recipe with its explanations, to copy and change."""
    from scenes.recipes.reading import recipe_text

    typer.echo(recipe_text(recipe), nl=False)


def check(recipe: RecipeArgument) -> None:
    """Check a recipe and draw one frame from it, and one of each of its lots."""
    from scenes.parts.mesh import MeshPart
    from scenes.recipes.recipe import load_recipe
    from scenes.recipes.sampling import draw

    checked = load_recipe(recipe)
    families = ", ".join(f"{name} ({family})" for name, family in checked.class_families.items()) or "none"
    if checked.scene is not None:
        checked.scene.check()
        typer.echo(
            f"{recipe}: good; inspects {', '.join(checked.scene.inspect)} of your own scene; classes: {families}"
        )
        return
    scene, *_ = [draw(lot, seed=0, index=0) for lot in checked.of_each_lot()]
    lots = "".join(f"; lot {lot.name}: {100 * lot.share:g} %" for lot in checked.lots)
    width, height = checked.camera.resolution
    distance, texel = scene.camera.focus_distance, scene.texel_size
    typer.echo(
        f"{recipe}: good; part: {scene.part.kind}; picture: {width} x {height} px from {distance * 1e3:.0f} mm; "
        f"texels: {texel * 1e6:.0f} um; classes: {families}{lots}"
    )
    if isinstance(scene.part, MeshPart) and (doubt := scene.part.doubtful_unit()):
        typer.echo(f"{recipe}: part: {doubt}", err=True)


def preview(
    recipe: RecipeArgument,
    out: Annotated[Path, typer.Option(help="PNG file to write.")] = Path("preview.png"),
    seed: Annotated[int, typer.Option(min=0)] = 0,
    index: Annotated[int, typer.Option(min=0, help="Frame number.")] = 0,
) -> None:
    """Draw the unrolled surface, beside it with its defects in red and its impurities in blue, without Blender.

    A surface of more than four million texels is drawn with coarser ones.
    """
    from scenes.datasets.files import write_atomically
    from scenes.maps import for_preview, preview_picture, surface_maps
    from scenes.pictures.png import encode
    from scenes.recipes.reading import RecipeError
    from scenes.recipes.recipe import load_recipe
    from scenes.recipes.sampling import draw

    wanted = load_recipe(recipe)
    if wanted.scene is not None:
        raise RecipeError(
            recipe,
            ["scene: found surfaces that only a .blend has; expected `blemish render my.blend --recipe` to show them"],
        )
    scene = draw(wanted, seed, index)
    previewed = for_preview(scene)
    maps = surface_maps(previewed)
    write_atomically(out, encode(preview_picture(maps)))
    counts = Counter(instance.class_name for instance in maps.instances)
    content = ", ".join(f"{count} x {name}" for name, count in sorted(counts.items())) or "nothing on the surface"
    coarser = f"; texels of {previewed.texel_size * 1e6:.3g} um, where a render has {scene.texel_size * 1e6:.3g} um"
    typer.echo(f"{out}: {content}{coarser if previewed is not scene else ''}")


def register(app: typer.Typer) -> None:
    """Mount the commands of this module."""
    for command in (recipes, recipe, check, preview):
        app.command()(command)
