"""The command `blemish render`."""

import shlex
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from blender_addon.errors import RenderError
from blender_addon.workers.devices import CPU, NAMES
from procgen.errors import Stopped
from scenes.datasets.passes import PASSES, PassFormat
from scenes.jobs.options import MOST_WORKERS, RayOption, executor_for

if TYPE_CHECKING:
    from scenes import Recipe

SUFFIX = ".blend"


def register(app: typer.Typer) -> None:
    """Mount this module's commands."""
    app.command()(render)


def render(
    source: Annotated[
        str | None,
        typer.Argument(
            help="A shipped recipe's name (see `blemish recipes`), a YAML file, or a dataset that has one; or with "
            "--recipe a .blend, whose own scene is rendered, by default the one that Blender was started with.",
            metavar="RECIPE|FILE.blend",
            show_default=False,
        ),
    ] = None,
    *,
    out: Annotated[Path, typer.Option(help="Folder for the dataset. A stopped run in it is taken up again.")],
    frames: Annotated[int, typer.Option(min=1, max=1_000_000, help="How many frames the dataset shall have.")] = 40,
    seed: Annotated[int, typer.Option(min=0, help="Everything random follows from it: same seed, same bytes.")] = 0,
    samples: Annotated[int, typer.Option(min=1, max=65536, help="Cycles samples a pixel.")] = 32,
    workers: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=MOST_WORKERS,
            help="Blender processes, sharing this machine's cores; by default one, or one a card, or with --ray as "
            "many as the cluster has cores.",
        ),
    ] = None,
    ray: RayOption = None,
    without: Annotated[
        list[str] | None,
        typer.Option(help="Leave a family off (defects or impurities); all else stays the same to the bit."),
    ] = None,
    passes: Annotated[
        list[str] | None,
        typer.Option(
            "--pass",
            help=f"What frames shall hold beside picture and masks, once for each: {', '.join(PASSES)}.",
            metavar="PASS",
        ),
    ] = None,
    pass_format: Annotated[
        PassFormat, typer.Option(help="Files of passes: 16-bit PNG, or OpenEXR, which holds the very numbers.")
    ] = "png",
    blender: Annotated[
        str | None, typer.Option(help="A Blender program, or a Python with another bpy, to render in.", metavar="PATH")
    ] = None,
    recipe: Annotated[
        str | None,
        typer.Option(
            help="Render a .blend's own scene, and put this recipe's defects and impurities on objects in it.",
            metavar="RECIPE",
        ),
    ] = None,
    objects: Annotated[
        list[str] | None,
        typer.Option(
            "--object",
            help="With --recipe: what is inspected in the scene, a name or a pattern as Nut*; once for each. Without: "
            "an object of a .blend as the part on Blemish's stage, instead of the recipe's; seen from above, in its "
            "own size.",
            metavar="NAME",
        ),
    ] = None,
    blend: Annotated[
        Path | None,
        typer.Option(help="The .blend that holds such a part; by default the one that Blender was started with."),
    ] = None,
    device: Annotated[
        str, typer.Option(help=f"What Cycles runs on: {', '.join(NAMES)}; the processor where no such card is found.")
    ] = CPU,
) -> None:
    """Render a recipe into a dataset of pictures with exact masks.

    Clean and stained twins, to train on (no defects) and to judge by:

        blemish render plate --frames 80 --seed 1 --without defects --without impurities --out data/clean

        blemish render plate --frames 80 --seed 1 --without defects --out data/stained

    In another Blender than the bpy that came along, and with an object of one's own as the part:

        blemish render plate --blender /usr/bin/blender --blend cad.blend --object Housing --out data/housing

    In a scene of one's own, with its lights, cameras and materials:

        blemish render bin.blend --recipe plate --object "Nut*" --out data/bin

    With depth and normals of every pixel's centre beside the picture:

        blemish render plate --pass depth --pass normal --pass-format exr --out data/deep

    Ctrl-C at any moment leaves whole frames; the same command goes on from there.
    """
    from blender_addon.workers.render import render_dataset

    console = Console(stderr=True)
    columns = (
        TextColumn("[bold]{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(elapsed_when_finished=False),
    )
    try:
        with (
            TemporaryDirectory(prefix="blemish-") as scratch,
            Progress(*columns, console=console, disable=not console.is_terminal) as progress,
        ):
            task = progress.add_task("rendering", total=None, rate="", visible=False)

            def begin(missing: int) -> None:
                progress.update(task, total=frames, completed=frames - missing, visible=True)

            def advance(index: int) -> None:
                progress.advance(task)
                speed = progress.tasks[task].finished_speed or progress.tasks[task].speed
                progress.update(task, rate=f"{1 / speed:.1f} s a frame" if speed else "")

            if recipe is not None or is_blend(source):
                wanted, scene = in_scene(source, recipe, objects or [], blend)
            else:
                wanted, scene = on_stage(source, objects or [], blend, blender, Path(scratch)), None
            dataset = render_dataset(
                wanted,
                out,
                frames,
                seed,
                samples=samples,
                workers=workers,
                executor=None if ray is None else executor_for(workers, ray),
                without=without or (),
                passes=passes or (),
                pass_format=pass_format,
                blender=blender,
                device=device,
                blend=scene,
                on_note=lambda sentence: console.print(f"blemish: {sentence}", highlight=False, soft_wrap=True),
                on_begin=begin,
                on_frame=advance,
            )
    except KeyboardInterrupt:
        raise Stopped("stopped; every finished frame is kept, and the same command goes on from there") from None
    typer.echo(f"{len(dataset)} frames in {out}; look through them with: blemish report {shlex.quote(str(out))}")


def is_blend(source: str | None) -> bool:
    """Whether what is to be rendered is called as a .blend is."""
    return source is not None and source.lower().endswith(SUFFIX)


def in_scene(source: str | None, recipe: str | None, objects: list[str], blend: Path | None) -> tuple["Recipe", Path]:
    """The recipe for a .blend's own scene, and the file. Raises BlemishError."""
    from blender_addon.workers.blend_input import inspecting, opened_blend
    from blender_addon.workers.render import recipe_of

    if recipe is None:
        raise RenderError(f"{source}: found a .blend and no --recipe; expected one, whose defects its objects get")
    if source is not None and not is_blend(source):
        raise RenderError(f"--recipe: found {source} before it; expected a .blend there, whose own scene is rendered")
    if blend is not None:
        raise RenderError(
            f"--blend: found {blend} beside --recipe; expected it first: blemish render {blend} --recipe {recipe} …"
        )
    wanted = recipe_of(recipe)
    return (inspecting(wanted, objects) if objects else wanted), Path(source) if source else opened_blend("--recipe")


def on_stage(source: str | None, objects: list[str], blend: Path | None, blender: str | None, folder: Path) -> "Recipe":
    """The recipe for Blemish's stage; an object of a .blend is its part where one is named. Raises BlemishError."""
    from blender_addon.workers.render import recipe_of

    if source is None:
        raise RenderError("found no recipe; expected the name of one, or a file: blemish render plate --out …")
    wanted = recipe_of(source)
    if len(objects) > 1:
        raise RenderError(
            f"--object: found {len(objects)} of them; expected one part on Blemish's stage, or --recipe for a scene"
        )
    if objects:
        return with_object(wanted, objects[0], blend, blender, folder)
    if blend is not None:
        raise RenderError(f"--blend: found {blend} without --object; expected the name of an object in it")
    return wanted


def with_object(recipe: "Recipe", name: str, blend: Path | None, blender: str | None, folder: Path) -> "Recipe":
    """The recipe with an object of a .blend as its part, written to `folder`. Raises BlemishError."""
    from blender_addon.workers.blenders import find, inside
    from blender_addon.workers.render import export_from_blend, with_part

    if blend is not None:
        return with_part(recipe, export_from_blend(find(blender), blend, name, folder))
    if not inside():
        raise RenderError(f"--object: found {name} and no .blend; expected --blend FILE that holds the object")
    from blender_addon.rendering.mesh_export import export_object

    return with_part(recipe, export_object(name, folder))
