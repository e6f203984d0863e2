r"""How near what is drawn on a picture comes to what Cycles renders: the same defects, under the same light.

    python tools/paired_pictures.py DIR --frames 4 --seed 9000 --only ground milled rolled cast brushed sand_blasted \
        turned
    python benchmarks/shading.py DIR [--quick] [--json FILE]

Frame N of all datasets of a finish shows one surface, so the median over them shows it without defects. On that the
defects of each frame are drawn as `procgen.surface.photo` does, and inside the rendered mask brightness is compared:
`error` is the mean of |log(drawn over rendered)|, `bias` of the logarithm. `mask` is the intersection over union of the
masks. `mirrored` is the share of the light that is taken to be, or `material`: what the finish mirrors; `points` are
those of every pixel along a side.
"""

import argparse
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.common import Figure, report
from diffusion_refine.editing.relabelling import overlap_of
from diffusion_refine.synthesis.procedural.painting import laid
from scenes.camera.imaging import pixel_footprint
from scenes.camera.transfer import linearised
from scenes.datasets.reader import Dataset, Frame
from scenes.jobs.progress import print_progress
from scenes.pictures.reading import rgb_of
from tools.paired_pictures import KINDS

Floats = NDArray[np.float64]

WAYS = ((0.2, 1), (1.0, 1), (None, 1), (None, 3))  # gloss and points
LEAST = 6  # pixels of a defect that is compared
DARKEST = 1e-3  # of what is stored, below which nothing is told apart
QUICK = 4  # of so many surfaces one is taken


def surfaces(folder: Path) -> Iterator[dict[str, Frame]]:
    """Of every surface its frames by the kinds of their defects."""
    finishes = sorted(
        {path.parent.name.removesuffix(f"_{KINDS[0]}") for path in folder.glob(f"*_{KINDS[0]}/dataset.json")}
    )
    for finish in finishes:
        datasets = {
            kind: Dataset(folder / f"{finish}_{kind}") for kind in KINDS if (folder / f"{finish}_{kind}").exists()
        }
        for index in range(min(len(dataset) for dataset in datasets.values())):
            yield {kind: dataset[index] for kind, dataset in datasets.items()}


def linear(frame: Frame) -> Floats:
    """(H, W, 3), proportional to the light that arrived."""
    return linearised(rgb_of(frame.image) / 255, frame.scene.sensor.transfer).astype(np.float64)


def logarithm(picture: Floats) -> Floats:
    """(H, W) of the mean over the channels."""
    return np.log(np.maximum(picture.mean(axis=2), DARKEST))


def compared(frame: Frame, without: Floats, gloss: float | None, points: int) -> tuple[Floats, float]:
    """Of a frame's defects drawn on the surface without them the differences of the logarithm, and how masks agree."""
    scene, mask = frame.scene, frame.defects > 0
    scale = pixel_footprint(scene.camera, scene.camera.focus_distance)
    made = laid(without, scene, scale, scene.texel_size, gloss, points)
    difference = logarithm(made.linear) - logarithm(linear(frame))
    return difference[mask], overlap_of(made.masks()[1] > 0, mask)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, metavar="DIR")
    parser.add_argument("--quick", action="store_true", help="a quarter of the surfaces")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    found = list(surfaces(given.folder))[:: QUICK if given.quick else 1]
    if not found:
        sys.exit(f"{given.folder}: found no pairs; render them with tools/paired_pictures.py")
    differences, masks = defaultdict(list), defaultdict(list)
    for number, frames in enumerate(found):
        without = np.median([linear(frame) for frame in frames.values()], axis=0)
        for kind, frame in frames.items():
            if np.count_nonzero(frame.defects) < LEAST:
                continue
            for way in WAYS:
                difference, overlap = compared(frame, without, *way)
                for name in ("all", kind):
                    differences[way, name].append(difference)
                    masks[way, name].append(overlap)
        print_progress("surfaces", number + 1, len(found))
    rows: list[dict[str, Figure]] = [
        {
            "defect": name,
            "mirrored": "material" if gloss is None else gloss,
            "points": points,
            "frames": len(differences[(gloss, points), name]),
            "error": float(np.mean([np.abs(one).mean() for one in differences[(gloss, points), name]])),
            "bias": float(np.mean([one.mean() for one in differences[(gloss, points), name]])),
            "mask": float(np.mean(masks[(gloss, points), name])),
        }
        for name in ("all", *KINDS)
        for gloss, points in WAYS
        if differences[(gloss, points), name]
    ]
    report(rows, given.json, f"{len(found)} surfaces")


if __name__ == "__main__":
    main()
