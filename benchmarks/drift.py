"""How often drift is said in simulated lines, and after how many pictures: without any, and of several sizes.

python benchmarks/drift.py
"""

import sys
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from anomaly.line.drift import DriftTest
from scenes.jobs.progress import shown

# Name; deviations by which scores move; pictures before they do; pictures from there on.
LINES = (
    ("none", 0.0, 0, 500),
    ("1 deviation higher", 1.0, 0, 500),
    ("2 deviations higher", 2.0, 0, 500),
    ("3 deviations higher", 3.0, 0, 500),
    ("3 deviations lower", -3.0, 0, 500),
    ("2 deviations higher, after 1,000 pictures", 2.0, 1000, 500),
)


def delay(reference: int, moved: float, before: int, after: int, seed: int) -> int | None:
    """After how many of the moved pictures drift is said, below 0 where it was before; None: never."""
    rng = np.random.default_rng(seed)
    test = DriftTest(rng.normal(size=reference).tolist(), seed)
    for score in np.concatenate([rng.normal(size=before), rng.normal(moved, 1, after)]).tolist():
        test.update(score)
        if test.found_at is not None:
            return test.found_at - before
    return None


def main(
    lines: Annotated[int, typer.Option(min=1, help="Lines that are simulated of each kind.")] = 1000,
    reference: Annotated[int, typer.Option(min=1, help="Good scores that the inspector holds.")] = 40,
) -> None:
    """Simulate lines with scores of a normal distribution."""
    with shown("stopped", "lines") as progress:
        for name, moved, before, after in LINES:
            found = []
            for seed in range(lines):
                found.append(delay(reference, moved, before, after, seed))
                progress(name, seed + 1, lines)
            said = sorted(at for at in found if at is not None)
            early = sum(at <= 0 for at in said) if before else 0
            line = f"{name:42} drift said in {len(said) / lines:.1%} of {lines} lines"
            if moved and said:
                line += f", half of those within {int(np.median(said))} pictures"
            typer.echo(line + (f", {early / lines:.1%} too early" if before else ""))


if __name__ == "__main__":
    typer.run(main)
