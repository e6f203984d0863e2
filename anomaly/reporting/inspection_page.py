"""The page of an inspection: what is flawed and where, how the scores ran, and whether good ones drifted.

One HTML file like the report: pictures are data URIs, styles and script are inline. Needs neither torch nor anomalib.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from PIL import Image

from anomaly.reporting import report_pictures as pictures
from anomaly.reporting.charts import run_chart
from anomaly.reporting.report import BAD_COLOUR, GOOD_COLOUR, ReportError
from scenes.datasets.errors import DatasetError
from scenes.datasets.files import sealed_page, write_atomically
from scenes.datasets.schema import CHANGED
from scenes.files import content_of

FLAWED_SHOWN, GOOD_SHOWN = 60, 12
POINTS_SHOWN = 600  # of the latest pictures, in charts
ROWS_SHOWN = 500
SHOWN_LENGTH = 1100  # pixels, longest side of an overlay on the page
_SHOWN = re.compile(rb'<meta name="verdicts" content="([0-9]+) ([0-9a-f]*)">')

Line = Mapping[str, Any]


def write_inspection_page(
    path: Path,
    lines: Sequence[Line],
    *,
    summary: str,
    threshold: float,
    threshold_origin: str,
    inspector: Mapping[str, str],
    drift: str,
    is_drifted: bool,
    alarm: float,
    notes: Sequence[str],
    command: str,
) -> Path:
    """Write the page and return its path.

    lines: as `anomaly.line.verdict_file` has them, whose pictures lie beside the page; inspector: pairs of a name and a
    value worth a line; drift: what is said of it; alarm: the evidence from which on it is said; notes: what else is to
    be said. Raises ReportError where it cannot be written.
    """
    flawed = sorted((line for line in lines if line["verdict"] == "flawed"), key=lambda line: -line["score"])
    good = [line for line in lines if line["verdict"] == "good"]
    environment = Environment(
        loader=PackageLoader("anomaly.reporting"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"si": lambda value: f"{value:.4g}", "place": _place}
    html = environment.get_template("inspection.html").render(
        verdicts=f"{len(lines)} {lines[-1]['seal'] if lines else ''}",
        summary=summary,
        counts=(len(flawed), len(good), len(lines) - len(flawed) - len(good)),
        threshold=threshold,
        threshold_origin=threshold_origin,
        inspector=inspector,
        drift=drift,
        is_drifted=is_drifted,
        notes=notes,
        score_chart=_score_chart(lines, threshold),
        drift_chart=_drift_chart(lines, alarm),
        good_colour=GOOD_COLOUR,
        bad_colour=BAD_COLOUR,
        heat_stops=pictures.HEAT_STOPS,
        heat_range=(pictures.HEAT_FROM * threshold, pictures.HEAT_ABOVE * threshold),
        found_colour="rgb({} {} {})".format(*pictures.TRUTH_OUTLINE),
        galleries=[
            ("Flawed", "Highest score first.", list(pictures_shown(path.parent, flawed, FLAWED_SHOWN)), len(flawed)),
            (
                "Good",
                "The highest scores of the good ones: how near they come.",
                list(pictures_shown(path.parent, _near(good), GOOD_SHOWN)),
                len(good),
            ),
        ],
        places=[(line, finding) for line in flawed for finding in line["found"]][:ROWS_SHOWN],
        places_in_all=sum(len(line["found"]) for line in flawed),
        has_sizes=any("mm_per_pixel" in line for line in flawed),
        unreadable=[line for line in lines if line["verdict"] == "unreadable"][:ROWS_SHOWN],
        command=command,
    )
    try:
        write_atomically(path, sealed_page(html))
    except DatasetError as error:
        raise ReportError(str(error)) from error
    return path


def verdicts_shown(page: bytes) -> tuple[int, str] | None:
    """How many lines a page was written from, and the seal of the last; None where it does not say."""
    found = _SHOWN.search(page)
    return (int(found[1]), found[2].decode()) if found else None


def _near(good: Sequence[Line]) -> list[Line]:
    return sorted(good, key=lambda line: -line["score"])


def pictures_shown(folder: Path, lines: Sequence[Line], most: int) -> Iterator[tuple[Line, str]]:
    """At most so many of the lines with their overlays as data URIs, where these are there.

    Raises ReportError for an overlay that was damaged.
    """
    there = [line for line in lines if "overlay" in line and (folder / line["overlay"]).is_file()]
    for line in there[:most]:
        yield line, _picture(folder / line["overlay"], line["digests"][line["overlay"]])


def _picture(path: Path, sha256: str) -> str:
    try:
        content = content_of(path)
    except OSError as error:
        raise ReportError(f"{path}: cannot be read ({error.strerror}); remove it to have the page without") from None
    if hashlib.sha256(content).hexdigest() != sha256:
        raise ReportError(f"{path}: {CHANGED}; remove it to have the page without")
    with Image.open(BytesIO(content)) as picture:
        size = pictures.fitted(picture.width, picture.height, SHOWN_LENGTH)
        return pictures.jpeg(np.asarray(picture.convert("RGB").resize(size)))


def _score_chart(lines: Sequence[Line], threshold: float) -> Markup | None:
    latest = [line for line in lines if line["verdict"] != "unreadable"][-POINTS_SHOWN:]
    if not latest:
        return None
    groups = [
        (name, [float(line["number"]) for line in latest if line["verdict"] == name],
         [float(line["score"]) for line in latest if line["verdict"] == name], colour)
        for name, colour in (("good", GOOD_COLOUR), ("flawed", BAD_COLOUR))
    ]  # fmt: skip
    return run_chart(
        "Scores in the order of the pictures", groups, (threshold, "threshold"), x_label="picture", y_label="score"
    )


def _drift_chart(lines: Sequence[Line], alarm: float) -> Markup | None:
    latest = [line for line in lines if "drift" in line][-POINTS_SHOWN:]
    if len(latest) < 2:
        return None
    numbers = [float(line["number"]) for line in latest]
    evidence = [math.log10(line["drift"]["evidence"]) for line in latest]
    return run_chart(
        "Evidence of drift in the order of the pictures",
        [("good pictures", numbers, evidence, GOOD_COLOUR)],
        (math.log10(alarm), "drift is said"),
        x_label="picture",
        y_label="evidence",
        exponents=True,
    )


def _place(finding: Mapping[str, Any]) -> str:
    """A finding's size in words: millimetres where they are known, else pixels."""
    if "length_mm" in finding:
        return f"{finding['length_mm']:.3g} × {finding['width_mm']:.3g} mm"
    return f"{finding['length_pixels']:.0f} × {finding['width_pixels']:.0f} pixels"
