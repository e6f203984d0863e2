"""Whether an exported inspector answers as the inspector itself."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from anomaly.deployment.formats import Format
from anomaly.inspection.inspector import Inspector, InspectorError
from anomaly.inspection.tiles import Size

TOLERANCE = 1e-2  # share of the score by which maps of half precision may differ; those of single differ by 1e-5


def largest_difference(inspector: Inspector, written_as: Format, path: Path, size: Size) -> tuple[float, float]:
    """How far the file's map of a noisy picture of that height and width is from the inspector's, and its score.

    Raises InspectorError where that is more than rounding explains; the file is then removed.
    """
    noise = np.random.default_rng(0).normal(128, 30, (*size, 3))
    picture = noise.clip(0, 255).astype(np.uint8)
    expected, score = inspector.predict(picture)
    answer = written_as.run(path, picture)
    difference = float(np.abs(answer.anomaly_map - expected).max())
    if not difference <= TOLERANCE * score:
        for file in written_as.files(path):
            file.unlink(missing_ok=True)
        raise InspectorError(
            f"{path}: answered otherwise than the inspector (its map differs by {difference:.3g} of {score:.3g}) and "
            "was removed; choose another --format, and report the backbone"
        )
    return difference, score
