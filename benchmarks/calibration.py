"""How much nearer to photographs of other surfaces a recipe comes by `blemish calibrate`, and what that is worth.

    python benchmarks/calibration.py [--quick] [--data DATA] [--set NAME] [--recipe NAME] [--json FILE] [--out FOLDER]
    python benchmarks/calibration.py --without-fit --frames 24 [--set NAME] [--recipe NAME|FILE]
    python benchmarks/calibration.py --before EARLIER.yaml --frames 24 [--set NAME] [--recipe NAME|FILE]

The surfaces of a real set are halved. To the good pictures of one half the recipe is fitted; all figures are of the
other half, on which nothing was chosen, and of frames of the recipe before and after, of several seeds. Of a set
without good pictures, those count whose flaws cover little. A run that was stopped goes on.

1. The distance of statistics and of a backbone's features, beside the distance of the two halves from each other.
2. How well a linear classifier tells frames from photographs: learnt from the first half and frames of one seed, tried
   on the other half and frames of another (area under the curve; 0.5: not at all).
3. Inspectors trained on frames alone, and on as many photographs of the first half, judge the other half, where the set
   has good pictures: means over the seeds, and the 95 % interval of the difference to the recipe as it was, over
   surfaces and seeds.

--without-fit measures the distances of a recipe as it is, and neither fits nor judges; with --flawed, of frames with
their defects from all pictures of the other half, as a set without good pictures is better compared. --before compares
an earlier version of the recipe with the recipe as it is, in all three ways, and fits nothing.
"""

import argparse
import csv
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from anomaly.backbone.evaluate import some
from anomaly.gallery.feature_distance import picture_features
from anomaly.studies.anomaly.counts import SurfaceCounter, SurfaceCounts
from anomaly.studies.engine.bootstrap import Draws, Values, draw, estimate
from benchmarks.common import Figure, report, write
from benchmarks.detectors import Inspector, figures_of
from blender_addon.calibrating.radiance import renderer
from scenes import load_recipe, read_samples, split_by_group
from scenes.calibration.calibrating import Plan, verifying_views
from scenes.calibration.distances import centre_and_scale, projected, quantile_distance
from scenes.calibration.measuring import Bench, Measured, Renderer
from scenes.calibration.parameters import Parameter, free_parameters
from scenes.calibration.photographs import Photographs, photographs
from scenes.calibration.run import Fit, fit_recipe
from scenes.formats.sample import GOOD, Sample
from scenes.jobs.progress import print_progress, untold
from scenes.recipes.recipe import Recipe

REPOSITORY = Path(__file__).resolve().parents[1]
SAMPLES, SEED = 4, 0
QUICK, WHOLE = Plan(renders=70, verified=14), Plan()
SEEDS = 3
LITTLE = 0.03  # share of a picture that flaws may cover where a set has no good ones
BANK = 2048  # rows
REPLICATES = 500
LEVEL = 0.95
SHOWN = ("image AUROC", "pixel AUROC", "best pixel F1")
SIDES = ("before", "after")


def halves(folder: Path, home: Path, flawed: bool = False) -> tuple[list[Path], list[Sample]]:
    """Two folders of links to the good pictures of a set, no surface in both, and all samples of the second.

    flawed: to all pictures instead.
    """
    made = []
    samples = read_samples(folder)
    flawless = any(sample.label == GOOD for sample in samples)
    parts = split_by_group(samples, (0.5, 0.5), SEED)
    for name, part in zip(("fitted", "other"), parts, strict=True):
        half = home / name
        half.mkdir()
        good = [s for s in part if flawed or (s.label == GOOD if flawless else s.truth().defect.mean() <= LITTLE)]
        with (half / "manifest.csv").open("w", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(["group", "label", "image", "mask"])
            for sample in good:
                (half / sample.image_path.name).symlink_to(sample.image_path.resolve())
                rows.writerow([sample.group, GOOD, sample.image_path.name, ""])
        made.append(half)
    return made, parts[1] if flawless else []


@dataclass(frozen=True, eq=False)
class Frames:
    """Frames of the recipe before and after, by SIDES, of each seed."""

    of: Mapping[str, Sequence[Measured]]

    def all(self, side: str) -> tuple[NDArray, NDArray]:
        """Statistics and features of every seed's frames."""
        every = self.of[side]
        return np.vstack([each.statistics[:, 0] for each in every]), np.vstack([each.features for each in every])


def first(measured: Measured, count: int) -> Measured:
    """The first so many views."""
    return Measured(
        measured.units[:count], measured.statistics[:count], measured.features[:count], measured.pictures[:count]
    )


def frames_of(fit: Fit, before: Recipe, bench: Bench, plan: Plan) -> Frames:
    """The same numbers of both recipes: what the fit was verified by, and frames of other seeds, which it never saw."""
    recipes = {"before": before.without("defects"), "after": fit.calibration.recipe.without("defects")}
    verified = {"before": fit.calibration.frames_before, "after": fit.calibration.frames_after}
    found = {side: [first(measured, plan.verified)] for side, measured in verified.items()}
    for seed in range(1, SEEDS):
        for side in SIDES:
            found[side].append(of_seed(side, seed, recipes[side], bench, plan))
    return Frames(found)


def of_seed(side: str, seed: int, recipe: Recipe, bench: Bench, plan: Plan) -> Measured:
    """Frames of a recipe without defects, of one seed."""
    views = verifying_views(f"{side}-{seed}", recipe, replace(plan, seed=SEED + seed, looks=1))
    return bench.measured(f"{side}, seed {seed}", views, judged=True)


def distances(
    fitted: Photographs, other: Photographs, sides: Mapping[str, tuple[NDArray, NDArray]]
) -> list[dict[str, Figure]]:
    """From photographs of other surfaces to those fitted to, and to frames by their statistics and features."""
    rows: list[dict[str, Figure]] = []
    for number, name in enumerate(("statistics", "features")):
        others = getattr(other, name)
        middle, scale = centre_and_scale(others, 0.1 * others.std(axis=0))

        def seen(values: NDArray, name: str = name, middle: NDArray = middle, scale: NDArray = scale) -> NDArray:
            standardised = (values - middle) / scale
            return standardised if name == "statistics" else projected(standardised, SEED)

        compared = {"real to real": getattr(fitted, name), **{side: rows[number] for side, rows in sides.items()}}
        found = {side: quantile_distance(seen(others), seen(values)) for side, values in compared.items()}
        change = {"change %": 100 * (found["after"] / found["before"] - 1)} if "before" in sides else {}
        row: dict[str, Figure] = {"distance": name, **found, **change}
        rows.append(row)
    return rows


def as_it_is(recipe: Recipe, bench: Bench, plan: Plan) -> tuple[NDArray, NDArray]:
    """Statistics and features of frames of a recipe."""
    found = bench.measured("frames", verifying_views("as it is", recipe, plan), judged=True)
    return found.statistics[:, 0], found.features


def of_both(before: Recipe, after: Recipe, bench: Callable[[Recipe, Path], Bench], home: Path, plan: Plan) -> Frames:
    """Frames of two recipes, of every seed."""
    found = {}
    for side, recipe in zip(SIDES, (before, after), strict=True):
        bare, own = recipe.without("defects"), bench(recipe, home / side)
        found[side] = [of_seed(side, seed, bare, own, plan) for seed in range(SEEDS)]
    return Frames(found)


def told_apart(real: Photographs, other: Photographs, frames: Frames) -> list[dict[str, Figure]]:
    """Areas under the curve of a linear classifier that tells frames from photographs, means over the seeds."""
    rows: list[dict[str, Figure]] = []
    for name in ("statistics", "features"):
        row: dict[str, Figure] = {"told apart by": name}
        fitted, others = getattr(real, name), getattr(other, name)
        for side in SIDES:
            every = [each.statistics[:, 0] if name == "statistics" else each.features for each in frames.of[side]]
            areas = [
                separation(fitted, every[k], others, every[(k + 1) % len(every)]) for k in range(len(every))
            ]  # fmt: skip
            row |= {side: float(np.mean(areas)), f"{side}, seeds": f"{min(areas):.2f} to {max(areas):.2f}"}
        rows.append(row)
    return rows


def separation(real: NDArray, rendered: NDArray, other_real: NDArray, other_rendered: NDArray) -> float:
    """Area under the curve, on the other rows (n, d), of a classifier that learnt from the first two."""
    rows, is_rendered = np.vstack([real, rendered]), np.repeat([0, 1], [len(real), len(rendered)])
    middle, scale = rows.mean(axis=0), np.maximum(rows.std(axis=0), 1e-9)
    classifier = LogisticRegression(C=0.1, class_weight="balanced", max_iter=2000)
    classifier.fit((rows - middle) / scale, is_rendered)
    tried = (np.vstack([other_real, other_rendered]) - middle) / scale
    truth = np.repeat([0, 1], [len(other_real), len(other_rendered)])
    return float(roc_auc_score(truth, classifier.decision_function(tried)))


def judged(bank: Sequence[Sample], samples: Sequence[Sample], backbone: str, seed: int, kept: Path) -> SurfaceCounts:
    """What an inspector trained on a bank says of samples; kept in a file."""
    if kept.is_file():
        return SurfaceCounts.load(kept)
    inspector = Inspector(backbone)
    inspector.fit(bank, BANK, seed)
    counter = SurfaceCounter(float("inf"))
    for sample in samples:
        anomaly_map, score = inspector.predict(sample.image())
        counter.update(anomaly_map, sample.truth(), sample.label, sample.group, score)
    counts = counter.counts()
    counts.save(kept)
    return counts


def inspected(
    frames: Frames, samples: Sequence[Sample], good: Sequence[Sample], backbone: str, home: Path
) -> list[dict[str, Figure]]:
    """Inspectors of frames before, of frames after, and of as many photographs of the half that was fitted to."""
    home.mkdir(parents=True, exist_ok=True)
    counts: dict[str, list[SurfaceCounts]] = {}
    for seed in range(SEEDS):
        banks = {side: in_files(frames.of[side][seed].pictures, home / f"{side}-{seed}") for side in SIDES}
        chosen = np.random.default_rng([SEED, seed]).permutation(len(good))[: len(banks["before"])]
        banks["photographs"] = [good[k] for k in chosen]
        for name, bank in banks.items():
            kept = home / f"{backbone}-{name}-{seed}.npz"
            counts.setdefault(name, []).append(judged(bank, samples, backbone, seed, kept))
            print(f"inspector of {name}, seed {seed}", file=sys.stderr, flush=True)
    first = counts["before"][0]
    defective = dict(zip(first.surfaces, map(bool, first.defective_surfaces), strict=True))
    draws = draw(defective, SEEDS, REPLICATES, SEED)
    figures = {name: _by_seed(every, draws) for name, every in counts.items()}
    rows: list[dict[str, Figure]] = []
    for name, own in figures.items():
        row: dict[str, Figure] = {"trained on": name, "backbone": backbone, "judged": len(samples)}
        for figure in SHOWN:
            value = estimate(own[figure], draws, LEVEL).value
            against = estimate(own[figure] - figures["before"][figure], draws, LEVEL)
            beside = "" if name == "before" else f" ({against.low:+.3f} to {against.high:+.3f})"
            row[figure] = f"{value:.3f}{beside}"
        rows.append(row)
    return rows


def _by_seed(every: Sequence[SurfaceCounts], draws: Draws) -> dict[str, Values]:
    found = [figures_of(counts, draws.weights(counts.surfaces)) for counts in every]
    return {figure: np.stack([each[figure] for each in found]) for figure in SHOWN}


def in_files(pictures: Sequence[NDArray[np.uint8]], home: Path) -> list[Sample]:
    home.mkdir(exist_ok=True)
    samples = []
    for number, picture in enumerate(pictures):
        path = home / f"{number:03d}.png"
        Image.fromarray(picture).save(path)
        samples.append(Sample(path.name, path.name, GOOD, path))
    return samples


def show(tables: Mapping[str, list[dict[str, Figure]]], title: str, file: Path | None) -> None:
    for name, rows in tables.items():
        report(rows, title=f"{title}: {name}")
    if file:
        write(tables, file)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help=f"{QUICK.renders} frames instead of {WHOLE.renders}")
    parser.add_argument("--renders", type=int, help="frames to learn from, instead")
    parser.add_argument("--verified", type=int, help="frames of each recipe that verify the fit, instead")
    parser.add_argument("--frames", type=int, help="of each recipe and seed that are compared; as many by default")
    parser.add_argument(
        "--data", type=Path, default=Path(os.environ.get("BLEMISH_DATA", REPOSITORY / "../shared/data"))
    )
    parser.add_argument("--set", default="magnetic_tile", help="folder of the real set")
    parser.add_argument("--recipe", default="magnetic_tile")
    parser.add_argument("--without-fit", action="store_true", help="distances of the recipe as it is alone")
    parser.add_argument(
        "--flawed", action="store_true", help="with --without-fit: frames with defects beside all pictures of the half"
    )
    parser.add_argument(
        "--before", type=Path, help="an earlier version of the recipe to compare with; nothing is fitted"
    )
    parser.add_argument("--judged", type=int, help="pictures that inspectors judge at the most")
    parser.add_argument("--backbone", default="distilled", help="of the inspectors")
    parser.add_argument("--out", type=Path, help="where the fit is kept, to go on from")
    parser.add_argument("--json", type=Path, help="write the figures there, too")
    arguments = parser.parse_args()
    if arguments.flawed and not arguments.without_fit:
        parser.error("--flawed goes with --without-fit: fits and inspectors are of good pictures")
    torch.set_num_threads(1)
    if not (arguments.data / arguments.set).is_dir():
        print(f"{arguments.data}: no real photographs there to fit to; name their folder with --data")
        return
    features = picture_features()
    with TemporaryDirectory(prefix="blemish-") as scratch:
        (fitted, other), samples = halves(arguments.data / arguments.set, Path(scratch), arguments.flawed)
        home = arguments.out or Path(scratch)
        plan = QUICK if arguments.quick else WHOLE
        sizes = {"renders": arguments.renders, "verified": arguments.verified}
        plan = replace(plan, **{name: size for name, size in sizes.items() if size})

        def rendering(wanted: Recipe) -> Renderer:
            return renderer(wanted, samples=SAMPLES)

        now = load_recipe(arguments.recipe)
        others = photographs(other, now, features, SEED, untold)
        compared = replace(plan, verified=arguments.frames or plan.verified)

        def bench(recipe: Recipe, folder: Path, parameters: Sequence[Parameter] | None = None) -> Bench:
            chosen = tuple(free_parameters(recipe) if parameters is None else parameters)
            return Bench(
                folder, chosen, others.names_of, others.colour, rendering(recipe), features, print_progress
            )  # fmt: skip

        if arguments.without_fit or arguments.before:
            real = photographs(fitted, now, features, SEED, untold)
        if arguments.without_fit:
            shown = now if arguments.flawed else now.without("defects")
            frames_now = as_it_is(shown, bench(now, home / "frames"), compared)
            tables = {"distances": distances(real, others, {"now": frames_now})}
            show(tables, f"{arguments.recipe} as it is", arguments.json)
            return
        if arguments.before:
            frames = of_both(load_recipe(arguments.before), now, bench, home, compared)
        else:
            fit = fit_recipe(
                arguments.recipe, fitted, home / "fitted.yaml", rendering, features, plan, SAMPLES, print_progress,
                refuse=False,
            )  # fmt: skip
            print(fit.calibration.verdict)
            frames = frames_of(fit, now, bench(now, home / "frames", fit.calibration.parameters), compared)
            real = fit.real
        sides = {side: frames.all(side) for side in SIDES}
        tables = {"distances": distances(real, others, sides), "classifier": told_apart(real, others, frames)}
        if samples:
            torch.set_flush_denormal(True)
            good, samples = read_samples(fitted), some(samples, arguments.judged, SEED)
            tables["inspectors"] = inspected(frames, samples, good, arguments.backbone, home / "inspectors")
        show(tables, f"{arguments.recipe} before and after", arguments.json)


if __name__ == "__main__":
    main()
