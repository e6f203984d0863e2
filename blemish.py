"""The command `blemish`: mounts one small command-line module per package, imported only when its command runs."""

import importlib
import importlib.util
import os
import signal
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cache
from pathlib import Path
from types import FrameType, ModuleType
from typing import Annotated

import typer

from procgen.errors import BlemishError, BlemishNote, Stopped

# Where each command is defined. `blemish --help` reads these lines and imports none of the modules.
COMMANDS = {
    "demo": ("blemish", "Render, train, evaluate and report, end to end, on one small example."),
    "render": ("blender_addon.cli", "Render a recipe into a dataset of pictures with exact masks."),
    "calibrate": ("blemish", "Fit a recipe's finish, light and sensor to photographs of good parts."),
    "train": ("anomaly.cli", "Train a Sequential PatchCore inspector on good pictures."),
    "evaluate": ("anomaly.cli", "Judge an inspector on pictures with known defects and write a report."),
    "report": ("anomaly.gallery.cli", "Write a page to look through a dataset, with what inspectors say of it."),
    "inspect": ("anomaly.line.cli", "Inspect pictures, a folder, a video or a camera: what is flawed, and where."),
    "regions": ("anomaly.line.cli", "Make a page to draw on a picture where an inspector shall look."),
    "study": ("anomaly.studies.cli", "Compare training on real pictures, on renders and on both."),
    "export": (
        "blemish",
        "Write a dataset as MVTec AD, VisA, COCO, YOLO, LabelMe, for Hugging Face or WebDataset; an inspector as ONNX.",
    ),
    "import": ("scenes.formats.exchange.cli", "Make a dataset of labelled pictures of any of these formats."),
    "meld": ("anomaly.cli", "Meld the banks of several inspectors into one."),
    "bank": ("anomaly.cli", "Look at an inspector's bank; forget pictures, age out rows, grow or shrink it."),
    "recipes": ("scenes.cli", "List the recipes that come with Blemish."),
    "recipe": ("scenes.cli", "Print a recipe, to copy and change."),
    "check": ("scenes.cli", "Check a recipe without rendering it."),
    "verify": ("blemish", "Compare every file of datasets, inspectors and evaluations with its digest."),
    "preview": ("scenes.cli", "Draw the surface of a recipe's part as a picture, without Blender."),
    "refine": ("diffusion_refine.synthesis.cli", "Make a dataset's defects more real by diffusion, and multiply them."),
    "train-generator": (
        "diffusion_refine.training.cli",
        "Train what makes defects on pictures of your own parts.",
    ),
    "weigh": ("anomaly.weighting.cli", "Say of every synthetic frame what it shall count for in training."),
    "synthesize": ("diffusion_refine.synthesis.cli", "Make a dataset of photographs of good surfaces, or of another."),
}
# What looks at a folder, by a file in it that tells what it is: a module with `damages(folder)` and `repair(folder)`.
VERIFIERS = {
    "dataset.json": "scenes.datasets.verify",
    "bank.safetensors": "anomaly.inspection.verify",
    "training.safetensors": "anomaly.inspection.verify",
    "results.json": "anomaly.evaluation.verify",
    "inspection.json": "anomaly.line.verify",
    "model_index.json": "diffusion_refine.core.verify",
    "training/settings.json": "diffusion_refine.core.verify",
    "figures.json": "anomaly.studies.engine.verify",
    "SHA256SUMS": "scenes.formats.exchange.verify",
}
# What exports a folder, a module with `export(folder, out, format, **options)`: the inspectors', and the datasets'.
INSPECTOR_EXPORTER, DATASET_EXPORTER = "anomaly.deployment.cli", "scenes.formats.exchange.cli"
INSPECTOR, INSPECTOR_FORMATS = "bank.safetensors", ("onnx", "openvino", "torch")
DATASET_FORMATS = ("visa", "coco", "yolo", "mvtec", "labelme", "huggingface", "webdataset")
# Commands and options of earlier versions: what they are called now.
RENAMED = {"--outposts": "--boundary-patches", "train-diffusion": "train-generator diffusion"}
SUMMARY = "One recipe in; rendered parts with exact masks, and the anomaly detectors trained on them, out."
USER_ERROR = 2  # exit code of every error that the user can mend
INTERRUPTED = 130  # of a command that was stopped
STOPPED = "stopped; the same command goes on from what is finished"  # of one that had not yet begun to say what is
# The signals that end a command: Ctrl-C, and those by which systems and closing terminals do; Windows has no SIGHUP.
STOPS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
NEAR = 40  # characters of a text about the one that is none
PUT_OFF = 0.05  # s; after it a signal comes again: one that met an import, one that could not be raised
AT_ONCE = 2.0  # s; a second signal within is of the same stop, and does not disturb the end that the first began
# The extra of this distribution that brings a package which the base installation lacks.
EXTRAS = {
    "bpy": "render",
    "ray": "ray",
    **dict.fromkeys(("fsspec", "s3fs"), "remote"),
    **dict.fromkeys(("accelerate", "diffusers", "peft", "tokenizers", "transformers"), "diffusion"),
    **dict.fromkeys(("onnx", "onnxruntime", "onnxscript", "openvino"), "export"),
    **dict.fromkeys(("anomalib", "cv2", "matplotlib", "timm", "torch", "torchmetrics", "torchvision"), "anomaly"),
}


def demo(
    out: Annotated[Path, typer.Option(help="Folder for the datasets, the inspector and the report.")] = Path(
        "out/demo"
    ),
    recipe: Annotated[str, typer.Option(help="A shipped recipe's name or a YAML file.")] = "magnetic_tile",
    frames: Annotated[int, typer.Option(min=8, help="Frames to train on, and again as many to judge.")] = 40,
    samples: Annotated[int, typer.Option(min=1, help="Cycles samples a pixel.")] = 32,
    seed: Annotated[int, typer.Option(min=0, help="Everything random follows from it.")] = 7,
    real: Annotated[
        Path | None, typer.Option(help="Real photographs to judge the inspector on as well (any format of `evaluate`).")
    ] = None,
) -> None:
    """Render good parts and flawed ones, train on the good, judge on the flawed, and write the report.

    Each step is an ordinary blemish command and is printed before it runs. Stopped in the middle, the same command
    goes on where it was.
    """
    train_set, test_set, bank = out / "train", out / "test", out / "inspector"
    rendering = ["--frames", str(frames), "--samples", str(samples)]
    steps = [
        ["render", recipe, "--out", str(train_set), "--seed", str(seed), "--without", "defects", *rendering],
        ["render", recipe, "--out", str(test_set), "--seed", str(seed + 1), *rendering],
        ["train", str(train_set), "--out", str(bank)],
        ["evaluate", str(bank), str(test_set), "--out", str(out / "report")],
    ]
    if real is not None:
        steps.append(["evaluate", str(bank), str(real), "--out", str(out / "report-real")])
    begin = time.monotonic()
    for step in steps:
        typer.secho("\n$ blemish " + " ".join(step), bold=True)
        code = carried_out(step)
        if code:
            raise typer.Exit(code)
    typer.secho(f"\nDone in {(time.monotonic() - begin) / 60:.1f} minutes. The report:", bold=True)
    for step in steps:
        if step[0] == "evaluate":
            typer.echo(f"  {Path(step[step.index('--out') + 1]) / 'report.html'}")


def verify(
    paths: Annotated[
        list[Path],
        typer.Argument(
            metavar="FOLDER...",
            help="Datasets, inspectors, evaluations, inspections, trained models, studies, exports.",
            show_default=False,
        ),
    ],
    repair: Annotated[
        bool, typer.Option("--repair", help="Make damaged frames anew, if they were rendered, and annotations.")
    ] = False,
) -> None:
    """Compare every file of datasets, inspectors, evaluations, inspections, trained models, studies and exports with
    its digest, and name what was changed or damaged.

        blemish verify out/train out/inspector out/report

        blemish verify out/train --repair

    Of what `render` wrote, damaged frames are rendered again, to the same bytes; all others are discarded, and the
    command that made them makes them anew.
    """
    left = []
    for path in paths:
        verifier = verifier_of(path)
        found = list(map(str, verifier.damages(path)))
        if found and repair:
            for damage in found:
                typer.echo(f"damaged   {damage}")
            remark = verifier.repair(path)
            found = [*filter(None, [remark]), *map(str, verifier.damages(path))]
        if not found:
            typer.echo(f"sound     {path}")
        left += found
    if left:
        raise BlemishError("\n".join(left if repair else [*left, "mend it with: blemish verify --repair"]))


def export(
    folder: Annotated[Path, typer.Argument(help="Of a dataset, or of an inspector.", show_default=False)],
    out: Annotated[
        Path,
        typer.Option(
            help="Of a dataset the folder to write, of an inspector the file: NAME.onnx, NAME.xml or NAME.pt2."
        ),
    ],
    format: Annotated[
        str | None,
        typer.Option(
            metavar="|".join((*DATASET_FORMATS, *INSPECTOR_FORMATS)), help="What it is written as; see above."
        ),
    ] = None,
    shape: Annotated[
        str | None,
        typer.Option(
            metavar="polygon|box|oriented-box|mask",
            help="How labels are drawn: in yolo a polygon, box or oriented-box, in labelme a mask or polygon. By "
            "default the first of these.",
            rich_help_panel="Datasets",
        ),
    ] = None,
    test_share: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=1,
            help="Share of surfaces for testing, where the source has no split of its own. By default 0.3.",
            rich_help_panel="Datasets",
        ),
    ] = None,
    seed: Annotated[
        int | None, typer.Option(min=0, help="Draws that share. By default 0.", rich_help_panel="Datasets")
    ] = None,
    name: Annotated[
        str | None,
        typer.Option(
            help="Of the set, in formats that name it (visa: the category). By default the folder's.",
            rich_help_panel="Datasets",
        ),
    ] = None,
    eight_bits: Annotated[
        bool,
        typer.Option(
            "--eight-bits", help="Write deeper pictures with 8 bits, not as they are.", rich_help_panel="Datasets"
        ),
    ] = False,
    shard: Annotated[
        int | None,
        typer.Option(min=1, help="Pictures of one archive of webdataset. By default 1000.", rich_help_panel="Datasets"),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=256,
            help="Processes that work at once. By default one, or with --ray as many as the cluster has cores.",
            rich_help_panel="Datasets",
        ),
    ] = None,
    ray: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS|local|auto",
            help="Work on a Ray cluster; see docs/scaling.md.",
            rich_help_panel="Datasets",
        ),
    ] = None,
    size: Annotated[
        str | None,
        typer.Option(
            metavar="WIDTHxHEIGHT",
            help="Of the pictures that will come, in pixels. By default that on which --look of `train` was drawn, or "
            "of which the inspector knows the size of a pixel.",
            rich_help_panel="Inspectors",
        ),
    ] = None,
    half: Annotated[
        bool,
        typer.Option(
            "--half",
            help="The backbone in half precision: half the file, and faster on graphics cards. What decides stays in "
            "single precision.",
            rich_help_panel="Inspectors",
        ),
    ] = False,
    threads: Annotated[
        int | None,
        typer.Option(min=1, help="Processor threads. By default 1.", rich_help_panel="Inspectors"),
    ] = None,
) -> None:
    """Write a dataset as other programs read it, or an inspector as a file that runs without Blemish.

        blemish export out/test --format coco --out out/test-coco

        blemish export out/test --format yolo --shape oriented-box --out out/test-yolo

        blemish export out/careful --size 2448x2050 --out out/careful.onnx

    A dataset is one of Blemish, or labelled pictures of any format that `blemish import` reads. mvtec and visa are for
    detectors of anomalies, coco keeps every label, yolo and labelme have one text a picture, huggingface is for
    datasets.load_dataset, webdataset for streams. What a format cannot keep is counted and printed. A stopped export
    goes on where it was.

    Of an inspector, onnx (the default) is for ONNX Runtime, TensorRT, Windows ML and most else; openvino for Intel's
    processors and graphics, a file .xml with its .bin; torch for PyTorch in Python or C++ (torch.export). The input
    `picture` is RGB as a camera gives it, (height, width, 3) of 8 bits; scaling, normalisation, regions and threshold
    are within. The outputs are `anomaly_map` (height, width), `score`, its highest value, and `is_flawed`. The file
    holds, as JSON under the key `blemish`, the threshold and how it was found, the picture's size and what the backbone
    is; docs/inspectors.md has ten lines of Python that run it. After writing, the file is run on a picture of noise and
    compared with the inspector itself.
    """
    of_datasets = {
        "shape": shape, "test_share": test_share, "seed": seed, "name": name, "eight_bits": eight_bits or None,
        "shard": shard, "workers": workers, "ray": ray,
    }  # fmt: skip
    of_inspectors = {"size": size, "half": half or None, "threads": threads}
    is_inspector = (folder / INSPECTOR).is_file() or (not folder.is_dir() and format not in DATASET_FORMATS)
    options, others = (of_inspectors, of_datasets) if is_inspector else (of_datasets, of_inspectors)
    if wrong := next((name for name, value in others.items() if value is not None), None):
        kind, other = ("an inspector", "datasets") if is_inspector else ("no inspector", "inspectors")
        raise BlemishError(f"--{wrong.replace('_', '-')}: is for {other}, and {folder} is {kind}; leave it out")
    exporter = importlib.import_module(INSPECTOR_EXPORTER if is_inspector else DATASET_EXPORTER)
    exporter.export(folder, out, format, **{name: value for name, value in options.items() if value is not None})


def calibrate(
    recipe: Annotated[str, typer.Argument(help="A shipped recipe's name or a YAML file.", show_default=False)],
    real: Annotated[Path, typer.Option(help="Folder of 5 to 60 photographs of good parts, or any format of `train`.")],
    out: Annotated[Path, typer.Option(help="Recipe to write, NAME.yaml; page and sheet come in NAME-fit beside it.")],
    masks: Annotated[
        Path | None,
        typer.Option(help="Photographs with masks, any format of `train`: defects are fitted to them, too."),
    ] = None,
    renders: Annotated[
        int, typer.Option(min=20, max=100_000, help="Frames of the broad design that the fit learns from.")
    ] = 300,
    verified: Annotated[int, typer.Option(min=8, max=1000, help="Frames of every recipe that is tried.")] = 32,
    samples: Annotated[int, typer.Option(min=1, max=65536, help="Cycles samples a pixel.")] = 4,
    seed: Annotated[int, typer.Option(min=0, help="Everything random follows from it: same seed, same recipe.")] = 0,
    workers: Annotated[
        int | None, typer.Option(min=1, max=256, help="Blender processes, sharing this machine's cores.")
    ] = None,
    blender: Annotated[
        str | None, typer.Option(help="A Blender program, or a Python with another bpy.", metavar="PATH")
    ] = None,
    device: Annotated[str, typer.Option(help="What Cycles runs on, as of `render`.")] = "cpu",
) -> None:
    """Fit a recipe's finish, light, sensor and framing to photographs of good parts.

        blemish calibrate magnetic_tile --real photos/good --out out/tile.yaml

        blemish render out/tile.yaml --out out/train --without defects

    What may change stands in the recipe under `calibrate`, with bounds; of a recipe without, all that photographs may
    tell. What they do not determine stays as it is, and is named. A third of the photographs is kept back and judges: a
    fit that does not come nearer to them is refused. Look at the sheet before you use it. Ctrl-C at any moment keeps
    what is rendered; the same command goes on from there.
    """
    command = importlib.import_module("scenes.calibration.cli")
    radiance = importlib.import_module("blender_addon.calibrating.radiance")
    features = None
    if importlib.util.find_spec("torch") is not None:
        features = importlib.import_module("anomaly.gallery.feature_distance").picture_features()
    rendering = {"samples": samples, "workers": workers, "blender": blender, "device": device}
    command.fit(
        recipe,
        real,
        out,
        renderer=lambda wanted, on_note: radiance.renderer(wanted, on_note=on_note, **rendering),
        features=features,
        sizes={"renders": renders, "verified": verified, "seed": seed},
        samples=samples,
        labelled=radiance.labelled(masks, seed, **rendering) if masks else None,
    )


def verifier_of(folder: Path) -> ModuleType:
    """The module that looks at a folder. Raises BlemishError where it is of no kind that is known."""
    for name, module in VERIFIERS.items():
        if (folder / name).is_file():
            return importlib.import_module(module)
    raise BlemishError(
        f"{folder}: found none of {', '.join(VERIFIERS)}; give the folder of a dataset, an inspector, an evaluation, "
        "an inspection, a trained model, a study or an export"
    )


def carried_out(step: list[str]) -> int:
    """Run a command of ours and give its exit code; it is told of a stop and ends by itself."""
    process = subprocess.Popen([sys.executable, "-m", "blemish", *step])
    try:
        return process.wait()
    except KeyboardInterrupt:
        process.terminate()
        process.wait()
        raise Stopped(STOPPED) from None


def register(app: typer.Typer) -> None:
    """Mount this module's own commands."""
    app.command()(demo)
    app.command()(verify)
    app.command()(export)
    app.command()(calibrate)


def overview() -> typer.Typer:
    """The program without its commands' modules: names and help lines only."""
    app = typer.Typer(help=SUMMARY, no_args_is_help=True, add_completion=False)
    for name, (_, line) in COMMANDS.items():
        app.command(name, help=line)(lambda: None)
    return app


def program(command: str) -> typer.Typer:
    """The program with the commands of the one module that defines `command`."""
    app = typer.Typer(help=SUMMARY, add_completion=False, pretty_exceptions_enable=False)
    app.callback()(lambda: None)  # keeps `blemish COMMAND` spelt so, even for a module of one command
    importlib.import_module(COMMANDS[command][0]).register(app)
    return app


def main() -> None:
    """Run the command line, as the program that this process is."""
    heed_stops()
    importlib.import_module("scenes.memory").keep_freed()
    sys.exit(run(sys.argv[1:], importing=left_at_once()))


def heed_stops() -> None:
    """Have the signals by which systems and closing terminals end a program do what Ctrl-C does.

    All of them wait for the end of an import: one that is interrupted in a compiled module may end the process there
    and then, with all that is half-written, as torch's does. One that was raised where nothing can be (in a destructor,
    in a callback of compiled code) comes again.
    """
    stops, last, waiting = 0, -AT_ONCE, set[int]()

    def again(number: int) -> None:
        waiting.discard(number)
        main_thread = threading.main_thread().ident
        if hasattr(signal, "pthread_kill") and main_thread is not None:  # a signal here would wake no sleep there
            signal.pthread_kill(main_thread, number)
        else:
            signal.raise_signal(number)

    def put_off(number: int) -> None:
        if number not in waiting:
            waiting.add(number)
            timer = threading.Timer(PUT_OFF, again, (number,))
            timer.daemon = True
            timer.start()

    def interrupt(number: int, frame: FrameType | None) -> None:
        nonlocal stops, last
        if is_importing(frame):
            put_off(number)
            return
        before, last = last, time.monotonic()
        if number == signal.SIGINT or last - before >= AT_ONCE:
            stops = number
            raise KeyboardInterrupt

    def lost(unraisable: "sys.UnraisableHookArgs") -> None:
        nonlocal last
        if unraisable.exc_type is KeyboardInterrupt and stops:
            last = -AT_ONCE  # nothing has begun to end
            put_off(stops)
        else:
            sys.__unraisablehook__(unraisable)

    sys.unraisablehook = lost
    for number in STOPS:
        if signal.getsignal(number) in (signal.SIG_DFL, signal.default_int_handler):  # not where nohup has it ignored
            signal.signal(number, interrupt)


def is_importing(frame: FrameType | None) -> bool:
    """Whether what a command does at a frame is to import a module; not what imports the program itself."""
    while frame is not None and frame.f_code is not run.__code__:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            return True
        frame = frame.f_back
    return False


@contextmanager
def left_at_once() -> Iterator[None]:
    """Within it a stop ends the process on the spot: nothing is begun yet, and modules that are interrupted while they
    are imported may tell of anything else (numpy, of an import that failed)."""

    def leave(number: int, frame: FrameType | None) -> None:
        os.write(2, f"{STOPPED}\n".encode())
        os._exit(INTERRUPTED)

    before = {number: signal.getsignal(number) for number in STOPS}
    for number, handler in before.items():
        if handler != signal.SIG_IGN:
            signal.signal(number, leave)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def run(arguments: list[str], importing: AbstractContextManager[None] = nullcontext()) -> int:
    """Run a command line; an error that the user can mend is one line on standard error and exit code 2.

    importing: within which the command's modules are imported.
    """
    command = arguments[0] if arguments else ""
    warnings.showwarning = note
    try:
        with importing:
            app = program(command) if command in COMMANDS else overview()
        with local(arguments) as words:
            code = app(words, prog_name="blemish", standalone_mode=False)  # else typer frames its errors in lines
        if code == INTERRUPTED:  # typer's word for Ctrl-C
            raise Stopped(STOPPED)
    except (Stopped, KeyboardInterrupt) as stop:
        print(stop if isinstance(stop, Stopped) else STOPPED, file=sys.stderr)
        code = INTERRUPTED
    except BlemishError as error:
        code = refuse(str(error))
    except typer.TyperException as error:
        code = refuse(wrong_usage(command, error))
    except ModuleNotFoundError as error:
        code = refuse(missing_extra(error))
    except UnicodeEncodeError as error:
        code = refuse(no_text(error))
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        code = refuse(f"{place}{error.strerror or error}")
    return code if isinstance(code, int) else 0


def local(arguments: list[str]) -> AbstractContextManager[list[str]]:
    """The command line with copies on this machine in the place of URLs of folders, if there are any."""
    if not any("://" in word for word in arguments):
        return nullcontext(arguments)
    copies: AbstractContextManager[list[str]] = importlib.import_module("scenes.urls").localised(arguments, VERIFIERS)
    return copies


def wrong_usage(command: str, error: typer.TyperException) -> str:
    """The line for an option or argument that typer refuses, or the whole help where nothing was asked for."""
    message = error.format_message()
    if not command:
        return message
    from pydantic import ValidationError

    old = getattr(error, "option_name", "") or command
    if old in RENAMED:
        return f"{old} is now called {RENAMED[old]}; give it by that name"
    context = getattr(error, "ctx", None)
    known = context.command_path if context else "blemish"
    refused = error.__cause__  # by the type of an option, which does not say what it was given
    found = f", found {refused.errors()[0]['input']}" if isinstance(refused, ValidationError) else ""
    return f"{message.rstrip('.')}{found}; `{known} --help` tells what is allowed"


def missing_extra(error: ModuleNotFoundError) -> str:
    """The line for a library that comes with an extra; any other missing module is a mistake of ours and raised."""
    library = (error.name or "").partition(".")[0]
    if library not in EXTRAS:
        raise error
    return f"{library} is not installed; this command needs: pip install 'blemish[{EXTRAS[library]}]'"


def no_text(error: UnicodeEncodeError) -> str:
    """The line for a name that cannot be written down, or that an output does not take."""
    near = error.object[max(0, error.start - NEAR) : error.end + NEAR]
    if error.encoding == "utf-8":
        return f"found {near!a}, which is no UTF-8; expected names of files, folders and options that are"
    return f"the output takes {error.encoding} alone, not {near!a}; set PYTHONIOENCODING=utf-8"


def note(message: Warning | str, category: type[Warning], filename: str, line: int, *rest: object) -> None:
    """Print what was assumed of the user's files as a line of ours, and every other warning as Python does."""
    if issubclass(category, BlemishNote):
        say_once(str(message))
    else:
        print(warnings.formatwarning(message, category, filename, line), end="", file=sys.stderr)


@cache
def say_once(message: str) -> None:
    """Print a note, unless it was printed before."""
    print(f"blemish: note: {message}", file=sys.stderr)


def refuse(message: str) -> int:
    """Print an error, one line a problem."""
    for line in message.splitlines():
        print(f"blemish: {line}", file=sys.stderr)
    return USER_ERROR


if __name__ == "__main__":
    main()
