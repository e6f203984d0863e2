"""The report: one HTML file that shows what was rendered, how the inspector did, and how to repeat both.

Pictures are data URIs, styles and script are inline, and a content security policy forbids everything else. Needs
neither torch nor anomalib.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from numpy.typing import NDArray

from anomaly.evaluation.results import DEEPEST, EvaluationRecord, Metrics, SampleRecord, read_results
from anomaly.reporting import report_pictures as pictures
from anomaly.reporting.charts import Line, area_chart, line_chart, score_chart, spark_histogram
from procgen.errors import BlemishError
from scenes.datasets.errors import DatasetError
from scenes.datasets.files import sealed_page, write_atomically
from scenes.formats.registry import AUTO, read_samples
from scenes.formats.sample import GOOD, Sample
from scenes.formats.truth import BandedTruth
from scenes.gallery.parameters import SECTIONS, numbers
from scenes.pictures.on_disk import MadeRows, Rows, nearest_folder
from scenes.pictures.reading import ReadingOptions
from scenes.pictures.regions import bands

FRAMES_SHOWN = 24  # per dataset
CASES_SHOWN = 4  # per list of heat maps
FRAME_LENGTH, CASE_LENGTH = 560, 480  # pixels, longest side
HEAT_CEILING = 95  # percentile over the samples' highest values: a few hot pictures must not leave the rest black

# Okabe and Ito's colours, which the colour-blind tell apart, then some of Tol's; defects warm, impurities cool.
DEFECT_COLOURS = ("#d55e00", "#e69f00", "#cc79a7", "#aa4499", "#999933", "#b2182b")
IMPURITY_COLOURS = ("#0072b2", "#56b4e9", "#009e73", "#6a6fc9")
DASHES = ("", "7 4", "2 3")
GOOD_COLOUR, BAD_COLOUR = "#56b4e9", "#d55e00"
CURVE_COLOUR = "var(--accent)"

# name in Metrics, heading, one line of explanation; the first four are shown large
EXPLAINED = (
    ("image_auroc", "Image AUROC", "Chance that a defective picture scores higher than a good one. 0.5 is guessing."),
    ("aupro", "AUPRO", "Overlap with the defect regions, each counting the same, up to 30 % of good pixels predicted."),
    (
        "mean_defect_wise_recall",
        "Defect-wise recall",
        "Share of defects touched by at least one predicted pixel, mean over the defect classes. Predicting everywhere "
        "scores 1 here: read it beside precision.",
    ),
    ("pixel_f1", "Pixel F1", "Harmonic mean of pixel precision and pixel recall at the threshold."),
    ("pixel_precision", "Pixel precision", "Share of the predicted pixels that are defective."),
    ("pixel_recall", "Pixel recall", "Share of the defective pixels that are predicted."),
    (
        "pixel_auroc",
        "Pixel AUROC",
        "Chance that a defective pixel scores higher than a good one. Flattering where defects are small.",
    ),
    (
        "best_pixel_f1",
        "Best possible F1",
        "The highest pixel F1 that any threshold reaches on these very pictures: what a better threshold could gain.",
    ),
)


class ReportError(BlemishError):
    """A report that cannot be written."""


@dataclass(frozen=True)
class ClassStyle:
    """How one class looks everywhere in the report; `key` is safe as a CSS name."""

    key: str
    colour: str
    dashes: str


@dataclass
class ClassSummary:
    name: str
    family: str
    frames: int = 0
    areas: list[int] = field(default_factory=list)

    @property
    def quantiles(self) -> tuple[float, float, float]:
        """5 %, median and 95 % of the instance areas, pixels."""
        low, middle, high = np.percentile(self.areas, (5, 50, 95))
        return float(low), float(middle), float(high)


@dataclass(frozen=True)
class ShownFrame:
    """A thumbnail (data URI) of `size`, and per class a mask of that size."""

    name: str
    label: str
    size: pictures.Size
    image: str
    masks: Mapping[str, NDArray[np.bool_]]


@dataclass(frozen=True)
class Quantity:
    """A number that was drawn anew for every frame, in SI units."""

    name: str
    low: float
    median: float
    high: float
    spark: Markup


@dataclass(frozen=True)
class DatasetSummary:
    """`origin`: pairs of a name and a value worth a line, such as recipe and seed."""

    title: str
    origin: Mapping[str, str]
    frames: int
    good: int
    classes: Sequence[ClassSummary]
    shown: Sequence[ShownFrame]
    quantities: Sequence[Quantity]


@dataclass(frozen=True)
class Case:
    """One evaluated sample with its three pictures; `separation`: how well its own defect stands out of its own map."""

    record: SampleRecord
    separation: float | None
    image: str
    outlined: str
    heat: str


def write_report(
    path: Path | str,
    *,
    datasets: Sequence[Path | str] = (),
    format: str = AUTO,
    options: ReadingOptions = ReadingOptions(),
    evaluation: EvaluationRecord | Path | str | None = None,
    command: str,
    versions: Mapping[str, str] | None = None,
) -> Path:
    """Write the report as one HTML file and return its path.

    datasets: folders, read as `read_samples` reads them in that format with these options, one picture at a time;
    evaluation: a record, or the folder of one; command: what to type to get all of it again; versions: of what made the
    datasets, where no evaluation names them. Raises ReportError when the file cannot be written, and what the readers
    raise.
    """
    if isinstance(evaluation, str | Path):
        evaluation = read_results(evaluation)
    path = Path(path)
    scratch = nearest_folder(path)
    summaries = [summarise(Path(folder), format, options, scratch) for folder in datasets]
    styles = class_styles(
        [(c.family, c.name) for summary in summaries for c in summary.classes]
        + ([(c.family, name) for name, c in evaluation.metrics.classes.items()] if evaluation else [])
    )
    environment = Environment(
        loader=PackageLoader("anomaly.reporting"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"share": _share, "count": _count, "si": lambda value: f"{value:.4g}"}
    html = environment.get_template("report.html").render(
        datasets=[_dataset_context(summary, styles) for summary in summaries],
        evaluation=_evaluation_context(evaluation, styles, scratch) if evaluation else None,
        styles=styles,
        command=command,
        versions={**(versions or {}), **(evaluation.versions if evaluation else {})},
    )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, sealed_page(html))
    except OSError as error:
        raise ReportError(f"{path}: the report cannot be written ({error.strerror}); choose another place") from error
    except DatasetError as error:
        raise ReportError(str(error)) from error
    return path


def class_styles(classes: Iterable[tuple[str, str]]) -> dict[str, ClassStyle]:
    """A look for every class name of the given (family, name), whatever their order.

    Names that differ in capitals only share a colour: a set's "Crack" looks like a render's "crack".
    """
    pairs = sorted(set(classes))
    styles: dict[str, ClassStyle] = {}
    for family, colours in (("defect", DEFECT_COLOURS), ("impurity", IMPURITY_COLOURS)):
        names = [name for kind, name in pairs if kind == family]
        folded = sorted({name.casefold() for name in names})
        for name in names:
            place = folded.index(name.casefold())
            dashes = DASHES[place // len(colours) % len(DASHES)]
            styles.setdefault(name, ClassStyle(f"{family}{place}", colours[place % len(colours)], dashes))
    return styles


def summarise(
    folder: Path, format: str = AUTO, options: ReadingOptions = ReadingOptions(), scratch: Path | None = None
) -> DatasetSummary:
    """Counts, sizes and thumbnails of a dataset, reading each sample once.

    scratch: a folder on whose disk large pictures may lie, None: in memory.
    """
    samples = read_samples(folder, format, options=options)
    chosen = {s.name for s in varied(samples, FRAMES_SHOWN)}
    classes: dict[tuple[str, str], ClassSummary] = {}
    shown = []
    for sample in samples:
        # One of the two lies in memory at a time.
        picture = _thumbnail(sample, scratch) if sample.name in chosen else None
        truth = sample.banded_truth(scratch)
        for (family, name), area in zip(truth.kinds(), truth.areas(), strict=True):
            classes.setdefault((family, name), ClassSummary(name, family)).areas.append(int(area))
        for kind in set(truth.kinds()):
            classes[kind].frames += 1
        if picture is not None:
            shown.append(_shown(sample, truth, *picture))
        del truth
    origin, quantities = _drawn(folder)
    return DatasetSummary(
        title=folder.resolve().name,
        origin=origin,
        frames=len(samples),
        good=sum(s.label == GOOD for s in samples),
        classes=sorted(classes.values(), key=lambda c: (c.family != "defect", c.name)),
        shown=shown,
        quantities=quantities,
    )


def varied(samples: Sequence[Sample], count: int) -> list[Sample]:
    """At most `count` samples, taken in turn from every label, spread evenly within it."""
    by_label: dict[str, list[Sample]] = {}
    for sample in samples:
        by_label.setdefault(sample.label, []).append(sample)
    spread = []
    for members in by_label.values():
        places = np.unique(np.linspace(0, len(members) - 1, min(count, len(members))).round().astype(int))
        # Bisecting order: wherever the turns end, those taken so far are spread out.
        spread.append([members[places[k]] for k in _bisecting(len(places))])
    turns = (s for turn in zip_longest(*spread) for s in turn if s is not None)
    return [s for s, _ in zip(turns, range(count), strict=False)]


def _bisecting(count: int) -> list[int]:
    """0..count-1 ordered so that every beginning of the list is spread out (van der Corput)."""
    bits = max(count - 1, 1).bit_length()
    order = (int(format(k, f"0{bits}b")[::-1], 2) for k in range(1 << bits))
    return [k for k in order if k < count]


def _thumbnail(sample: Sample, scratch: Path | None) -> tuple[pictures.Size, str]:
    """Its size, and the picture itself, as a data URI."""
    image, _ = sample.picture(scratch)
    size = pictures.fitted(image.shape[1], image.shape[0], FRAME_LENGTH)
    return size, pictures.jpeg(pictures.shrunk(image, size))


def _shown(sample: Sample, truth: BandedTruth, size: pictures.Size, thumbnail: str) -> ShownFrame:
    places: dict[str, list[int]] = {}
    for place, (_, name) in enumerate(truth.kinds()):
        places.setdefault(name, []).append(place)
    masks = {name: MadeRows(truth.defect.shape, partial(truth.union, own)) for name, own in places.items()}
    shrunk = {name: pictures.shrunk_mask(mask, size) for name, mask in masks.items()}
    return ShownFrame(sample.name, sample.label, size, thumbnail, shrunk)


def _drawn(folder: Path) -> tuple[dict[str, str], list[Quantity]]:
    """Where a Blemish dataset comes from, and what varies between its scenes; nothing for other folders."""
    if not (folder / "dataset.json").is_file():
        return {}, []
    from scenes.datasets.reader import Dataset

    dataset = Dataset(folder)
    header = dataset.header
    origin = {"recipe": str(header.recipe.get("name")), "seed": str(header.seed)}
    if header.without:
        origin["without"] = ", ".join(header.without)
    origin |= {name: str(value) for name, value in {**header.settings, **header.generator}.items()}
    values: dict[str, list[float]] = {}
    for frame in dataset:
        scene = frame.scene.model_dump(mode="json")
        for section in SECTIONS:
            for name, value in numbers(scene[section], section):
                values.setdefault(name, []).append(value)
    varying = {name: found for name, found in values.items() if max(found) > min(found)}
    return origin, [
        Quantity(name, min(found), float(np.median(found)), max(found), spark_histogram(found))
        for name, found in varying.items()
    ]


def _dataset_context(summary: DatasetSummary, styles: Mapping[str, ClassStyle]) -> dict[str, Any]:
    areas = [area for c in summary.classes for area in c.areas]
    bounds = (min(areas), max(areas)) if areas else (1, 10)
    charts = [
        area_chart(f"Areas of {c.name} in pixels", np.array(c.areas), bounds, styles[c.name].colour)
        for c in summary.classes
    ]
    frames = [
        (frame, [(name, pictures.overlay(mask, styles[name].colour)) for name, mask in frame.masks.items()])
        for frame in summary.shown
    ]
    # One shape for all tiles of the grid: the usual one, in which the others are fitted.
    aspect = float(np.median([frame.size[0] / frame.size[1] for frame in summary.shown]))
    return {
        "summary": summary,
        "classes": list(zip(summary.classes, charts, strict=True)),
        "frames": frames,
        "aspect": f"{min(max(aspect, 0.75), 2.0):.4f}",
    }


def _evaluation_context(
    record: EvaluationRecord, styles: Mapping[str, ClassStyle], scratch: Path | None
) -> dict[str, Any]:
    metrics = record.metrics
    best, worst, alarms = _cases(record, scratch)
    return {
        "record": record,
        "metrics": metrics,
        "figures": [(name, heading, line, getattr(metrics, name)) for name, heading, line in EXPLAINED],
        "recall_chart": _recall_chart(metrics, styles),
        "mean_is_shown": mean_is_shown(metrics),
        "score_chart": _score_chart(record),
        "roc_chart": _curve_chart(metrics, "image_roc"),
        "precision_recall_chart": _curve_chart(metrics, "pixel_precision_recall"),
        "good_colour": GOOD_COLOUR,
        "bad_colour": BAD_COLOUR,
        "heat_range": _heat_range(record),
        "truth_colour": "rgb({} {} {})".format(*pictures.TRUTH_OUTLINE),
        "predicted_colour": "rgb({} {} {})".format(*pictures.PREDICTED_OUTLINE),
        "heat_stops": pictures.HEAT_STOPS,
        "cases": [
            ("Clearest", "Defective pictures whose defect stands out most from the rest of its own heat map.", best),
            (
                "Hardest",
                "Defective pictures whose defect stands out least: here the inspector looks elsewhere.",
                worst,
            ),
            ("False alarms", "Good pictures with the highest scores.", alarms),
        ],
    }


def _recall_chart(metrics: Metrics, styles: Mapping[str, ClassStyle]) -> Markup | None:
    if not metrics.classes:
        return None
    places = list(range(len(metrics.coverages)))
    lines = [
        Line(name, places, recall.curve, styles[name].colour, styles[name].dashes)
        for name, recall in metrics.classes.items()
    ]
    if mean_is_shown(metrics) and metrics.mean_defect_wise_curve:
        lines.append(Line("mean over defect classes", places, metrics.mean_defect_wise_curve, "currentColor", "", 3.0))
    return line_chart(
        "Defect-wise recall over required coverage",
        lines,
        x_label="required share of a defect's pixels, %",
        y_label="defect-wise recall",
        x_ticks=[(float(k), f"{coverage:g}") for k, coverage in enumerate(metrics.coverages)],
        markers=True,
    )


def mean_is_shown(metrics: Metrics) -> bool:
    """Whether a mean over defect classes says more than the one class there is."""
    return sum(recall.family == "defect" for recall in metrics.classes.values()) > 1


def _score_chart(record: EvaluationRecord) -> Markup:
    good = [s.score for s in record.samples if s.label == GOOD]
    bad = [s.score for s in record.samples if s.label != GOOD]
    groups = [g for g in (("good", good, GOOD_COLOUR), ("defective", bad, BAD_COLOUR)) if g[1]]
    return score_chart("Scores of good and defective pictures", groups, (record.metrics.threshold, "threshold"))


def _curve_chart(metrics: Metrics, name: str) -> Markup | None:
    curve = getattr(metrics, name)
    if curve is None:
        return None
    labels = {
        "image_roc": ("Image ROC", "share of good pictures alarmed", "share of defective found"),
        "pixel_precision_recall": ("Pixel precision over recall", "pixel recall", "pixel precision"),
    }
    title, x_label, y_label = labels[name]
    line = Line(title, curve.x, curve.y, CURVE_COLOUR)
    return line_chart(title, [line], x_label=x_label, y_label=y_label, diagonal=name == "image_roc")


def _cases(record: EvaluationRecord, scratch: Path | None) -> tuple[list[Case], list[Case], list[Case]]:
    """The defective samples that stand out most and least, and the good ones with the highest scores."""
    ranked = []
    for sample in record.samples:
        if sample.label != GOOD:
            value = separation(record.levels(sample, scratch), record.truth(sample, scratch))
            if value is not None:
                ranked.append((value, sample))
    ranked.sort(key=lambda pair: (-pair[0], pair[1].name))
    # Where there are few, no sample is shown both as one of the best and one of the worst.
    worst = ranked[::-1][: min(CASES_SHOWN, len(ranked) // 2)]
    best = ranked[: min(CASES_SHOWN, len(ranked) - len(worst))]
    good = sorted((s for s in record.samples if s.label == GOOD), key=lambda s: (-s.score, s.name))[:CASES_SHOWN]
    return (
        [_case(record, s, value, scratch) for value, s in best],
        [_case(record, s, value, scratch) for value, s in worst],
        [_case(record, s, None, scratch) for s in good],
    )


def separation(levels: Rows, truth: Rows) -> float | None:
    """Chance that a defective pixel of a heat map's levels (H, W) scores higher than a good one, ties half.

    None without both kinds.
    """
    good, bad = np.zeros((2, DEEPEST + 1), np.int64)
    for rows in bands(truth.shape):
        band, is_bad = levels[rows], truth[rows]
        bad += np.bincount(band[is_bad], minlength=DEEPEST + 1)
        good += np.bincount(band[~is_bad], minlength=DEEPEST + 1)
    if not bad.any() or not good.any():
        return None
    below = np.cumsum(good) - good
    return float(((below + good / 2) * bad).sum() / (bad.sum() * good.sum()))


def _case(record: EvaluationRecord, sample: SampleRecord, value: float | None, scratch: Path | None) -> Case:
    truth, levels = record.truth(sample, scratch), record.levels(sample, scratch)
    size = pictures.fitted(truth.shape[1], truth.shape[0], CASE_LENGTH)
    image = np.asarray(record.picture(sample).resize(size))
    low, high = _heat_range(record)
    heat = pictures.shrunk_by_bands(
        lambda rows: pictures.heat(sample.values(levels[rows]), low, high), levels.shape, size
    )
    flagged = MadeRows(levels.shape, lambda rows: sample.values(levels[rows]) >= record.metrics.threshold)
    predicted = pictures.shrunk_mask(flagged, size)
    return Case(
        sample,
        value,
        pictures.jpeg(image),
        pictures.jpeg(pictures.outlined(image, pictures.shrunk_mask(truth, size), pictures.TRUTH_OUTLINE)),
        pictures.jpeg(pictures.outlined(heat, predicted, pictures.PREDICTED_OUTLINE)),
    )


def _heat_range(record: EvaluationRecord) -> tuple[float, float]:
    """One scale for all heat maps, so that they compare."""
    low = min(s.map_low for s in record.samples)
    return low, max(float(np.percentile([s.map_high for s in record.samples], HEAT_CEILING)), low)


def _share(value: float | None) -> str:
    return "n/a" if value is None else f"{value:.3f}"


def _count(value: float) -> str:
    return f"{value:,.0f}".replace(",", "\u2009")
