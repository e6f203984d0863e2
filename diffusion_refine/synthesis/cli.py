"""The commands `blemish synthesize` and `blemish refine`: one loop, and the options of the method that is asked for."""

import inspect
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from diffusion_refine.synthesis.registry import METHODS, factory_of
from diffusion_refine.synthesis.request import Request
from diffusion_refine.synthesis.swap_options import Inversion, seed_for
from scenes.jobs.executor import Executor
from scenes.jobs.options import RayOption, WorkersOption, executor_for

PROCEDURAL = "procedural"

OutFolder = Annotated[Path, typer.Option(help="Folder for the dataset. A stopped run in it is taken up again.")]
Seed = Annotated[
    int | None,
    typer.Option(min=0, help="Everything random follows from it: same seed, same bytes.", show_default="0"),
]
LabelCheck = Annotated[
    bool | None,
    typer.Option(
        "--label-check/--no-label-check",
        help="Whether an edit is refused after which a defect faded, moved or doubled; by default where one is edited.",
        show_default=False,
    ),
]


def synthesize(
    inputs: Annotated[
        list[Path], typer.Argument(metavar="PICTURE...|DATASET", help="Pictures of good surfaces, or a dataset.")
    ],
    method: Annotated[
        str, typer.Option(metavar="|".join(METHODS), help="How frames are made; each has options of its own.")
    ] = PROCEDURAL,
    out: OutFolder = Path("out/synthesized"),
    seed: Seed = None,
    label_check: LabelCheck = None,
    workers: WorkersOption = None,
    ray: RayOption = None,
    **options: Any,
) -> None:
    """Make a dataset of pictures of good surfaces, or of another dataset, by the method that you choose.

    procedural puts a recipe's defects and impurities on photographs, with exact masks. They take the light of the
    photograph: relief shades its pixels, albedo and roughness change them, and all others stay as they are:

        blemish synthesize photos/*.png --recipe plate --out out/drawn

    refine denoises the defects of a dataset anew by a diffusion model, as `blemish refine` does:

        blemish synthesize out/drawn --method refine --out out/real-looking

    cutpaste, draem and copy-paste are what the field compares with, and need no training: a piece of the picture pasted
    elsewhere on it, a foreign texture in the shape of noise, a real defect of a labelled set blended in. They take
    photographs, labelled sets and datasets, and leave what is labelled already as it is:

        blemish synthesize photos/*.png --method draem --out out/textured

        blemish synthesize photos/*.png --method copy-paste --defects sets/tiles --out out/copied

    maphc2f makes what a recipe draws coherent, and gives it the fine detail of the defects of a labelled set:

        blemish synthesize photos/*.png --method maphc2f --references sets/tiles --out out/detailed

    baseline has published pipelines make defects in masks, Stable Diffusion or SDXL, to compare with:

        blemish synthesize photos/*.png --method baseline --kind inpaint --model ID --class crack --out out/inpainted

    edit exchanges a word of a prompt for another; the words' attention finds the place, what changed the mask:

        blemish synthesize photos/*.png --method edit --prompt "photo of a good tile" --to crack --out out/edited

    sard and crg draw defects into masks and into boxes, by models that `blemish train-generator` trains on your own:

        blemish synthesize photos/*.png --method crg --model out/crg --boxes photos/labels --out out/boxed

    The options of a method: `blemish synthesize --method NAME --help`. A stopped run goes on from the last finished
    frame; scenes/*.json say how each was made.
    """
    _run(method, tuple(inputs), seed, label_check, out, executor_for(workers, ray), options)


def refine(
    dataset: Annotated[
        Path, typer.Argument(help="Folder that `blemish render` or `synthesize` wrote.", show_default=False)
    ],
    out: OutFolder,
    seed: Seed = None,
    label_check: LabelCheck = None,
    workers: WorkersOption = None,
    ray: RayOption = None,
    **options: Any,
) -> None:
    """Make the defects of a dataset look more real, and multiply them; every mask stays true.

    The same frames with the same masks, their defects denoised anew by a diffusion model:

        blemish refine out/test --out out/refined

    Beside each frame three more, in which a crack is a scratch, a dent, a hole, in the same mask:

        blemish refine out/test --out out/many --variants 3

    A dataset of one word's variants alone, whose defects keep their class; masks are found again where edges moved:

        blemish refine out/test --out out/rust --no-originals --variants 1 --word rust --keep-classes --relabel

    Real photographs of good parts, with drawn defects that shall look real (synthesize, then refine):

        blemish synthesize photos/*.png --recipe magnetic_tile --out out/drawn

        blemish refine out/drawn --out out/real-looking

    The embedded model has seen renders alone. To bring renders nearer to your own parts, first tune it on photographs
    of good ones, then let it at the background too:

        blemish train-generator diffusion photos --caption "photo of a good tile" --start embedded --out out/tuned

        blemish refine out/test --model out/tuned --background 0.3 --out out/refined

    Pixels that may not change keep every bit. An edit after which a defect has faded, moved or doubled is refused and
    tried again with other noise; what no attempt gets right stays as it was rendered. scenes/*.json say what was done.
    """
    _run("refine", (dataset,), seed, label_check, out, executor_for(workers, ray), options)


def _run(
    method: str,
    inputs: tuple[Path, ...],
    seed: int | None,
    label_check: bool | None,
    out: Path,
    executor: Executor,
    options: dict[str, Any],
) -> None:
    """Carry a method out and tell what came of it."""
    from diffusion_refine.synthesis.loop import carry_out
    from scenes.jobs.progress import shown

    request = Request(inputs, seed_for(seed, options.get("paper", False)), label_check)
    opened = partial(factory_of(method), request, **options)
    synthesis = opened()
    begin = time.perf_counter()
    made = 0
    with shown("stopped; the same command goes on from the last finished frame") as progress:

        def report(what: str, done: int, total: int) -> None:
            nonlocal made
            made = total
            progress(what, done, total)

        dataset = carry_out(synthesis, out, report, executor=executor, opened=opened)
    seconds = time.perf_counter() - begin
    for line in synthesis.report(dataset):
        typer.echo(line)
    if made:
        typer.echo(f"time       {seconds / made:.1f} s a frame")
    typer.echo(f"{len(dataset)} frames in {out}")


def with_options_of(command: Callable[..., None], method: str, **changed: Any) -> Callable[..., None]:
    """A command whose `**options` are the keyword parameters of a method's factory; changed: annotations of some."""
    own = [p for p in inspect.signature(command).parameters.values() if p.kind is not p.VAR_KEYWORD]
    asked = [p for p in inspect.signature(factory_of(method)).parameters.values() if p.kind is p.KEYWORD_ONLY]
    options = [p.replace(annotation=changed.get(p.name, p.annotation)) for p in asked]
    parameters = [p.replace(kind=p.KEYWORD_ONLY) for p in (*own, *options)]

    def joined(**values: Any) -> None:
        command(**values)

    joined.__doc__ = command.__doc__
    joined.__annotations__ = {p.name: p.annotation for p in parameters}
    joined.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    return joined


def method_in(arguments: Sequence[str]) -> str:
    """The method that a command line asks for."""
    for argument, following in zip(arguments, [*arguments[1:], ""], strict=True):
        name, _, value = argument.partition("=")
        if name == "--method":
            return value or following
    return PROCEDURAL


def synthesize_by_method(context: typer.Context) -> Any:
    """`synthesize` with the options of the method that its command line asks for."""
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command("synthesize")(with_options_of(synthesize, method_in(context.args)))
    return app(context.args, prog_name=context.command_path, standalone_mode=False)


def register(app: typer.Typer) -> None:
    """Mount the commands of this module."""
    untouched = {"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": []}
    app.command("synthesize", context_settings=untouched)(synthesize_by_method)
    inversion = Annotated[
        Inversion | None,
        typer.Option(
            "--inversion",
            "--method",
            help="How swaps keep to the picture.",
            show_default="direct, with --paper null",
        ),
    ]
    app.command("refine")(with_options_of(refine, "refine", inversion=inversion))
