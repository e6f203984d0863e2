"""The report of a downstream study: `figures.json` and one HTML file, every difference to the real pictures alone."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from numpy.typing import NDArray

from anomaly.reporting import report_pictures as pictures
from anomaly.reporting.charts import Bar, Dot, bar_chart, scatter_chart
from anomaly.studies.engine.bootstrap import Draws, Estimate, draw, estimate
from anomaly.studies.engine.labelled import IGNORED, LabelledPicture
from anomaly.studies.engine.run import Outcome
from anomaly.studies.engine.study import REAL
from anomaly.studies.engine.task import Figure, Prediction, Values
from anomaly.studies.engine.verify import FIGURES_FILE, REPORT
from scenes.datasets.files import sealed, sealed_page, write_atomically
from scenes.datasets.relabelling import label_table
from scenes.version import blemish_version

PICTURE_LENGTH = 200  # pixels, longest side
GREY, BLUE = "#7d8790", "#0072b2"  # of the real pictures alone, of the other arms
# Of classes, one after the other: Okabe and Ito's, which eyes of every kind tell apart.
CLASS_COLOURS = (
    (230, 159, 0),
    (86, 180, 233),
    (0, 158, 115),
    (240, 228, 66),
    (0, 114, 178),
    (213, 94, 0),
    (204, 121, 167),
)
LEAST_SCORE = 0.3  # of a box that is shown
TINT = 0.45


@dataclass(frozen=True)
class Results:
    """Estimates by arm and figure: of its value, and of its difference to the real pictures alone.

    Figures of single classes are named KEY/CLASS.
    """

    figures: dict[str, dict[str, Estimate]]
    above_real: dict[str, dict[str, Estimate]]
    by_seed: dict[str, dict[str, list[float]]]


def results_of(outcome: Outcome) -> Results:
    """Estimates with their intervals, all from the same draws of surfaces and seeds."""
    settings = outcome.file.study.bootstrap
    surfaces: dict[str, bool] = {}
    for statistics in outcome.statistics[REAL]:
        for name, bad in zip(statistics.surfaces, statistics.defective, strict=True):
            surfaces[name] = surfaces.get(name, False) or bool(bad)
    draws = draw(surfaces, len(outcome.file.study.seeds), settings.samples, settings.seed)
    values = {arm: _replicates(outcome, arm, draws) for arm in outcome.statistics}
    return Results(
        {arm: {k: estimate(v, draws, settings.level) for k, v in found.items()} for arm, found in values.items()},
        {
            arm: {k: estimate(v - values[REAL][k], draws, settings.level) for k, v in found.items()}
            for arm, found in values.items()
            if arm != REAL
        },
        {arm: {k: v[:, 0].tolist() for k, v in found.items()} for arm, found in values.items()},
    )


def _replicates(outcome: Outcome, arm: str, draws: Draws) -> dict[str, Values]:
    """Every figure, (S, 1 + B): for every seed itself, and for each replicate."""
    rows = [
        outcome.task.replicated(statistics, outcome.classes, draws.weights(statistics.surfaces))
        for statistics in outcome.statistics[arm]
    ]
    return {key: np.stack([row[key] for row in rows]) for key in rows[0]}


def write_downstream(outcome: Outcome, out: Path, command: str) -> tuple[list[str], Path]:
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
    environment.filters |= {"percent": percent, "signed": signed, "verdict": verdict}
    path = out / REPORT
    html = environment.get_template("downstream.html").render(**_context(outcome, results, command))
    write_atomically(path, sealed_page(html))
    return list(_told(outcome, results)), path


def percent(value: float | None) -> str:
    """A share in per cent, without the sign."""
    return "–" if value is None or math.isnan(value) else f"{100 * value:.1f}"


def signed(value: float) -> str:
    """A difference of shares, in points."""
    return "–" if math.isnan(value) else f"{100 * value:+.1f}".replace("-", "−")


def verdict(difference: Estimate) -> str:
    """What an interval of a difference says: better, worse or neither."""
    if difference.low > 0:
        return "better"
    return "worse" if difference.high < 0 else ""


def _context(outcome: Outcome, results: Results, command: str) -> dict[str, Any]:
    study = outcome.file.study
    headline = outcome.task.figures[0]
    others = [
        arm for arm in results.figures if arm != REAL and not math.isnan(results.figures[arm][headline.key].value)
    ]
    best = max(others, key=lambda arm: results.figures[arm][headline.key].value, default=None)
    class_keys = [key for key in results.figures[REAL] if "/" in key]
    class_figures = list(dict.fromkeys(key.partition("/")[0] for key in class_keys))
    return {
        "study": study,
        "task": outcome.task,
        "headline": headline,
        "best": best,
        "arms": list(results.figures),
        "figures": results.figures,
        "above_real": results.above_real,
        "charts": [(figure, _chart(figure, results)) for figure in outcome.task.figures],
        "relative": math.nan if best is None else _relative(results, best, headline.key),
        "scatter": _scatter(outcome, results),
        "class_keys": class_keys,
        "class_figures": [(key, _title(outcome.task.figures, key)) for key in class_figures],
        "class_names": list(dict.fromkeys(key.partition("/")[2] for key in class_keys)),
        "published": outcome.task.published,
        "photographs": outcome.photographs.resolve().name if outcome.photographs else None,
        "real": (len(outcome.real), len({picture.surface for picture in outcome.real})),
        "left_out": _reasons(outcome.left_out),
        "offers": {
            name: [
                (offer.pictures - sum(offer.left_out.values()), offer.pictures, _reasons(offer.left_out))
                for offer in found
            ]
            for name, found in outcome.offers.items()
        },
        "labels": _labels(outcome),
        "parts": _parts(outcome),
        "counts": outcome.counts,
        "settings": outcome.settings.model_dump(mode="json"),
        "changes": {arm: study.every_arm[arm].learner for arm in results.figures},
        "examples": {name: [_example(p) for p in found] for name, found in outcome.examples.items()},
        "cases": _cases(outcome),
        "colours": [("rgb({} {} {})".format(*_colour(k)), name) for k, name in enumerate(outcome.classes.names, 1)],
        "device": outcome.device,
        "command": command,
        "version": blemish_version(),
    }


def _chart(figure: Figure, results: Results) -> Markup:
    bars = [
        Bar(arm, found[figure.key].value, found[figure.key].low, found[figure.key].high, GREY if arm == REAL else BLUE)
        for arm, found in results.figures.items()
    ]
    return bar_chart(figure.title, bars, line=results.figures[REAL][figure.key].value, x_label=f"{figure.title}, %")


def _relative(results: Results, arm: str, key: str) -> float:
    """The gain of an arm as a share of what the real pictures alone reach, as papers tell it; NaN of nothing."""
    real = results.figures[REAL][key].value
    return results.above_real[arm][key].value / real if real > 0 else math.nan


def _scatter(outcome: Outcome, results: Results) -> tuple[Figure, Figure, Markup] | None:
    """The headline's figure over recall, where the task has both; marks grow with what is added, as in [Luo 2025]."""
    headline = outcome.task.figures[0]
    recall = next((figure for figure in outcome.task.figures[1:] if figure.key == "recall"), None)
    if recall is None:
        return None
    dots = [
        Dot(
            arm,
            found[recall.key].value,
            found[headline.key].value,
            1.0 + sum(outcome.file.study.every_arm[arm].add.values()),
            GREY if arm == REAL else BLUE,
        )
        for arm, found in results.figures.items()
    ]
    title = f"{headline.title} over {recall.title.lower()}"
    return headline, recall, scatter_chart(title, dots, x_label=f"{recall.title}, %", y_label=f"{headline.title}, %")


def _title(figures: Sequence[Figure], key: str) -> str:
    return next((figure.title for figure in figures if figure.key == key), key.replace("_", " ").capitalize())


def _parts(outcome: Outcome) -> list[tuple[str, list[tuple[int, int, int]]]]:
    """For every part of the real set, and for every seed: pictures, surfaces, defective pictures."""
    return [
        (
            words,
            [
                (len(part), len({p.surface for p in part}), sum(bool(p.labels) for p in part))
                for side in outcome.sides
                for part in [getattr(side, name)]
            ],
        )
        for words, name in (("trained on", "train"), ("validation", "validation"), ("judged", "test"))
    ]


def _reasons(left_out: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {reason}" for reason, count in left_out.items())


def _labels(outcome: Outcome) -> list[tuple[str, list[tuple[str, ...]]]]:
    """Of every dataset whose masks were found again: the table of what came of them, all seeds together.

    A dataset that no seed changes is the same for all, and is counted once.
    """
    tables = []
    for name, offers in outcome.offers.items():
        differ = offers if any(offer.labels != offers[0].labels for offer in offers) else offers[:1]
        counts: dict[str, Counter[str]] = {}
        for offer in differ:
            for kind, found in offer.labels.items():
                counts.setdefault(kind, Counter()).update(found)
        if counts:
            tables.append((name, label_table(counts)))
    return tables


def _cases(outcome: Outcome) -> list[dict[str, Any]]:
    """The shown test pictures of the first seed: each with its truth, and what every arm's learner says of it."""
    cases = []
    for index, picture in enumerate(outcome.shown):
        size = _size(picture)
        truth = picture.class_mask()
        predicted = [
            (arm, found[index].caption, pictures.jpeg(_drawn(picture, found[index], size)))
            for arm, found in outcome.predictions.items()
        ]
        cases.append(
            {
                "name": f"{picture.surface}, {picture.sample.label}",
                "image": pictures.jpeg(tinted(pictures.shrunk(picture.image(), size), truth, size)),
                "predicted": predicted,
            }
        )
    return cases


def _drawn(picture: LabelledPicture, found: Prediction, size: pictures.Size) -> NDArray[np.uint8]:
    """A picture with what is predicted on it."""
    image = pictures.shrunk(picture.image(), size)
    if found.mask is not None:
        image = tinted(image, found.mask, size)
    height, width = picture.sample.shape()
    image = image.copy()
    for box, label, score in zip(found.boxes, found.labels, found.scores, strict=True):
        if score >= LEAST_SCORE:
            left, top, right, bottom = (box * ([size[0] / width, size[1] / height] * 2)).round().astype(int)
            right, bottom = min(right, size[0] - 1), min(bottom, size[1] - 1)
            image[top : bottom + 1, [left, right]] = _colour(int(label))
            image[[top, bottom], left : right + 1] = _colour(int(label))
    return image


def tinted(image: NDArray[np.uint8], classes: NDArray[np.uint8], size: pictures.Size) -> NDArray[np.uint8]:
    """A small picture (h, w, 3) with the classes (H, W) of its pixels in their colours."""
    result = image.astype(float)
    for number in sorted(set(np.unique(classes).tolist()) - {0, IGNORED}):
        here = pictures.shrunk_mask(classes == number, size)
        result[here] = (1 - TINT) * result[here] + TINT * np.array(_colour(number))
    return result.round().astype(np.uint8)


def _example(picture: LabelledPicture) -> tuple[str, str]:
    size = _size(picture)
    return picture.sample.label, pictures.jpeg(
        tinted(pictures.shrunk(picture.image(), size), picture.class_mask(), size)
    )


def _size(picture: LabelledPicture) -> pictures.Size:
    height, width = picture.sample.shape()
    return pictures.fitted(width, height, PICTURE_LENGTH)


def _colour(number: int) -> tuple[int, int, int]:
    return CLASS_COLOURS[(number - 1) % len(CLASS_COLOURS)]


def _told(outcome: Outcome, results: Results) -> list[str]:
    """The main table for a terminal."""
    study, figures = outcome.file.study, outcome.task.figures
    surfaces = len({picture.surface for picture in outcome.real})
    kind = "real pictures" if outcome.photographs else "renders held out, not photographs,"
    lines = [
        f"{study.name}: {outcome.task.name} of {len(outcome.real)} {kind} of {surfaces} surfaces, seeds "
        f"{', '.join(map(str, study.seeds))}",
        f"per cent; below {REAL}: how far from it, in points [{100 * study.bootstrap.level:g} % interval]",
        "",
        f"{'':24}" + "".join(f"{figure.heading:>30}" for figure in figures),
    ]
    for arm, found in results.figures.items():
        cells = []
        for figure in figures:
            value = percent(found[figure.key].value)
            if arm == REAL:
                cells.append(f"{value} [{percent(found[figure.key].low)} to {percent(found[figure.key].high)}]")
            else:
                away = results.above_real[arm][figure.key]
                cells.append(f"{value}, {signed(away.value)} [{signed(away.low)} to {signed(away.high)}]")
        lines.append(f"{arm:24}" + "".join(f"{cell:>30}" for cell in cells))
    short = [(name, offer) for name, offers in outcome.offers.items() for offer in offers[:1] if offer.left_out]
    if outcome.left_out:
        lines += ["", f"left out of the real pictures: {_reasons(outcome.left_out)}"]
    lines += [f"left out of {name}, {offer.pictures} pictures: {_reasons(offer.left_out)}" for name, offer in short]
    return lines


def _plain(outcome: Outcome, results: Results) -> dict[str, Any]:
    """Everything as JSON values; NaN as null."""
    plain: dict[str, Any] = {
        "study": outcome.file.study.model_dump(mode="json"),
        "photographs": outcome.photographs is not None,
        "classes": list(outcome.classes.names),
        "left_out": dict(outcome.left_out),
        "datasets": {name: [asdict(offer) for offer in found] for name, found in outcome.offers.items()},
        "counts": {arm: [asdict(count) for count in found] for arm, found in outcome.counts.items()},
        "figures": {arm: {k: asdict(v) for k, v in found.items()} for arm, found in results.figures.items()},
        "above_real": {arm: {k: asdict(v) for k, v in found.items()} for arm, found in results.above_real.items()},
        "by_seed": results.by_seed,
        "versions": {"blemish": blemish_version()},
    }
    return _without_nan(plain)  # type: ignore[no-any-return]


def _without_nan(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nan(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(part) for part in value]
    return None if isinstance(value, float) and math.isnan(value) else value
