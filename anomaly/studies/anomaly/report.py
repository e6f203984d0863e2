"""The report of a study: `figures.json` and one HTML file with tables, bars with their intervals, and heat maps."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from anomaly.reporting import report_pictures as pictures
from anomaly.reporting.charts import Bar, Line, bar_chart, line_chart
from anomaly.studies.anomaly import paper
from anomaly.studies.anomaly.counts import INSTANCES
from anomaly.studies.anomaly.replicates import FIGURES, class_recalls, replicated
from anomaly.studies.anomaly.run import Outcome
from anomaly.studies.anomaly.scenarios import REAL, SCENARIOS
from anomaly.studies.engine.bootstrap import Draws, Estimate, draw, estimate
from anomaly.studies.engine.verify import FIGURES_FILE, REPORT
from scenes.datasets.files import sealed, sealed_page, write_atomically
from scenes.formats.sample import GOOD, Sample
from scenes.version import blemish_version

HEADINGS = {
    "pixel_precision": ("P", "Pixel precision", "Share of the predicted pixels that are defective."),
    "pixel_recall": ("R", "Pixel recall", "Share of the defective pixels that are predicted."),
    "pixel_f1": ("F1", "Pixel F1", "Harmonic mean of both, at the threshold of best F1 on the validation part."),
    "mean_defect_wise_recall": (
        "mR_DW",
        "Defect-wise recall",
        "Share of defects touched by at least one predicted pixel, mean over the defect classes. Predicting everywhere "
        "scores 1: read it beside precision.",
    ),
    "mean_impurity_wise_recall": (
        "mR_IW",
        "Impurity-wise recall",
        "Share of impurities touched by at least one predicted pixel, mean over their classes: false alarms, so low is "
        "good.",
    ),
    "image_auroc": ("AUROC", "Image AUROC", "Chance that a defective picture scores higher than a good one."),
    "pixel_auroc": ("AUROC px", "Pixel AUROC", "Chance that a defective pixel scores higher than a good one."),
    "aupro": ("AUPRO", "AUPRO", "Overlap with the defect regions, up to 30 % of good pixels predicted."),
}
IN_TABLE_II = {*paper.TABLE_II_FIGURES, "mean_impurity_wise_recall"}  # beside defects, what impurities cost
CHARTED = ("image_auroc", "pixel_f1", "aupro", "mean_defect_wise_recall")
# Real grey, renders without stains blue, with stains vermilion, melded green; fine-tuned ones are filled.
COLOURS = {"real": "#7d8790", "clean": "#0072b2", "stained": "#d55e00", "melding": "#009e73"}
HEAT_SCENARIOS = (REAL, "Synth", "Synth_WS", "Synth (ft)", "Synth_WS (ft)", "Melding")
HEAT_LOW, HEAT_HIGH = 0.5, 1.5  # of the threshold
GUESSING = 0.5  # image AUROC of one who does not look
LEAST_RANKED = 5  # scenarios, for a rank correlation to say anything
PICTURE_LENGTH = 320  # pixels, longest side


@dataclass(frozen=True)
class Results:
    """Every estimate of a study: by scenario and figure, of its difference to Real, and by scenario and class."""

    figures: dict[str, dict[str, Estimate]]
    above_real: dict[str, dict[str, Estimate]]
    classes: dict[tuple[str, str], dict[str, tuple[Estimate, Estimate]]]
    instances: dict[tuple[str, str], tuple[int, int]]  # and the surfaces that they are on


def results_of(outcome: Outcome) -> Results:
    """Estimates with their intervals, all from the same draws."""
    settings = outcome.file.study.bootstrap
    surfaces: dict[str, bool] = {}
    instances: dict[tuple[str, str], int] = {}
    places: dict[tuple[str, str], set[str]] = {}
    for evaluation in next(iter(outcome.evaluations.values())):
        counts = evaluation.counts
        for name, bad in zip(counts.surfaces, counts.defective_surfaces, strict=True):
            surfaces[name] = surfaces.get(name, False) or bool(bad)
        for kind, found in zip(counts.classes, np.moveaxis(counts.recalls[..., INSTANCES], 1, 0), strict=True):
            instances[kind] = instances.get(kind, 0) + int(found.sum())
            places.setdefault(kind, set()).update(counts.surfaces[k] for k in np.flatnonzero(found))
    seeds = len(outcome.file.study.seeds)
    draws = draw(surfaces, seeds, settings.samples, settings.seed)
    by_scenario = {name: _by_seed(outcome, name, draws) for name in outcome.evaluations}
    figures = {
        name: {figure: estimate(values[figure], draws, settings.level) for figure in FIGURES}
        for name, (values, _) in by_scenario.items()
    }
    above: dict[str, dict[str, Estimate]] = {}
    if REAL in by_scenario:
        real = by_scenario[REAL][0]
        above = {
            name: {figure: estimate(values[figure] - real[figure], draws, settings.level) for figure in FIGURES}
            for name, (values, _) in by_scenario.items()
            if name != REAL
        }
    kinds = sorted(instances, key=lambda kind: (kind[0] != "defect", kind[1]))
    classes = {
        kind: {
            name: _recalls(recalls[kind], draws, settings.level, len(places[kind]))
            for name, (_, recalls) in by_scenario.items()
        }
        for kind in kinds
    }
    return Results(figures, above, classes, {kind: (instances[kind], len(places[kind])) for kind in kinds})


def _recalls(by_seed: Any, draws: Draws, level: float, surfaces: int) -> tuple[Estimate, Estimate]:
    """Recall of pixels and of instances of a class that is on so many surfaces; from one of them nothing is drawn."""
    pixels, found = (estimate(values, draws, level) for values in by_seed)
    if surfaces > 1:
        return pixels, found
    return Estimate(pixels.value, math.nan, math.nan), Estimate(found.value, math.nan, math.nan)


_Replicates = dict[str, "np.ndarray[Any, np.dtype[np.float64]]"]


def _by_seed(outcome: Outcome, name: str, draws: Draws) -> tuple[_Replicates, dict[tuple[str, str], Any]]:
    """Figures (S, 1 + B), and recalls by class, both (S, 1 + B)."""
    every = [evaluation.counts for evaluation in outcome.evaluations[name]]
    weights = [draws.weights(counts.surfaces) for counts in every]
    rows = [replicated(counts, weight) for counts, weight in zip(every, weights, strict=True)]
    recalls = [class_recalls(counts, weight) for counts, weight in zip(every, weights, strict=True)]
    missing = np.full(len(weights[0]), np.nan)
    kinds = {kind for one in recalls for kind in one}
    return (
        {figure: np.stack([row[figure] for row in rows]) for figure in FIGURES},
        {
            kind: tuple(np.stack([one.get(kind, (missing, missing))[k] for one in recalls]) for k in (0, 1))
            for kind in kinds
        },
    )


def write_study(outcome: Outcome, out: Path, command: str) -> tuple[list[str], Path]:
    """Write `figures.json` and `report.html` to `out`; gives lines for the terminal, and the report's path."""
    results = results_of(outcome)
    out.mkdir(parents=True, exist_ok=True)
    write_atomically(out / FIGURES_FILE, sealed(_plain(outcome, results)))
    environment = Environment(
        loader=PackageLoader("anomaly.reporting"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"percent": percent, "interval": interval, "label": label, "signed": signed}
    path = out / REPORT
    html = environment.get_template("study.html").render(**_context(outcome, results, command))
    write_atomically(path, sealed_page(html))
    return list(_told(outcome, results)), path


def percent(value: float | None) -> str:
    """A share in per cent, without the sign."""
    return "–" if value is None or math.isnan(value) else f"{100 * value:.1f}"


def interval(estimate: Estimate) -> str:
    return "" if math.isnan(estimate.low) else f"{percent(estimate.low)}–{percent(estimate.high)}"


def signed(value: float) -> str:
    return "–" if math.isnan(value) else f"{100 * value:+.1f}".replace("-", "−")


def label(name: str) -> Markup:
    """A scenario's name with its index below the line."""
    scenario = SCENARIOS[name]
    first, index = scenario.subscripted
    below = f"<sub>{escape(index)}</sub>" if index else ""
    return Markup(f"{escape(first)}{below}{scenario.suffix}")


def _context(outcome: Outcome, results: Results, command: str) -> dict[str, Any]:
    study, known = outcome.file.study, set(_known(results))
    names = list(results.figures)
    classes = list(results.classes)
    defects = tuple(name for family, name in classes if family == "defect")
    surfaces = len({sample.group for sample in outcome.real})
    renders = {len(part) for part in outcome.rendered.values()}
    return {
        "study": study,
        "citation": paper.CITATION,
        "command": command,
        "version": blemish_version(),
        "names": names,
        "headings": HEADINGS,
        "figures": results.figures,
        "above_real": results.above_real,
        "headline": _headline(results),
        "table_figures": [figure for figure in HEADINGS if figure in known & IN_TABLE_II],
        "other_figures": [figure for figure in HEADINGS if figure in known - IN_TABLE_II],
        "of_paper": {name: {figure: paper.of_table_ii(name, figure) for figure in IN_TABLE_II} for name in names},
        "charts": [(HEADINGS[figure], _chart(figure, results)) for figure in CHARTED],
        "coverage_chart": _coverage_chart(outcome),
        "classes": classes,
        "class_recalls": results.classes,
        "instances": results.instances,
        "impurities": [name for family, name in classes if family == "impurity"],
        "leakage": _leakage(outcome),
        "ranks": _rank_correlation(results),
        "paper_classes": (*paper.DEFECTS, *paper.IMPURITIES),
        "paper_table": paper.TABLE_I,
        "differences": paper.differences(
            study,
            backbone=outcome.backbone,
            weights=outcome.weights,
            real=(len(outcome.real), surfaces),
            synthetic=next(iter(renders)) if len(renders) == 1 else study.synthetic.frames,
            classes=defects,
        ),
        "parts": _parts(outcome),
        "rendered": [
            (name, len(outcome.rendered[name]), pictures.jpeg(_small(sample)))
            for name, sample in _examples(outcome.rendered).items()
        ],
        "cases": _cases(outcome),
        "case_names": [name for name in HEAT_SCENARIOS if name in outcome.evaluations],
        "heat_stops": pictures.HEAT_STOPS,
        "heat_range": (HEAT_LOW, HEAT_HIGH),
        "truth_colour": "rgb({} {} {})".format(*pictures.TRUTH_OUTLINE),
        "predicted_colour": "rgb({} {} {})".format(*pictures.PREDICTED_OUTLINE),
        "colours": COLOURS,
        "case_colours": {name: COLOURS[family_of(name)] for name in HEAT_SCENARIOS},
        "pretrained": outcome.pretrained,
        "backbone": outcome.backbone,
        "weights": outcome.weights,
        "real": (len(outcome.real), surfaces, sum(sample.label == GOOD for sample in outcome.real)),
    }


def _headline(results: Results) -> list[tuple[str, Estimate, str]]:
    """What the study found, in three numbers: real alone, the best of renders alone, the best of both together."""
    cards = []
    if REAL in results.figures:
        cards.append((REAL, results.figures[REAL]["pixel_f1"], "trained on real pictures alone"))
    for words, on_both in (("trained on renders alone", False), ("trained on both", True)):
        candidates = {
            name: figures["pixel_f1"]
            for name, figures in results.figures.items()
            if name != REAL and on_both == (SCENARIOS[name].fine_tuned or SCENARIOS[name].kind == "melding")
        }
        sound = {name: found for name, found in candidates.items() if not math.isnan(found.value)}
        if sound:
            best = max(sound, key=lambda name: sound[name].value)
            chosen = f", the best of {len(sound)} by this very figure" if len(sound) > 1 else ""
            cards.append((best, sound[best], words + chosen))
    return cards


def _known(results: Results) -> list[str]:
    """Those of FIGURES that some way of training has: without impurities nothing is said of them."""
    has_any = {
        figure for found in results.figures.values() for figure in FIGURES if not math.isnan(found[figure].value)
    }
    return [figure for figure in FIGURES if figure in has_any or figure in paper.TABLE_II_FIGURES]


def family_of(name: str) -> str:
    """Which of COLOURS a scenario has."""
    scenario = SCENARIOS[name]
    if scenario.kind != "synthetic":
        return scenario.kind
    return "stained" if scenario.stained else "clean"


def _leakage(outcome: Outcome) -> dict[str, float]:
    """By scenario, where masks of impurities tell: share of the found defects that were found only by leakage."""
    shares = {}
    for name, evaluations in outcome.evaluations.items():
        recalls = [recall for evaluation in evaluations for recall in evaluation.metrics.classes.values()]
        found = sum(recall.detected[0] for recall in recalls if recall.family == "defect")
        if found and any(recall.family == "impurity" for recall in recalls):
            shares[name] = sum(recall.leaked for recall in recalls) / found
    return shares


def _rank_correlation(results: Results) -> float | None:
    """Spearman's, between the pixel F1 of the scenarios here and in the paper; None for fewer than five."""
    from scipy.stats import spearmanr

    known = [name for name in results.figures if name in paper.TABLE_II]
    ours = [results.figures[name]["pixel_f1"].value for name in known]
    theirs = [paper.of_table_ii(name, "pixel_f1") for name in known]
    if len(ours) < LEAST_RANKED or not np.isfinite(ours).all() or np.ptp(ours) == 0:
        return None
    return float(spearmanr(ours, theirs).statistic)


def _chart(figure: str, results: Results) -> Markup:
    bars = [
        Bar(
            name=SCENARIOS[name].subscripted[0],
            index=SCENARIOS[name].subscripted[1],
            suffix=SCENARIOS[name].suffix,
            value=found[figure].value,
            low=found[figure].low,
            high=found[figure].high,
            colour=COLOURS[family_of(name)],
            is_solid=SCENARIOS[name].fine_tuned or SCENARIOS[name].kind != "synthetic",
            mark=paper.of_table_ii(name, figure),
        )
        for name, found in results.figures.items()
    ]
    line = results.figures[REAL][figure].value if REAL in results.figures else None
    lowest = min((value for bar in bars for value in (bar.value, bar.low) if not math.isnan(value)), default=0.0)
    start = GUESSING if figure == "image_auroc" and lowest > GUESSING else 0.0
    return bar_chart(HEADINGS[figure][1], bars, line=line, start=start, x_label=f"{HEADINGS[figure][1]}, %")


def _coverage_chart(outcome: Outcome) -> Markup | None:
    """Mean defect-wise recall over the share of a defect that must be predicted, for a few scenarios."""
    lines = []
    dashes = {"Synth (ft)": "7 4", "Synth_WS (ft)": "7 4"}
    coverages: Sequence[float] = ()
    for name in (name for name in HEAT_SCENARIOS if name in outcome.evaluations):
        curves = [evaluation.metrics.mean_defect_wise_curve for evaluation in outcome.evaluations[name]]
        coverages = outcome.evaluations[name][0].metrics.coverages
        sound = [curve for curve in curves if curve is not None]
        if sound:
            places = list(range(len(coverages)))
            mean = np.mean(sound, axis=0).tolist()
            lines.append(Line(name, places, mean, COLOURS[family_of(name)], dashes.get(name, "")))
    if not lines:
        return None
    ticks = [(float(place), f"{coverage:g}") for place, coverage in enumerate(coverages)]
    return line_chart(
        "Mean defect-wise recall over required coverage",
        lines,
        x_label="required share of a defect's pixels, %",
        y_label="mean defect-wise recall",
        x_ticks=ticks,
        markers=True,
    )


def _parts(outcome: Outcome) -> list[tuple[str, list[tuple[int, int, int]]]]:
    """For every part of the real set, and for every seed: pictures, surfaces, defective pictures."""
    return [
        (
            name,
            [
                (len(part), len({s.group for s in part}), sum(s.label != GOOD for s in part))
                for side in outcome.sides
                for part in [getattr(side, attribute)]
            ],
        )
        for name, attribute in (("trained on", "train"), ("threshold", "validation"), ("evaluated", "test"))
    ]


def _cases(outcome: Outcome) -> list[dict[str, Any]]:
    """The shown pictures of the first seed: each with its truth and the heat maps of several scenarios."""
    cases = []
    for sample in outcome.shown:
        image, truth = _small(sample), sample.truth().defect
        size = (image.shape[1], image.shape[0])
        outlined = pictures.outlined(image, pictures.shrunk_mask(truth, size), pictures.TRUTH_OUTLINE)
        heats = []
        for name in HEAT_SCENARIOS:
            if name in outcome.evaluations:
                ratio = outcome.evaluations[name][0].heat[sample.name]
                heat = pictures.shrunk(pictures.heat(ratio, HEAT_LOW, HEAT_HIGH), size)
                predicted = pictures.shrunk_mask(ratio >= 1, size)
                heats.append((name, pictures.jpeg(pictures.outlined(heat, predicted, pictures.PREDICTED_OUTLINE))))
        cases.append({"name": sample.name, "label": sample.label, "image": pictures.jpeg(outlined), "heats": heats})
    return cases


def _examples(rendered: Mapping[str, Sequence[Sample]]) -> dict[str, Sample]:
    """One render of every set: that with most of the impurity on it, and of its twin the same."""
    chosen: dict[str, int] = {}
    for name, part in rendered.items():
        kind, _, light = name.partition(", ")
        if kind == "stained" or light not in chosen:
            areas = [int(sample.truth().of_family("impurity").sum()) for sample in part]
            chosen[light] = int(np.argmax(areas)) if any(areas) else len(part) // 2
    return {name: part[min(chosen[name.partition(", ")[2]], len(part) - 1)] for name, part in rendered.items()}


def _small(sample: Sample) -> Any:
    image = sample.image()
    return pictures.shrunk(image, pictures.fitted(image.shape[1], image.shape[0], PICTURE_LENGTH))


def _told(outcome: Outcome, results: Results) -> list[str]:
    """The two tables for a terminal: ours, and the paper's after a slash."""
    study = outcome.file.study
    lines: list[str] = [
        f"{study.name}: {len(outcome.real)} {'renders held out' if study.real.rendered else 'real pictures'} of "
        f"{len({s.group for s in outcome.real})} surfaces, seeds {', '.join(map(str, study.seeds))}; "
        f"backbone {outcome.backbone}: {outcome.weights}",
        "",
        "Table II, per cent: here [interval] / in the paper (another surface, another backbone)",
    ]
    known = _known(results)
    heads = [HEADINGS[figure][0] for figure in known]
    lines.append(f"{'':20}" + "".join(f"{head:>25}" for head in heads))
    for name, found in results.figures.items():
        cells = []
        for figure in known:
            value = paper.of_table_ii(name, figure)
            there = f" / {percent(value)}" if value is not None else ""
            cells.append(f"{percent(found[figure].value)} [{interval(found[figure])}]{there}")
        lines.append(f"{name:20}" + "".join(f"{cell:>25}" for cell in cells))
    lines += ["", "Table I, per cent: recall of pixels / of instances, here"]
    lines.append(f"{'':20}" + "".join(f"{name:>16}" for _, name in results.classes))
    for name in results.figures:
        cells = [
            f"{percent(recalls[name][0].value)} / {percent(recalls[name][1].value)}"
            for recalls in results.classes.values()
        ]
        lines.append(f"{name:20}" + "".join(f"{cell:>16}" for cell in cells))
    lines += ["", "Table I, per cent: recall of pixels / of instances, in the paper"]
    lines.append(f"{'':20}" + "".join(f"{name:>16}" for name in (*paper.DEFECTS, *paper.IMPURITIES)))
    for name, row in paper.TABLE_I.items():
        cells = [f"{'–' if pixels is None else pixels} / {instances}" for pixels, instances in row.values()]
        lines.append(f"{name:20}" + "".join(f"{cell:>16}" for cell in cells))
    return lines


def _plain(outcome: Outcome, results: Results) -> dict[str, Any]:
    """Everything as JSON values; NaN as null."""
    plain: dict[str, Any] = _without_nan(
        {
            "study": outcome.file.study.model_dump(mode="json"),
            "backbone": {"name": outcome.backbone, "weights": outcome.weights},
            "figures": {name: {k: asdict(v) for k, v in found.items()} for name, found in results.figures.items()},
            "above_real": {
                name: {k: asdict(v) for k, v in found.items()} for name, found in results.above_real.items()
            },
            "classes": [
                {
                    "family": family,
                    "class": kind,
                    "instances": results.instances[family, kind][0],
                    "surfaces": results.instances[family, kind][1],
                    "recall": {
                        name: {"pixels": asdict(pixels), "instances": asdict(found)}
                        for name, (pixels, found) in recalls.items()
                    },
                }
                for (family, kind), recalls in results.classes.items()
            ],
            "by_seed": {
                name: [
                    {"seed": seed, **{figure: getattr(evaluation.metrics, figure) for figure in FIGURES}}
                    for seed, evaluation in zip(outcome.file.study.seeds, evaluations, strict=True)
                ]
                for name, evaluations in outcome.evaluations.items()
            },
            "versions": {"blemish": blemish_version()},
        }
    )
    return plain


def _without_nan(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _without_nan(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(part) for part in value]
    return None if isinstance(value, float) and math.isnan(value) else value
