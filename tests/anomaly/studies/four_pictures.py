"""Four pictures of two classes, small enough for a learner of pixels or boxes to know them by heart in seconds."""

from pathlib import Path

import numpy as np
from PIL import Image

from anomaly.studies.engine.labelled import Classes, LabelledPicture
from scenes.formats.sample import Sample
from scenes.formats.truth import MaskFile

CLASSES = Classes(("bright", "dark"))


def four_pictures(root: Path, height: int, other: tuple[int, int]) -> tuple[LabelledPicture, ...]:
    """Grey noise, each with a bright and a dark rectangle of `height` and 20 columns at places of its own.

    other: what the row and column of both rectangles add up to.
    """
    rng = np.random.default_rng(0)
    made = []
    for index, (row, column) in enumerate([(2, 4), (6, 32), (34, 4), (38, 36)]):
        picture = rng.normal(120, 8, (64, 64))
        mask = np.zeros((64, 64), np.uint8)
        for value, place, grey in ((1, (row, column), 220), (2, (other[0] - row, other[1] - column), 30)):
            rows, columns = slice(place[0], place[0] + height), slice(place[1], place[1] + 20)
            mask[rows, columns], picture[rows, columns] = value, grey
        Image.fromarray(picture.clip(0, 255).astype(np.uint8)).save(root / f"{index}.png")
        Image.fromarray(mask).save(root / f"{index}_mask.png")
        truth = MaskFile(root / f"{index}_mask.png", {1: "bright", 2: "dark"})
        sample = Sample(str(index), f"s{index % 2}", "bright+dark", root / f"{index}.png", truth)
        made.append(LabelledPicture(sample, CLASSES))
    return tuple(made)
