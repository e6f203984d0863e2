"""Inspecting one picture after another: verdict, what was found where, and whether good ones drifted."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from anomaly.evaluation.results import heat_map, range_of
from anomaly.inspection.inspector import BANK_FILE, Inspector, InspectorError
from anomaly.inspection.regions import Regions, RegionsError
from anomaly.inspection.verdict import Finding, Verdict
from anomaly.line.drift import LEAST_REFERENCE, RECENT, DriftTest, reference_below
from anomaly.line.sources import Picture
from anomaly.line.verdict_file import FLAWED, GOOD, UNREADABLE, InspectionError, Line, VerdictFile
from anomaly.reporting.report_pictures import overlaid
from scenes.datasets.files import sha256_of
from scenes.pictures import png
from scenes.pictures.errors import PictureError
from scenes.pictures.on_disk import Rows

Keep = Literal["all", "flawed", "none"]
MILLIMETRES = 1000.0


@dataclass(frozen=True)
class Inspection:
    """An inspector at work: smallest: places of fewer pixels count for nothing; metres_per_pixel: given, or None.

    keep: of which pictures overlay, heat map and mask are written.
    """

    inspector: Inspector
    threshold: float
    smallest: int = 0
    metres_per_pixel: float | None = None
    keep: Keep = "all"

    def metres(self, shape: tuple[int, int]) -> float | None:
        """What a pixel of a picture of this shape shows across; None where nobody knows."""
        known = self.inspector.training.pixel_size
        if self.metres_per_pixel is not None or known is None:
            return self.metres_per_pixel
        return known.metres if (known.height, known.width) == shape else None

    def settings(self, folder: Path) -> dict[str, object]:
        """What decides the verdicts, of an inspector read from this folder."""
        return {
            "schema": 2,
            "inspector": sha256_of(folder / BANK_FILE),
            "threshold": self.threshold,
            "smallest": self.smallest,
            "metres_per_pixel": self.metres_per_pixel,
            "keep": self.keep,
        }


def begun(inspector: Inspector, folder: Path, threshold: float | None) -> float:
    """The threshold to inspect with: this one, or the inspector's own. Raises InspectorError where there is none."""
    threshold = inspector.training.threshold if threshold is None else threshold
    if threshold is None:
        raise InspectorError(
            f"{folder}: has no threshold, so that it cannot say what is flawed; name one with --threshold VALUE, or "
            f"have good pictures set it: blemish bank {folder} --threshold good:1% --validation GOOD_PICTURES --out NEW"
        )
    return threshold


def drift_test(
    inspector: Inspector, threshold: float, lines: Iterable[Line], flagged_at_most: float | None = None
) -> DriftTest | str:
    """A test that has taken in the lines there are; or why there is none, in words. Raises InspectionError."""
    if flagged_at_most is not None and not 0 < flagged_at_most < 1:
        raise InspectionError(f"--flagged-at-most is {flagged_at_most:g}; expected a share between 0 and 1, as 0.05")
    good_scores = inspector.training.good_scores
    if not good_scores:
        return (
            "cannot be told: the inspector holds no scores of good surfaces that training did not see; "
            "`blemish bank INSPECTOR --threshold good:1% --validation GOOD_PICTURES --out NEW` gives it some"
        )
    reference = reference_below(good_scores, threshold)
    if len(reference) < LEAST_REFERENCE:
        return (
            f"cannot be told: the inspector holds {len(reference)} scores of good surfaces below the threshold, "
            f"{LEAST_REFERENCE} are needed; find the threshold on more good pictures"
        )
    test = DriftTest(reference, flagged_at_most=flagged_at_most)
    for line in lines:
        taken_in(test, line, threshold)
    return test


def taken_in(drift: DriftTest, line: Line, threshold: float) -> dict[str, Any]:
    """What the test says after one more line; one of an unreadable picture tells it nothing."""
    if line["verdict"] == GOOD and line["score"] < threshold:
        drift.update(line["score"])
    elif line["verdict"] != UNREADABLE:
        drift.flag()
    return {"evidence": drift.evidence, "is_found": drift.found_at is not None}


def inspected(
    inspection: Inspection,
    pictures: Iterable[Picture | None],
    file: VerdictFile | None,
    drift: DriftTest | None,
    idle: Callable[[], None] = lambda: None,
) -> Iterator[Line]:
    """The line of each picture, which `file` then holds; one that cannot be read has a line that says why.

    idle: called while there is no picture to inspect.
    """
    number, regions = len(file.lines) if file else 0, inspection.inspector.regions
    for picture in pictures:
        if picture is None:
            idle()
            continue
        line: Line = {"number": number, "picture": picture.name, "sha256": picture.sha256}
        try:
            pixels, valid_mask = picture.read()
            verdict = inspection.inspector.verdict((pixels, valid_mask), inspection.smallest, inspection.threshold)
        except (PictureError, RegionsError) as error:
            said = str(error)
            named = said.removeprefix(f"{picture.name}: ")
            line |= {"verdict": UNREADABLE, "error": named}
        else:
            line |= _described(verdict, pixels, inspection.metres((pixels.shape[0], pixels.shape[1])), regions)
            if drift is not None:
                line["drift"] = taken_in(drift, line, inspection.threshold)
            if file is not None and (inspection.keep == "all" or (inspection.keep == "flawed" and verdict.is_flawed)):
                line |= _kept(file, pixels, verdict, regions)
        if file is not None:
            file.add(line)
        number += 1
        yield line


def _described(verdict: Verdict, pixels: Rows, metres: float | None, regions: Regions | None) -> Line:
    line: Line = {
        "verdict": FLAWED if verdict.is_flawed else GOOD,
        "score": verdict.score,
        "threshold": verdict.threshold,
        "width": pixels.shape[1],
        "height": pixels.shape[0],
    }
    if metres is not None:
        line["mm_per_pixel"] = MILLIMETRES * metres
    line["found"] = [_finding(finding, metres, regions) for finding in verdict.findings]
    return line


def _finding(finding: Finding, metres: float | None, regions: Regions | None) -> dict[str, Any]:
    described: dict[str, Any] = {
        "box": list(finding.box),
        "peak": finding.peak,
        "peak_at": list(finding.peak_at),
        "area_pixels": finding.area,
        "length_pixels": finding.length,
        "width_pixels": finding.width,
    }
    if regions is not None:
        column, row = finding.peak_at
        described["region"] = int(regions.levels[row, column])
    if metres is not None:
        scale = MILLIMETRES * metres
        described |= {
            "area_mm2": finding.area * scale**2,
            "length_mm": finding.length * scale,
            "width_mm": finding.width * scale,
        }
    return described


def _kept(file: VerdictFile, pixels: Rows, verdict: Verdict, regions: Regions | None) -> Line:
    anomaly_map, mask = verdict.anomaly_map, verdict.mask
    low, high = range_of(anomaly_map)
    boxes = [finding.box for finding in verdict.findings]
    both = overlaid(pixels, anomaly_map, verdict.threshold, mask, boxes, None if regions is None else regions.levels)
    overlay, overlay_digest = file.write("overlays", [_png(both)])
    levels, map_digest = file.write("maps", heat_map(anomaly_map, low, high, file.folder))
    kept: Line = {"overlay": overlay, "map": {"file": levels, "low": low, "high": high}}
    digests = {overlay: overlay_digest, levels: map_digest}
    if verdict.is_flawed:
        kept["mask"], digests[kept["mask"]] = file.write(
            "masks",
            png.encoded(
                lambda rows: np.where(mask[rows], np.uint8(255), np.uint8(0)), mask.shape, np.uint8, file.folder
            ),
        )
    return {**kept, "digests": digests}


def _png(pixels: NDArray[np.uint8]) -> bytes:
    buffer = BytesIO()
    Image.fromarray(pixels).save(buffer, "png", compress_level=3)
    return buffer.getvalue()


@dataclass(frozen=True)
class Summary:
    """How many pictures were good, flawed and unreadable; flagged: of the last `RECENT` readable ones."""

    good: int
    flawed: int
    unreadable: int
    flagged: int

    @property
    def exit_code(self) -> int:
        """0 where all are good, 1 where any is flawed, 2 where any could not be read."""
        return 2 if self.unreadable else 1 if self.flawed else 0

    @property
    def described(self) -> str:
        """In words."""
        every = self.good + self.flawed + self.unreadable
        unreadable = f", {self.unreadable} unreadable" if self.unreadable else ""
        return f"{every} pictures: {self.good} good, {self.flawed} flawed{unreadable}"


def summary_of(lines: Iterable[Line]) -> Summary:
    """What there is of each."""
    verdicts = [line["verdict"] for line in lines]
    readable = [verdict for verdict in verdicts if verdict != UNREADABLE]
    return Summary(
        verdicts.count(GOOD), verdicts.count(FLAWED), verdicts.count(UNREADABLE), readable[-RECENT:].count(FLAWED)
    )


def drift_described(drift: DriftTest | str, summary: Summary) -> str:
    """What can be said of drift, in words."""
    if isinstance(drift, str):
        return drift
    if drift.found_at is not None or summary.flagged <= RECENT / 2:
        return drift.described
    return (
        f"{drift.described}; but {summary.flagged} of the last {RECENT} pictures are flawed: where so many cannot be, "
        "look at light and lens, and say how many can with --flagged-at-most"
    )


def checked_scale(mm_per_pixel: float | None) -> float | None:
    """Metres a pixel. Raises InspectionError for what is no size."""
    if mm_per_pixel is None:
        return None
    if not (math.isfinite(mm_per_pixel) and mm_per_pixel > 0):
        raise InspectionError(f"--mm-per-pixel is {mm_per_pixel:g}; expected a number above 0")
    return mm_per_pixel / MILLIMETRES
