"""The page on a fit: one HTML file that loads nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from string import Template
from typing import Any

from scenes.calibration.calibrating import Calibration
from scenes.calibration.defects.fitting import DefectFit
from scenes.calibration.defects.measuring import FIGURES
from scenes.calibration.photographs import Photographs
from scenes.calibration.picture_statistics import SAID
from scenes.calibration.record import at_bounds, defect_rows, parameter_rows, statistic_rows, undetermined
from scenes.calibration.sheet import as_data, defect_rows_of, sheet
from scenes.quantities.distribution import parse
from scenes.quantities.units import symbol_of
from scenes.recipes.recipe import Recipe

TEMPLATE = Path(__file__).with_name("page.html")
WIDTH, HEIGHT, EDGE = 220, 30, 6  # px, of the drawing of a statistic's bands
SIDES = ("real", "before", "after")
UNREACHED = " (no frame of the design comes near: nothing was fitted to it)"


def page(
    recipe: Recipe, calibration: Calibration, real: Photographs, sheet_of: bytes, defects: DefectFit | None = None
) -> str:
    """The page as HTML. sheet_of: the pictures, as a PNG."""
    kept = int(real.reserved.sum())
    facts = (
        f"{len(real.names)} photographs of {real.folder}: {len(real.names) - kept} fitted to, {kept} kept back to judge"
    )
    return Template(TEMPLATE.read_text(encoding="utf-8")).substitute(
        title=escape(recipe.name),
        facts=escape(facts),
        verdict=escape(("Accepted: " if calibration.accepted else "Refused: ") + calibration.verdict),
        verdict_class="verdict" if calibration.accepted else "verdict refused",
        sheet=as_data(sheet_of),
        distances=_distances(calibration),
        parameters="".join(map(_parameter, parameter_rows(calibration))),
        bounds=_bounds(calibration),
        undetermined="".join(_row([path, why]) for path, why in undetermined(recipe, calibration).items()),
        statistics="".join(map(_statistic, statistic_rows(calibration, real))),
        said="".join(_row([name, said]) for name, said in SAID.items()),
        defects="" if defects is None else _defects(recipe, defects),
    )


def _bounds(calibration: Calibration) -> str:
    rows = [[path, why] for path, why in at_bounds(calibration).items()]
    return "<h2>What ended at a bound</h2>" + _table(["quantity", "what that may mean"], rows) if rows else ""


def _defects(recipe: Recipe, defects: DefectFit) -> str:
    """Real and rendered flaws, what moved, what stays."""
    figures, moved = [], []
    for row in defect_rows(recipe, defects):
        for name in FIGURES:
            figures.append([row["class"], name, *(_band(row[name][side]) for side in SIDES)])
        low, high = row["per picture, interval"]
        rates = [row["per picture"][side] for side in SIDES]
        real, before, after = ("not seen" if rate is None else f"{rate:g}" for rate in rates)
        figures.append([row["class"], "a picture", f"{real} [{low:g}, {high:g}]", before, after])
        for path, was in row["moved"].items():
            moved.append([path, str(parse(was["before"])), str(parse(was["after"]))])
    shown = as_data(sheet(defect_rows_of(defects)))
    return (
        "<h2>Defects: real, before and after</h2>"
        f'<img src="{shown}" alt="Real and rendered defects of each class">'
        + _table(["class", "figure", *SIDES], figures)
        + _table(["quantity", "before", "after"], moved)
        + _table(["stays as it was", "why"], [[name, why] for name, why in defects.stays.items()])
    )


def _table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    head = "".join(f"<th>{title}</th>" for title in titles)
    return f'<div class="wide"><table><tr>{head}</tr>{"".join(map(_row, rows))}</table></div>'


def _band(band: Sequence[float] | None) -> str:
    return "not seen" if band is None else f"{band[1]:.3g} [{band[0]:.3g}, {band[2]:.3g}]"


def _distances(calibration: Calibration) -> str:
    def cells(name: str, of: str) -> str:
        three = (calibration.floor, calibration.distance_before, calibration.distance_after)
        found = [getattr(distance, of) for distance in three]
        return _row([name, *(f"{value:.3f}" for value in found)])

    rows = cells("statistics", "statistics")
    return rows if calibration.floor.features is None else rows + cells("features", "features")


def _parameter(row: Mapping[str, Any]) -> str:
    unit = symbol_of(row["path"].rpartition(".")[2])
    low, high = row["centre_interval"]
    stays = row["moved"] == "stays"
    interval = "" if stays else f"{row['centre']:g} [{low:g}, {high:g}] {unit}"
    return _row(
        [
            row["path"],
            str(parse(row["before"])),
            "" if stays else str(parse(row["after"])),
            interval,
            f"{max(row['determined'], 0):.2f}",
            row["moved"],
        ]
    )


def _statistic(row: Mapping[str, Any]) -> str:
    name = escape(row["name"] + ("" if row["reachable"] else UNREACHED))
    bands = [row[key] for key in ("real", "before", "after")]
    cells = "".join(f'<td class="number">{band[1]:.3g} [{band[0]:.3g}, {band[2]:.3g}]</td>' for band in bands)
    return f"<tr><td>{name}</td><td>{_drawn(bands)}</td>{cells}</tr>"


def _drawn(bands: Sequence[Sequence[float]]) -> str:
    """The bands of photographs, frames before and frames after, on one scale."""
    low, high = min(band[0] for band in bands), max(band[2] for band in bands)
    width = high - low or 1.0

    def at(value: float) -> float:
        return EDGE + (WIDTH - 2 * EDGE) * (value - low) / width

    parts = []
    for place, (name, band) in enumerate(zip(("real", "before", "after"), bands, strict=True)):
        y = HEIGHT * (place + 0.5) / len(bands)
        parts.append(
            f'<path class="{name}" stroke-width="2" d="M{at(band[0]):.1f} {y:.1f}H{at(band[2]):.1f}"/>'
            f'<path class="{name}" stroke-width="6" stroke-linecap="round" d="M{at(band[1]):.1f} {y:.1f}h.01"/>'
        )
    return f'<svg width="{WIDTH}" height="{HEIGHT}" role="img" aria-label="bands">{"".join(parts)}</svg>'


def _row(cells: Sequence[str]) -> str:
    return "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in cells) + "</tr>"
