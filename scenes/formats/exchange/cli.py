"""The commands that read and write the datasets of other programs."""

from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from scenes.formats.registry import AUTO, FORMATS, WRITERS
from scenes.jobs.options import RayOption, WorkersOption, executor_for
from scenes.pictures.options import MOST_PHOTO_MILLIONS, MostPixelsOption, WhiteLevelOption, reading

GO_ON = "stopped; the same command goes on from the last finished picture"


def export(
    folder: Path,
    out: Path,
    format: str | None,
    *,
    shape: str = "",
    test_share: float = 0.3,
    seed: int = 0,
    name: str = "",
    eight_bits: bool = False,
    shard: int = 1000,
    workers: int | None = None,
    ray: str | None = None,
) -> None:
    """Write the labelled pictures of a folder in another format; see `Export`. Raises BlemishError."""
    from scenes.formats.errors import SampleError
    from scenes.formats.exchange.export import Export, write_export, writer_named
    from scenes.formats.registry import found_in, read_samples
    from scenes.jobs.progress import shown
    from scenes.pictures.decoding import measure

    if format is None:
        raise SampleError(f"{folder}: say how it shall be exported with --format: {', '.join(WRITERS)}")
    writer_named(format)
    samples = read_samples(folder, found_in(folder) if folder.is_dir() else AUTO)
    export = Export(format, shape, name, test_share, seed, eight_bits, shard)
    with shown(GO_ON, "pictures") as progress:
        found = write_export(folder, samples, out, export, progress, executor_for(workers, ray))
    for line in found.told():
        typer.echo(line)
    if passes := passes_of(folder):
        fate = (
            "are exported" if writer_named(format).HOLDS_PASSES else f"are left out, as {format} has no place for them"
        )
        typer.echo(f"passes     {', '.join(passes)} {fate}")
    deep = 0 if eight_bits else sum(measure(sample.image_path, sample.options.most_pixels).deep for sample in samples)
    if deep:
        typer.echo(
            f"pictures   {deep} of {len(samples)} have more than 8 bits, which not every program reads: --eight-bits"
        )
    typer.echo(f"{found.pictures} pictures in {out}")


def passes_of(folder: Path) -> tuple[str, ...]:
    """What frames hold beside picture and masks, where the folder is a dataset of Blemish."""
    from scenes.datasets.schema import HEADER, read_header

    return tuple(read_header(folder).passes) if (folder / HEADER).is_file() else ()


def import_(
    folder: Annotated[Path, typer.Argument(help="Labelled pictures.", show_default=False)],
    out: Annotated[Path, typer.Option(help="Folder for the dataset. A stopped run in it is taken up again.")],
    format: Annotated[
        str, typer.Option(metavar="|".join((AUTO, *FORMATS)), help="How the folder lies; found by itself otherwise.")
    ] = AUTO,
    recipe: Annotated[
        str,
        typer.Option(help="A shipped recipe or a YAML file: says what the pictures show, to a later refinement."),
    ] = "plate",
    white_level: WhiteLevelOption = None,
    most_pixels: MostPixelsOption = MOST_PHOTO_MILLIONS,
    workers: WorkersOption = None,
    ray: RayOption = None,
) -> None:
    """Make a dataset of labelled pictures of any format, so that everything that works on a dataset works on them.

        blemish import sets/scratches-coco --out data/scratches

        blemish refine data/scratches --out data/refined

        blemish export data/scratches --format mvtec --out sets/scratches-mvtec

    Pictures keep every pixel, instances their masks, and pictures of one surface stay together where the format says
    which they are. Unlabelled pictures are left out.
    """
    from scenes.formats.errors import SampleError
    from scenes.formats.exchange.importing import write_import
    from scenes.formats.registry import found_in, read_samples
    from scenes.jobs.progress import shown
    from scenes.recipes.recipe import load_recipe

    found = found_in(folder) if format == AUTO and folder.is_dir() else format
    if found == "blemish":
        raise SampleError(f"{folder}: is a dataset of Blemish already; use it as it is")
    samples = read_samples(folder, found, options=reading(white_level, most_pixels))
    typer.echo(f"format     {found}")
    with shown(GO_ON, "pictures") as progress:
        dataset = write_import(folder, found, samples, out, load_recipe(recipe), progress, executor_for(workers, ray))
    counts = Counter(instance.class_name for frame in dataset for instance in frame.instances)
    for name, count in sorted(counts.items()):
        typer.echo(f"instances  {count} {name}")
    typer.echo(f"{len(dataset)} frames in {out}")


def register(app: typer.Typer) -> None:
    """Mount the commands of this module."""
    app.command("import")(import_)
