"""The method `refine`: defects of a dataset look more real afterwards, and more of them; every mask stays true."""

from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from diffusion_refine.synthesis.request import Request
from diffusion_refine.synthesis.swap_options import (
    AMPLIFY,
    CROSS,
    SELF,
    AmplifyOption,
    CandidatesOption,
    CrossOption,
    DrawOption,
    InversionOption,
    LowMemoryOption,
    ModelOption,
    PainterOption,
    PaperOption,
    RliOption,
    SelfOption,
    StepsOption,
    painter_for,
    swap_settings,
)
from diffusion_refine.training.options import DeviceOption, ThreadsOption

if TYPE_CHECKING:
    from diffusion_refine.core.models import Model
    from diffusion_refine.synthesis.generator import Synthesis
    from diffusion_refine.synthesis.refine.settings import RefineSettings
    from scenes.datasets.reader import Dataset


def synthesis(
    request: Request,
    *,
    model: ModelOption = "embedded",
    realism: Annotated[
        float,
        typer.Option(min=0, max=1, help="How far defects may go from the render: share of the noise that they get."),
    ] = 0.25,
    background: Annotated[
        float,
        typer.Option(min=0, max=1, help="Likewise for all the rest; 0 leaves its pixels as they are, bit for bit."),
    ] = 0.0,
    keep_visible: Annotated[
        float,
        typer.Option(
            min=0,
            max=1,
            help="Share of its visibility that a defect keeps: as much of its change is taken back as that needs.",
        ),
    ] = 0.9,
    variants: Annotated[
        int, typer.Option(min=0, help="Frames more for every one with a defect, in which it is of another kind.")
    ] = 0,
    word: Annotated[
        list[str] | None,
        typer.Option(help="What a defect may become; repeatable. By default all that befalls the material."),
    ] = None,
    originals: Annotated[
        bool, typer.Option(help="Whether the refined frames come first; without them there are the variants alone.")
    ] = True,
    keep_classes: Annotated[
        bool,
        typer.Option(
            "--keep-classes", help="A word changes how a defect of a variant looks, and not what it is labelled as."
        ),
    ] = False,
    relabel: Annotated[
        bool,
        typer.Option("--relabel", help="Find a mask again where an edit has moved its edge, and keep the old one."),
    ] = False,
    relabel_share: Annotated[
        float,
        typer.Option(min=0.01, max=0.99, help="Share of a defect's contrast from which on a pixel changed sides."),
    ] = 0.5,
    painter: PainterOption = None,
    draw: DrawOption = True,
    candidates: CandidatesOption = 1,
    paper: PaperOption = False,
    inversion: InversionOption = None,
    cross: CrossOption = CROSS,
    self_share: SelfOption = SELF,
    amplify: AmplifyOption = AMPLIFY,
    steps: StepsOption = 50,
    guidance: Annotated[
        float, typer.Option(min=1, help="How strongly the words count in refinement; swaps have the model's usual.")
    ] = 2.0,
    rli: RliOption = 0.1,
    band: Annotated[int, typer.Option(min=0, help="Pixels around a mask over which a change fades out.")] = 3,
    visible: Annotated[
        float, typer.Option(min=0, help="Label check: share of its visibility that a defect must keep.")
    ] = 0.5,
    in_place: Annotated[
        float, typer.Option(min=0, help="Label check: share of its fit to the mask that it must keep.")
    ] = 0.7,
    stray: Annotated[
        float, typer.Option(min=0, help="Label check: how far new things beside it may stand out, over the defect.")
    ] = 0.8,
    spill: Annotated[
        float, typer.Option(min=0, help="Label check: how far the pixels next to the mask may follow the defect.")
    ] = 0.4,
    swap: Annotated[
        float, typer.Option(min=0, help="Label check of variants: share of its contrast that a defect must change by.")
    ] = 0.5,
    attempts: Annotated[int, typer.Option(min=1, help="Tries before a defect is left as it was rendered.")] = 4,
    low_memory: LowMemoryOption = False,
    device: DeviceOption = None,
    threads: ThreadsOption = 1,
) -> "Synthesis":
    """Denoise the defects of a dataset anew; in variants heal them and draw others in their place.

    Raises BlemishError for anything but one finished dataset and options that fit it; ModelError, DatasetError.
    """
    import torch

    from diffusion_refine.core.models import load_model, load_painter
    from diffusion_refine.editing.label_check import Limits
    from diffusion_refine.editing.painting import PaintSettings
    from diffusion_refine.editing.realism import RealismSettings
    from diffusion_refine.editing.relabelling import RelabelSettings
    from diffusion_refine.synthesis.refine.settings import RefineSettings
    from procgen.errors import BlemishError
    from scenes.datasets.reader import Dataset

    if painter and not variants:
        raise BlemishError("--painter says how variants are made; give --variants as well")
    if word and not variants:
        raise BlemishError("--word says what defects become in variants; give --variants as well")
    if not originals and not variants:
        raise BlemishError("--no-originals leaves the variants alone; give --variants as well")
    if paper and not variants:
        raise BlemishError("--paper says how words are swapped in variants; give --variants as well")
    if len(request.inputs) != 1:
        raise BlemishError(f"refine: found {len(request.inputs)} inputs; expected the folder of one dataset")
    dataset = Dataset(request.inputs[0])
    settings = RefineSettings(
        realism=RealismSettings(realism, background, band, steps, guidance, rli, keep_visible),
        swap=swap_settings(inversion, steps, rli, cross, self_share, amplify, paper),
        limits=None if request.label_check is False else Limits(visible, in_place, stray, spill, swap),
        variants=variants,
        words=tuple(word or ()),
        attempts=attempts,
        seed=request.seed,
        originals=originals,
        keep_classes=keep_classes,
        relabel=RelabelSettings(relabel_share) if relabel else None,
        base_prompt=paper,
        paint=PaintSettings(candidates=candidates, drawn=draw),
    )
    torch.set_num_threads(threads)
    torch.set_flush_denormal(True)
    loaded = load_model(model, device, low_memory=low_memory)
    swaps = paper or inversion is not None or (cross, self_share, amplify) != (CROSS, SELF, AMPLIFY)
    name = painter_for(painter, swaps, keep_classes) if variants else None
    paints = None if name is None else load_painter(name, device, low_memory=low_memory)
    return refine_synthesis(dataset, loaded, settings, paints)


def refine_synthesis(
    dataset: "Dataset", model: "Model", settings: "RefineSettings", painter: "Model | None" = None
) -> "Synthesis":
    """The refinement of a finished dataset by a model; its variants painted by another, else their words swapped.

    Raises BlemishError where the settings do not fit the dataset.
    """
    from diffusion_refine.synthesis.dataset_frames import DatasetFrames
    from diffusion_refine.synthesis.generator import Editing, Relabelling, Synthesis
    from diffusion_refine.synthesis.refine.drawing import drawer_for
    from diffusion_refine.synthesis.refine.generator import RefineGenerator
    from diffusion_refine.synthesis.refine.records import measured
    from diffusion_refine.synthesis.refine.summary import summary_lines
    from diffusion_refine.synthesis.refine.swap_words import SwapWords
    from procgen.errors import BlemishError

    source = DatasetFrames(dataset, settings.variants, settings.originals)
    drawn = painter is not None and settings.paint.drawn
    words = SwapWords(
        dataset,
        settings.words,
        settings.keep_classes,
        drawable=lambda word: not drawn or drawer_for(word, dataset.recipe) is not None,
    )
    if settings.variants and not any(words.offered.values()):
        raise BlemishError(
            f"{dataset.path}: none of the words {', '.join(settings.words) or 'of its material'} can stand for its "
            "defects; name others with --word"
        )
    classes = words.new_classes(settings.variants)
    bits = {name: bit for bit, name in enumerate(dict.fromkeys([*dataset.classes, *classes]))}
    generator = RefineGenerator(model, settings, words, bits, painter)
    relabelling = None
    if settings.relabel is not None:
        relabelling = Relabelling(settings.relabel, settings.realism.band)
    inherited = {name: value for name, value in dataset.header.settings.items() if name != "refined"}
    refined = {"source": source.written(), **generator.record, **settings.written()}
    refined.pop("settings")
    return Synthesis(
        name="refine",
        activity="refining",
        source=source,
        generator=generator,
        seed=settings.seed,
        settings={"refined": refined, **inherited},
        classes=classes,
        editing=Editing(
            generator.units,
            settings.limits,
            settings.attempts,
            measured,
            relabelling,
            bits,
        ),
        report=partial(summary_lines, dataset, limits=settings.limits),
    )
