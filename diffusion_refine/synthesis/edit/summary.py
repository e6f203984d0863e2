"""What came of the edits, in a few lines."""

from __future__ import annotations

from collections import Counter
from statistics import median

from diffusion_refine.synthesis.edit.generator import EDITED, UNCHANGED
from scenes.datasets.reader import Dataset


def summary_lines(made: Dataset, threshold: float) -> list[str]:
    """How many frames changed, which words were exchanged, and how much of a picture places and masks cover."""
    records = [frame.refinement or {} for frame in made]
    outcomes = Counter(record.get("outcome", "") for record in records)
    left = f", {outcomes[UNCHANGED]} left as they were: no pixel changed by {threshold:g} of white"
    lines = [f"frames     {len(made)}: {outcomes[EDITED]} edited{left if outcomes[UNCHANGED] else ''}"]
    pairs = Counter((record["exchanged"], record["word"]) for record in records if record.get("outcome") == EDITED)
    lines += [
        f"{'' if number else 'words':10} {old} to {new}: {count}"
        for number, ((old, new), count) in enumerate(sorted(pairs.items()))
    ]
    if pairs:
        place, mask = (
            median(record[of] for record in records if record["outcome"] == EDITED) for of in ("place", "mask")
        )
        lines.append(f"covered    {place:.1%} of a picture by the place, {mask:.1%} by the mask, in the middle")
    return lines
