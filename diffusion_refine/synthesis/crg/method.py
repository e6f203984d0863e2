"""The method `crg`: a model of good pictures and one of defects guide each other; boxes in, masks out [Luo 2025]."""

from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from diffusion_refine.synthesis.pasting.opening import FormatOption, OnlyOption, SurfaceOption, pasting, surfaces_of
from diffusion_refine.synthesis.request import Request
from diffusion_refine.training.options import DeviceOption, ThreadsOption
from scenes.formats.registry import AUTO
from scenes.pictures.options import MOST_PHOTO_MILLIONS, MostPixelsOption, WhiteLevelOption, reading

if TYPE_CHECKING:
    from collections.abc import Sequence

    from diffusion_refine.synthesis.crg.model import CrgModel
    from diffusion_refine.synthesis.crg.sampling import CrgSettings
    from diffusion_refine.synthesis.crg.sources import BoxSource, LabelledBoxes
    from diffusion_refine.synthesis.generator import Synthesis
    from scenes.datasets.reader import Dataset
    from scenes.formats.sample import Sample
    from scenes.pictures.reading import ReadingOptions

RECIPE = "recipe:"
STEPS, START, JUMP, TRAVELS = 50, 20, 5, 2  # ours; the published ones are 250, 30, 10 and 3


class Layout(StrEnum):
    """What is written."""

    blemish = "blemish"
    paper = "paper"


def synthesis(
    request: Request,
    *,
    model: Annotated[
        Path | None,
        typer.Option(
            help="Folder that `blemish train-generator crg-context` and `crg-prior` wrote; by default the model of "
            "boards that ships.",
            show_default=False,
        ),
    ] = None,
    boxes: Annotated[
        str,
        typer.Option(
            metavar="LABELS|SET|recipe:R",
            help="Where defects are drawn: a folder with NAME.txt of every picture, boxes as large as those of a "
            "labelled set, or where a recipe's physics puts them.",
        ),
    ],
    boxes_only: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The pictures of that set to take boxes from, a sample's name a line."),
    ] = None,
    classes: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="The labels' classes: JSON of names and numbers, or a text of names; else what is beside them.",
        ),
    ] = None,
    class_name: Annotated[
        list[str] | None,
        typer.Option("--class", metavar="NAME", help="What to draw, repeatable; by default all that the model knows."),
    ] = None,
    pieces: Annotated[int, typer.Option(min=1, max=1000, help="Boxes a frame, where a set says how large.")] = 1,
    per_box: Annotated[int, typer.Option(min=1, max=100_000, help="How often each box is drawn in.")] = 1,
    layout: Annotated[
        Layout,
        typer.Option(help="paper: a frame a box, and sample/, grid/ and log/ as the published code writes them."),
    ] = Layout.blemish,
    literal: Annotated[
        bool, typer.Option("--literal", help="As the published code, to its faults: no box sizes, no exact pixels.")
    ] = False,
    steps: Annotated[
        int | None, typer.Option(min=2, max=1000, help=f"Levels of noise; {STEPS}.", show_default=False)
    ] = None,
    start: Annotated[
        int | None, typer.Option(min=1, max=1000, help=f"Of them, from which to denoise; {START}.", show_default=False)
    ] = None,
    jump: Annotated[
        int | None, typer.Option(min=1, max=1000, help=f"Steps that time travel goes back; {JUMP}.", show_default=False)
    ] = None,
    travels: Annotated[
        int | None,
        typer.Option(min=1, max=100, help=f"How often each is gone; {TRAVELS}, 1 without.", show_default=False),
    ] = None,
    context: Annotated[
        int | None,
        typer.Option(
            min=16,
            help="Pixels a side that is seen round each box, a multiple of 16; twice the prior's window, or with "
            "--literal what the context was trained for.",
            show_default=False,
        ),
    ] = None,
    guidance_steps: Annotated[
        int, typer.Option(min=0, max=100, help="Down the slope at every level; 0 pastes what the prior draws.")
    ] = 2,
    centre: Annotated[bool, typer.Option(help="More attention towards the box's centre.")] = True,
    components: Annotated[bool, typer.Option(help="Attention on what touches the centre alone.")] = True,
    average: Annotated[bool, typer.Option(help="Attention averaged over the levels.")] = True,
    background: Annotated[bool, typer.Option(help="What is left of the window is held to the picture.")] = True,
    only: OnlyOption = None,
    recipe: SurfaceOption = "plate",
    format: FormatOption = AUTO,
    white_level: WhiteLevelOption = None,
    most_pixels: MostPixelsOption = MOST_PHOTO_MILLIONS,
    device: DeviceOption = None,
    threads: ThreadsOption = 1,
) -> "Synthesis":
    """Draw defects into boxes by two models that guide each other.

    Raises BlemishError for boxes and classes that cannot be drawn; ModelError, RecipeError.
    """
    import torch

    from diffusion_refine.synthesis.crg.generator import CrgGenerator
    from diffusion_refine.synthesis.crg.model import EMBEDDED_FOLDER, load_crg
    from diffusion_refine.synthesis.crg.paper_layout import write_paper_layout
    from diffusion_refine.synthesis.crg.sampling import literal as as_published
    from procgen.errors import BlemishError

    torch.set_num_threads(threads)
    torch.set_flush_denormal(True)
    options = reading(white_level, most_pixels)
    loaded = load_crg(model or EMBEDDED_FOLDER, device)
    if unknown := [name for name in class_name or () if name not in loaded.labels]:
        raise BlemishError(f"--class: found {unknown[0]}; the model learnt {', '.join(loaded.labels)}")
    loaded = _seeing(loaded, context, literal)
    chosen = _settings(as_published() if literal else None, steps, start, jump, travels)
    chosen = replace(
        chosen,
        guidance=replace(chosen.guidance, steps=guidance_steps),
        attention=replace(
            chosen.attention,
            centre_weight=chosen.attention.centre_weight * centre,
            components=components,
            momentum=chosen.attention.momentum * average,
            background=background,
        ),
    )
    samples = _samples(request, only, options, format)
    source = _boxes(boxes, boxes_only, classes, tuple(class_name or loaded.labels), loaded, pieces, samples, options)
    if layout is Layout.paper:
        samples, source = _one_box_a_frame(samples, source, request)
    generator = CrgGenerator(loaded, source, chosen, literal, {})
    made = pasting(
        "crg",
        request,
        surfaces_of(request, samples, per_box, recipe),
        source.classes,
        lambda bits: replace(generator, bits=bits),
        {**generator.described(0)["settings"], "model": dict(loaded.sha256)},
    )
    if layout is Layout.blemish:
        return made

    def report(dataset: "Dataset") -> "Sequence[str]":
        count = write_paper_layout(dataset, made.source)
        return [*made.report(dataset), f"samples    {count} in {dataset.path / 'sample'}"]

    return replace(made, report=report)


def _settings(
    published: "CrgSettings | None", steps: int | None, start: int | None, jump: int | None, travels: int | None
) -> "CrgSettings":
    """Raises BlemishError for a start beyond the last level."""
    from diffusion_refine.synthesis.crg.sampling import CrgSettings
    from diffusion_refine.synthesis.crg.schedule import Schedule
    from procgen.errors import BlemishError

    base = published or CrgSettings(schedule=Schedule(STEPS, START, JUMP, TRAVELS))
    own = base.schedule
    levels = own.steps if steps is None else steps
    first = max(1, round(own.start * levels / own.steps)) if start is None else start
    if first > levels:
        raise BlemishError(f"--start: found {first}; expected at most the {levels} --steps")
    return replace(
        base, schedule=replace(own, steps=levels, start=first, jump=jump or own.jump, samples=travels or own.samples)
    )


def _seeing(model: "CrgModel", context: int | None, literal: bool) -> "CrgModel":
    """The model with a context of so many pixels; it is convolutional, and what lies far from a box changes nothing.

    Raises BlemishError for a side that it cannot halve often enough, or that the prior's window does not fit.
    """
    from procgen.errors import BlemishError

    side = context or (model.size if literal else model.surroundings)
    if side % 16 or side < model.window:
        raise BlemishError(
            f"--context: found {side}; expected a multiple of 16, and the prior's {model.window} or more"
        )
    return replace(model, size=side)


def _samples(request: Request, only: Path | None, options: "ReadingOptions", format: str) -> "Sequence[Sample]":
    """The pictures to draw on; a folder of plain pictures is what its files are."""
    from diffusion_refine.synthesis.crg.training.patches import is_set
    from diffusion_refine.synthesis.pasting.chosen import chosen_surfaces
    from scenes.pictures.reading import pictures_in

    inputs = request.inputs
    if len(inputs) == 1 and inputs[0].is_dir() and format == AUTO and not is_set(inputs[0]):
        inputs = tuple(pictures_in(inputs[0])) or inputs
    return chosen_surfaces(inputs, only, options, format)


def _boxes(
    asked: str,
    only: Path | None,
    classes: Path | None,
    wanted: tuple[str, ...],
    model: "CrgModel",
    pieces: int,
    samples: "Sequence[Sample]",
    options: "ReadingOptions",
) -> "BoxSource":
    """What --boxes names. Raises BlemishError where it holds none of the wanted classes."""
    from diffusion_refine.synthesis.copy_paste.library import DefectLibrary
    from diffusion_refine.synthesis.crg.labels import has_labels, read_labels
    from diffusion_refine.synthesis.crg.sources import RecipeBoxes, SetBoxes
    from diffusion_refine.synthesis.pasting.chosen import chosen_flawed
    from diffusion_refine.synthesis.sard.masks import RecipeMasks
    from procgen.errors import BlemishError
    from scenes.recipes.recipe import load_recipe

    names = [Path(sample.name).stem for sample in samples]
    there: tuple[str, ...]
    if asked.startswith(RECIPE):
        loaded = load_recipe(asked.removeprefix(RECIPE))
        there = tuple(name for name, family in loaded.class_families.items() if family == "defect")
    elif has_labels(Path(asked), names):
        labelled = read_labels(Path(asked), names, model.labels, classes)
        there = labelled.classes
    else:
        library = DefectLibrary(Path(asked), chosen_flawed(Path(asked), only, options))
        there = tuple(library.by_class)
    found = tuple(name for name in wanted if name in there)
    if not found:
        raise BlemishError(f"--boxes {asked}: has {', '.join(there)}; expected one of {', '.join(wanted)}")
    if asked.startswith(RECIPE):
        return RecipeBoxes(RecipeMasks(loaded, found))
    return replace(labelled, classes=found) if has_labels(Path(asked), names) else SetBoxes(library, found, pieces)


def _one_box_a_frame(
    samples: "Sequence[Sample]", source: "BoxSource", request: Request
) -> "tuple[Sequence[Sample], LabelledBoxes]":
    """Each picture as often as it has boxes. Raises BlemishError where boxes do not lie beside pictures."""
    from diffusion_refine.synthesis.crg.sources import LabelledBoxes
    from procgen.errors import BlemishError
    from scenes.formats.blemish import recognises

    if not isinstance(source, LabelledBoxes) or recognises(request.inputs[0]):
        raise BlemishError(
            "--layout paper: names each box by its picture; give pictures, and a folder with their labels"
        )
    pairs = [
        (sample, number)
        for sample in samples
        for number, box in enumerate(source.boxes.get(Path(sample.name).stem, ()))
        if box.class_name in source.classes
    ]
    return [sample for sample, _ in pairs], replace(source, each=tuple(number for _, number in pairs))
