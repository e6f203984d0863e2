"""How often drift is said in simulated lines, and after how many pictures: without any, and of several sizes.

Beside the product's test, a control chart of exponentially weighted averages (weight .2, three deviations), whose mean
and deviation are those of the scores that are held.

python benchmarks/drift.py [--lines N] [--reference N] [--quick] [--json FILE]
"""

import sys
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray
from scipy.signal import lfilter

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from anomaly.line.drift import DriftTest
from benchmarks.common import Figure, report
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
QUICK = 50  # lines of each kind
WEIGHT, LIMIT = 0.2, 3.0  # of a new score in the chart's average; deviations of the average

Scores = NDArray[np.float64]
Way = Callable[[Scores, Scores, int], int | None]


def tested(reference: Scores, scores: Scores, seed: int) -> int | None:
    """After how many pictures the product says drift; None: never."""
    test = DriftTest(reference.tolist(), seed)
    for score in scores.tolist():
        test.update(score)
        if test.found_at is not None:
            return test.found_at
    return None


def charted(reference: Scores, scores: Scores, seed: int) -> int | None:
    """After how many pictures the control chart says drift, with the limits of a long run; None: never."""
    middle, deviation = reference.mean(), reference.std(ddof=1)
    averages, _ = lfilter([WEIGHT], [1, WEIGHT - 1], scores, zi=[(1 - WEIGHT) * middle])
    outside = np.abs(averages - middle) > LIMIT * deviation * np.sqrt(WEIGHT / (2 - WEIGHT))
    return int(outside.argmax()) + 1 if outside.any() else None


WAYS: dict[str, Way] = {"conformal": tested, "control chart": charted}


def delay(way: Way, reference: int, moved: float, before: int, after: int, seed: int) -> int | None:
    """After how many of the moved pictures drift is said, 0 or below where it was before; None: never."""
    rng = np.random.default_rng(seed)
    held = rng.normal(size=reference)
    found = way(held, np.concatenate([rng.normal(size=before), rng.normal(moved, 1, after)]), seed)
    return None if found is None else found - before


def main(
    lines: Annotated[int, typer.Option(min=1, help="Lines that are simulated of each kind.")] = 1000,
    reference: Annotated[int, typer.Option(min=1, help="Good scores that the inspector holds.")] = 40,
    quick: Annotated[bool, typer.Option("--quick", help="Simulate 50 lines of each kind.")] = False,
    json: Annotated[Path | None, typer.Option(help="Write the figures here too.")] = None,
) -> None:
    """Simulate lines with scores of a normal distribution."""
    count = QUICK if quick else lines
    rows: list[dict[str, Figure]] = []
    with shown("stopped", "lines") as progress:
        for (name, moved, before, after), (called, way) in product(LINES, WAYS.items()):
            found = []
            for seed in range(count):
                found.append(delay(way, reference, moved, before, after, seed))
                progress(f"{name}, {called}", seed + 1, count)
            said = [at for at in found if at is not None]
            late = [at for at in said if at > 0]
            rows.append(
                {
                    "scores move": name,
                    "test": called,
                    "lines": count,
                    "drift said": len(said) / count,
                    "too early": (len(said) - len(late)) / count if before else None,
                    "half of the others within pictures": int(np.median(late)) if moved and late else None,
                }
            )
    report(rows, json)


if __name__ == "__main__":
    typer.run(main)
