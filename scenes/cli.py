"""The commands that need no Blender: listing, printing, checking and previewing recipes, and using them on photos."""

from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from scenes.pictures.options import WhiteLevelOption

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
    """Check a recipe and draw one frame from it."""
    from scenes.recipes.recipe import load_recipe
    from scenes.recipes.sampling import draw

    checked = load_recipe(recipe)
    scene = draw(checked, seed=0, index=0)
    width, height = checked.camera.resolution
    families = ", ".join(f"{name} ({family})" for name, family in checked.class_families.items()) or "none"
    distance, texel = scene.camera.focus_distance, scene.texel_size
    typer.echo(
        f"{recipe}: good; part: {scene.part.kind}; picture: {width} x {height} px from {distance * 1e3:.0f} mm; "
        f"texels: {texel * 1e6:.0f} um; classes: {families}"
    )


def preview(
    recipe: RecipeArgument,
    out: Annotated[Path, typer.Option(help="PNG file to write.")] = Path("preview.png"),
    seed: Annotated[int, typer.Option(min=0)] = 0,
    index: Annotated[int, typer.Option(min=0, help="Frame number.")] = 0,
) -> None:
    """Draw the unrolled surface, beside it with its defects in red and its impurities in blue, without Blender."""
    from scenes.datasets.files import write_atomically
    from scenes.maps import preview_picture, surface_maps
    from scenes.pictures.png import encode
    from scenes.recipes.recipe import load_recipe
    from scenes.recipes.sampling import draw

    maps = surface_maps(draw(load_recipe(recipe), seed, index))
    write_atomically(out, encode(preview_picture(maps)))
    counts = Counter(instance.class_name for instance in maps.instances)
    content = ", ".join(f"{count} x {name}" for name, count in sorted(counts.items())) or "nothing on the surface"
    typer.echo(f"{out}: {content}")


def synthesize(
    photos: Annotated[list[Path], typer.Argument(metavar="PHOTO...", help="Pictures of good surfaces.")],
    recipe: Annotated[str, typer.Option(help="A shipped recipe's name or a YAML file.")],
    out: Annotated[Path, typer.Option(help="Folder for the dataset. A stopped run in it is taken up again.")] = Path(
        "out/synthesized"
    ),
    count: Annotated[int, typer.Option(min=1, max=100_000, help="Frames to make of every photo.")] = 1,
    seed: Annotated[int, typer.Option(min=0, help="Everything random follows from it: same seed, same bytes.")] = 0,
    mm_per_pixel: Annotated[
        float | None,
        typer.Option(min=1e-6, max=1e3, help="Scale of the photos; otherwise they are as wide as the recipe's view."),
    ] = None,
    light: Annotated[
        tuple[float, float] | None,
        typer.Option(
            metavar="AZIMUTH ELEVATION",
            help="Where the photos' light stands, degrees: 0 0 is flat from the right, 90 30 from above at 30 degrees; "
            "otherwise the recipe's light.",
        ),
    ] = None,
    ambient: Annotated[
        float, typer.Option(min=0, max=1, help="With --light: the share that comes from all round.")
    ] = 0.3,
    gloss: Annotated[
        float, typer.Option(min=0, max=1, help="Share of the picture that is mirrored, not scattered, light.")
    ] = 0.2,
    white_level: WhiteLevelOption = None,
) -> None:
    """Put a recipe's defects and impurities on photographs of good surfaces, with exact masks.

    The layers take the light of the photograph: relief shades its pixels, albedo and roughness change them, and all
    others stay as they are. The result is a dataset for `blemish train` and `blemish evaluate`.
    """
    import math

    from scenes.photographs import Lamp, synthesize_dataset
    from scenes.pictures.reading import ReadingOptions
    from scenes.recipes.recipe import load_recipe

    lamp = None if light is None else Lamp(math.radians(light[0]), math.radians(light[1]), ambient)
    scale = None if mm_per_pixel is None else mm_per_pixel / 1e3
    dataset = synthesize_dataset(
        photos,
        load_recipe(recipe),
        out,
        count,
        seed,
        scale=scale,
        lamp=lamp,
        gloss=gloss,
        options=ReadingOptions(white_level),
    )
    typer.echo(f"{len(dataset)} frames in {out}")


def register(app: typer.Typer) -> None:
    """Mount the commands of this module."""
    for command in (recipes, recipe, check, preview, synthesize):
        app.command()(command)
