"""The commands `blemish train`, `evaluate`, `meld` and `bank`."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from anomaly.inspection.options import (
    BATCH,
    BatchOption,
    DeviceOption,
    PrecisionOption,
    ThreadsOption,
    TileOption,
    computing,
)
from scenes.datasets.lock import one_writer
from scenes.formats.registry import AUTO, FORMATS
from scenes.formats.sample import GOOD
from scenes.jobs.options import RayOption, WorkersOption, executor_for, repeatable
from scenes.jobs.progress import shown
from scenes.pictures.options import MOST_MILLIONS, MostPixelsOption, WhiteLevelOption, reading

if TYPE_CHECKING:
    from anomaly.evaluation.results import EvaluationRecord, Metrics
    from anomaly.inspection.inspector import Inspector
    from anomaly.inspection.regions import Regions
    from anomaly.inspection.threshold import ThresholdRule
    from scenes.formats.sample import Sample
    from scenes.pictures.reading import ReadingOptions


Datasets = Annotated[list[Path], typer.Argument(help="Folders of pictures, all of one --format.", show_default=False)]
FormatOption = Annotated[
    str, typer.Option(help=f"How the folders are laid out: {', '.join(FORMATS)}; auto looks for itself.")
]
ValidationOption = Annotated[
    Path | None,
    typer.Option(
        help="A dataset that the threshold is found on; without --threshold its defects must be known, and their best "
        "pixel F1 sets it."
    ),
]
ThresholdOption = Annotated[
    str | None,
    typer.Option(
        metavar="f1|good:RISK|VALUE",
        help="From where on a pixel is a defect: best pixel F1; good:1% to flag at most 1 % of good surfaces, found on "
        "good pictures alone; or a number.",
    ),
]
LookOption = Annotated[
    str | None,
    typer.Option(
        metavar="FILE.png|everywhere",
        help="Where to look on every picture: white, or several levels, one a region; black is left out.",
    ),
]
RegionOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="LEVEL=THRESHOLD",
        help="A threshold of its own for the region of that level, as --threshold has it: 128=good:2%. Repeatable.",
    ),
]

EVERYWHERE = "everywhere"  # where --look looks without a file
BEGUN_ANEW = "stopped; nothing was written, and the same command begins anew"


def register(app: typer.Typer) -> None:
    """Mount this module's commands."""
    app.command()(train)
    app.command()(evaluate)
    app.command()(meld)
    app.command()(bank)


@one_writer
def train(
    datasets: Datasets,
    out: Annotated[Path, typer.Option(help="Folder for the inspector. A stopped training in it is taken up again.")],
    detector: Annotated[
        Literal["patchcore", "bisqad"],
        typer.Option(
            help="patchcore keeps a bank of good pictures' features; bisqad learns from pictures with defects and "
            "masks, rendered or synthetic ones, and from good ones among them."
        ),
    ] = "patchcore",
    format: FormatOption = AUTO,
    start: Annotated[
        Path | None, typer.Option(help="Go on from this inspector's bank: fine-tune it on the new pictures.")
    ] = None,
    size: Annotated[
        int | None, typer.Option(min=2, help="Patch features that the bank holds; 2048, or as --start has.")
    ] = None,
    epochs: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Passes over the pictures at most; it ends when one changes nothing. 20, or 5 with --augment.",
        ),
    ] = None,
    augment: Annotated[
        bool,
        typer.Option(
            "--augment", help="Change the light, flip, blur, add noise and mask a border at random in every pass."
        ),
    ] = False,
    boundary_patches: Annotated[
        int | None,
        typer.Option(
            min=0,
            help="Keep so many of the farthest patches around each row too, from one more pass, so that `meld` loses "
            "less; 4 make the file's bank five times as large. 0, or as --start has.",
        ),
    ] = None,
    shards: Annotated[
        int,
        typer.Option(
            min=1,
            help="Part the pictures into so many, each of which fills a bank of its own, and meld these in pairs until "
            "one is left: what --workers share among themselves.",
        ),
    ] = 1,
    image_size: Annotated[
        int | None,
        typer.Option(
            min=32,
            help="Pixels to which the longest side of the largest picture is scaled, all others by the same factor. "
            "By default larger ones are reduced to 640.",
        ),
    ] = None,
    backbone: Annotated[
        str | None,
        typer.Option(
            help="dinov2-small, distilled, efficientnet-lite0, embedded, untrained, filters, the name of a timm model, "
            "each with :scaled behind it for channels on one scale, or several joined by +. By default dinov2-small "
            "where the package with its weights is installed, else distilled."
        ),
    ] = None,
    pretrained: Annotated[bool, typer.Option("--pretrained", help="Fetch the backbone's weights from timm's hub.")] = (
        False
    ),
    weights: Annotated[Path | None, typer.Option(help="The backbone's weights, a safetensors file.")] = None,
    steps: Annotated[
        int | None, typer.Option(min=1, help="For bisqad: steps in which its head learns; 800.", show_default=False)
    ] = None,
    weigh_by: Annotated[
        Path | None,
        typer.Option(
            metavar="SET",
            help="For bisqad: a labelled set; what synthetic pictures count for is learnt beside the detector, so that "
            "it does well there. Otherwise they count for what `blemish weigh` wrote, or all the same.",
        ),
    ] = None,
    weigh_by_only: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The pictures of that set to take, a sample's name a line.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Decides the pictures' order, and untrained weights.")] = 0,
    share: Annotated[
        float, typer.Option(min=0, max=1, help="Share of the surfaces to train on; `evaluate` then takes the others.")
    ] = 1.0,
    threshold: ThresholdOption = None,
    validation: ValidationOption = None,
    validation_share: Annotated[
        float,
        typer.Option(
            min=0.01,
            max=0.99,
            help="For --threshold good:RISK without --validation: share of the good surfaces that training keeps back "
            "for it; `evaluate` leaves them out too.",
        ),
    ] = 0.2,
    look: LookOption = None,
    region: RegionOption = None,
    white_level: WhiteLevelOption = None,
    most_pixels: MostPixelsOption = MOST_MILLIONS,
    device: DeviceOption = "auto",
    batch: BatchOption = BATCH,
    precision: PrecisionOption = "full",
    tile: TileOption = None,
    threads: ThreadsOption = 1,
    workers: WorkersOption = None,
    ray: RayOption = None,
) -> None:
    """Train an inspector: a Sequential PatchCore on the good pictures of one or more datasets, or a BiSQAD on all.

    On rendered plates without defects:

        blemish train out/train --out out/inspector

    On half of the surfaces of a set of photographs, the rest being kept for the evaluation:

        blemish train photos/magnetic_tile --share 0.5 --out out/tiles

    Fine-tuned on photographs after renders under several lights:

        blemish train out/render out/render-turned out/render-large --augment --out out/rendered

        blemish train photos/magnetic_tile --start out/rendered --out out/tuned

    With a threshold that flags at most 2 % of good tiles, found on half of the good ones:

        blemish train photos/magnetic_tile --threshold good:2% --validation-share 0.5 --out out/careful

    More pictures than one process is to see, in shards that four share:

        blemish train out/train --shards 8 --workers 4 --out out/sharded

    A BiSQAD, which learns from synthetic defects and good photographs, each by what it is worth on labelled ones:

        blemish train out/drawn --detector bisqad --weigh-by photos/tiles --weigh-by-only train.txt --out out/bisqad

    Two backbones come along, distilled and embedded; DINOv2-small, which tells most flaws better, comes in a
    package. Both work offline; --pretrained fetches the weights of a timm model from its hub.
    Ctrl-C leaves every finished epoch; the same command goes on from there. The same command gives the same bytes.
    """
    from anomaly.backbone.patch_extractor import BACKBONE
    from anomaly.inspection.threshold import threshold_rule
    from scenes.formats.splitting import split_by_group

    executor = executor_for(workers, ray)
    where = computing(device if executor.is_here or device != "auto" else "cpu", batch, precision, tile)
    _use(threads)
    rule = None if threshold is None else threshold_rule(threshold)
    options = replace(reading(white_level, most_pixels), learnt=_white_level_of(start))
    samples = _read(datasets, format, options)
    if share < 1:
        samples = split_by_group(samples, (share,), seed)[0]
    if detector == "bisqad":
        asked: dict[str, object] = {"start": start, "size": size, "epochs": epochs, "look": look, "region": region}
        asked |= {"boundary-patches": boundary_patches, "augment": augment or None, "shards": (shards - 1) or None}
        _refuse_those_of_a_bank(asked)
        work = _training_of_bisqad(samples, out, steps, seed, _teachers(weigh_by, weigh_by_only, options))
    else:
        _refuse_those_of_bisqad({"steps": steps, "weigh_by": weigh_by, "weigh_by_only": weigh_by_only})
        good = _good_pictures(samples, datasets)
        if backbone is None and not (start or pretrained or weights):
            backbone = _best_backbone()
        work = partial(
            _training_of_a_bank(good, out, augment, _regions(look, options), _region_rules(region)),
            start=start,
            size=size,
            epochs=epochs,
            seed=seed,
            boundary_patches=boundary_patches,
            shards=shards,
            validation_share=validation_share,
        )
    goes_on = "begins anew" if detector == "bisqad" else "goes on from the last finished epoch"
    with _progress(f"stopped; the same command {goes_on}") as progress:
        inspector = work(
            backbone=backbone or BACKBONE,
            image_size=image_size,
            pretrained=pretrained,
            weights=weights,
            trained_on=[dataset.resolve().name for dataset in datasets],
            validation=_read([validation], AUTO, options) if validation else (),
            threshold=rule,
            computing=where,
            progress=progress,
            executor=executor,
        )
    _describe(inspector)
    for line in _passes(inspector):
        typer.echo(line)
    typer.echo(f"{out} is trained; evaluate it with: blemish evaluate {shlex.quote(str(out))} DATASET --out DIR")


@one_writer
def evaluate(
    bank: Annotated[Path, typer.Argument(help="Folder of an inspector that `blemish train` made.", show_default=False)],
    datasets: Datasets,
    out: Annotated[Path, typer.Option(help="Folder for the figures, heat maps and the report.")],
    format: FormatOption = AUTO,
    threshold: ThresholdOption = None,
    validation: ValidationOption = None,
    validation_share: Annotated[
        float,
        typer.Option(
            min=0.01,
            max=0.99,
            help="Where neither --validation nor the inspector gives a threshold: share of the surfaces to find it on, "
            "not evaluated.",
        ),
    ] = 0.2,
    smallest: Annotated[
        int, typer.Option(min=0, help="Drop predicted regions of fewer pixels, at the price of small defects.")
    ] = 0,
    seed: Annotated[int, typer.Option(min=0, help="Decides which surfaces those are.")] = 0,
    device: DeviceOption = "auto",
    batch: BatchOption = BATCH,
    precision: PrecisionOption = "full",
    tile: TileOption = None,
    threads: ThreadsOption = 1,
    white_level: WhiteLevelOption = None,
    most_pixels: MostPixelsOption = MOST_MILLIONS,
    workers: WorkersOption = None,
    ray: RayOption = None,
) -> None:
    """Evaluate an inspector on pictures with known defects: every figure, heat maps and a report.

    The threshold comes from a fifth of the dataset's surfaces, which are then not evaluated:

        blemish evaluate out/inspector out/test --out out/report

    On real photographs, with the threshold from the rendered ones:

        blemish evaluate out/tiles photos/magnetic_tile --validation out/test --out out/real

    With a threshold that flags at most 5 % of good surfaces, found on a third of the good ones:

        blemish evaluate out/tiles photos/magnetic_tile --threshold good:5% --validation-share 0.33 --out out/real

    Surfaces that the inspector was trained on are left out, and so are those that its training kept back.
    """
    from anomaly.evaluation.results import REPORT
    from anomaly.inspection.evaluate import evaluate_inspector, unseen
    from anomaly.inspection.inspector import Inspector, InspectorError
    from anomaly.inspection.threshold import threshold_rule
    from anomaly.reporting.report import write_report

    executor = executor_for(workers, ray)
    where = computing(device if executor.is_here or device != "auto" else "cpu", batch, precision, tile)
    _use(threads)
    rule = None if threshold is None else threshold_rule(threshold)
    if rule is not None and rule.value is not None and validation is not None:
        raise InspectorError(
            f"--threshold {threshold}: is a number, for which nothing is found on --validation {validation}; leave out "
            "one of them"
        )
    inspector = Inspector.load(bank).on(where)
    options = replace(reading(white_level, most_pixels), learnt=inspector.training.white_level)
    samples = _read(datasets, format, options)
    left_out = len(samples) - len(unseen(samples, inspector))
    if left_out:
        typer.echo(f"{left_out} of {len(samples)} pictures left out: training saw their surfaces, or kept them back")
    command = repeatable(sys.argv[1:])
    with _progress(BEGUN_ANEW) as progress:
        record = evaluate_inspector(
            inspector,
            samples,
            _read([validation], AUTO, options) if validation else None,
            out,
            threshold=rule,
            share=validation_share,
            smallest=smallest,
            seed=seed,
            evaluated_on=[str(dataset) for dataset in datasets],
            command=command,
            progress=progress,
            executor=executor,
        )
    typer.echo(f"detector   {record.inspector.detector}")
    typer.echo(f"backbone   {named(record.inspector.backbone, record.inspector.weights)}")
    typer.echo(f"threshold  {record.metrics.threshold:.4g}: {record.threshold_origin}")
    typer.echo(f"flagged    {_flagged(record)}")
    for line in _figures(record.metrics):
        typer.echo(line)
    report = write_report(
        out / REPORT, datasets=datasets, format=format, options=options, evaluation=record, command=command
    )
    typer.echo(f"report     {report}")


@one_writer
def meld(
    banks: Annotated[list[Path], typer.Argument(help="Folders of two or more inspectors.", show_default=False)],
    out: Annotated[Path, typer.Option(help="Folder for the melded inspector.")],
    size: Annotated[
        int | None, typer.Option(min=2, help="Rows of its bank; as the first has. With the sum of all no row is lost.")
    ] = None,
    threshold: ThresholdOption = None,
    validation: ValidationOption = None,
    device: DeviceOption = "auto",
    batch: BatchOption = BATCH,
    precision: PrecisionOption = "full",
    threads: ThreadsOption = 1,
) -> None:
    """Meld the banks of several inspectors into one, without their pictures.

        blemish meld out/rendered out/photographed --out out/melded

    Rows are offered in turn and kept where they expand the bank. A melded bank covers its parts' pictures less well
    than one trained on all of them at once: the worst patch lies about a fifth farther. Where all banks were trained
    with --boundary-patches 4, rows are chosen among these too, and it lies 5 to 9 % farther; the melded bank keeps
    none, so meld all banks at once. Where the pictures are at hand, `blemish train --start` mends it too.
    """
    from anomaly.inspection.inspector import Inspector
    from anomaly.inspection.maintenance import melded

    where = computing(device, batch, precision, None)
    _use(threads)
    first, *others = (Inspector.load(folder) for folder in banks)
    _keep(melded([first.on(where), *others], size), out, threshold, validation)


@one_writer
def bank(
    inspector: Annotated[Path, typer.Argument(help="Folder of an inspector.", show_default=False)],
    out: Annotated[Path | None, typer.Option(help="Folder for the changed inspector; without it only look.")] = None,
    forget: Annotated[
        list[Path] | None,
        typer.Option(help="A picture whose rows shall go: its file, or its name where the file is gone. Repeatable."),
    ] = None,
    generations: Annotated[
        int | None,
        typer.Option(min=1, help="Keep the rows of so many of the latest trainings; --start begins a new one."),
    ] = None,
    size: Annotated[
        int | None, typer.Option(min=2, help="Grow to, or shrink to, so many rows: of the closest pair one goes.")
    ] = None,
    threshold: ThresholdOption = None,
    validation: ValidationOption = None,
    look: LookOption = None,
    region: RegionOption = None,
    device: DeviceOption = "auto",
    batch: BatchOption = BATCH,
    precision: PrecisionOption = "full",
    threads: ThreadsOption = 1,
) -> None:
    """Look at an inspector's bank, or forget pictures, let old rows age out, grow or shrink it.

        blemish bank out/inspector

        blemish bank out/inspector --forget photos/flawed.png --out out/cleaned

        blemish bank out/inspector --generations 3 --size 1024 --out out/small

    With another threshold:

        blemish bank out/inspector --threshold good:1% --validation photos/good --out out/careful

    Looking at a part of every picture alone, with a threshold of its own in the region of level 128:

        blemish bank out/inspector --look look.png --threshold good:1% --region 128=good:5% --validation photos/good
            --out out/careful

    What a forgotten row displaced does not come back by itself: go on with `blemish train --start`.
    """
    from anomaly.inspection.inspector import Inspector, InspectorError
    from anomaly.inspection.maintenance import aged, looking_at, resized, without_pictures

    _use(threads)
    changes = [change for change in (forget, generations, size, threshold, look) if change is not None]
    if bool(changes) != (out is not None):
        raise InspectorError(
            "--out is missing: where shall the changed inspector go?"
            if changes
            else "--out is given but no change; give --forget, --generations, --size, --threshold or --look"
        )
    changed = Inspector.load(inspector).on(computing(device, batch, precision, None))
    if out is None:
        _describe(changed)
        return
    if forget:
        changed, gone = without_pictures(changed, forget)
        typer.echo(f"forgot    {gone} rows of {len(forget)} pictures")
    if generations is not None:
        changed, gone = aged(changed, generations)
        typer.echo(f"aged out  {gone} rows")
    if size is not None:
        changed = resized(changed, size)
    if look is not None:
        changed = looking_at(changed, _regions(look))
    _keep(changed, out, threshold, validation, region)


def _refuse_those_of_a_bank(asked: Mapping[str, object]) -> None:
    from anomaly.inspection.inspector import InspectorError

    if given := [name for name, value in asked.items() if value is not None]:
        raise InspectorError(f"--{given[0]}: belongs to a bank, which a BiSQAD has not; leave it out")


def _refuse_those_of_bisqad(asked: Mapping[str, object]) -> None:
    from anomaly.inspection.inspector import InspectorError

    if any(value is not None for value in asked.values()):
        raise InspectorError("--steps and --weigh-by are a BiSQAD's; give --detector bisqad, or leave them out")


def _training_of_bisqad(
    samples: list[Sample], out: Path, steps: int | None, seed: int, teachers: list[Sample]
) -> Callable[..., Inspector]:
    from anomaly.bisqad.train import Settings, train_bisqad

    chosen = Settings(seed=seed, steps=steps or Settings.steps)
    return partial(train_bisqad, samples, out, teachers=teachers, settings=chosen)


def _training_of_a_bank(
    good: list[Sample], out: Path, augment: bool, regions: Regions | None, region_rules: dict[int, ThresholdRule]
) -> Callable[..., Inspector]:
    from anomaly.inspection.augmentation import Augmentation
    from anomaly.inspection.train import train_inspector

    changes = Augmentation() if augment else None
    return partial(train_inspector, good, out, augmentation=changes, regions=regions, region_thresholds=region_rules)


def _teachers(weigh_by: Path | None, only: Path | None, options: ReadingOptions) -> list[Sample]:
    """The labelled pictures that a BiSQAD's synthetic ones are weighed by."""
    from anomaly.weighting.cli import named as named_by

    every = [] if weigh_by is None else _read([weigh_by], AUTO, options)
    return named_by(every, only) if only else every


def _good_pictures(samples: list[Sample], datasets: list[Path]) -> list[Sample]:
    """Those that a bank is trained on, whose number is told."""
    from anomaly.inspection.inspector import InspectorError
    from anomaly.inspection.train import training_part
    from scenes.datasets.verify import refuse_damaged

    try:
        good = training_part(samples)
    except InspectorError:
        refuse_damaged(datasets)  # which may be why
        raise
    typer.echo(f"{len(good)} good pictures of {len({s.group for s in good})} surfaces")
    return good


def _best_backbone() -> str:
    """The best one that is installed; it is told where another would be better."""
    from anomaly.backbone.packaged_weights import DINOV2_SMALL, best_at_hand
    from anomaly.backbone.patch_extractor import DISTILLED

    backbone = best_at_hand()
    if backbone == DISTILLED:
        typer.echo(f"backbone  {DISTILLED}; dinov2-small tells flaws better: {DINOV2_SMALL.install}")
    return backbone


def _passes(inspector: Inspector) -> Iterator[str]:
    """What became of the patches that a bank was offered; nothing of a detector without one."""
    training = inspector.training
    if not training.accepted:
        return
    yield f"accepted  {', '.join(map(str, training.accepted))} patches in {len(training.accepted)} epochs"
    coreset = inspector.patchcore.coreset
    if training.shards == 1 and training.accepted[-1] == 0 and coreset.count == training.size:
        yield (
            f"settled   every patch trained on lies within {coreset.closest:.4g} of the bank, at most "
            f"twice what any {training.size} points could reach"
        )


def _keep(
    inspector: Inspector, out: Path, threshold: str | None, validation: Path | None, region: list[str] | None = None
) -> None:
    """Find the threshold where one is asked for, or validation pictures are given, and save."""
    from anomaly.inspection.inspector import InspectorError
    from anomaly.inspection.threshold import BEST_F1, threshold_rule, with_found_thresholds
    from scenes.pictures.reading import ReadingOptions

    rule = BEST_F1 if threshold is None else threshold_rule(threshold)
    rules = _region_rules(region)
    if validation is None:
        if threshold is None and rules:
            raise InspectorError("--region gives a region its threshold; give the others theirs with --threshold")
        for each in (rule, *rules.values()) if threshold is not None else ():
            if each.value is None:
                raise InspectorError("a threshold that is no number is found on pictures; give some with --validation")
    if threshold is not None or validation is not None:
        options = ReadingOptions(learnt=inspector.training.white_level)
        samples = _read([validation], AUTO, options) if validation else []
        with _progress(BEGUN_ANEW) as progress:
            inspector = with_found_thresholds(inspector, rule, rules, samples, progress)
    _save_new(inspector, out)
    _describe(inspector)
    typer.echo(f"written to {out}")


def _white_level_of(start: Path | None) -> float | None:
    """What white was in the pictures that an inspector was trained on which is gone on from."""
    from anomaly.inspection.inspector import Inspector

    return None if start is None else Inspector.load(start).training.white_level


def _regions(look: str | None, options: ReadingOptions | None = None) -> Regions | None:
    from anomaly.inspection.regions import read_regions
    from scenes.pictures.reading import ReadingOptions

    return None if look in (None, EVERYWHERE) else read_regions(Path(str(look)), options or ReadingOptions())


def _region_rules(written: list[str] | None) -> dict[int, ThresholdRule]:
    """What 128=good:2% and the like stand for, by level."""
    from anomaly.inspection.inspector import InspectorError
    from anomaly.inspection.threshold import threshold_rule

    rules = {}
    for text in written or ():
        level, given, rule = text.partition("=")
        if not given or not level.strip().isdecimal():
            raise InspectorError(f"region {text}: expected LEVEL=THRESHOLD, such as 128=good:2% or 128=3.5")
        rules[int(level)] = threshold_rule(rule)
    return rules


def _save_new(inspector: Inspector, out: Path) -> None:
    """Write an inspector; where one is there it has to be this very one, from the same command before."""
    from anomaly.inspection.inspector import BANK_FILE, InspectorError

    there = out / BANK_FILE
    if not there.exists():
        inspector.save(out)
        return
    with TemporaryDirectory(prefix="blemish-") as scratch:
        inspector.save(scratch)
        same = (Path(scratch) / BANK_FILE).read_bytes() == there.read_bytes()
    if not same:
        raise InspectorError(f"{out}: holds an inspector already; choose another --out, or remove it")


def _describe(inspector: Inspector) -> None:
    from anomaly.inspection.inspector import DETECTORS, PATCHCORE, source_key

    training = inspector.training
    typer.echo(f"detector  {DETECTORS[training.detector]}")
    typer.echo(f"backbone  {named(training.backbone, training.weights)}")
    if training.weights_digest:
        typer.echo(f"weights   SHA-256 {training.weights_digest[:16]} of all that the backbone depends on")
    if training.detector == PATCHCORE:
        coreset = inspector.patchcore.coreset
        pictures = len({source_key(source) for source in coreset.sources.tolist()} & set(training.sources))
        typer.echo(f"bank      {coreset.count} of {coreset.size} rows, of {pictures} pictures")
    if inspector.boundary_patches is not None:
        at_most = training.boundary_patches
        typer.echo(f"boundary  {len(inspector.boundary_patches)} patches, at most {at_most} a row, for melding")
    for line in training.history:
        typer.echo(f"          {line}")
    if training.threshold is not None:
        typer.echo(f"threshold {training.threshold:.4g}: {training.threshold_origin}")
    if inspector.regions is not None:
        typer.echo(f"looks at  {inspector.regions.described(training.threshold)}")
    if training.tile is not None:
        typer.echo(f"tiles     of {training.tile} pixels, of larger pictures as they are scaled")
    if training.white_level is not None:
        typer.echo(f"white     {training.white_level:g} in pictures of more than 8 bits")
    if training.pixel_size is not None:
        size = training.pixel_size
        typer.echo(f"pixels    {1000 * size.metres:.4g} mm across in pictures of {size.width} x {size.height}")


def _use(threads: int) -> None:
    import torch

    torch.set_num_threads(threads)


def _read(datasets: list[Path], format: str, options: ReadingOptions | None = None) -> list[Sample]:
    from scenes.formats.registry import read_samples
    from scenes.pictures.reading import ReadingOptions

    once = list({dataset.resolve(): dataset for dataset in datasets}.values())
    if len(once) < len(datasets):
        typer.echo(f"{len(datasets) - len(once)} of {len(datasets)} datasets left out: named twice")
    return [sample for dataset in once for sample in read_samples(dataset, format, options=options or ReadingOptions())]


def _flagged(record: EvaluationRecord) -> str:
    """How many defective pictures and how many good ones have a pixel at the threshold, in words."""
    flagged = [sample.label for sample in record.samples if sample.score >= record.metrics.threshold]
    good, every = sum(label == GOOD for label in flagged), record.metrics
    return (
        f"{len(flagged) - good} of {every.images - every.good_images} pictures with defects, "
        f"{good} of {every.good_images} good ones"
    )


def _figures(metrics: Metrics) -> Iterator[str]:
    yield f"evaluated  {metrics.images} pictures, {metrics.good_images} good"
    for name in (
        "image_auroc", "pixel_auroc", "aupro", "pixel_precision", "pixel_recall", "pixel_f1", "best_pixel_f1",
        "mean_defect_wise_recall",
    ):  # fmt: skip
        value = getattr(metrics, name)
        yield f"  {name.replace('_', ' '):24} {'not defined here' if value is None else f'{value:.3f}'}"
    for name, recall in metrics.classes.items():
        yield (
            f"  {name:24} {recall.pixel_recall:.3f} of pixels, "
            f"{recall.detected[0]} of {recall.instances} found ({recall.family})"
            + (f", {recall.leaked} only by an impurity's leakage" if recall.leaked else "")
        )


def _progress(stopped: str) -> AbstractContextManager[Callable[[str, int, int], None]]:
    """What shows how far a command is with its pictures; interrupted, it ends in that one line."""
    return shown(stopped, unit="pictures")


def named(backbone: str, weights: str) -> str:
    """A backbone and where its weights are from, in one."""
    return weights if weights.startswith(backbone) else f"{backbone}: {weights}"
