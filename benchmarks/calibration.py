"""How much nearer to photographs of other surfaces a recipe comes by `blemish calibrate`.

    python benchmarks/calibration.py [--quick] [--data DATA] [--set NAME] [--recipe NAME] [--json FILE] [--out FOLDER]

The surfaces of a real set are halved. To the good ones of one half the recipe is fitted; frames of the recipe before
and after are compared with the good ones of the other half, on which nothing was chosen: by the distance of statistics
and of a backbone's features, beside the distance of the two halves from each other. A run that was stopped goes on.
"""

import argparse
import csv
import os
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from anomaly.gallery.feature_distance import picture_features
from benchmarks.common import Figure, report
from blender_addon.calibrating.radiance import renderer
from scenes import read_samples, split_by_group
from scenes.calibration.calibrating import Plan
from scenes.calibration.distances import centre_and_scale, projected, quantile_distance
from scenes.calibration.photographs import Photographs, photographs
from scenes.calibration.run import Fit, fit_recipe
from scenes.formats.sample import GOOD
from scenes.jobs.progress import print_progress, untold

REPOSITORY = Path(__file__).resolve().parents[1]
SAMPLES, SEED = 4, 0
QUICK, WHOLE = Plan(renders=70, verified=14), Plan()


def halves(folder: Path, home: Path) -> list[Path]:
    """Two folders of links to the good pictures of a set, no surface in both."""
    made = []
    for name, part in zip(("fitted", "other"), split_by_group(read_samples(folder), (0.5, 0.5), SEED), strict=True):
        half = home / name
        half.mkdir()
        good = [sample for sample in part if sample.label == GOOD]
        with (half / "manifest.csv").open("w", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(["group", "label", "image", "mask"])
            for sample in good:
                (half / sample.image_path.name).symlink_to(sample.image_path.resolve())
                rows.writerow([sample.group, GOOD, sample.image_path.name, ""])
        made.append(half)
    return made


def rows_of(fit: Fit, other: Photographs) -> list[dict[str, Figure]]:
    """The distances of photographs of other surfaces, of frames before and of frames after from these."""
    before, after = fit.calibration.frames_before, fit.calibration.frames_after
    sides = {
        "statistics": (fit.real.statistics, other.statistics, before.statistics[:, 0], after.statistics[:, 0]),
        "features": (fit.real.features, other.features, before.features, after.features),
    }
    rows: list[dict[str, Figure]] = []
    for name, (fitted, others, first, last) in sides.items():
        middle, scale = centre_and_scale(others, 0.1 * others.std(axis=0))

        def seen(values: NDArray, name: str = name, middle: NDArray = middle, scale: NDArray = scale) -> NDArray:
            standardised = (values - middle) / scale
            return standardised if name == "statistics" else projected(standardised, SEED)

        floor, was, now = (quantile_distance(seen(others), seen(values)) for values in (fitted, first, last))
        rows.append(
            {"distance": name, "real to real": floor, "before": was, "after": now, "change %": 100 * (now / was - 1)}
        )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help=f"{QUICK.renders} frames instead of {WHOLE.renders}")
    parser.add_argument(
        "--data", type=Path, default=Path(os.environ.get("BLEMISH_DATA", REPOSITORY / "../shared/data"))
    )
    parser.add_argument("--set", default="magnetic_tile", help="folder of the real set")
    parser.add_argument("--recipe", default="magnetic_tile")
    parser.add_argument("--out", type=Path, help="where the fit is kept, to go on from")
    parser.add_argument("--json", type=Path, help="write the figures there, too")
    arguments = parser.parse_args()
    if not (arguments.data / arguments.set).is_dir():
        print(f"{arguments.data}: no real photographs there to fit to; name their folder with --data")
        return
    features = picture_features()
    with TemporaryDirectory(prefix="blemish-") as scratch:
        fitted, other = halves(arguments.data / arguments.set, Path(scratch))
        out = (arguments.out or Path(scratch)) / "fitted.yaml"
        plan = QUICK if arguments.quick else WHOLE
        fit = fit_recipe(
            arguments.recipe, fitted, out, lambda wanted: renderer(wanted, samples=SAMPLES), features, plan, SAMPLES,
            print_progress,
        )  # fmt: skip
        others = photographs(other, fit.calibration.recipe, features, SEED, untold)
        print(fit.calibration.verdict)
        report(rows_of(fit, others), arguments.json, title=f"{arguments.recipe} before and after")


if __name__ == "__main__":
    main()
