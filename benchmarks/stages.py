"""What the stages of `maphc2f` make of a recipe's defects, beside a set's own defects, at four times their size.

    python benchmarks/stages.py data/tiles --recipe magnetic_tile --out out/stages
    python benchmarks/stages.py photos/magnetic_tile --recipe magnetic_tile --good 12 --count 3 --out out/stages-photos

The recipe's defects are drawn on good pictures of a set, real or rendered, by the physics alone, coarse, and fine with
the model that ships. OUT/stages.png has a row for each defect of every class in turn: the good picture, the three
stages, and a defect of that class, or of any where the set has none, that the set itself shows.

`step` is how much neighbouring pixels differ across a mask's border, over how much they differ beside it, two pixels in
and out: the median over defects. A seam would leave it above that of the set's own defects.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import blemish
from benchmarks.common import report
from benchmarks.sheets import Row, sheet
from scenes.datasets.files import sha256_of
from scenes.formats.registry import read_samples
from scenes.formats.sample import GOOD, UNLABELLED, Sample

STAGES = ("physics", "coarse", "fine")
SIDE, TIMES = 48, 4  # pixels of a cutting, and how much it is enlarged
NEAR = 2  # pixels beside the border
LEAST = 12  # pixels of a mask whose step is measured

Mask = NDArray[np.bool_]
Pixels = NDArray[np.uint8]


def step_at_border(image: Pixels, mask: Mask) -> float:
    """Mean difference of neighbours (H, W, 3) across a mask's border, over that within NEAR pixels on both sides."""
    grey = image.astype(float).mean(axis=2)
    kernel = np.ones((3, 3), np.uint8)
    marked = mask.astype(np.uint8)
    inner = mask & (cv2.erode(marked, kernel, iterations=NEAR) == 0)
    outer = ~mask & (cv2.dilate(marked, kernel, iterations=NEAR) > 0)
    across: list[NDArray[np.float64]] = []
    beside: list[NDArray[np.float64]] = []
    upper, lower = np.s_[:-1, :], np.s_[1:, :]
    left, right = np.s_[:, :-1], np.s_[:, 1:]
    for first, second in ((upper, lower), (left, right)):
        difference = np.abs(grey[first] - grey[second])
        across.append(difference[mask[first] != mask[second]])
        beside += [difference[ring[first] & ring[second]] for ring in (inner, outer)]
    return float(np.concatenate(across).mean() / max(np.concatenate(beside).mean(), 1e-6))


def cutting(image: Pixels, mask: Mask) -> Pixels:
    """SIDE pixels of a picture (H, W, 3) round the middle of a defect, moved into it; smaller where it is."""
    rows, columns = np.nonzero(mask)
    middle = np.argmin((rows - rows.mean()) ** 2 + (columns - columns.mean()) ** 2)
    starts = [
        min(max(int(at) - SIDE // 2, 0), max(0, whole - SIDE))
        for at, whole in zip((rows[middle], columns[middle]), mask.shape, strict=True)
    ]
    place = tuple(slice(start, start + SIDE) for start in starts)
    return np.ascontiguousarray(image[place])


def defects_of(samples: Sequence[Sample]) -> Iterator[tuple[Sample, str, Mask]]:
    """Each defect of samples, with its class."""
    for sample in samples:
        if sample.label not in (GOOD, UNLABELLED):
            for instance in sample.truth().instances:
                if instance.family == "defect" and instance.mask.sum() >= LEAST:
                    yield sample, instance.class_name, instance.mask


def in_turns(found: Sequence[tuple[Sample, str, Mask]], count: int) -> list[tuple[Sample, str, Mask]]:
    """So many defects, of every class in turn."""
    by_class: dict[str, list[tuple[Sample, str, Mask]]] = {}
    for each in found:
        by_class.setdefault(each[1], []).append(each)
    longest = max(map(len, by_class.values()), default=0)
    return [members[k] for k in range(longest) for members in by_class.values() if k < len(members)][:count]


def drawn(good: Sequence[Path], stage: str, given: argparse.Namespace) -> list[Sample]:
    """The frames of a stage. Raises SystemExit where the command refuses."""
    out = given.out / stage
    command = ["synthesize", *map(str, good), "--method", "maphc2f", "--recipe", given.recipe, "--stages", stage]
    command += ["--mm-per-pixel", str(given.mm_per_pixel)] if given.mm_per_pixel else []
    if blemish.run([*command, "--count", str(given.count), "--seed", str(given.seed), "--out", str(out)]):
        raise SystemExit(1)
    return read_samples(out)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("set", type=Path, help="a labelled set with good pictures in it, real or rendered")
    parser.add_argument("--recipe", required=True, help="whose defects are drawn")
    parser.add_argument("--mm-per-pixel", type=float, help="scale of the pictures")
    parser.add_argument("--good", type=int, default=8, help="pictures that are drawn on")
    parser.add_argument("--count", type=int, default=2, help="frames of each of them")
    parser.add_argument("--rows", type=int, default=8, help="of the sheet")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    samples = read_samples(given.set)
    good = [sample for sample in samples if sample.label == GOOD]
    chosen = [good[k] for k in np.linspace(0, len(good) - 1, min(len(good), given.good)).round().astype(int)]
    made = {stage: list(defects_of(drawn([sample.image_path for sample in chosen], stage, given))) for stage in STAGES}
    own = list(defects_of(samples))
    of_class: dict[str, int] = {}
    rows = []
    for sample, name, mask in in_turns(made["fine"], given.rows):
        number = of_class[name] = of_class.get(name, -1) + 1
        like = [each for each in own if each[1].lower() == name] or own
        other, other_name, other_mask = like[number * 7 % len(like)]
        frames = {stage: {each.name: each for each, _, _ in found} for stage, found in made.items()}
        before = next(each for each in chosen if sha256_of(each.image_path) in sample.ancestors)
        pictures = [before.image(), *(frames[stage][sample.name].image() for stage in STAGES)]
        cuttings = [cutting(picture, mask) for picture in pictures] + [cutting(other.image(), other_mask)]
        titles = [name, *("" for _ in STAGES), other_name]
        rows.append(Row(titles, [each.repeat(TIMES, axis=0).repeat(TIMES, axis=1) for each in cuttings]))
    columns = ["good", *STAGES, "of the set"]
    Image.fromarray(sheet(columns, rows, SIDE * TIMES)).save(given.out / "stages.png")
    steps = {
        stage: [step_at_border(sample.image(), mask) for sample, _, mask in found] for stage, found in made.items()
    }
    steps["of the set"] = [step_at_border(sample.image(), mask) for sample, _, mask in own]
    report(
        [
            {"stage": name, "defects": len(values), "step": round(float(np.median(values)), 2)}
            for name, values in steps.items()
        ]
    )


if __name__ == "__main__":
    main()
