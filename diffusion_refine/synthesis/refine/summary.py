"""What came of a refinement, in a few lines."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from diffusion_refine.editing.label_check import Limits
from diffusion_refine.synthesis.attempts import OUTCOMES, UNTOUCHED
from diffusion_refine.synthesis.refine.before_after import write_sheet
from scenes.datasets.reader import Dataset


@dataclass(frozen=True)
class Summary:
    """Of a refined dataset: frames by what came of them, and edits that the label check refused."""

    frames: Counter[str]
    checked: int
    refused: int


def summary_of(refined: Dataset) -> Summary:
    """What came of the frames of a refined dataset."""
    records = [frame.refinement or {} for frame in refined]
    return Summary(
        Counter(record.get("outcome", UNTOUCHED) for record in records),
        sum(len(record.get("checks", ())) for record in records),
        sum(len(record.get("refused", ())) for record in records),
    )


def summary_lines(source: Dataset, refined: Dataset, limits: Limits | None) -> list[str]:
    """What a command ends with; writes the sheet of what changed beside the dataset."""
    summary = summary_of(refined)
    counted = ", ".join(f"{summary.frames[outcome]} {outcome}" for outcome in OUTCOMES if summary.frames[outcome])
    lines = [f"frames     {len(refined)}: {counted}"]
    if limits is None:
        lines.append("labels     not checked")
    else:
        lines.append(f"labels     {summary.checked} defects checked, {summary.refused} edits refused ({limits})")
    sheet = write_sheet(source, refined)
    return lines if sheet is None else [*lines, f"look at    {sheet}"]
