"""What came of a refinement, in a few lines."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from diffusion_refine.editing.label_check import Limits
from diffusion_refine.synthesis.attempts import OUTCOMES, UNTOUCHED
from diffusion_refine.synthesis.refine.before_after import write_sheet
from scenes.datasets.reader import Dataset
from scenes.datasets.relabelling import label_counts, label_table, thresholds


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
    lines += relabelled_lines(refined)
    sheet = write_sheet(source, refined)
    return lines if sheet is None else [*lines, f"look at    {sheet}"]


def relabelled_lines(refined: Dataset) -> list[str]:
    """The table of masks that were kept and found again and of edits refused, and the thresholds; none without it."""
    counts = label_counts(refined)
    if not counts:
        return []
    table = label_table(counts)
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    rows = [f"{row[0]:{widths[0]}}  " + "  ".join(map(str.rjust, row[1:], widths[1:])) for row in table]
    lines = [f"{'masks' if not number else '':10} {row}" for number, row in enumerate(rows)]
    found = sorted(thresholds(refined))
    if found:
        middle = found[len(found) // 2]
        lines.append(
            f"threshold  {middle:.3f} of white of the difference map, in the middle ({found[0]:.3f} to {found[-1]:.3f})"
        )
    return lines
