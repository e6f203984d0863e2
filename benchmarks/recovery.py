"""Whether `blemish calibrate` finds a recipe again from its renders: hidden quantities, and what the fit says of them.

    python benchmarks/recovery.py [--recipe NAME]... [--fits N] [--photographs N] [--renders N] [--verified N] [--quick]
        [--out FOLDER] [--json FILE]

Of a recipe the quantities that pictures give away are put somewhere else between their bounds, anew for every fit; the
frames of that hidden recipe are the photographs, of which a third judges, and the recipe as it ships is fitted to them.
All that is not given away stays, in the hidden recipe as in the fit. The frames that the fit learns from are rendered
once for all fits of a recipe. A run that was stopped goes on in the same --out.

`quantities` are those given away; `within 25 %` those whose fitted centre is, `in interval` those whose interval holds
the hidden centre; `others moved` by how much the others did at the most; `before` and `after` the distances of the
statistics to the photographs that judge, `floor` that of photographs to each other.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from shutil import copy2
from tempfile import TemporaryDirectory

import numpy as np
import torch
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from anomaly.gallery.feature_distance import picture_features
from benchmarks.common import Figure, report
from blender_addon.calibrating.radiance import renderer
from scenes.calibration.calibrating import (
    DETERMINED,
    Calibration,
    Plan,
    calibrate,
    design_views,
    given_away,
    verifying_views,
)
from scenes.calibration.measuring import Bench, Shot, developed
from scenes.calibration.parameters import CalibrationError, Parameter, free_parameters, shapes, with_shapes
from scenes.calibration.photographs import Photographs, photographs
from scenes.camera.sensor import Singles
from scenes.jobs.progress import print_progress, untold
from scenes.recipes.recipe import Recipe, load_recipe

RECIPES = ("hot_strip", "magnetic_tile", "asphalt")
SAMPLES, SEED = 4, 0
HIDDEN_FROM = 2_000_000  # numbers of frames that are photographs; no fit renders them
BETWEEN = (0.15, 0.85)  # unit coordinates of hidden centres
NEAR = 0.25  # of itself by which a found centre may miss the hidden one
QUICK = Plan(renders=40, verified=8)


def taken(recipe: Recipe, count: int, folder: Path) -> None:
    """Photographs of a recipe, in files; those that are there are not taken again."""
    folder.mkdir(parents=True, exist_ok=True)
    shots = [Shot(recipe, SEED, HIDDEN_FROM + number) for number in range(count)]
    missing = [number for number in range(count) if not (folder / f"{number:03d}.png").is_file()]

    def take(position: int, radiance: Singles) -> None:
        shot = shots[missing[position]]
        picture = developed(radiance, shot.sensor()[0], recipe.camera.resolution)
        Image.fromarray(picture).save(folder / f"{missing[position]:03d}.png")
        print_progress("photographs", count - len(missing) + position + 1, count)

    if missing:
        renderer(recipe, samples=SAMPLES)([shots[number] for number in missing], take)


def hidden(recipe: Recipe, parameters: Sequence[Parameter], shown: np.ndarray, number: int) -> Recipe:
    """The recipe with what pictures give away, shown (K,), elsewhere, as far spread as before."""
    half_widths = shapes(parameters)[1]
    drawn = np.random.default_rng([SEED, number]).uniform(*BETWEEN, len(parameters))
    room = np.minimum(drawn, 1 - drawn)
    return with_shapes(recipe, parameters, drawn, np.minimum(half_widths, room), shown)


def figures(
    name: str, number: int, parameters: Sequence[Parameter], truth: Recipe, shown: np.ndarray, found: Calibration
) -> dict[str, Figure]:
    """A row of one fit."""
    held = shapes([replace(p, quantity=q.quantity) for p, q in zip(parameters, free_parameters(truth), strict=True)])[0]
    values, wanted, start = (
        np.array([float(parameter.value(float(unit))) for parameter, unit in zip(parameters, units, strict=True)])
        for units in (found.after.centres, held, found.before.centres)
    )
    low, high = found.centre_interval.T
    close = np.abs(values - wanted) <= NEAR * np.abs(wanted)
    inside = (low <= held) & (held <= high)
    others = np.abs(values - start) / np.maximum(np.abs(start), 1e-12)
    for k in np.flatnonzero(shown):
        print(
            f"{name} {number} {parameters[k].path}: hidden {wanted[k]:.4g}, found {values[k]:.4g}, "
            f"was {start[k]:.4g}{'' if inside[k] else ', outside its interval'}",
            file=sys.stderr,
        )
    return {
        "recipe": name,
        "fit": number,
        "quantities": int(shown.sum()),
        "within 25 %": int(close[shown].sum()),
        "in interval": int(inside[shown].sum()),
        "others moved %": float(100 * others[~shown].max(initial=0.0)) if found.moved.all() else 0.0,
        "before": found.distance_before.statistics,
        "after": found.distance_after.statistics,
        "floor": found.floor.statistics,
        "accepted": "yes" if found.accepted else "no",
    }


def fits_of(name: str, numbers: Sequence[int], plan: Plan, count: int, home: Path) -> list[dict[str, Figure]]:
    """Rows of so many fits of a recipe."""
    recipe, features = load_recipe(name).without("defects"), picture_features()
    parameters = free_parameters(recipe)
    render = renderer(recipe, samples=SAMPLES)

    def bench(folder: Path, real: Photographs) -> Bench:
        return Bench(folder, tuple(parameters), real.names_of, real.colour, render, features, print_progress)

    taken(recipe, count, home / "as it is")
    own = bench(home / "shared", photographs(home / "as it is", recipe, features, SEED, untold))
    design = own.measured(f"{name}, design", design_views(recipe, parameters, plan), judged=False)
    own.measured(f"{name}, as it is", verifying_views("before", recipe, plan), judged=True)
    shown = given_away(design, plan.seed) >= DETERMINED
    if not shown.any():
        sys.exit(f"{name}: pictures give no quantity away; learn from more --renders")
    rows = []
    for number in numbers:
        truth, folder = hidden(recipe, parameters, shown, number), home / f"fit {number}"
        taken(truth, count, folder / "photographs")
        (folder / "renders").mkdir(exist_ok=True)
        for kept in (home / "shared").iterdir():
            copy2(kept, folder / "renders" / kept.name)
        real = photographs(folder / "photographs", recipe, features, SEED, untold)
        try:
            found = calibrate(recipe, real, bench(folder / "renders", real), plan)
        except CalibrationError as error:
            print(f"{name} {number}: {error}", file=sys.stderr)
            continue
        rows.append(figures(name, number, parameters, truth, shown, found))
    return rows


def summed(rows: Sequence[dict[str, Figure]]) -> str:
    """Of all fits, in a sentence."""
    count, close, inside = (
        sum(int(row[key] or 0) for row in rows) for key in ("quantities", "within 25 %", "in interval")
    )
    near = sum(float(row["after"] or 0) <= 1.5 * float(row["floor"] or 0) for row in rows)
    return (
        f"{close} of {count} quantities within 25 %, {inside} inside their intervals; statistics within 1.5 times the "
        f"floor in {near} of {len(rows)} fits"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--recipe", action="append", help=f"a shipped recipe or a file; {', '.join(RECIPES)} by default"
    )
    parser.add_argument("--fits", type=int, default=10, help="in all, shared out among the recipes")
    parser.add_argument("--photographs", type=int, default=24)
    parser.add_argument("--renders", type=int, default=Plan().renders, help="frames to learn from")
    parser.add_argument("--verified", type=int, default=Plan().verified, help="frames that verify each round")
    parser.add_argument("--quick", action="store_true", help="one fit of the first recipe, with few frames")
    parser.add_argument("--out", type=Path, help="where frames are kept, to go on from")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    torch.set_num_threads(1)
    names = (given.recipe or RECIPES)[: 1 if given.quick else None]
    plan = QUICK if given.quick else Plan(renders=given.renders, verified=given.verified)
    fits, count = (1, 12) if given.quick else (given.fits, given.photographs)
    rows: list[dict[str, Figure]] = []
    with TemporaryDirectory(prefix="blemish-") as scratch:
        for place, name in enumerate(names):
            home = (given.out or Path(scratch)) / Path(name).stem
            rows += fits_of(name, range(place, fits, len(names)), plan, count, home)
    report(rows, given.json, summed(rows))


if __name__ == "__main__":
    main()
